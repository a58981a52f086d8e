"""The figures of an evaluation in words: label, value, 95% interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from models.card.said import number, part

WITHHELD = "withheld: fewer than 5"
LABELS = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "brier": "Brier score",
    "log_loss": "Log loss",
    "mae": "Mean absolute error",
    "rmse": "Root mean squared error",
    "r2": "R²",
    "spearman": "Spearman correlation",
}
CALIBRATION = {
    "slope": "Calibration slope",
    "in_the_large": "Calibration in the large",
    "ici": "Integrated calibration index",
    "e90": "E90",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and how sure it is."""

    label: str
    value: float
    lower: float | None = None
    upper: float | None = None

    @property
    def interval(self) -> str:
        """The interval in words; empty when there is none.

        Examples
        --------
        >>> Figure("AUROC", 0.8, 0.75, 0.85).interval
        '0.750 to 0.850'
        """
        if self.lower is None or self.upper is None:
            return ""
        return f"{self.lower:.3f} to {self.upper:.3f}"

    def __str__(self) -> str:
        interval = f" (95% interval {self.interval})" if self.interval else ""
        return f"{self.label} {self.value:.3f}{interval}"


@dataclass(frozen=True, slots=True)
class Subgroup:
    """One group of patients; `n` and figures are None where they are withheld."""

    grouping: str
    label: str
    n: int | None
    figure: Figure | None
    observed_expected: Figure | None

    @property
    def name(self) -> str:
        return f"{self.grouping.replace('_', ' ')}: {self.label}"


def estimate(document: Any, label: str, *path: str) -> Figure | None:
    """A figure with its interval, where the document has one."""
    value = number(document, *path, "value")
    if value is None:
        return None
    return Figure(label, value, number(document, *path, "lower"), number(document, *path, "upper"))


def headline(evaluation: Mapping[str, Any]) -> list[Figure]:
    """Discrimination or error, then calibration, in the order in which people read them."""
    found = [estimate(evaluation, label, name) for name, label in LABELS.items()]
    found.append(estimate(evaluation, "Observed over expected", "calibration", "observed_expected"))
    for name, label in CALIBRATION.items():
        value = number(evaluation, "calibration", name)
        found.append(None if value is None else Figure(label, value))
    return [figure for figure in found if figure is not None]


def subgroups(evaluation: Mapping[str, Any]) -> Iterator[Subgroup]:
    """Every group that was looked at, in the evaluation's order."""
    name = main_figure(evaluation)
    for grouping, values in part(evaluation, "subgroups").items():
        for label, own in part({"x": values}, "x").items():
            n = number(own, "n")
            yield Subgroup(
                grouping,
                label,
                None if n is None else int(n),
                estimate(own, LABELS[name], name),
                estimate(own, "Observed over expected", "observed_expected"),
            )


def main_figure(evaluation: Mapping[str, Any]) -> str:
    """AUROC for yes or no, mean absolute error for a number."""
    return "mae" if evaluation.get("kind") == "numeric" else "auroc"
