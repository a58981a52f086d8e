"""Figures of the entries of a window: pure, from columns.

Sums are linear in the entries and so are exactly what the counters increase by in the window. AUROC
and slope are of patients: those of whom a value stands after the window's corrections.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

import numpy as np
from numpy.typing import NDArray

from monitoring.calibration_drift import auroc as auroc_of
from monitoring.calibration_drift import slope_and_intercept
from monitoring.observed_expected import observed_expected_ratio
from monitoring.outcomes.bins import PROBABILITY_BINS
from monitoring.outcomes.record import Entries
from monitoring.reference import PREDICTION_EDGES

Floats = NDArray[np.float64]
FEWEST_OF_A_CLASS = 10
"""Events, and non-events, before an AUROC or a slope is told; product proposal."""
FEW = 5
"""Rows of fewer patients are marked: outside the hospital they must not be shown."""


@dataclass(frozen=True, slots=True)
class CurveBin:
    """A bin of the calibration curve."""

    bin: str
    n: int
    observed: int
    expected: float


@dataclass(frozen=True, slots=True)
class Figures:
    """How predictions and what happened compare in a window.

    Attributes
    ----------
    n, observed : int
        Predictions that were counted, and events among them, less what was taken back.
    expected : float
        Sum of the predicted probabilities.
    ratio, lower, upper : float or None
        Observed over expected with its exact 95 % interval; None where nothing was expected.
    brier, brier_expected : float or None
        The Brier score, and what it would be if every probability were true.
    calibration_error : float or None
        Sum over bins of |observed - expected|, over n.
    slope, auroc : float or None
        None under 10 events or non-events.
    few : bool
        Fewer than five patients.
    curve : tuple of CurveBin
        Bins that hold somebody.
    """

    n: int
    observed: int
    expected: float
    ratio: float | None
    lower: float | None
    upper: float | None
    brier: float | None
    brier_expected: float | None
    calibration_error: float | None
    slope: float | None
    auroc: float | None
    few: bool
    curve: tuple[CurveBin, ...]


def figures(entries: Entries) -> Figures:
    """Work out the figures of some entries.

    Examples
    --------
    Two patients with a predicted risk of 1/2, one of whom had the event, and one of 1/4 without:
    1 event against 1.25 expected; squared errors 1/4, 1/4 and 1/16.

    >>> columns = {"p": [0.5, 0.5, 0.25], "y": [1, 0, 0], "sign": [1, 1, 1], "whole": [1, 1, 1]}
    >>> given = Entries(**{name: np.array(c) for name, c in columns.items()}, delay_s=np.zeros(3))
    >>> found = figures(given)
    >>> found.n, found.observed, found.expected, found.ratio, found.brier
    (3, 1, 1.25, 0.8, 0.1875)
    """
    p, y, sign = entries.p, entries.y, entries.sign
    n, events = int(sign.sum()), int((sign * y).sum())
    expected = float((entries.whole * p).sum())
    curve = _curve(entries)
    ratio, lower, upper = None, None, None
    if expected > 0 and events >= 0:
        interval = observed_expected_ratio(events, expected)
        ratio, lower, upper = (interval[bound] for bound in ("value", "lower", "upper"))
    slope, auroc = slope_and_auroc(entries)
    return Figures(
        n=n,
        observed=events,
        expected=expected,
        ratio=ratio,
        lower=lower,
        upper=upper,
        brier=float((sign * (p - y) ** 2).sum() / n) if n > 0 else None,
        brier_expected=float((entries.whole * p * (1 - p)).sum() / n) if n > 0 else None,
        calibration_error=(
            sum(abs(one.observed - one.expected) for one in curve) / n if n > 0 else None
        ),
        slope=slope,
        auroc=auroc,
        few=n < FEW,
        curve=curve,
    )


def slope_and_auroc(entries: Entries) -> tuple[float | None, float | None]:
    """Calibration slope (Cox 1958) and AUROC (Mann-Whitney) of who is counted in the end.

    Returns
    -------
    slope : float or None
        Also None where the probabilities do not vary, or tell the classes apart without an overlap.
    auroc : float or None
        None, as the slope, under 10 events or non-events.
    """
    p, y = _standing(entries)
    events = int(y.sum())
    if min(events, len(y) - events) < FEWEST_OF_A_CLASS:
        return None, None
    slope = slope_and_intercept(y, p).slope
    return (None if isnan(slope) else slope), auroc_of(y, p)


def _standing(entries: Entries) -> tuple[Floats, Floats]:
    """Probability and value of the patients of whom a value stands, each once."""
    added = entries.sign > 0
    if added.all():
        return entries.p.astype(np.float64), entries.y.astype(np.float64)
    order = np.lexsort((entries.y, entries.p))
    p, y, sign = entries.p[order], entries.y[order], entries.sign[order].astype(np.int64)
    starts = np.flatnonzero(np.r_[True, (np.diff(p) != 0) | (np.diff(y) != 0)])
    # What is taken back of an earlier window has nobody to cancel here.
    times = np.maximum(np.add.reduceat(sign, starts), 0)
    return (
        np.repeat(p[starts], times).astype(np.float64),
        np.repeat(y[starts], times).astype(np.float64),
    )


def _curve(entries: Entries) -> tuple[CurveBin, ...]:
    places = np.searchsorted(np.array(PREDICTION_EDGES), entries.p, side="left")

    def summed(weights: Floats) -> Floats:
        return np.bincount(places, weights, minlength=len(PROBABILITY_BINS)).astype(np.float64)

    n, events = summed(entries.sign), summed(entries.sign * entries.y)
    expected = summed(entries.whole * entries.p)
    return tuple(
        CurveBin(PROBABILITY_BINS[i], int(n[i]), int(events[i]), float(expected[i]))
        for i in range(len(PROBABILITY_BINS))
        if n[i] or events[i] or expected[i]
    )
