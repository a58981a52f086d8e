"""The time that a report is about: so long up to now, or from one day to another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

HOUR_US = 3_600_000_000
LENGTHS_US = {
    "1h": HOUR_US,
    "1d": 24 * HOUR_US,
    "7d": 168 * HOUR_US,
    "30d": 720 * HOUR_US,
    "365d": 8760 * HOUR_US,
}
"""The windows of rules and dashboards, and a year."""
USUAL = "30d"


class WindowInvalid(ValueError):
    """A time that cannot be a report's."""


@dataclass(frozen=True, slots=True)
class Window:
    """After the first time, up to and with the second; microseconds since 1970.

    Attributes
    ----------
    name : str or None
        Such as "7d"; None between two days.
    """

    since_us: int
    until_us: int
    name: str | None


def asked_window(name: str | None, since: str | None, until: str | None, now_us: int) -> Window:
    """The window that was asked for: by its name, or by days (UTC), the last of them included.

    Without anything the last 30 days; without `until` up to now.

    Parameters
    ----------
    since, until : str or None
        YYYY-MM-DD.

    Raises
    ------
    WindowInvalid
        On both a name and days, another name, what is no day, and an end that is not after the
        beginning or a beginning that is not past.

    Examples
    --------
    Two days; 1970-01-03 begins after 48 hours, so the window ends there:

    >>> found = asked_window(None, "1970-01-01", "1970-01-02", now_us=10**12)
    >>> found.since_us, found.until_us // HOUR_US
    (0, 48)
    """
    if since is None and until is None:
        name = name or USUAL
        if name not in LENGTHS_US:
            raise WindowInvalid(
                f"found the window `{name}`, expected one of {', '.join(LENGTHS_US)}"
            )
        return Window(now_us - LENGTHS_US[name], now_us, name)
    if name is not None:
        raise WindowInvalid("found --window beside days: give it, or --since with --until")
    if since is None:
        raise WindowInvalid("found --until without --since: give the first day as well")
    since_us = _begin_us(_day("--since", since))
    until_us = now_us
    if until is not None:
        until_us = min(now_us, _begin_us(_day("--until", until) + timedelta(days=1)))
    if until_us <= since_us:
        raise WindowInvalid(
            f"nothing lies between {since} and {until or 'now'}: expected --since to be past and "
            "--until not before it"
        )
    return Window(since_us, until_us, None)


def _day(option: str, text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise WindowInvalid(
            f"found {option} `{text}`, expected a day as YYYY-MM-DD, like 2026-11-01"
        ) from None
    if not 1970 <= found.year < 9999:
        raise WindowInvalid(f"found {option} `{text}`, expected a day of 1970 or later")
    return found


def _begin_us(day: date) -> int:
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000


def moment_of(at_us: int) -> str:
    """A time as people read it.

    Examples
    --------
    >>> moment_of(86_400_000_000)
    '1970-01-02 00:00 UTC'
    """
    return f"{datetime.fromtimestamp(at_us // 1_000_000, UTC):%Y-%m-%d %H:%M} UTC"
