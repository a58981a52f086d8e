"""Swedish reserve numbers: what a patient gets who has no personal number, or none that is known.

Regions make them in their own ways, none with a check digit. Known forms, all of twelve characters:
a date of birth with one letter and three digits (20210325K069); 98 or 99, six digits of a date, two
letters and two digits (98240301AA06); 99 and ten digits (990019121212).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from models.tripwire.finding import PERSONAL_NUMBER, RESERVE_NUMBER, Finding
from models.tripwire.national_number import kind_of_date

S = r"[-+ ./_]"
FORMS = re.compile(
    rf"(?<![0-9A-Za-z])(?:"
    rf"(?P<born>(?:1[89]|20)\d\d{S}?\d\d{S}?\d\d){S}{{0,3}}[A-Za-z]\d{{3}}"
    rf"|9[89]{S}?(?P<made>\d\d{S}?\d\d{S}?\d\d){S}{{0,3}}[A-Za-z]{{2}}\d\d"
    rf"|99\d\d{S}?\d{{4}}{S}?\d{{4}}"
    rf"|99\d{{6}}{S}\d{{4}}"
    rf")(?![0-9A-Za-z])",
    re.ASCII,
)
SEPARATOR = re.compile(S)
FRACTION = re.compile(r"\d[.,]$", re.ASCII)


def find_reserve_numbers(text: str, start: int = 0, end: int = sys.maxsize) -> Iterator[Finding]:
    """Report reserve numbers in a stretch of plain text.

    Examples
    --------
    >>> [text.kind for text in find_reserve_numbers("case 20210325K069")]
    ['reserve_number']
    """
    for match in FORMS.finditer(text, start, end):
        date = match["born"] or match["made"]
        if date is not None:
            if kind_of_date(SEPARATOR.sub("", date)) != PERSONAL_NUMBER:
                continue
        elif FRACTION.search(text[max(0, match.start() - 2) : match.start()]):
            continue  # the digits after a decimal point
        yield Finding(RESERVE_NUMBER, match.start(), match.end())
