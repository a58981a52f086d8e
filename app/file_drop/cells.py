"""One cell of a table in the dictionary's types: a number, a spelling, a moment, or missing.

Nothing is guessed: a cell that is not written as the mapping says is a fault of its row.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

Cell = str | int | float | bool | datetime | date | None
NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
COMPARATOR = re.compile(r"(?:<=?|>=?|≤|≥)\s*[-+.,\d]", re.ASCII)
LONGEST = 200


class NotWrittenSo(ValueError):
    """A cell is not written as expected; says what was expected, never what stands there."""


class BeyondLimit(ValueError):
    """A number that is known only to be above or below a limit."""


def is_missing(cell: Cell, codes: Collection[str]) -> bool:
    """Whether a cell says nothing: empty, not a number, or one of the codes for missing.

    A number is compared as a number, so that 999.0 is the code 999.

    Examples
    --------
    >>> is_missing(" ", ()), is_missing("999,0", ("999",)), is_missing(999.0, ("999",))
    (True, False, True)
    """
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return True
    if isinstance(cell, str):
        text = cell.strip()
        if not text or text in codes:
            return True
        if not codes or not NUMBER.fullmatch(text):
            return False
        number = float(text)
    elif isinstance(cell, int | float) and not isinstance(cell, bool):
        number = float(cell)
    else:
        return False
    return any(NUMBER.fullmatch(code) and float(code) == number for code in codes)


def read_number(cell: Cell, decimal: str) -> float:
    """A cell as a number.

    Parameters
    ----------
    decimal : str
        The decimal sign, `.` or `,`. The other one is refused: it could be either sign.

    Raises
    ------
    NotWrittenSo
        When it is no number with this decimal sign.
    BeyondLimit
        When it is a limit, such as "<5".

    Examples
    --------
    >>> read_number("1,4", ","), read_number(" 12 ", ".")
    (1.4, 12.0)
    """
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return cell
    if not isinstance(cell, str):
        raise NotWrittenSo("expects a number")
    text = cell.strip()
    if decimal == "," and "." not in text:
        text = text.replace(",", ".")
    elif decimal == ",":
        raise NotWrittenSo("expects a number with a decimal comma")
    if len(text) <= LONGEST and NUMBER.fullmatch(text):
        return float(text)
    if COMPARATOR.match(text):
        raise BeyondLimit
    raise NotWrittenSo(f"expects a number with a decimal {'comma' if decimal == ',' else 'point'}")


def read_text(cell: Cell) -> str:
    """A cell as text without surrounding space; whole numbers without a decimal point.

    Examples
    --------
    >>> read_text(" Man "), read_text(1.0), read_text(True)
    ('Man', '1', 'true')
    """
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    return str(cell).strip()


def read_moment(cell: Cell, form: str | None, zone: ZoneInfo | None) -> datetime:
    """A cell as a moment in UTC, to the second.

    Parameters
    ----------
    form : str, optional
        As `datetime.strptime` has it; ISO 8601 when left out.
    zone : ZoneInfo, optional
        Where clocks without an offset stand.

    Raises
    ------
    NotWrittenSo
        Another form, a date without a clock, a clock without offset where no zone is declared, or
        a clock that the change of summer time shows twice or never.

    Examples
    --------
    >>> read_moment("2026-11-21 09:15", "%Y-%m-%d %H:%M", ZoneInfo("Europe/Stockholm")).isoformat()
    '2026-11-21T08:15:00+00:00'
    """
    moment: datetime
    if isinstance(cell, datetime):
        moment = cell
    else:
        if not isinstance(cell, str) or len(cell) > LONGEST:
            raise NotWrittenSo("expects a time")
        moment = _parsed(cell.strip(), form)
    if moment.tzinfo is None:
        if zone is None:
            raise NotWrittenSo("expects a time with an offset; or declare `zone` in the mapping")
        moment = _settled(moment, zone)
    try:
        return moment.astimezone(UTC).replace(microsecond=0)
    except OverflowError:
        raise NotWrittenSo("expects a time of our era") from None


def _parsed(text: str, form: str | None) -> datetime:
    if form is None and "T" not in text.upper() and " " not in text:
        raise NotWrittenSo("expects a time of day, not a date alone")
    try:
        if form is not None:
            return datetime.strptime(text, form)  # noqa: DTZ007 - its zone is settled by the caller
        return datetime.fromisoformat(text)
    except ValueError:
        expected = f"written as {form}" if form else "such as 2026-11-21T08:15:00Z"
        raise NotWrittenSo(f"expects a time {expected}") from None


def _settled(moment: datetime, zone: ZoneInfo) -> datetime:
    first, second = (moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        raise NotWrittenSo("expects an offset: the change of summer time leaves the moment open")
    return first
