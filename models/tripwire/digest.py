"""Digests and random identifiers: digits in them are chance, whatever they look like."""

from __future__ import annotations

import re

# MD5, SHA-1, SHA-256 and SHA-512 in hexadecimal, and UUIDs with or without dashes.
LONGEST = 128
MADE_BY_CHANCE = re.compile(
    r"(?<![0-9A-Za-z])(?:"
    r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
    r"|(?=\d*[A-Fa-f])(?:[0-9A-Fa-f]{128}|[0-9A-Fa-f]{64}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{32})"
    r")(?![0-9A-Za-z])",
    re.ASCII,
)


def in_digest(text: str, start: int, end: int) -> bool:
    """Whether a stretch of a text is a piece of a digest or a random identifier.

    Examples
    --------
    >>> in_digest("run 19500907-2553-4a6b-8c1d-0242ac120002", 4, 17)
    True
    >>> in_digest("pnr 19500907-2553", 4, 17)
    False
    """
    around = MADE_BY_CHANCE.finditer(text, max(0, start - LONGEST), end + LONGEST + 1)
    return any(match.start() <= start and end <= match.end() for match in around)
