"""What a risk model says of one patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MISSING_REQUIRED = "missing_required"
OUT_OF_DISTRIBUTION = "out_of_distribution"
NO_MODEL = "no_model"


@dataclass(frozen=True, slots=True)
class Answered:
    """A prediction whose reasons add up.

    Attributes
    ----------
    score : float
        Calibrated log-odds (binary) or value in the outcome's unit (numeric).
    prediction : float
        Probability 0-1 (binary) or the same value as `score` (numeric).
    base_value : float
        Score of the average fitting patient; `base_value + contributions.sum() == score`.
    contributions : ndarray, shape (n_features,)
        In the model's feature order, 0 or more for every feature, missing ones included.
    lower, upper : float
        Interval of the prediction.
    """

    score: float
    prediction: float
    base_value: float
    contributions: NDArray[np.float64]
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Abstained:
    """No prediction, and why: `missing_required`, `out_of_distribution` or `no_model`."""

    reason: str
    features: tuple[str, ...] = ()
