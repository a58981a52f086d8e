"""Predictions beside the true risks of a simulated cohort: what no real cohort can show.

Observed outcomes are the truth plus chance. Where the truth itself is known, it stands in their
place: the sum of true risks over the sum of predicted ones, and the slope of the true on the predicted
log-odds, have no sampling noise of single outcomes in them, only of which patients were drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.risk.calibration import calibration_slope_and_intercept
from training.evaluation.discrimination import auroc
from training.evaluation.log_odds import clipped_log_odds

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BesideTruth:
    """How predictions compare with the risks they are predictions of.

    Attributes
    ----------
    events : int
        Observed.
    observed_expected : float
        True risks over predicted ones, summed.
    slope : float
        Of the true on the predicted log-odds; 1 is right, under 1 too extreme.
    auroc, true_auroc : float
        Of the predictions, and of the true risks: the best that anybody could reach who knew all.
    """

    rows: int
    events: int
    observed_expected: float
    slope: float
    auroc: float
    true_auroc: float


def beside_truth(y: Floats, p: Floats, truth: Floats) -> BesideTruth:
    """Compare predicted probabilities with true risks.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        0 or 1, drawn with the true risks.
    p, truth : ndarray, shape (n_samples,)
        Predicted and true probability 0-1.

    Examples
    --------
    True risks of 0.2 and 0.8, predicted as 1/17 and 16/17, twice their log-odds: the sums agree, and
    the slope is one half.

    >>> y, truth = np.array([0.0, 1.0]), np.array([0.2, 0.8])
    >>> found = beside_truth(y, np.array([1 / 17, 16 / 17]), truth)
    >>> round(found.observed_expected, 6), round(found.slope, 6)
    (1.0, 0.5)
    """
    line = calibration_slope_and_intercept(truth, clipped_log_odds(p))
    return BesideTruth(
        rows=len(y),
        events=int(y.sum()),
        observed_expected=float(truth.sum() / p.sum()),
        slope=line.slope,
        auroc=auroc(y, p),
        true_auroc=auroc(y, truth),
    )
