"""How sure: an interval with a meaning that can be checked on held-out patients.

Binary outcomes
    Among `GROUP_SIZE` patients with this prediction, the observed share of events lies in the
    interval nine times of ten. Two variances add up: the model's own for this patient (posterior
    variance of the penalised fit, larger for unusual inputs, plus what missing ones could have
    said; brought to the probability scale by p (1 - p), times a squared `scale` fitted on
    out-of-fold predictions), and the binomial variance of a group's observed share. The bounds
    stop at 0 and 1: among 200 patients at a risk of 0.1 %, no event at all is the usual course.
Numeric outcomes
    The patient's own value lies in the interval nine times of ten: split conformal on out-of-fold
    residuals, separately in bins of the predicted value (Mondrian), so that long stays get wider
    intervals than short ones.

References
----------
Marra G, Wood SN. Coverage properties of confidence intervals for generalized additive model
components. Scand J Stat 2012;39:53-74.
Vovk V, Gammerman A, Shafer G. Algorithmic Learning in a Random World. Springer 2005 (Mondrian
conformal prediction).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import inf, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.risk.calibration import probability

Floats = NDArray[np.float64]

LEVEL = 0.9
GROUP_SIZE = 200
LARGEST_SCALE = 10.0
BINARY_METHOD = (
    f"observed share among {GROUP_SIZE} patients with this prediction: posterior variance of the "
    "penalised fit and spread of what is not measured, scaled out of fold, plus binomial variance"
)
NUMERIC_METHOD = "this patient's value: split conformal on out-of-fold residuals by predicted value"


@cache
def normal_quantile(level: float) -> float:
    """How many standard deviations a central interval of this level spans on each side.

    Examples
    --------
    >>> round(normal_quantile(0.9), 4)
    1.6449
    """
    return NormalDist().inv_cdf((1 + level) / 2)


@dataclass(frozen=True, slots=True)
class GroupInterval:
    """Interval of a probability; `scale` multiplies the model's standard deviation."""

    scale: float
    level: float = LEVEL
    group_size: int = GROUP_SIZE

    def bounds(self, log_odds: Floats, variance: Floats) -> tuple[Floats, Floats]:
        """Lower and upper probability, shapes as given.

        Parameters
        ----------
        log_odds : ndarray
            Calibrated log-odds.
        variance : ndarray
            Model variance of the calibrated log-odds.

        Examples
        --------
        No model variance, probability one half, 200 patients: 0.5 +- 1.6449 * sqrt(0.25 / 200).

        >>> low, high = GroupInterval(1.0).bounds(np.array(0.0), np.array(0.0))
        >>> round(float(low), 3), round(float(high), 3)
        (0.442, 0.558)
        """
        p = probability(log_odds)
        spread = p * (1 - p)
        half = normal_quantile(self.level) * np.sqrt(
            spread / self.group_size + self.scale**2 * variance * spread**2
        )
        return np.maximum(p - half, 0.0), np.minimum(p + half, 1.0)

    def bounds_of_one(self, probability: float, variance: float) -> tuple[float, float]:
        """The same for a single patient whose probability is known; the request path."""
        spread = probability * (1 - probability)
        half = normal_quantile(self.level) * sqrt(
            spread / self.group_size + self.scale**2 * variance * spread**2
        )
        return max(probability - half, 0.0), min(probability + half, 1.0)

    def to_document(self) -> dict[str, Any]:
        return {"scale": self.scale, "level": self.level, "group_size": self.group_size}


