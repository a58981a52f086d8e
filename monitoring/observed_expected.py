"""Observed over expected events: the ratio with its interval, and the limits of a funnel plot.

Both are exact for a Poisson count and fit together: a ratio lies outside the limits at its expected
count exactly when its interval of the same level leaves out 1.

Method
------
A tail of the Poisson distribution is its nearest term times a series of falling ratios, so that
nothing cancels; where a parameter is sought, the tail is bisected down to neighbouring doubles.
For common events both are wider than they need be, since a patient has at most one event.

References
----------
Garwood F. Fiducial limits for the Poisson distribution. Biometrika 1936;28:437-442.
Spiegelhalter DJ. Funnel plots for comparing institutional performance. Stat Med 2005;24:1185-1202
(he interpolates between whole counts; here the limits are steps).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, exp, isfinite, lgamma, log, sqrt

import numpy as np

from monitoring.reference import SMALLEST_CELL

LEVEL = 0.95
# The outer limits of a funnel plot, about three standard deviations away.
OUTER_LEVEL = 0.998
FEWEST_TERMS = 60


@dataclass(frozen=True, slots=True)
class ControlLimits:
    """The lowest and highest ratio that chance alone explains; both still lie inside.

    Attributes
    ----------
    lower, upper : float
        Observed over expected; whole counts divided by the expected one.
    """

    lower: float
    upper: float


def observed_expected_ratio(
    observed: int, expected: float, level: float = LEVEL
) -> dict[str, float]:
    """Observed events over the sum of predicted risks, with its exact interval.

    The observed count O is taken as Poisson. The lower bound is the mean at which O or more events
    have half of `1 - level` as probability, the upper one that of O or fewer, both divided by the
    expected count; the same as chi2(0.025, 2 O) / (2 E) and chi2(0.975, 2 O + 2) / (2 E).

    Parameters
    ----------
    observed : int
        Events, O; 0 or more.
    expected : float
        Sum of the predicted probabilities, E; above 0.
    level : float
        Of the interval, between 0 and 1.

    Returns
    -------
    dict
        `value`, `lower`, `upper`; 1 means as many events as predicted, above 1 more.

    Raises
    ------
    ValueError
        When nothing was expected, fewer than no event observed, or the level is no probability.

    Examples
    --------
    >>> ratio = observed_expected_ratio(24, 18.5)
    >>> [round(ratio[key], 3) for key in ("value", "lower", "upper")]
    [1.297, 0.831, 1.93]
    """
    _refuse_unusable(expected, level)
    if observed < 0:
        raise ValueError("observed over expected needs 0 events or more; found fewer")
    tail = (1 - level) / 2
    lower = _root(lambda mean: _at_least(observed, mean) >= tail, observed) if observed else 0.0
    upper = _root(lambda mean: _at_most(observed, mean) <= tail, observed + 1)
    return {"value": observed / expected, "lower": lower / expected, "upper": upper / expected}


def funnel_limits(expected: float, level: float = LEVEL) -> ControlLimits:
    """Between which ratios a unit with this expected count lies when only chance is at work.

    Each side is left with at most half of `1 - level` as probability. Counts are whole numbers, so
    the limits move in steps. With 3.6 expected events or fewer the lower one at 95 % is 0: such a
    unit cannot stand out as good.

    Parameters
    ----------
    expected : float
        Sum of the predicted probabilities, E; above 0.
    level : float
        `LEVEL` (95 %) or `OUTER_LEVEL` (99.8 %) by convention. Of twenty units up to one is outside
        the former by chance.

    Raises
    ------
    ValueError
        When nothing was expected, or the level is no probability.

    Examples
    --------
    With a mean of 1, three events or fewer have a probability of 8/3 / e = 0.981, two or fewer 0.920:

    >>> funnel_limits(1.0)
    ControlLimits(lower=0.0, upper=3.0)
    """
    _refuse_unusable(expected, level)
    tail = (1 - level) / 2
    counts = range(_count_above_all(expected))
    lowest = bisect_left(counts, tail, key=lambda count: _at_most(count, expected))
    highest = bisect_left(counts, -tail, key=lambda count: -_at_least(count + 1, expected))
    return ControlLimits(lowest / expected, highest / expected)


def is_withheld(observed: int, patients: int) -> bool:
    """Whether a ratio may not be shown because it would point at persons: under five with or without.

    The expected count is no secret, so a ratio tells the events. Where one unit alone is withheld
    and a total is shown, it follows from the total: then another one has to be withheld as well.

    Parameters
    ----------
    observed : int
        Events.
    patients : int
        With and without the event.

    Examples
    --------
    >>> is_withheld(5, 100), is_withheld(4, 100), is_withheld(96, 100)
    (False, True, True)
    """
    return min(observed, patients - observed) < SMALLEST_CELL


def _refuse_unusable(expected: float, level: float) -> None:
    if not (isfinite(expected) and expected > 0):
        raise ValueError("observed over expected needs expected events above 0; found none")
    if not 0 < level < 1:
        raise ValueError("the level of an interval lies between 0 and 1")


def _root(reached: Callable[[float], bool], start: float) -> float:
    """Where a tail reaches its probability; `reached` is False below and True above."""
    low, high = 0.0, float(start)
    while not reached(high):
        low, high = high, 2 * high
    while low < (middle := (low + high) / 2) < high:
        if reached(middle):
            high = middle
        else:
            low = middle
    return high


def _at_most(count: int, mean: float) -> float:
    """Probability of this many events or fewer, for a mean above 0."""
    if count < 0:
        return 0.0
    return _tail_down(count, mean) if count < mean else 1 - _tail_up(count + 1, mean)


def _at_least(count: int, mean: float) -> float:
    """Probability of this many events or more, for a mean above 0."""
    return _tail_up(count, mean) if count > mean else 1 - _at_most(count - 1, mean)


def _tail_down(count: int, mean: float) -> float:
    """P(X <= count) below the mean: each term is the one above it times k / mean."""
    falling = np.arange(count, max(count - _terms(mean), 0), -1) / mean
    return _probability(count, mean) * (1 + float(np.cumprod(falling).sum()))


def _tail_up(count: int, mean: float) -> float:
    """P(X >= count) above the mean: each term is the one below it times mean / k."""
    falling = mean / np.arange(count + 1, count + 1 + _terms(mean))
    return _probability(count, mean) * (1 + float(np.cumprod(falling).sum()))


def _probability(count: int, mean: float) -> float:
    return exp(count * log(mean) - mean - lgamma(count + 1))


def _terms(mean: float) -> int:
    """So many that the first one left out is below 1e-17 of the whole."""
    return ceil(10 * sqrt(mean)) + FEWEST_TERMS


def _count_above_all(mean: float) -> int:
    """A count that is not reached with any probability a double can hold beside 1."""
    return ceil(mean) + _terms(mean)
