"""Formulas of the rules as a textbook has them, in numpy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def stability_index(p: np.ndarray, q: np.ndarray) -> float:
    return float(np.sum((p - q) * np.log(p / q)))


def jensen_shannon(p: np.ndarray, q: np.ndarray) -> float:
    m = (p + q) / 2
    return float((np.sum(p * np.log(p / m)) + np.sum(q * np.log(q / m))) / 2)


def half_distance(p: np.ndarray, q: np.ndarray) -> float:
    return float(np.abs(p - q).sum() / 2)


def quantile(rank_of: float, buckets: Mapping[str, float]) -> float:
    """Linear within the bucket that holds the rank; the last finite bound beyond it."""
    bounds = sorted(buckets, key=float)
    cumulative = np.maximum.accumulate([buckets[bound] for bound in bounds])
    rank = rank_of * cumulative[-1]
    position = int(np.searchsorted(cumulative, rank))
    if bounds[position] == "+Inf":
        return float(bounds[position - 1])
    lower = float(bounds[position - 1]) if position else 0.0
    before = float(cumulative[position - 1]) if position else 0.0
    within = (rank - before) / (cumulative[position] - before)
    return lower + (float(bounds[position]) - lower) * float(within)
