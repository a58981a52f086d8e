"""Swedish personal numbers and coordination numbers, in every spelling, typing errors included.

YYYYMMDDNNNC or YYMMDDNNNC: date of birth, three digits, and a check digit over the last ten digits
(weights 2 and 1 in turn, sum of digits, modulo 10). A coordination number has 60 added to the day.

A number with a valid date and a wrong check digit is a mistyped number, and still tells who is
meant. It is reported where the spelling alone gives it away: twelve digits, or ten with "-" or "+"
before the last four. Ten digits in any other spelling need the right check digit, otherwise every
tenth number would be one.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import date

from models.tripwire.finding import COORDINATION_NUMBER, PERSONAL_NUMBER, Finding

S = r"[-+ ./_]"
CENTURY = r"(?:1[89]|20)"
MONTH_DAY = r"[01]\d(?:[0-3]|[6-9])\d"
# Which digits may be set apart from which; free separators would find numbers in any table.
WHOLE_DATE = rf"{CENTURY}?\d\d{MONTH_DAY}{S}{{0,3}}\d{{4}}"
SEPARATE_DATE = rf"{CENTURY}?\d\d{S}[01]\d{S}(?:[0-3]|[6-9])\d{S}{{1,3}}\d{{4}}"
CENTURY_APART = rf"{CENTURY}{S}\d\d{MONTH_DAY}{S}?\d{{4}}"
YEAR_APART = rf"{CENTURY}\d\d{S}{MONTH_DAY}{S}\d{{4}}"
CHECK_APART = rf"{CENTURY}?\d\d{MONTH_DAY}{S}\d{{3}}{S}\d"
DIGIT_BY_DIGIT = rf"\d(?P<s>{S})\d(?:(?P=s)\d){{8}}(?:(?P=s)\d(?P=s)\d)?"
CANDIDATE = re.compile(
    rf"(?<!\d)(?:(?P<table>{SEPARATE_DATE}|{CENTURY_APART}|{YEAR_APART}|{DIGIT_BY_DIGIT})"
    rf"|{WHOLE_DATE}|{CHECK_APART})(?!\d)",
    re.ASCII,
)
SEPARATOR = re.compile(S)
HEX_DIGITS = "0123456789ABCDEFabcdef"
# `leaf_count=1950 10 17 2553`: a row of whole numbers that a key of its own line equals.
# Lines may be escaped, where the text stands in JSON.
KEY_BEFORE = re.compile(r"(?:^|\n|\\n)\w{1,60}=$", re.ASCII)
LEADING_ZERO = re.compile(r" 0\d", re.ASCII)


def check_digit(nine: str) -> int:
    """Check digit over the nine digits YYMMDDNNN.

    Examples
    --------
    500907-255: the digits of the products 10 0 0 9 0 7 4 5 10 sum to 27, and 27 + 3 is 30.

    >>> check_digit("500907255")
    3
    """
    total = 0
    for position, digit in enumerate(nine):
        product = int(digit) * (2 - position % 2)
        total += product // 10 + product % 10
    return -total % 10


def find_national_numbers(text: str, start: int = 0, end: int = sys.maxsize) -> Iterator[Finding]:
    """Report personal and coordination numbers in plain text."""
    for match in CANDIDATE.finditer(text, start, end):
        kind = _kind(text, match)
        if kind is not None:
            yield Finding(kind, match.start(), match.end())


def _kind(text: str, match: re.Match[str]) -> str | None:
    spelled = match[0]
    digits = SEPARATOR.sub("", spelled)
    kind = kind_of_date(digits[:-4])
    if kind is None:
        return None
    before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
    if _is_decimal(text, match) or (match["table"] and _in_a_row(text, match)):
        return None
    right = int(digits[-1]) == check_digit(digits[-10:-1])
    if (before + after).isalnum() and not (before + after).strip(HEX_DIGITS):
        # Among letters a to f it may be a piece of something hexadecimal.
        if not right or (len(digits) == 10 and spelled == digits):
            return None
    elif not right and not _gives_itself_away(spelled, digits):
        return None
    return kind


def kind_of_date(digits: str) -> str | None:
    """Kind of number that begins with these six or eight digits, None when they are no date.

    Examples
    --------
    >>> kind_of_date("19500907"), kind_of_date("500967"), kind_of_date("19500231")
    ('personal_number', 'coordination_number', None)
    """
    # Without a century any leap day may be meant: 2000 was a leap year.
    year = int(digits[:-4]) if len(digits) == 8 else 2000
    month, day = int(digits[-4:-2]), int(digits[-2:])
    kind = PERSONAL_NUMBER
    if day > 60:
        kind, day = COORDINATION_NUMBER, day - 60
    try:
        date(year, month, day)
    except ValueError:
        return None
    return kind


def _gives_itself_away(spelled: str, digits: str) -> bool:
    """Whether the spelling alone, without the check digit, says that this is such a number."""
    separators = SEPARATOR.findall(spelled)
    if len(digits) == 10:
        return separators in (["-"], ["+"]) and spelled[6] in "-+"
    if not separators:
        return True
    if "." in separators and len(separators) == 1:
        return False  # a decimal number
    return len(set(separators)) == 1


def _is_decimal(text: str, match: re.Match[str]) -> bool:
    """Whether the digits belong to a decimal number."""
    spelled, start = match[0], match.start()
    behind = text[max(0, start - 2) : start]
    if spelled.isdigit() and len(behind) == 2 and behind[1] in ".," and behind[0].isdigit():
        return True  # the digits after the point
    if spelled.isdigit() and len(spelled) == 10:
        fraction = re.match(r"\.\d+", text[match.end() : match.end() + 20], re.ASCII)
        return fraction is not None and fraction[0].strip(".0") != ""
    # One point is a decimal point, unless two and more, or a date of eight digits, say otherwise.
    separators = SEPARATOR.findall(spelled)
    return separators == ["."] and spelled.find(".") != 8


def _in_a_row(text: str, match: re.Match[str]) -> bool:
    """Whether this is a stretch of a longer row of numbers, or a row as tree models write it."""
    separators = set(SEPARATOR.findall(match[0]))
    behind = text[max(0, match.start() - 2) : match.start()]
    ahead = text[match.end() : match.end() + 2]
    if separators == {" "} and not LEADING_ZERO.search(match[0]):
        line_ends = match.end() == len(text) or text[match.end()] in '\r\n\\"'
        if line_ends and KEY_BEFORE.search(text[max(0, match.start() - 62) : match.start()]):
            return True
    before = len(behind) == 2 and behind[1] in separators and behind[0].isdigit()
    after = len(ahead) == 2 and ahead[0] in separators and ahead[1].isdigit()
    return before or after
