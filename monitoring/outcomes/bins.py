"""The bins of predicted probabilities, the same as of the models' reference profiles."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from monitoring.reference import PREDICTION_EDGES


def bin_labels(edges: Sequence[float]) -> tuple[str, ...]:
    """Labels of the bins between edges; bin i holds edges[i-1] < x <= edges[i].

    Examples
    --------
    >>> bin_labels([40.7, 49.4])
    ('00: up to 40.7', '01: 40.7 to 49.4', '02: over 49.4')
    """
    shown = [f"{edge:g}" for edge in edges]
    inner = [f"{low} to {high}" for low, high in pairwise(shown)]
    texts = [f"up to {shown[0]}", *inner, f"over {shown[-1]}"]
    return tuple(f"{i:02d}: {text}" for i, text in enumerate(texts))


PROBABILITY_BINS = bin_labels(PREDICTION_EDGES)


def probability_bin(p: float) -> int:
    """Which bin a probability is in.

    Examples
    --------
    >>> [PROBABILITY_BINS[probability_bin(p)] for p in (0.0, 0.01, 0.011, 0.95)]
    ['00: up to 0.01', '00: up to 0.01', '01: 0.01 to 0.02', '12: over 0.9']
    """
    return bisect_left(PREDICTION_EDGES, p)
