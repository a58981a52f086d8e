"""Calibration that keeps reasons exact: a straight line on the log-odds.

`calibrated = intercept + slope * raw`. Because it is linear, scaling every contribution by the
slope and moving the base value keeps the sum equal to the calibrated log-odds that is shown.

References
----------
Cox DR. Two further applications of a model for binary regression. Biometrika 1958;45:562-565.
Van Calster et al. BMC Medicine 2019;17:230 (calibration slope and calibration in the large).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MOST_NEWTON_STEPS = 100
CONVERGED = 1e-12


@dataclass(frozen=True, slots=True)
class LinearCalibration:
    """`calibrated = intercept + slope * raw`, in log-odds or in the outcome's unit."""

    intercept: float
    slope: float

    def apply(self, raw: Floats) -> Floats:
        return self.intercept + self.slope * raw


def probability(log_odds: Floats) -> Floats:
    """Inverse logit, exact in both tails.

    Examples
    --------
    >>> float(probability(np.array(0.0)))
    0.5
    """
    z = np.exp(-np.abs(log_odds))
    return np.asarray(np.where(log_odds >= 0, 1 / (1 + z), z / (1 + z)))


def probability_of_one(log_odds: float) -> float:
    """Inverse logit of a single number; the request path.

    Examples
    --------
    >>> probability_of_one(0.0)
    0.5
    """
    z = exp(-abs(log_odds))
    return 1 / (1 + z) if log_odds >= 0 else z / (1 + z)


def calibration_slope_and_intercept(y: Floats, log_odds: Floats) -> LinearCalibration:
    """Logistic regression of the outcome on the predicted log-odds, by Newton's method.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        0 or 1.
    log_odds : ndarray, shape (n_samples,)
        Predicted log-odds.

    Returns
    -------
    LinearCalibration
        Slope 1 and intercept 0 mean perfect calibration; a slope under 1 means predictions that
        are too extreme.

    Raises
    ------
    ValueError
        When only one class is there, or the predictions do not vary.

    Examples
    --------
    Two groups predicted at odds 1:1 and 3:1 whose observed odds are the same:

    >>> y = np.array([0, 1, 0, 1, 1, 1.0]); lp = np.log([1, 1, 3, 3, 3, 3.0])
    >>> fit = calibration_slope_and_intercept(y, lp)
    >>> round(fit.slope, 6), abs(round(fit.intercept, 6))
    (1.0, 0.0)
    """
    if not 0 < y.mean() < 1:
        raise ValueError("calibration needs both classes; found one")
    if np.ptp(log_odds) == 0:
        raise ValueError("calibration needs predictions that vary; found a constant")
    design = np.column_stack([np.ones_like(log_odds), log_odds])
    weights = np.array([np.log(y.mean() / (1 - y.mean())), 0.0])
    loss = _log_loss(y, design @ weights)
    for _ in range(MOST_NEWTON_STEPS):
        p = probability(design @ weights)
        hessian = (design * (p * (1 - p))[:, None]).T @ design
        step = np.linalg.solve(hessian, design.T @ (y - p))
        # A full step can overshoot when predictions are far off; half of it cannot for ever.
        while (found := _log_loss(y, design @ (weights + step))) > loss + CONVERGED:
            step = step / 2
        weights, loss = weights + step, found
        if np.abs(step).max() < CONVERGED:
            break
    return LinearCalibration(float(weights[0]), float(weights[1]))


def _log_loss(y: Floats, log_odds: Floats) -> float:
    return float((np.logaddexp(0.0, log_odds) - y * log_odds).sum())


def calibration_in_the_large(y: Floats, log_odds: Floats) -> float:
    """Intercept with the predicted log-odds as offset; 0 when observed equals expected.

    Raises
    ------
    ValueError
        When only one class is there.

    Examples
    --------
    Everybody predicted 1:1, three of four have the event: log 3.

    >>> round(calibration_in_the_large(np.array([1, 1, 1, 0.0]), np.zeros(4)), 6)
    1.098612
    """
    if not 0 < y.mean() < 1:
        raise ValueError("calibration needs both classes; found one")
    # Expected events rise with the shift, so the root lies between bounds that cannot miss it.
    target = np.log(y.mean() / (1 - y.mean()))
    low, high = float(target - log_odds.max()), float(target - log_odds.min())
    while high - low > CONVERGED * max(1.0, abs(low), abs(high)):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if probability(log_odds + middle).sum() < y.sum():
            low = middle
        else:
            high = middle
    return (low + high) / 2


def linear_calibration(y: Floats, raw: Floats) -> LinearCalibration:
    """Least squares of a numeric outcome on its raw prediction.

    Examples
    --------
    >>> linear_calibration(np.array([1.0, 3.0]), np.array([0.0, 1.0]))
    LinearCalibration(intercept=1.0, slope=2.0)
    """
    centred = raw - raw.mean()
    slope = float(centred @ y / (centred @ centred))
    return LinearCalibration(float(y.mean() - slope * raw.mean()), slope)
