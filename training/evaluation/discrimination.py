"""Telling events from non-events, and the error of single probabilities.

Every figure is written once, for weighted rows: a bootstrap resample is nothing but a count per
row, so a thousand resamples are one matrix of counts and a handful of sums along its rows.

References
----------
Hanley JA, McNeil BJ. The meaning and use of the area under a ROC curve. Radiology 1982;143:29-36.
Saito T, Rehmsmeier M. The precision-recall plot is more informative than the ROC plot. PLoS ONE
2015;10:e0118432.
Brier GW. Verification of forecasts expressed in terms of probability. Mon Weather Rev 1950;78:1-3.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]

# The smallest distance from 0 and 1 that a double can tell; scikit-learn clips at the same place.
SMALLEST = float(np.finfo(np.float64).eps)


def auroc(y: Floats, p: Floats) -> float:
    """Chance that a patient with the event was given a higher risk than one without.

    Ties count one half. It says nothing of calibration, and it is unchanged when every prediction
    is doubled.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        0 or 1.
    p : ndarray, shape (n_samples,)
        Predicted probability 0-1; only the order counts.

    Returns
    -------
    float
        0 to 1, one half for a coin; NaN when only one class is there.

    Examples
    --------
    Of the four pairs of an event and a non-event, three are in the right order:

    >>> auroc(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.4, 0.35, 0.8]))
    0.75
    """
    return float(auroc_of_resamples(y, p, _once(y))[0])


def auprc(y: Floats, p: Floats) -> float:
    """Average precision: precision at each distinct prediction, weighted by the recall it adds.

    No line is drawn between the points, so nothing is gained from interpolation. A coin scores the
    prevalence; compare only between models on the same patients.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        0 or 1.
    p : ndarray, shape (n_samples,)
        Predicted probability 0-1; only the order counts.

    Returns
    -------
    float
        0 to 1; NaN without events.

    Examples
    --------
    First event found at precision 1/1, second at 2/3, each half of the events: 0.8333.

    >>> auprc(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.4, 0.35, 0.8]))
    0.8333
    """
    return float(auprc_of_resamples(y, p, _once(y))[0])


def brier(y: Floats, p: Floats) -> float:
    """Mean squared difference between the outcome (0 or 1) and its predicted probability.

    Examples
    --------
    (0.5**2 + 0.1**2) / 2:

    >>> brier(np.array([1.0, 0.0]), np.array([0.5, 0.1]))
    0.13
    """
    return float(_weighted_mean((p - y) ** 2, _once(y))[0])


def log_loss(y: Floats, p: Floats) -> float:
    """Mean negative log-likelihood, in nats.

    A probability of exactly 0 or 1 is moved by the smallest number a double can tell, so one sure
    and wrong prediction costs 36 nats instead of making the mean infinite.

    Examples
    --------
    Everybody at one half: log 2.

    >>> log_loss(np.array([1.0, 0.0]), np.array([0.5, 0.5]))
    0.6931
    """
    return float(_weighted_mean(_losses(y, p), _once(y))[0])


def binary_statistics(y: Floats, p: Floats) -> dict[str, Statistic]:
    """Give the four figures as functions of resampling counts, shape (n_resamples, n_samples)."""
    return {
        "auroc": partial(auroc_of_resamples, y, p),
        "auprc": partial(auprc_of_resamples, y, p),
        "brier": partial(_weighted_mean, (p - y) ** 2),
        "log_loss": partial(_weighted_mean, _losses(y, p)),
    }


def auroc_of_resamples(y: Floats, p: Floats, counts: Floats) -> Floats:
    """AUROC of each resample by the rank formula.

    Parameters
    ----------
    y, p : ndarray, shape (n_samples,)
        Outcome and prediction.
    counts : ndarray, shape (n_resamples, n_samples)
        How often a resample holds each row.

    Returns
    -------
    ndarray, shape (n_resamples,)
        NaN where a resample holds one class only.
    """
    events, others = _by_prediction(y, p, counts)
    lower = np.cumsum(others, axis=1) - others
    pairs_won = (events * (lower + 0.5 * others)).sum(axis=1)
    return _ratio(pairs_won, events.sum(axis=1) * others.sum(axis=1))


def auprc_of_resamples(y: Floats, p: Floats, counts: Floats) -> Floats:
    """Average precision of each resample; shapes as in `auroc_of_resamples`."""
    events, others = (part[:, ::-1] for part in _by_prediction(y, p, counts))
    found = np.cumsum(events, axis=1)
    precision = found / np.maximum(found + np.cumsum(others, axis=1), 1.0)
    return _ratio((events * precision).sum(axis=1), found[:, -1])


def _by_prediction(y: Floats, p: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Events and non-events per distinct prediction, ascending: (n_resamples, n_distinct)."""
    order = np.argsort(p, kind="stable")
    first = np.flatnonzero(np.diff(p[order], prepend=-np.inf))
    weight = counts[:, order]
    events = weight * y[order]
    return np.add.reduceat(events, first, axis=1), np.add.reduceat(weight - events, first, axis=1)


def _losses(y: Floats, p: Floats) -> Floats:
    inside = np.clip(p, SMALLEST, 1 - SMALLEST)
    return np.asarray(-np.where(y == 1, np.log(inside), np.log1p(-inside)))


def _weighted_mean(values: Floats, counts: Floats) -> Floats:
    return np.asarray(counts @ values / counts.sum(axis=1))


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    out = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=out, where=denominator > 0)
    return out


def _once(y: Floats) -> Floats:
    return np.ones((1, len(y)))
