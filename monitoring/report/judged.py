"""What a figure amounts to, by the limits that the alerts have: far, somewhat, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal

from monitoring.observed_expected import OUTER_LEVEL, funnel_limits
from monitoring.rules.thresholds import load_thresholds

Row = Mapping[str, Any]
Shift = Literal["clearly", "somewhat", "not"]
Standing = Literal["far above", "above", "inside", "below", "far below"]
CLEARLY: Shift = "clearly"
SOMEWHAT: Shift = "somewhat"
NOT: Shift = "not"
INSIDE: Standing = "inside"


@cache
def limits() -> Mapping[str, float]:
    """The product's thresholds."""
    return load_thresholds()


def shift(psi: float | None, bins: int, counted: int | None) -> Shift | None:
    """How far a distribution has moved, beyond what chance gives with so many bins and patients.

    Without any drift the index is about (bins - 1) / patients.

    Returns
    -------
    str or None
        "clearly" above 0.25, "somewhat" above 0.1; None where no index is told.

    Examples
    --------
    Thirteen bins of 240 patients: 0.05 is chance.

    >>> [shift(psi, 13, 240) for psi in (0.31, 0.29, 0.14, None)]
    ['clearly', 'somewhat', 'not', None]
    """
    if psi is None or not counted:
        return None
    beyond = psi - (bins - 1) / counted
    if beyond > limits()["psi_large"]:
        return CLEARLY
    return SOMEWHAT if beyond > limits()["psi_moderate"] else NOT


def asked_of(model: Row) -> int | None:
    """Assessments that a model was asked for; None where it is withheld."""
    if model["answered"] is None:
        # Every feature's bins add up to it, but for what is withheld of them: nearly enough here.
        sums = [sum(b["count"] or 0 for b in one["bins"]) for one in model["features"]]
        return max(sums, default=None)
    return int(model["answered"] + model["abstained"])


def feature_shift(model: Row, feature: Row) -> Shift | None:
    return shift(feature["psi"], len(feature["bins"]), asked_of(model))


def prediction_shift(model: Row) -> Shift | None:
    told = model["answered"] if model["answered"] is not None else asked_of(model)
    return shift(model["prediction_psi"], len(model["predictions"]), told)


def by_drift(model: Row) -> list[Row]:
    """Features, those that moved most first; without an index in their own order, last."""
    asked = asked_of(model) or 1

    def beyond(feature: Row) -> float:
        return float((len(feature["bins"]) - 1) / asked - feature["psi"])

    told = [one for one in model["features"] if one["psi"] is not None]
    return sorted(told, key=beyond) + [one for one in model["features"] if one["psi"] is None]


def standing(figures: Row) -> Standing | None:
    """Where a ratio lies in the funnel: above or below the 95 % limits, far where beyond 99.8 %.

    Examples
    --------
    With 1 expected event up to 3 are inside 95 %; 6 are more than 99.8 % allow:

    >>> [standing({"ratio": ratio, "expected": 1.0}) for ratio in (3.0, 4.0, 6.0)]
    ['inside', 'above', 'far above']
    """
    ratio, expected = figures["ratio"], figures["expected"]
    if ratio is None or not expected:
        return None
    outer, inner = funnel_limits(expected, OUTER_LEVEL), funnel_limits(expected)
    if ratio > inner.upper:
        return "far above" if ratio > outer.upper else "above"
    if ratio < inner.lower:
        return "far below" if ratio < outer.lower else "below"
    return INSIDE


def signalled(chart: Row) -> Sequence[str]:
    """Directions in which a chart has signalled, since the ledger began."""
    return [direction for direction, times in chart["signals"].items() if times]