def group_coverage(
    y: Floats, log_odds: Floats, lower: Floats, upper: Floats, group_size: int = GROUP_SIZE
) -> tuple[float, int]:
    """Share of groups of like patients whose observed share of events lies in their interval.

    Patients are ordered by prediction and cut into consecutive groups of about `group_size`; a
    group's interval is the mean of its patients' bounds.

    Returns
    -------
    tuple
        Coverage 0-1 and the number of groups.

    Examples
    --------
    >>> group_coverage(np.array([0.0, 1.0]), np.zeros(2), np.full(2, .4), np.full(2, .6), 2)
    (1.0, 1)
    """
    groups = np.array_split(np.argsort(log_odds, kind="stable"), max(1, len(y) // group_size))
    inside = [lower[g].mean() <= y[g].mean() <= upper[g].mean() for g in groups]
    return float(np.mean(inside)), len(groups)


def fit_group_interval(y: Floats, log_odds: Floats, variance: Floats) -> GroupInterval:
    """Smallest scale of at least 1 whose out-of-fold group coverage reaches the level."""
    for scale in np.arange(1.0, LARGEST_SCALE, 0.05):
        interval = GroupInterval(round(float(scale), 2))
        coverage, _ = group_coverage(y, log_odds, *interval.bounds(log_odds, variance))
        if coverage >= interval.level:
            return interval
    return GroupInterval(LARGEST_SCALE)


@dataclass(frozen=True, slots=True)
class ConformalInterval:
    """Interval of a number: offsets to the prediction, per bin of the prediction.

    Attributes
    ----------
    edges : ndarray, shape (n_bins - 1,)
        Where one bin of predicted value ends and the next begins.
    lower, upper : ndarray, shape (n_bins,)
        Added to the prediction.
    minimum, maximum : float
        The smallest and the largest possible value of the outcome; the bounds stop there.
    """

    edges: Floats
    lower: Floats
    upper: Floats
    minimum: float
    maximum: float = inf
    level: float = LEVEL

    def bounds(self, value: Floats) -> tuple[Floats, Floats]:
        """Lower and upper bound in the outcome's unit, shapes as given."""
        bins = np.searchsorted(self.edges, value, side="right")
        lower = np.clip(value + self.lower[bins], self.minimum, self.maximum)
        return lower, np.minimum(value + self.upper[bins], self.maximum)

    def bounds_of_one(self, value: float) -> tuple[float, float]:
        """The same for a single prediction; the request path."""
        b = bisect_right(self.edges, value)
        lower = min(max(value + float(self.lower[b]), self.minimum), self.maximum)
        return lower, min(value + float(self.upper[b]), self.maximum)

    def to_document(self) -> dict[str, Any]:
        return {
            "edges": self.edges.tolist(),
            "lower": self.lower.tolist(),
            "upper": self.upper.tolist(),
            "minimum": self.minimum,
            "maximum": None if self.maximum == inf else self.maximum,
            "level": self.level,
        }


def fit_conformal_interval(
    y: Floats, predicted: Floats, minimum: float, maximum: float = inf, n_bins: int = 5
) -> ConformalInterval:
    """Conformal offsets from out-of-fold predictions.

    The k-th smallest residual with k = ceil((n + 1) * (1 + level) / 2) is the upper offset of a
    bin, and likewise below, which guarantees the level for exchangeable patients.
    """
    # Edges are predictions that occur, so that no bin is empty where many predictions are equal.
    inner = np.linspace(0, 1, n_bins + 1)[1:-1]
    edges = np.unique(np.quantile(predicted, inner, method="higher"))
    edges = edges[edges > predicted.min()]
    bins = np.searchsorted(edges, predicted, side="right")
    lower, upper = [], []
    for b in range(len(edges) + 1):
        residuals = np.sort((y - predicted)[bins == b])
        n = len(residuals)
        k = min(n, int(np.ceil((n + 1) * (1 + LEVEL) / 2)))
        upper.append(residuals[k - 1])
        lower.append(residuals[n - k])
    return ConformalInterval(edges, np.array(lower), np.array(upper), minimum, maximum)


def interval_from_document(document: Mapping[str, Any]) -> GroupInterval | ConformalInterval:
    """Rebuild either interval from its document; a missing key raises KeyError."""
    if "scale" in document:
        return GroupInterval(document["scale"], document["level"], document["group_size"])
    return ConformalInterval(
        np.array(document["edges"], dtype=np.float64),
        np.array(document["lower"], dtype=np.float64),
        np.array(document["upper"], dtype=np.float64),
        float(document["minimum"]),
        inf if document["maximum"] is None else float(document["maximum"]),
        float(document["level"]),
    )
