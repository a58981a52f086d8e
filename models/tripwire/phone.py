"""Swedish telephone numbers: +46, 0046, mobile 07x, and an area code set apart by a dash."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from models.tripwire.finding import PHONE, Finding

# The numbers after the prefix, with single separators anywhere, as people write them.
SUBSCRIBER = r"(?:[- ]?\d){6,9}"
NUMBER = re.compile(
    rf"(?<![\dA-Za-z.])(?:\+|00)46[- ]?(?:\(0\)[- ]?)?[1-9]{SUBSCRIBER}(?!\d)"
    r"|(?<![\dA-Za-z.])(?<!\d-)07[02369](?:[- ]?\d){7}(?![-\d])"
    r"|(?<![\dA-Za-z.])(?<!\d-)0[1-9]\d{0,2}(?:-| - )[1-9](?: ?\d){4,7}(?![-.:\d])",
    re.ASCII,
)


def find_phones(text: str, start: int = 0, end: int = sys.maxsize) -> Iterator[Finding]:
    """Report telephone numbers in a stretch of plain text.

    Examples
    --------
    >>> [found.start for found in find_phones("ring 070-174 06 05, not 8.0701740605")]
    [5]
    """
    for match in NUMBER.finditer(text, start, end):
        yield Finding(PHONE, match.start(), match.end())
