"""Numbers as tables say them; what is not told is a dash, what is withheld says so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from monitoring.report.sentences import share
from monitoring.report.window import moment_of

NOT_TOLD, WITHHELD = "-", "withheld"
DAY_S = 86_400
NO_UNIT = ("", "1")
WRITTEN = {"a": "years", "d": "days", "h": "hours", "Cel": "°C", "/min": "per minute", "[pH]": "pH",
           "mm[Hg]": "mmHg", "10*9/L": "10⁹/L", "umol/L": "µmol/L", "ug/L": "µg/L",
           "ukat/L": "µkat/L", "kg/m2": "kg/m²", "mL/min/{1.73_m2}": "mL/min per 1.73 m²",
           "mg/L{FEU}": "mg/L FEU"}  # fmt: skip
"""UCUM's codes that nobody says."""


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


def unit_of(ucum: str | None) -> str:
    """A unit as clinicians write it, after a comma; nothing where there is none.

    Examples
    --------
    >>> unit_of("mm[Hg]"), unit_of("mmol/L"), unit_of("10*9/L"), unit_of("{score}"), unit_of("1")
    (', mmHg', ', mmol/L', ', 10⁹/L', '', '')
    """
    if ucum is None or ucum in NO_UNIT or ucum.startswith("{"):
        return ""
    return f", {WRITTEN.get(ucum, ucum)}"
