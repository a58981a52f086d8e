"""How often each variable was measured: overall, by hospital, among events and non-events.

A small number of patients is withheld, and so is one from which it would follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.disclosure import SMALLEST_COUNT, cell_beside

Flags = NDArray[np.bool_]
Share = float | None
DECIMALS = 3


@dataclass(frozen=True, slots=True)
class Measured:
    """One variable.

    Attributes
    ----------
    share : float or None
        Of all rows that have it; None where withheld.
    by_hospital : mapping
        Hospital -> share; empty where the cohort names no hospitals.
    """

    share: Share
    by_hospital: Mapping[str, Share]


def measured(present: Flags, hospitals: Sequence[str] | NDArray[np.str_] | None) -> Measured:
    """How often one variable was measured.

    Parameters
    ----------
    present : ndarray of bool, shape (n_rows,)
    hospitals : sequence of str, shape (n_rows,), optional
    """
    whole = shares_of({"all": present})["all"]
    if hospitals is None:
        return Measured(whole, {})
    own = np.asarray(hospitals)
    return Measured(whole, shares_of({str(name): present[own == name] for name in np.unique(own)}))


def missing_by_outcome(present: Flags, y: NDArray[np.float64]) -> dict[str, Share]:
    """Share missing among events and among non-events of a binary outcome."""
    return shares_of({"events": ~present[y == 1], "non_events": ~present[y == 0]})


def shares_of(parts: Mapping[str, Flags]) -> dict[str, Share]:
    """Share of rows in each part of a table for which something is true.

    A share is withheld where it stands for one to four patients, or leaves out one to four; where
    that is one part alone, the total would give it away and the smallest other part is withheld too.

    Examples
    --------
    >>> def part(n_true, n):
    ...     return np.arange(n) < n_true
    >>> shares_of({"north": part(30, 40), "south": part(50, 50)})
    {'north': 0.75, 'south': 1.0}
    >>> shares_of({"north": part(30, 40), "south": part(20, 50), "west": part(47, 50)})
    {'north': None, 'south': 0.4, 'west': None}
    """
    counts = [(int(part.sum()), len(part)) for part in parts.values()]
    small = [_tells_of_few(true, n) for true, n in counts]
    beside = cell_beside(small, [min(true, n - true) for true, n in counts])
    return {
        name: None if withheld or i == beside or not n else round(true / n, DECIMALS)
        for i, (name, withheld, (true, n)) in enumerate(zip(parts, small, counts, strict=True))
    }


def count_of(rows: Any) -> int | None:
    """Rows for which something is true; None where those, or the others, are one to four.

    Examples
    --------
    >>> count_of(np.arange(20) < 12), count_of(np.arange(20) < 17), count_of(np.arange(20) < 0)
    (12, None, 0)
    """
    true = int(rows.sum())
    return None if _tells_of_few(true, len(rows)) else true


def _tells_of_few(true: int, n: int) -> bool:
    return 0 < true < SMALLEST_COUNT or 0 < n - true < SMALLEST_COUNT
