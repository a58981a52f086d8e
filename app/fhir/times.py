"""FHIR's dates and times as the span of moments they can mean, in UTC.

A date without a clock names a day somewhere on Earth: from its start in the easternmost zone to its
end in the westernmost. A value counts as taken after the index time when its span ends later, and
as old as the start of its span says: neither the future nor a stale value gets in by imprecision.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

EASTERNMOST, WESTERNMOST = timedelta(hours=14), timedelta(hours=12)
EXACT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})", re.ASCII)
PARTIAL = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", re.ASCII)


class Span(NamedTuple):
    """The first and the last moment that a FHIR dateTime can mean, UTC, whole seconds.

    Attributes
    ----------
    day : bool
        Whether it is known to the day at least.
    """

    earliest: datetime
    latest: datetime
    day: bool


def read_time(text: object) -> Span | None:
    """Read a FHIR date, dateTime or instant; None when it is none.

    A clock without a zone is no FHIR dateTime, and nobody knows which moment it means.

    Examples
    --------
    >>> read_time("2026-11-21T07:00:00+01:00").earliest.isoformat()
    '2026-11-21T06:00:00+00:00'
    >>> [moment.isoformat() for moment in read_time("2026-11-21")[:2]]
    ['2026-11-20T10:00:00+00:00', '2026-11-22T11:59:59+00:00']
    >>> read_time("2026-11-21T07:00:00") is None
    True
    """
    if not isinstance(text, str) or len(text) > 40:
        return None
    try:
        if EXACT.fullmatch(text):
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is not UTC:
                moment = moment.astimezone(UTC)
            if not moment.microsecond:
                return Span(moment, moment, day=True)
            # The last moment is rounded up: half a second after the index time is after it.
            whole = moment.replace(microsecond=0)
            return Span(whole, whole + timedelta(seconds=1), day=True)
        dates = read_date(text)
        if dates is None:
            return None
        first = datetime(dates[0].year, dates[0].month, dates[0].day, tzinfo=UTC) - EASTERNMOST
        last = datetime(dates[1].year, dates[1].month, dates[1].day, tzinfo=UTC) + WESTERNMOST
        return Span(first, last + timedelta(days=1, seconds=-1), day=dates[0] == dates[1])
    except (ValueError, OverflowError):
        return None


def read_date(text: object) -> tuple[date, date] | None:
    """Read a FHIR date as its first and its last day; None when it is none.

    Examples
    --------
    >>> [day.isoformat() for day in read_date("2024-02")]
    ['2024-02-01', '2024-02-29']
    """
    match = PARTIAL.fullmatch(text) if isinstance(text, str) and len(text) <= 10 else None
    if match is None:
        return None
    year, month, day = match.groups()
    try:
        first = date(int(year), int(month or 1), int(day or 1))
        if day:
            return first, first
        following = date(first.year + (not month or first.month == 12), 1, 1)
        if month and first.month < 12:
            following = date(first.year, first.month + 1, 1)
        return first, following - timedelta(days=1)
    except (ValueError, OverflowError):
        return None
