"""Days alive and out of hospital, and days at home, within a window after an operation.

    days alive and out of hospital = window - days in hospital, readmissions included
    days at home                   = the same - days in rehabilitation or a nursing facility
    dead within the window         = 0

References
----------
Spurling 2022, Br J Anaesth (England, emergency laparotomy); Bell 2019, EClinicalMedicine 11:18-26
(Swedish validation of days at home up to 30 days).
"""

from __future__ import annotations

from models.errors import InvalidValue
from models.reference_scores.tables import given, total


def days_alive_out_of_hospital(
    *,
    window_days: float,
    days_in_hospital: float | None,
    died_within_window: bool | None,
    days_lived: float | None = None,
) -> float | None:
    """Days alive and out of hospital (DAOH); None when anything needed is missing.

    Parameters
    ----------
    window_days : float
        30 or 90, say.
    days_in_hospital : float
        Within the window (and before death), readmissions included.
    died_within_window : bool
    days_lived : float, optional
        Some registries credit the days before a death within the window: the day of death. Left
        out, such a death gives 0.

    Raises
    ------
    InvalidValue
        More days than the window or the life has, or negative ones.

    Examples
    --------
    Home on day 10 of 30, never back:

    >>> days_alive_out_of_hospital(window_days=30, days_in_hospital=10, died_within_window=False)
    20
    """
    return _days(window_days, days_in_hospital, died_within_window, days_lived)


def days_at_home(
    *,
    window_days: float,
    days_in_hospital: float | None,
    days_in_care_facility: float | None,
    died_within_window: bool | None,
    days_lived: float | None = None,
) -> float | None:
    """Days at home (DAH); None when anything needed is missing.

    Arguments as for `days_alive_out_of_hospital`; `days_in_care_facility` are those in
    rehabilitation or a nursing facility within the window.

    Examples
    --------
    Ten days in hospital, seven in rehabilitation, five back in hospital:

    >>> days_at_home(window_days=30, days_in_hospital=15, days_in_care_facility=7,
    ...              died_within_window=False)
    8
    """
    away = (given(days_in_hospital), given(days_in_care_facility))
    if any(days is not None and days < 0 for days in away):
        raise InvalidValue("days away from home: expected no negative number")
    return _days(window_days, total(*away), died_within_window, days_lived)


def _days(
    window: float, away: float | None, died: bool | None, lived: float | None
) -> float | None:
    away, lived = given(away), given(lived)
    if died is None:
        return None
    if died and lived is None:
        return 0
    if away is None:
        return None
    available = window
    if died and lived is not None:
        if not 0 <= lived <= window:
            raise InvalidValue("days lived: expected within the window")
        available = lived
    if not 0 <= away <= available:
        raise InvalidValue("days away from home: expected within the window and within life")
    return available - away
