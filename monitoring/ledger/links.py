"""Pseudonyms that belong together: the same subject or episode under several keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import or_, select

from monitoring.ledger.tables import LINKS


def linked(ask: Callable[[Any], Iterable[Any]], identifiers: Iterable[str]) -> tuple[str, ...]:
    """These pseudonyms and all that were linked to them, in no particular order.

    Parameters
    ----------
    ask : callable
        Runs a statement and gives its rows.
    """
    known = set(identifiers)
    new = known
    while new:
        rows = ask(
            select(LINKS.c.old_id, LINKS.c.new_id).where(
                or_(LINKS.c.old_id.in_(new), LINKS.c.new_id.in_(new))
            )
        )
        new = {identifier for row in rows for identifier in row} - known
        known = known | new
    return tuple(sorted(known))
