"""What a validation means, in two plain sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.evaluation.summary import FEWER, UNKNOWN
from training.signal.words import percent

Estimate = Mapping[str, float | None]

# Below this lower bound the gate refuses a model as well (promotion.toml, `discrimination`).
USELESS = 0.6
# Of observed over expected, and of the slope; product proposal.
NEGLIGIBLE = 0.05


def sentences(report: Mapping[str, Any]) -> list[str]:
    """Say what was found, and what follows from it.

    Parameters
    ----------
    report : mapping
        From `validate`, without its sentences.

    Returns
    -------
    list of str
        Two sentences.
    """
    found = _binary if report["evaluation"]["kind"] == "binary" else _numeric
    return [found(report), _advice(report)]


def is_off(estimate: Estimate, right: float = 1.0) -> bool:
    """Whether an interval leaves out the right value and the value is off by more than is negligible.

    With enough patients every interval leaves out the right value. Unknown bounds leave out nothing.

    Examples
    --------
    >>> is_off({"value": 1.3, "lower": 1.1, "upper": 1.5})
    True
    >>> is_off({"value": 0.98, "lower": 0.97, "upper": 0.99})
    False
    >>> is_off({"value": 1.3, "lower": None, "upper": None})
    False
    """
    value, lower, upper = (estimate[key] for key in ("value", "lower", "upper"))
    if value is None or lower is None or upper is None:
        return False
    return not lower <= right <= upper and abs(value - right) > NEGLIGIBLE


def _binary(report: Mapping[str, Any]) -> str:
    evaluation, calibration = report["evaluation"], report["calibration"]
    ratio, slope = calibration["observed_expected"], calibration["slope"]
    told = (
        f"Of {evaluation['rows']} patients {evaluation['events']} had the outcome; the model ranks "
        f"those above the others with an AUROC of {estimate(evaluation['auroc'])}"
    )
    if is_off(ratio):
        side = "more" if (ratio["value"] or 0) > 1 else "fewer"
        told += f", {side} had it than predicted (observed over expected {estimate(ratio)})"
    else:
        told += f", about as many as predicted (observed over expected {estimate(ratio)})"
    if is_off(slope):
        too = "too extreme" if (slope["value"] or 0) < 1 else "too timid"
        return f"{told}, and its risks are {too} (slope {estimate(slope)})."
    return f"{told}, and its risks are neither too extreme nor too timid (slope {estimate(slope)})."


def _numeric(report: Mapping[str, Any]) -> str:
    evaluation, calibration = report["evaluation"], report["calibration"]
    return (
        f"Of {evaluation['rows']} patients the model explains R² {estimate(evaluation['r2'])}; "
        f"observed over predicted is {estimate(calibration['observed_expected'])} and the slope "
        f"{estimate(calibration['slope'])}."
    )


def _advice(report: Mapping[str, Any]) -> str:
    evaluation, calibration = report["evaluation"], report["calibration"]
    size = report["sample_size"]
    if report["cohort"]["own"]:
        return (
            "These are held-out patients of the cohort that it was fitted on: they say nothing of "
            "another hospital or another year."
        )
    if size is not None and not size["enough"]:
        return (
            f"With fewer than {size['fewest_events']} events this settles nothing: collect more "
            "outcomes before the model is used or refused here."
        )
    useless = evaluation["kind"] == "binary" and (evaluation["auroc"]["lower"] or 0.0) < USELESS
    if useless:
        return "It orders these patients hardly better than chance: do not use it here."
    if is_off(calibration["observed_expected"]) or is_off(calibration["slope"]):
        return (
            "Its order can be used here but its risks cannot be taken at their word: recalibrate it "
            f"on local patients first (risk-train recalibrate {report['model']['name']})."
        )
    return (
        "Nothing here speaks against trying it on these patients in silence; nothing here proves "
        "that it helps them."
    )


def estimate(found: Estimate) -> str:
    """A value with its interval.

    Examples
    --------
    >>> estimate({"value": 0.789, "lower": 0.77, "upper": 0.81})
    '0.79 (0.77 to 0.81)'
    """
    value, lower, upper = (found[key] for key in ("value", "lower", "upper"))
    if value is None:
        return UNKNOWN
    if lower is None or upper is None:
        return f"{value:.2f}"
    return f"{value:.2f} ({lower:.2f} to {upper:.2f})"


def number(value: float | None, sign: str = "") -> str:
    """A number to two or three places.

    Examples
    --------
    >>> number(0.1234), number(0.5, "+"), number(None)
    ('0.123', '+0.500', '-')
    """
    return UNKNOWN if value is None else f"{value:{sign}.3f}"


def share(value: float | None) -> str:
    """Whole percent, or that it is withheld.

    Examples
    --------
    >>> share(0.254), share(0.004), share(None)
    ('25 %', '<1 %', 'fewer than 5')
    """
    return percent(value, FEWER)
