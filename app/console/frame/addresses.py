"""Where a reader may be sent on to: pages of the console, in a form that can hold no identifier.

An address that somebody asked for stands in what is answered (a link, a redirect, a hidden field). It is
therefore not repeated unless it is one of ours and has no room for a name or a number of a patient.
"""

from __future__ import annotations

import re

HOME = "/console"
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_RECORDED = re.compile(rf"{HOME}/assessments/{_UUID}", re.ASCII)
_DECLARED = re.compile(rf"{HOME}(?:/[a-z]+(?:[._-](?:[a-z]+|[0-9]{{1,3}}[a-z]?))*)*", re.ASCII)
LONGEST = 200


def assessment_address(typed: str) -> str | None:
    """Where the assessment of a number is shown; None for whatever is no such number.

    Examples
    --------
    >>> assessment_address(" 0192D0A0-0000-7000-8000-000000000000 ")
    '/console/assessments/0192d0a0-0000-7000-8000-000000000000'
    >>> assessment_address("Anna"), assessment_address("19500907-2553")
    (None, None)
    """
    address = f"{HOME}/assessments/{typed.strip().lower()}"
    return address if _RECORDED.fullmatch(address) else None


def own_address(wanted: str) -> str:
    """The address itself where it may be repeated, else the start page; a query is never kept.

    Examples
    --------
    >>> own_address("/console/models/icu-review.death_180d?x=1")
    '/console/models/icu-review.death_180d'
    >>> own_address("/console/assessments/0192d0a0-0000-7000-8000-000000000000")
    '/console/assessments/0192d0a0-0000-7000-8000-000000000000'
    >>> {own_address(a) for a in ("https://x.example", "//x/console", "/console/195009072553")}
    {'/console'}
    """
    path = wanted.partition("?")[0]
    if len(path) <= LONGEST and (_RECORDED.fullmatch(path) or _DECLARED.fullmatch(path)):
        return path
    return HOME
