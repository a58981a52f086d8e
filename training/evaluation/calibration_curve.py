"""The flexible calibration curve: whether a predicted 20% happens to one patient in five.

Method
------
The outcome is regressed on the predicted log-odds through a restricted cubic spline: smooth,
straight beyond the outer knots. With five knots it can bend where predictions are wrong; with few
events it would chase noise, so a knot is kept only while the rarer class has at least ten patients
per coefficient, down to a straight line. The distance between prediction and curve, over the
patients as they are, gives ICI (mean), E50 and E90 (percentiles) and Emax (largest).

When it misleads: at either end, where few patients are, the curve is mostly its straight tail;
Emax is decided there. ICI of a perfect model is above 0 in any finite sample.

References
----------
Austin PC, Steyerberg EW. The integrated calibration index (ICI) and related metrics. Stat Med
2019;38:4051-4065.
Harrell FE. Regression Modeling Strategies, 2nd ed. Springer 2015, 2.4.5 and 2.4.6 (spline, knots).
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from models.risk.calibration import probability
from training.evaluation.log_odds import clipped_log_odds
from training.evaluation.logistic import fit_logistic

Floats = NDArray[np.float64]

KNOT_QUANTILES = (
    (0.05, 0.275, 0.5, 0.725, 0.95),
    (0.05, 0.35, 0.65, 0.95),
    (0.1, 0.5, 0.9),
)
PATIENTS_A_COEFFICIENT = 10
CURVE_POINTS = 41
Z95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class CalibrationCurve:
    """A fitted flexible calibration curve.

    Attributes
    ----------
    knots : ndarray, shape (n_knots,)
        In log-odds; empty for a straight line.
    coefficients : ndarray, shape (n_columns,)
        Intercept first; one entry alone when predictions do not vary.
    covariance : ndarray, shape (n_columns, n_columns)
        Inverse information.
    """

    knots: Floats
    coefficients: Floats
    covariance: Floats

    def at(self, p: Floats) -> Floats:
        """Observed share that the curve gives for predicted probabilities, same shape."""
        return probability(self._design(p) @ self.coefficients)

    def band(self, p: Floats) -> tuple[Floats, Floats]:
        """Pointwise 95% bounds of `at(p)`."""
        design = self._design(p)
        middle = design @ self.coefficients
        half = Z95 * np.sqrt(np.einsum("ij,jk,ik->i", design, self.covariance, design))
        return probability(middle - half), probability(middle + half)

    def _design(self, p: Floats) -> Floats:
        if len(self.coefficients) == 1:
            return np.ones((len(p), 1))
        return _with_intercept(spline_columns(clipped_log_odds(p), self.knots))


def fit_calibration_curve(y: Floats, p: Floats) -> CalibrationCurve:
    """Fit the flexible curve.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        0 or 1, both present.
    p : ndarray, shape (n_samples,)
        Predicted probability 0-1.

    Examples
    --------
    Predictions that do not vary leave only the observed share, three of four:

    >>> curve = fit_calibration_curve(np.array([1.0, 1, 1, 0]), np.full(4, 0.5))
    >>> curve.at(np.array([0.5])).round(4).tolist()
    [0.75]
    """
    log_odds = clipped_log_odds(p)
    if np.ptp(log_odds) == 0:
        knots, design = np.zeros(0), np.ones((len(p), 1))
    else:
        knots = _knots(log_odds, int(min(y.sum(), len(y) - y.sum())))
        design = _with_intercept(spline_columns(log_odds, knots))
    return CalibrationCurve(knots, *fit_logistic(y, design))


def calibration_errors(p: Floats, curve: CalibrationCurve) -> dict[str, float]:
    """ICI, E50, E90 and Emax: distances between prediction and curve, as probabilities.

    Examples
    --------
    Everybody predicted at 50%, three of four have the event: all distances are 0.25.

    >>> p = np.full(4, 0.5)
    >>> calibration_errors(p, fit_calibration_curve(np.array([1.0, 1, 1, 0]), p))
    {'ici': 0.25, 'e50': 0.25, 'e90': 0.25, 'emax': 0.25}
    """
    distance = np.abs(p - curve.at(p))
    e50, e90 = np.quantile(distance, [0.5, 0.9])
    return {
        "ici": float(distance.mean()),
        "e50": float(e50),
        "e90": float(e90),
        "emax": float(distance.max()),
    }


def curve_points(p: Floats, curve: CalibrationCurve) -> list[dict[str, float]]:
    """Trace the curve with its band between the 1st and 99th percentile of the predictions."""
    first, last = np.quantile(p, [0.01, 0.99])
    grid = np.unique(np.linspace(first, last, CURVE_POINTS))
    lower, upper = curve.band(grid)
    columns = zip(grid, curve.at(grid), lower, upper, strict=True)
    names = ("predicted", "observed", "lower", "upper")
    return [dict(zip(names, map(float, point), strict=True)) for point in columns]


def spline_columns(x: Floats, knots: Floats) -> Floats:
    """Columns of a restricted cubic spline: x itself, and one fewer than the inner knots' cubes.

    Parameters
    ----------
    x : ndarray, shape (n_samples,)
        Log-odds.
    knots : ndarray, shape (n_knots,)
        Ascending; none, or three and more.

    Returns
    -------
    ndarray, shape (n_samples, max(1, n_knots - 1))
        Divided by the squared width of the knots, so that columns keep the unit of x.

    Examples
    --------
    Knots 0, 1, 2 at x = 1: 1 and 1**3 / 2**2.

    >>> spline_columns(np.array([1.0]), np.array([0.0, 1.0, 2.0])).tolist()
    [[1.0, 0.25]]
    """
    if not len(knots):
        return x[:, None]
    last, width = knots[-1], knots[-1] - knots[-2]

    def cube(knot: float) -> Floats:
        return np.maximum(x - knot, 0.0) ** 3

    bends = [
        cube(knot)
        - cube(knots[-2]) * (last - knot) / width
        + cube(last) * (knots[-2] - knot) / width
        for knot in knots[:-2]
    ]
    return np.column_stack([x, *(bend / (last - knots[0]) ** 2 for bend in bends)])


def _knots(log_odds: Floats, rarer: int) -> Floats:
    for quantiles in KNOT_QUANTILES:
        # Knots at predictions that occur: between few distinct ones the curve would be undefined.
        knots = np.quantile(log_odds, quantiles, method="nearest")
        enough = rarer >= PATIENTS_A_COEFFICIENT * (len(quantiles) - 1)
        if enough and np.diff(knots).min() > 0:
            return knots
    return np.zeros(0)


def _with_intercept(columns: Floats) -> Floats:
    return np.column_stack([np.ones(len(columns)), columns])
