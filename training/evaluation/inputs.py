"""What an evaluation is given, checked before anything is worked out.

No message holds a patient's value: it counts rows and names the rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Labels = Sequence[str | None]

FEWEST_ROWS = 10


def column(name: str, values: ArrayLike, n_rows: int) -> Floats:
    """Read one column of finite numbers.

    Raises
    ------
    ValueError
        When its shape is not (n_rows,) or a number is not finite.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.shape != (n_rows,):
        raise ValueError(f"`{name}` has shape {numbers.shape}; expected ({n_rows},)")
    if not np.isfinite(numbers).all():
        raise ValueError(f"`{name}`: found {int((~np.isfinite(numbers)).sum())} rows not finite")
    return numbers


def probabilities(name: str, values: Floats) -> Floats:
    """Refuse the column unless it lies within 0 and 1 (NaN passes).

    Raises
    ------
    ValueError
        With the number of rows outside.
    """
    outside = int(((values < 0) | (values > 1)).sum())
    if outside:
        raise ValueError(f"`{name}`: found {outside} rows outside 0 to 1; expected probabilities")
    return values


def both_classes(y: Floats) -> Floats:
    """Refuse the outcome unless it holds zeros and ones, and some of each.

    Raises
    ------
    ValueError
        Saying how many rows and events were found.
    """
    wrong = int(((y != 0) & (y != 1)).sum())
    if wrong:
        raise ValueError(f"`y`: found {wrong} rows that are neither 0 nor 1")
    events = int(y.sum())
    if not 0 < events < len(y):
        raise ValueError(f"found {len(y)} rows with {events} events; expected both classes")
    return y


def interval_bounds(lower: ArrayLike, upper: ArrayLike, n_rows: int) -> tuple[Floats, Floats]:
    """Read both bounds.

    Raises
    ------
    ValueError
        When a lower bound lies above its upper bound.
    """
    low, high = column("lower", lower, n_rows), column("upper", upper, n_rows)
    crossed = int((low > high).sum())
    if crossed:
        raise ValueError(f"found {crossed} rows whose lower bound is above the upper one")
    return low, high


def same_length(groups: Mapping[str, Labels], n_rows: int) -> Mapping[str, Labels]:
    """Refuse the groupings unless each has a label (or None) for every row.

    Raises
    ------
    ValueError
        Naming the grouping and both lengths.
    """
    for name, labels in groups.items():
        if len(labels) != n_rows:
            raise ValueError(f"group `{name}` has {len(labels)} labels; expected {n_rows}")
    return groups


def enough_rows(n_rows: int) -> int:
    """Refuse a number of rows that is too small for any figure.

    Raises
    ------
    ValueError
        Saying how many rows were found.
    """
    if n_rows < FEWEST_ROWS:
        raise ValueError(f"found {n_rows} rows; expected at least {FEWEST_ROWS}")
    return n_rows


def patient_numbers(patients: Labels | None, n_rows: int) -> NDArray[np.intp] | None:
    """Give each row the number of its patient, 0 to k - 1; None when every row is its own patient.

    Raises
    ------
    ValueError
        When the list is of another length or a row has no patient.
    """
    if patients is None:
        return None
    if len(patients) != n_rows:
        raise ValueError(f"`patients` has {len(patients)} entries; expected {n_rows}")
    if any(patient is None for patient in patients):
        raise ValueError("`patients`: found rows without a patient")
    return np.unique(np.array(patients, dtype=str), return_inverse=True)[1].astype(np.intp)
