"""Identifiers of ledger rows: UUIDs of version 7, so that an identifier tells its month.

They are made of a clock and random bits only; nothing of a patient is in them.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime

UUID_7 = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII
)


def new_identifier(recorded_at_us: int, random: bytes | None = None) -> str:
    """Make an identifier for a row recorded at this time (RFC 9562, section 5.7).

    Parameters
    ----------
    random : bytes, optional
        Ten bytes in the place of fresh random ones, from who must find the same identifier again.

    Examples
    --------
    >>> new_identifier(1_645_557_742_000_000)[:15]
    '017f22e2-79b0-7'
    """
    value = recorded_at_us // 1000 << 80 | int.from_bytes(random or os.urandom(10), "big")
    value = value & ~(0xF000 << 64 | 0xC000 << 48) | 0x7000 << 64 | 0x8000 << 48
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def month_of(recorded_at_us: int) -> int:
    """The calendar month (UTC) of a time, as a number that sorts.

    Examples
    --------
    >>> month_of(1_645_557_742_000_000)
    202202
    """
    moment = datetime.fromtimestamp(recorded_at_us / 1_000_000, UTC)
    return moment.year * 100 + moment.month


def month_of_identifier(identifier: str) -> int | None:
    """The month an identifier was made in; None when it is not one of ours.

    Examples
    --------
    >>> month_of_identifier("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
    202202
    >>> month_of_identifier("case-7731") is None
    True
    """
    if not UUID_7.fullmatch(identifier):
        return None
    return month_of(int(identifier[:8] + identifier[9:13], 16) * 1000)
