"""E-mail addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from models.tripwire.finding import EMAIL, Finding

# From each @ outwards, over no more than an address may be long: never quadratic.
LONGEST_LOCAL, LONGEST_DOMAIN = 64, 255
LOCAL = re.compile(r"[\w.!#$'*+^`{|}~-]+$")
DOMAIN = re.compile(r"(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}\b")


def find_emails(text: str) -> Iterator[Finding]:
    """Report e-mail addresses in plain text.

    Examples
    --------
    >>> list(find_emails("to anna@example.org now"))
    [Finding(kind='email', start=3, end=19)]
    """
    at = text.find("@")
    while at >= 0:
        local = LOCAL.search(text[max(0, at - LONGEST_LOCAL) : at])
        domain = DOMAIN.match(text, at + 1, at + 1 + LONGEST_DOMAIN)
        if local is not None and domain is not None:
            yield Finding(EMAIL, at - len(local[0]), domain.end())
        at = text.find("@", at + 1)
