"""Numbers as tables say them; what is not told is a dash, what is withheld says so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from monitoring.report.sentences import share
from monitoring.report.window import moment_of

NOT_TOLD, WITHHELD = "-", "withheld"
DAY_S = 86_400


def number(value: float | None, digits: int = 2) -> str:
    """With so many decimals.

    Examples
    --------
    >>> number(1.256), number(0.0612, 3), number(None)
    ('1.26', '0.061', '-')
    """
    return NOT_TOLD if value is None else f"{value:.{digits}f}"


def percent(value: float | None) -> str:
    return NOT_TOLD if value is None else share(value)


def or_withheld(count: int | None) -> str:
    return WITHHELD if count is None else str(count)


def interval(figures: Mapping[str, Any]) -> str:
    """A ratio with its interval."""
    if figures["ratio"] is None:
        return NOT_TOLD
    return f"{figures['ratio']:.2f} ({figures['lower']:.2f} to {figures['upper']:.2f})"


def days(seconds: float | None) -> str:
    return NOT_TOLD if seconds is None else f"{seconds / DAY_S:.1f}"


def span_of(document: Mapping[str, Any]) -> str:
    """From when to when."""
    since, until = (moment_of(document["drift"][end]) for end in ("since_us", "until_us"))
    name = document["window"]
    return f"{since} to {until}" + (f" ({name})" if name else "")


def when(rfc3339: str) -> str:
    """A time of a document as people read it.

    Examples
    --------
    >>> when("2026-10-14T22:26:40.000Z")
    '2026-10-14 22:26'
    """
    return f"{datetime.fromisoformat(rfc3339):%Y-%m-%d %H:%M}"
