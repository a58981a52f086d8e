"""Small numbers: what is withheld so that a table cannot be read back to single patients.

A count under five is not shown, nor anything from which it follows. When exactly one cell of a
table is withheld, it would follow from the total; so a second cell gives up its count too.
"""

from __future__ import annotations

from collections.abc import Sequence

SMALLEST_COUNT = 5


def is_small(*counts: float) -> bool:
    """Whether any of the counts (patients, events, non-events) is under five.

    Examples
    --------
    >>> is_small(100, 5, 95), is_small(100, 4, 96)
    (False, True)
    """
    return min(counts) < SMALLEST_COUNT


def cell_beside(small: Sequence[bool], sizes: Sequence[float]) -> int | None:
    """Position of the cell that must give up its count beside the only small one.

    Parameters
    ----------
    small : sequence of bool
        Which cells of the table are withheld already.
    sizes : sequence of float
        The count each cell would show; the smallest shown one is given up.

    Examples
    --------
    Totals would give the first cell away; the third is the smallest of the others:

    >>> cell_beside([True, False, False], [3, 50, 20])
    2
    >>> cell_beside([True, True, False], [3, 2, 20]) is None
    True
    """
    shown = [i for i, withheld in enumerate(small) if not withheld]
    if sum(small) != 1 or not shown:
        return None
    return min(shown, key=lambda i: sizes[i])
