"""The tripwire: looks for identifiers where none may be, and says which kind stands where.

It guards what the allowlist let through: stored inputs, logs, bundles, exports. It never decides
what may pass, and what it finds is never repeated.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from models.tripwire.digest import in_digest
from models.tripwire.email import find_emails
from models.tripwire.finding import KINDS, Finding
from models.tripwire.name import find_names
from models.tripwire.national_number import find_national_numbers
from models.tripwire.phone import find_phones
from models.tripwire.reading import origins, read_plain
from models.tripwire.reserve_number import find_reserve_numbers
from models.tripwire.survival import Haystack, survivors

__all__ = ["KINDS", "Finding", "Haystack", "find_identifiers", "find_in_bytes", "survivors"]

# A text without eight digits in a row, separators aside, holds no number of a person or a telephone:
# two passes in C, where the patterns would take ten times as long.
_DIGITS_ALIKE = bytes.maketrans(b"123456789", b"000000000")
_SEPARATORS = b"-+ ./_()"
_FEWEST_DIGITS = b"0" * 8
# Where numbers can stand: the patterns, which are slow, look nowhere else.
_STRETCH = re.compile(r"[-0-9+ ./_()]{8,}", re.ASCII)
_DECIMAL = re.compile(r" *-?\d{1,7}\.\d+ *", re.ASCII)
_LONGEST_TAIL = 8  # letters and digits that may follow in a reserve number


def find_identifiers(text: str, names: Collection[str] = ()) -> tuple[Finding, ...]:
    """Find identifiers of persons in a text.

    Parameters
    ----------
    text : str
        Anything; digits of any script, invisible characters and URL encoding are seen through.
    names : collection of str, optional
        Names to look for as well, as whole words.

    Returns
    -------
    tuple of Finding
        In the order they stand in the text; positions are those of `text`.

    Examples
    --------
    >>> find_identifiers('{"note": "pnr 19500907-2553"}')
    (Finding(kind='personal_number', start=14, end=27),)
    >>> find_identifiers('{"creatinine": {"value": 168.0, "minutes_before": 135}}')
    ()
    """
    plain = read_plain(text)
    found: list[Finding] = []
    squashed = plain.encode("ascii", "replace").translate(_DIGITS_ALIKE, _SEPARATORS)
    if _FEWEST_DIGITS in squashed:
        for stretch in _STRETCH.finditer(plain):
            if not _DECIMAL.fullmatch(stretch[0]):
                start, end = stretch.span()
                found += find_national_numbers(plain, start, end)
                found += find_reserve_numbers(plain, start, end + _LONGEST_TAIL)
                found += find_phones(plain, start, end + 1)
        found = [finding for finding in found if not in_digest(plain, *finding[1:])]
    if "@" in plain:
        found += find_emails(plain)
    if names:
        found += find_names(plain, names)
    if not found:
        return ()
    found.sort(key=lambda finding: (finding.start, finding.end, finding.kind))
    if plain is text or plain == text:
        return tuple(found)
    at = origins(text)
    return tuple(Finding(kind, at[start][0], at[end - 1][1]) for kind, start, end in found)


def find_in_bytes(data: bytes, names: Collection[str] = ()) -> tuple[Finding, ...]:
    r"""Find identifiers in a text file; positions count characters of its text.

    Bytes that are not UTF-8 are read as Latin-1; a byte order mark of UTF-16 is honoured.

    Examples
    --------
    >>> find_in_bytes(b"tree\nleaf_value=0.19500907255312 1\n")
    ()
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return find_identifiers(data.decode("utf-16", "replace"), names)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return find_identifiers(text, names)
