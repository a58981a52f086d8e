"""New rows of the ledger in their order: small columns only, whatever table they are in."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, bindparam, func, select

from monitoring.ledger.tables import ASSESSMENTS, FEEDBACK, LINKS, OUTCOMES

LARGEST_PAGE = 1024


class Asked(NamedTuple):
    """An assessment without its answer; `models` is JSON, name to digest of those that answered."""

    month: int
    seq: int
    recorded_at_us: int
    assessment_id: str
    tenant: str
    branch_point: str
    unit: str | None
    subject_id: str | None
    episode_id: str | None
    protected: bool
    index_time_us: int
    models: str


class Reported(NamedTuple):
    """A row of the outcomes."""

    month: int
    seq: int
    recorded_at_us: int
    tenant: str
    assessment_id: str | None
    subject_id: str | None
    episode_id: str | None
    outcome: str
    value: float
    observed_at_us: int
    corrects_seq: int | None


class Linked(NamedTuple):
    """Two pseudonyms that belong together."""

    month: int
    seq: int
    recorded_at_us: int
    old_id: str
    new_id: str


class Judged(NamedTuple):
    """What became of a card."""

    month: int
    seq: int
    recorded_at_us: int
    branch_point: str
    verdict: str


Row = Asked | Reported | Linked | Judged
KINDS: tuple[tuple[Table, Any], ...] = (
    (ASSESSMENTS, Asked),
    (OUTCOMES, Reported),
    (LINKS, Linked),
    (FEEDBACK, Judged),
)


def columns(table: Table, kind: Any) -> Any:
    """A statement for the columns that a kind of row has."""
    return select(*(table.c[name] for name in kind._fields))


FOLLOWING = {
    table.name: columns(table, kind)
    .where(table.c.month == bindparam("month"), table.c.seq > bindparam("after"))
    .order_by(table.c.seq)
    .limit(bindparam("size"))
    for table, kind in KINDS
}
MONTHS = {
    table.name: select(func.min(table.c.month)).where(table.c.month >= bindparam("first"))
    for table, _ in KINDS
}


def rows_after(connection: Connection, seq: int, first_month: int, most: int) -> list[Row]:
    """The next rows of assessments, outcomes, links and feedback, lowest number first.

    Parameters
    ----------
    connection : Connection
        Inside one snapshot: rows are committed in the order of their numbers, so what is seen is
        everything up to some row.
    seq : int
        The last row that is known.
    first_month : int
        Months before it are not looked into.
    most : int
        How many at a time.
    """
    streams = [
        _month(connection, table, kind, month, seq)
        for table, kind in KINDS
        for month in _months(connection, table, first_month)
    ]
    return list(islice(heapq.merge(*streams, key=itemgetter(1)), most))


def _months(connection: Connection, table: Table, first: int) -> Iterator[int]:
    """Months that have rows, each found by one look into the primary key."""
    found = connection.execute(MONTHS[table.name], {"first": first}).scalar()
    while found is not None:
        yield int(found)
        found = connection.execute(MONTHS[table.name], {"first": found + 1}).scalar()


def _month(
    connection: Connection, table: Table, kind: Any, month: int, after: int
) -> Iterator[Row]:
    size = 1  # many months wait with their first row while one is read
    while True:
        given = {"month": month, "after": after, "size": size}
        page = connection.execute(FOLLOWING[table.name], given).all()
        yield from map(kind._make, page)
        if len(page) < size:
            return
        after, size = page[-1][1], min(4 * size, LARGEST_PAGE)
