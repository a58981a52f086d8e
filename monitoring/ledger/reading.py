# ruff: noqa: S608 - the only names in statements are those of `tables.py`
"""Reading every row of the chain in its order, exactly as it is stored, in bounded memory.

No table has an index on the number alone, so each month of each table is read by its primary key,
page by page, and the pages are merged.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Table, TextClause, text

from monitoring.ledger.engine import POSTGRESQL, SQLITE
from monitoring.ledger.tables import CHAINED, EVENTS, HEAD

LARGEST_PAGE = 256

Progress = Callable[[int, int], None]
"""Told how many rows are done, of about how many."""


class Row(NamedTuple):
    """A row of the chain; values are what the driver gives, whatever the columns should hold."""

    seq: Any
    table: Table
    values: dict[str, Any]


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """One state of the whole database for as long as it is read; writers are not held up."""
    if engine.dialect.name == POSTGRESQL:
        engine = engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
    with engine.begin() as connection, as_stored(connection):
        yield connection


@contextmanager
def as_stored(connection: Connection) -> Iterator[None]:
    """Read text from SQLite even where it is no UTF-8: the driver's complaint would quote it."""
    if connection.dialect.name != SQLITE:
        yield
        return
    driver: Any = connection.connection.driver_connection
    usual, driver.text_factory = driver.text_factory, _decode
    try:
        yield
    finally:
        driver.text_factory = usual


def chained_rows(
    connection: Connection,
    tables: Sequence[Table] = CHAINED,
    *,
    columns: Sequence[str] | None = None,
    month: int | None = None,
) -> Iterator[Row]:
    """Rows of the chained tables, lowest number first; a number that is none comes last.

    Parameters
    ----------
    tables : sequence of Table
        Which of them.
    columns : sequence of str, optional
        `month`, `seq` and what else is wanted; default: all.
    month : int, optional
        Only rows of this month.
    """
    streams = [
        _month(connection, of, one, tuple(columns or (item.name for item in of.columns)))
        for of in tables
        for one in (months(connection, of) if month is None else (month,))
    ]
    return heapq.merge(*streams, key=_place)


def months(connection: Connection, of: Table) -> Iterator[int]:
    """The months that a table has rows of, each found by one look into the primary key."""
    lowest, next_one = _months_statements(of)
    found = connection.execute(lowest).scalar()
    while found is not None:
        yield found
        found = connection.execute(next_one, {"month": found}).scalar()


def event_detail(connection: Connection, month: Any, seq: int) -> Any:
    """What one event says, as it is stored."""
    return connection.execute(EVENT_DETAIL, {"month": month, "seq": seq}).scalar()


def heads(connection: Connection) -> list[dict[str, Any]]:
    """The rows of the head's table: one, if nobody meddled."""
    names = [item.name for item in HEAD.columns]
    return [dict(zip(names, row, strict=True)) for row in connection.execute(HEADS)]


def _month(connection: Connection, of: Table, month: Any, names: tuple[str, ...]) -> Iterator[Row]:
    first, following = _page_statements(of, names)
    # Small at first: many months wait with their first row while one is read.
    size = 1
    page = connection.execute(first, {"month": month, "size": size}).all()
    place = names.index("seq")
    while page:
        for row in page:
            yield Row(row[place], of, dict(zip(names, row, strict=True)))
        if len(page) < size:
            return
        size = min(4 * size, LARGEST_PAGE)
        given = {"month": month, "size": size, "after": page[-1][place]}
        page = connection.execute(following, given).all()


# Words, not the tables' columns: those would make what is stored look like what should be there.
HEADS = text(f"SELECT {', '.join(item.name for item in HEAD.columns)} FROM {HEAD.name}")
EVENT_DETAIL = text(f"SELECT detail FROM {EVENTS.name} WHERE month = :month AND seq = :seq")


@cache
def _months_statements(of: Table) -> tuple[TextClause, TextClause]:
    lowest = f"SELECT min(month) FROM {of.name}"
    return text(lowest), text(f"{lowest} WHERE month > :month")


@cache
def _page_statements(of: Table, names: tuple[str, ...]) -> tuple[TextClause, TextClause]:
    page = f"SELECT {', '.join(names)} FROM {of.name} WHERE month = :month"
    order = "ORDER BY seq LIMIT :size"
    return text(f"{page} {order}"), text(f"{page} AND seq > :after {order}")


def _place(row: Row) -> float:
    return row.seq if isinstance(row.seq, int | float) else math.inf


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
