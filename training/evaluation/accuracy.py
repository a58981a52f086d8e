"""The error of predicted numbers: days, kronor.

As with discrimination, each figure is a function of a matrix of resampling counts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]


def numeric_statistics(y: Floats, value: Floats) -> dict[str, Statistic]:
    """Give four figures as functions of resampling counts, shape (n_resamples, n_samples).

    - `mae`: mean absolute error, in the outcome's unit.
    - `rmse`: root of the mean squared error, in the outcome's unit; a few long stays rule it.
    - `r2`: 1 - squared error / squared distance from the mean; below 0 is worse than the mean.
    - `spearman`: correlation of midranks, which long tails do not rule.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        Observed value.
    value : ndarray, shape (n_samples,)
        Predicted value, same unit.

    Examples
    --------
    Errors 1, 0, 1: mean 2/3, root mean square sqrt(2/3), and r2 = 1 - 2 / 8.

    >>> figures = numeric_statistics(np.array([1.0, 3.0, 5.0]), np.array([2.0, 3.0, 4.0]))
    >>> {name: round(float(f(np.ones((1, 3)))[0]), 3) for name, f in figures.items()}
    {'mae': 0.667, 'rmse': 0.816, 'r2': 0.75, 'spearman': 1.0}
    """
    return {
        "mae": partial(_mean, np.abs(value - y)),
        "rmse": partial(_root_mean, (value - y) ** 2),
        "r2": partial(_explained_share, y, value),
        "spearman": partial(_rank_correlation, y, value),
    }


def _mean(values: Floats, counts: Floats) -> Floats:
    return np.asarray(counts @ values / counts.sum(axis=1))


def _root_mean(values: Floats, counts: Floats) -> Floats:
    return np.sqrt(_mean(values, counts))


def _explained_share(y: Floats, value: Floats, counts: Floats) -> Floats:
    centred = y - y.mean()  # keeps the difference of two large sums exact
    rows = counts.sum(axis=1)
    around_mean = counts @ centred**2 - (counts @ centred) ** 2 / rows
    out = np.full(len(counts), np.nan)
    # A resample of one repeated value has a spread of rounding noise, not of exactly 0.
    spread = around_mean > 1e-12 * max(float(centred @ centred), 1e-300)
    np.divide(counts @ (value - y) ** 2, around_mean, out=out, where=spread)
    return 1 - out


def _rank_correlation(y: Floats, value: Floats, counts: Floats) -> Floats:
    centre = (counts.sum(axis=1, keepdims=True) + 1) / 2
    a, b = _midranks(y, counts) - centre, _midranks(value, counts) - centre
    together = (counts * a * b).sum(axis=1)
    apart = np.sqrt((counts * a * a).sum(axis=1) * (counts * b * b).sum(axis=1))
    out = np.full(len(counts), np.nan)
    np.divide(together, apart, out=out, where=apart > 0)
    return out


def _midranks(values: Floats, counts: Floats) -> Floats:
    """Rank of each row within each resample, ties sharing the middle: same shape as `counts`."""
    distinct, position = np.unique(values, return_inverse=True)
    order = np.argsort(position, kind="stable")
    first = np.searchsorted(position[order], np.arange(len(distinct)))
    weight = np.add.reduceat(counts[:, order], first, axis=1)
    middle = np.cumsum(weight, axis=1) - (weight - 1) / 2
    return np.asarray(middle[:, position])
