"""Comprehensive complication index: all complications of a patient, by Clavien-Dindo grade, 0-100.

    index = sqrt(sum of weights) / 2, at most 100; death is 100

Not the Charlson comorbidity index, which shares the letters.

References
----------
Slankamenac 2013, Ann Surg 258:1-7; grades: Dindo 2004, Ann Surg 240:205-13.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from models.errors import InvalidValue

WEIGHTS = {"I": 300, "II": 1750, "IIIa": 2750, "IIIb": 4550, "IVa": 7200, "IVb": 8550}
DEATH = "V"
HIGHEST = 100.0


def comprehensive_complication_index(grades: Iterable[str] | None) -> float | None:
    """Index of all complications together; None when nobody has graded them.

    Parameters
    ----------
    grades : iterable of str
        One Clavien-Dindo grade for each complication: `I`, `II`, `IIIa`, `IIIb`, `IVa`, `IVb`,
        `V`. Empty when there was none.

    Returns
    -------
    float or None
        0-100.

    Raises
    ------
    InvalidValue
        Not a grade.

    Examples
    --------
    sqrt(300 + 1750) / 2:

    >>> round(comprehensive_complication_index(["I", "II"]), 1)
    22.6
    """
    if grades is None:
        return None
    counted = tuple(grades)
    if any(grade != DEATH and grade not in WEIGHTS for grade in counted):
        raise InvalidValue(f"Clavien-Dindo grade: expected one of {', '.join(WEIGHTS)}, {DEATH}")
    if DEATH in counted:
        return HIGHEST
    return min(HIGHEST, math.sqrt(sum(WEIGHTS[grade] for grade in counted)) / 2)
