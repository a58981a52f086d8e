"""The search for the rungs that lose least while few enough patients must be left out.

Every choice of one rung per ladder is a point of a lattice. Climbing any ladder only makes classes
larger, and leaving a quasi-identifier out of sight does too; so a choice of the first rungs that
already leaves out too many can be given up, whatever follows. Among the choices that leave out few
enough the one with the least loss is found exactly, and always the same one.

Loss of a rung is the square of the share of the column's information (entropy) that it takes away: 0
on the first rung, 1 where the column is left out. The share is the non-uniform entropy of El Emam
2009, which compares what is lost; the square is ours, so that a column is rather told coarsely than
not at all, because the first few bands of an input carry most of what it predicts. Loss of a choice
is the weighted sum. When it misleads: it values what varies, not what predicts. Hence the weights.

References
----------
El Emam K et al. A globally optimal k-anonymity method for the de-identification of health data.
J Am Med Inform Assoc 2009;16:670-682.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.export.anonymity import Classes, divide

Floats = NDArray[np.float64]
Unsafe = Callable[[Classes], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Rungs:
    """One column as each of its rungs would write it.

    Attributes
    ----------
    written : tuple of ndarray, shape (n_rows,)
        From fine to coarse; NaN where missing.
    weight : float
    """

    written: tuple[Floats, ...]
    weight: float = 1.0


def information_loss(fine: Floats, coarse: Floats) -> float:
    """Share of the entropy of `fine` that `coarse` no longer tells, 0 to 1.

    Examples
    --------
    Four equally frequent values hold 2 bits, two bands of two tell 1 of them:

    >>> information_loss(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.5, 1.5, 3.5, 3.5]))
    0.5
    """
    whole = _entropy(fine)
    return 0.0 if whole == 0 else 1 - _entropy(coarse) / whole


def least_loss(
    columns: Sequence[Rungs], n_rows: int, unsafe: Unsafe, largest_share: float
) -> tuple[int, ...] | None:
    """Choose a rung per column.

    Parameters
    ----------
    columns : sequence of Rungs
    n_rows : int
    unsafe : callable
        Classes -> which rows cannot be kept; never more of them when classes are merged.
    largest_share : float
        The share of rows that may be left out, 0 to 1.

    Returns
    -------
    tuple of int or None
        Position of the rung for each column; None when even the coarsest leaves out too many.

    Examples
    --------
    Four rows of four ages; two together are safe:

    >>> ages = np.array([61.0, 64.0, 71.0, 74.0])
    >>> tens = np.array([65.0, 65.0, 75.0, 75.0])
    >>> pairs = lambda classes: np.bincount(classes)[classes] < 2
    >>> least_loss([Rungs((ages, tens, ages * np.nan))], 4, pairs, 0.0)
    (1,)
    """
    # The column with most values first: the sooner a start of a choice fails, the less is tried.
    order = sorted(range(len(columns)), key=lambda i: (-len(np.unique(columns[i].written[0])), i))
    losses = [
        [
            columns[i].weight * information_loss(columns[i].written[0], w) ** 2
            for w in columns[i].written
        ]
        for i in order
    ]
    coded = [[np.unique(w, return_inverse=True)[1] for w in columns[i].written] for i in order]
    # An entry waits with the classes it divides further; only what is looked at is divided.
    waiting: list[tuple[float, tuple[int, ...], Classes]] = [(0.0, (), np.zeros(n_rows, np.intp))]
    while waiting:
        loss, levels, classes = heapq.heappop(waiting)
        depth = len(levels)
        if depth:
            classes = divide(classes, coded[depth - 1][levels[-1]])
        if unsafe(classes).sum() > largest_share * n_rows:
            continue
        if depth == len(order):
            chosen = dict(zip(order, levels, strict=True))
            return tuple(chosen[i] for i in range(len(columns)))
        for level, lost in enumerate(losses[depth]):
            # `levels` differ between any two entries, so the arrays are never compared.
            heapq.heappush(waiting, (loss + lost, (*levels, level), classes))
    return None


def _entropy(values: Floats) -> float:
    _, counts = np.unique(values, return_counts=True)
    shares = counts / len(values)
    return float(-(shares * np.log2(shares)).sum())
