"""The bins of predicted probabilities, the same as of the models' reference profiles."""

from __future__ import annotations

from bisect import bisect_left

from monitoring.counting.profile import bin_labels
from monitoring.reference import PREDICTION_EDGES

PROBABILITY_BINS = bin_labels(PREDICTION_EDGES)


def probability_bin(p: float) -> int:
    """Which bin a probability is in.

    Examples
    --------
    >>> [PROBABILITY_BINS[probability_bin(p)] for p in (0.0, 0.01, 0.011, 0.95)]
    ['00: up to 0.01', '00: up to 0.01', '01: 0.01 to 0.02', '12: over 0.9']
    """
    return bisect_left(PREDICTION_EDGES, p)
