"""The charts themselves: what a patient adds, and the recursion with its signals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import accumulate
from math import log

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Positions = NDArray[np.intp]


def weights(p: ArrayLike, y: ArrayLike, odds_ratio: float) -> Floats:
    """What each patient adds: y ln R - ln(1 - p + R p).

    If the risks are true its exponential is 1 in the mean.

    Parameters
    ----------
    p : array_like, shape (...)
        Predicted probability 0-1.
    y : array_like, shape (...)
        0 or 1.
    odds_ratio : float
        R, above 0: the change of the odds that the chart looks for.

    Returns
    -------
    ndarray, shape (...)
        Log-likelihood ratios; for R above 1, negative without the event.

    Raises
    ------
    ValueError
        When the odds ratio is not above 0.

    Examples
    --------
    ln(1 / 1.1), and ln(2 / 1.1):

    >>> weights([0.1, 0.1], [0, 1], 2.0).round(5).tolist()
    [-0.09531, 0.59784]
    """
    _refuse_odds_ratio(odds_ratio)
    events, risk = np.asarray(y, dtype=np.float64), np.asarray(p, dtype=np.float64)
    return np.asarray(events * log(odds_ratio) - np.log1p((odds_ratio - 1) * risk))


def chart(weights: Iterable[float], limit: float, start: float = 0.0) -> tuple[Floats, Positions]:
    """The chart after each patient, and where it signalled.

    Parameters
    ----------
    weights : iterable of float, shape (n_patients,)
        In the order of the chart.
    limit : float
        h; a value above it is a signal.
    start : float
        The chart's value so far. One that is above the limit has signalled: it goes on from 0, so a
        chart that is continued is the one that was never interrupted.

    Returns
    -------
    values : ndarray, shape (n_patients,)
        0 or more; at a signal the value above the limit.
    signals : ndarray of int, shape (n_signals,)
        Positions in `values`.

    Examples
    --------
    2 is above 1.5: a signal, and from 0 again.

    >>> values, signals = chart([1.0, -3.0, 1.0, 1.0, 1.0], limit=1.5)
    >>> values.tolist(), signals.tolist()
    ([1.0, 0.0, 1.0, 2.0, 1.0], [3])
    """
    steps = accumulate(
        weights, lambda value, weight: _next(value, float(weight), limit), initial=float(start)
    )
    values = np.fromiter(steps, dtype=np.float64)[1:]
    return values, np.flatnonzero(values > limit)


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart that is continued one patient at a time; the same values as `chart`.

    Attributes
    ----------
    odds_ratio : float
        The change of the odds that it looks for.
    limit : float
        h.
    value : float
        After the last patient.
    signals : int
        How often it has signalled.

    Raises
    ------
    ValueError
        When the odds ratio is not above 0.

    Examples
    --------
    Events at a risk of 2 %: ln(2 / 1.02) = 0.67334 each.

    >>> two = Chart(odds_ratio=2.0, limit=1.0).after(0.02, 1).after(0.02, 1)
    >>> round(two.value, 4), two.is_signal, two.signals, round(two.after(0.02, 1).value, 4)
    (1.3467, True, 1, 0.6733)
    """

    odds_ratio: float
    limit: float
    value: float = 0.0
    signals: int = 0

    def __post_init__(self) -> None:
        _refuse_odds_ratio(self.odds_ratio)

    @property
    def is_signal(self) -> bool:
        """Whether the last patient's value is above the limit."""
        return self.value > self.limit

    def after(self, p: float, y: float) -> Chart:
        """The chart with one more patient, of predicted probability p and outcome y (0 or 1)."""
        weight = float(weights(p, y, self.odds_ratio))
        value = _next(self.value, weight, self.limit)
        return replace(self, value=value, signals=self.signals + (value > self.limit))


def vlad(p: ArrayLike, y: ArrayLike) -> Floats:
    """Expected minus observed events so far: above 0 fewer events than predicted.

    Parameters
    ----------
    p, y : array_like, shape (n_patients,)
        Predicted probability 0-1, and 0 or 1, in the order of the chart.

    Returns
    -------
    ndarray, shape (n_patients,)
        In events.

    Examples
    --------
    >>> vlad([0.25, 0.5, 0.25], [0, 1, 0]).tolist()
    [0.25, -0.25, 0.0]
    """
    return np.cumsum(np.asarray(p, dtype=np.float64) - np.asarray(y, dtype=np.float64))


def _next(value: float, weight: float, limit: float) -> float:
    return max(0.0, (0.0 if value > limit else value) + weight)


def _refuse_odds_ratio(odds_ratio: float) -> None:
    if not odds_ratio > 0:
        raise ValueError("the odds ratio a chart looks for must be above 0")
