"""The calibration part of an evaluation: from one number to the whole curve."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.risk.calibration import (
    LinearCalibration,
    calibration_in_the_large,
    calibration_slope_and_intercept,
    linear_calibration,
)
from monitoring.observed_expected import observed_expected_ratio
from training.evaluation.calibration_curve import (
    calibration_errors,
    curve_points,
    fit_calibration_curve,
)
from training.evaluation.deciles import binary_deciles
from training.evaluation.disclosure import SMALLEST_COUNT
from training.evaluation.log_odds import clipped_log_odds

Floats = NDArray[np.float64]

HISTOGRAM_BINS = 20
UNKNOWN = LinearCalibration(float("nan"), float("nan"))


def binary_line(y: Floats, p: Floats) -> dict[str, float]:
    """Observed over expected, calibration in the large, and slope: the straight part of calibration.

    Examples
    --------
    Four predicted at one half, three have the event: 3 / 2, and log 3.

    >>> binary_line(np.array([1.0, 1, 1, 0]), np.full(4, 0.5))
    {'observed_expected': 1.5, 'in_the_large': 1.0986, 'slope': nan}
    """
    return {
        "observed_expected": float(y.sum() / p.sum()),
        "in_the_large": in_the_large(y, p),
        "slope": _slope_and_intercept(y, clipped_log_odds(p)).slope,
    }


def binary_calibration(y: Floats, p: Floats) -> dict[str, Any]:
    """Everything about the calibration of predicted probabilities.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        0 or 1, both present.
    p : ndarray, shape (n_samples,)
        Predicted probability 0-1.

    Returns
    -------
    dict
        - `slope`, `intercept_at_slope`: logistic regression on the predicted log-odds; NaN when
          predictions are constant or separate the classes, where no finite line fits best.
        - `in_the_large`: intercept at slope 1, in log-odds.
        - `observed_expected`: ratio with exact 95% interval.
        - `ici`, `e50`, `e90`, `emax`: distance from the flexible curve, as probabilities.
        - `curve`, `knots`, `deciles`, `distribution`: for the picture.
    """
    line = _slope_and_intercept(y, clipped_log_odds(p))
    curve = fit_calibration_curve(y, p)
    return {
        "slope": line.slope,
        "intercept_at_slope": line.intercept,
        "in_the_large": in_the_large(y, p),
        "observed_expected": observed_expected_ratio(int(y.sum()), float(p.sum())),
        **calibration_errors(p, curve),
        "knots": len(curve.knots),
        "curve": curve_points(p, curve),
        "deciles": binary_deciles(y, p),
        "distribution": _distribution(p),
    }


def in_the_large(y: Floats, p: Floats) -> float:
    """Calibration in the large in log-odds; NaN when only one class is there.

    Examples
    --------
    Everybody predicted at 0.1%, half have the event: log-odds 0 instead of -6.907.

    >>> round(in_the_large(np.array([0.0, 1.0]), np.full(2, 0.001)), 3)
    6.907
    """
    if not 0 < y.mean() < 1:
        return float("nan")
    return float(calibration_in_the_large(y, clipped_log_odds(p)))


def numeric_calibration(y: Floats, value: Floats) -> dict[str, Any]:
    """Slope and intercept of the observed on the predicted value, and the two means.

    Parameters
    ----------
    y, value : ndarray, shape (n_samples,)
        Observed and predicted, in the outcome's unit.

    Examples
    --------
    >>> numeric_calibration(np.array([1.0, 3.0]), np.array([1.0, 2.0]))
    {'slope': 2.0, 'intercept_at_slope': -1.0, 'mean_observed': 2.0,
     'mean_predicted': 1.5, 'observed_expected': 1.3333333}
    """
    line = linear_calibration(y, value) if np.ptp(value) > 0 else UNKNOWN
    observed, predicted = float(y.mean()), float(value.mean())
    return {
        "slope": line.slope,
        "intercept_at_slope": line.intercept,
        "mean_observed": observed,
        "mean_predicted": predicted,
        "observed_expected": observed / predicted if predicted else float("nan"),
    }


def _slope_and_intercept(y: Floats, log_odds: Floats) -> LinearCalibration:
    without, with_event = log_odds[y == 0], log_odds[y == 1]
    constant = np.ptp(log_odds) == 0
    if constant or without.max() <= with_event.min() or with_event.max() <= without.min():
        return UNKNOWN
    return calibration_slope_and_intercept(y, log_odds)


def _distribution(p: Floats) -> list[dict[str, float | None]]:
    """Share of patients per twentieth of the risk scale, None where fewer than five."""
    counts, edges = np.histogram(p, bins=HISTOGRAM_BINS, range=(0.0, 1.0))
    return [
        {
            "from": round(float(low), 2),
            "to": round(float(high), 2),
            "share": None if 0 < n < SMALLEST_COUNT else round(float(n) / len(p), 3),
        }
        for n, low, high in zip(counts, edges[:-1], edges[1:], strict=True)
    ]
