"""How a report's figures are said, in the terminal and on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

WITHHELD = "withheld"
UNKNOWN = "-"
FIGURES = {
    "log_loss": "log loss", "auroc": "AUROC", "brier": "Brier score",
    "mae": "mean absolute error", "r2": "R²",
}  # fmt: skip
# The two that are shown where there is little room.
SHOWN = {"binary": ("log_loss", "auroc"), "numeric": ("mae", "r2")}


def named(variable: Mapping[str, Any]) -> str:
    """A variable by its label and unit, if it is one that people write.

    Examples
    --------
    >>> named({"label": "Albumin", "unit": "g/L"}), named({"label": "Sex", "unit": None})
    ('Albumin [g/L]', 'Sex')
    """
    unit = variable["unit"]
    return str(variable["label"]) + (f" [{unit}]" if unit and unit[0] not in "{[" else "")


def percent(share: float | None, what: str = WITHHELD) -> str:
    """Whole percent, with what to say where there is none.

    Examples
    --------
    >>> percent(0.254), percent(0.004), percent(0.0), percent(None)
    ('25 %', '<1 %', '0 %', 'withheld')
    """
    if share is None:
        return what
    return "<1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def change(estimate: Mapping[str, float | None] | None) -> str:
    """A difference with its interval.

    Examples
    --------
    >>> change({"value": 0.0123, "lower": 0.004, "upper": 0.02})
    '+0.012 (+0.004 to +0.020)'
    """
    if estimate is None or estimate["value"] is None:
        return UNKNOWN
    if estimate["lower"] is None or estimate["upper"] is None:
        return f"{estimate['value']:+.3f}"
    return f"{estimate['value']:+.3f} ({estimate['lower']:+.3f} to {estimate['upper']:+.3f})"


def hospitals(variable: Mapping[str, Any]) -> str:
    """The least and the most that a hospital measures it.

    Examples
    --------
    >>> hospitals({"measured_by_hospital": {"a": 0.25, "b": None, "c": 0.75}})
    '25 % to 75 %'
    """
    shares = [share for share in variable["measured_by_hospital"].values() if share is not None]
    return f"{percent(min(shares))} to {percent(max(shares))}" if shares else UNKNOWN


def least_gain(step: Mapping[str, Any]) -> tuple[float, bool]:
    """What a step of a curve leaves for the outcome that suffers most, and whether it is within."""
    losses: Sequence[Mapping[str, Any]] = list(step["loss"].values())
    return min(own["gain"] for own in losses), all(own["within"] for own in losses)


def rows_that_are_complete(report: Mapping[str, Any]) -> str:
    """How many rows have every value, of all variables and of those that are kept."""
    n, found = report["rows"]["all"], report["together"]["complete_rows"]
    full, kept = (
        WITHHELD if found[key] is None else f"{found[key]} ({percent(found[key] / n)})"
        for key in ("full", "kept")
    )
    return f"Complete rows of {n}: {full} with all variables, {kept} with those that are kept."
