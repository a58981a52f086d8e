"""Logistic regression that arrives from anywhere: no start, no scale and no separation stops it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.risk.calibration import probability

Floats = NDArray[np.float64]

# Too small to be seen in any figure; it keeps the fit finite where the classes are separated.
RIDGE = 1e-6
MOST_NEWTON_STEPS = 100
CONVERGED = 1e-10


def fit_logistic(y: Floats, design: Floats) -> tuple[Floats, Floats]:
    """Coefficients and covariance by Newton's method, a step being halved until it helps.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        0 or 1.
    design : ndarray, shape (n_samples, n_columns)
        A column of ones first.

    Returns
    -------
    tuple of ndarray
        Coefficients (n_columns,) in log-odds and their covariance (n_columns, n_columns).

    Examples
    --------
    Three of four have the event: log 3, with variance 1 / 3 + 1 / 1 (events, non-events).

    >>> weights, covariance = fit_logistic(np.array([1.0, 1, 1, 0]), np.ones((4, 1)))
    >>> weights.round(4).tolist(), covariance.round(4).tolist()
    ([1.0986], [[1.3333]])
    """
    penalty = np.full(design.shape[1], RIDGE)
    penalty[0] = 0.0
    signs = 2 * y - 1

    def loss(weights: Floats) -> float:
        # log(1 + exp(-z)) without overflow
        return float(
            np.logaddexp(0.0, -signs * (design @ weights)).sum() + 0.5 * penalty @ weights**2
        )

    def information(weights: Floats) -> Floats:
        p = probability(design @ weights)
        return (design * (p * (1 - p))[:, None]).T @ design + np.diag(penalty)

    weights = np.zeros(design.shape[1])
    for _ in range(MOST_NEWTON_STEPS):
        gradient = design.T @ (y - probability(design @ weights)) - penalty * weights
        step = np.linalg.solve(information(weights), gradient)
        before = loss(weights)
        while loss(weights + step) > before and np.abs(step).max() > CONVERGED:
            step = step / 2
        weights = weights + step
        if np.abs(step).max() < CONVERGED:
            break
    return weights, np.asarray(np.linalg.inv(information(weights)), dtype=np.float64)
