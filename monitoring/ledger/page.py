"""One transaction's page of the ledger: rows get their number and their link, then all go in at once.

Only one page is open at a time in the whole installation: opening it takes the lock on the head.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Dialect,
    Executable,
    Insert,
    Result,
    Table,
    Update,
    bindparam,
    insert,
    literal,
    select,
    text,
    update,
)

from monitoring.keyring import LEDGER, Keyring
from monitoring.ledger.chain import key_of, link, seal
from monitoring.ledger.engine import POSTGRESQL
from monitoring.ledger.errors import LedgerDamaged
from monitoring.ledger.identifiers import month_of
from monitoring.ledger.tables import CHAINED, HEAD

ONLY = 1
LOOK_AT_HEAD = select(HEAD.c.seq, HEAD.c.chain, HEAD.c.seal).where(HEAD.c.id == literal(ONLY))
LOCK_HEAD = LOOK_AT_HEAD.with_for_update()
MOVE_HEAD = update(HEAD).values({name: bindparam(name) for name in ("seq", "chain", "seal")})
INSERTS = {table.name: insert(table) for table in CHAINED}
Statements = Sequence[tuple[Insert | Update, list[dict[str, Any]]]]


class Page:
    """Rows to append and questions to ask within one transaction.

    Raises
    ------
    LedgerDamaged
        When the head does not carry a seal of our keys: nothing may be built on it.
    """

    def __init__(self, connection: Connection, keyring: Keyring) -> None:
        self._connection = connection
        self._key = keyring.newest(LEDGER)
        self._partitioned = connection.dialect.name == POSTGRESQL
        seq, chain, stamp = connection.execute(
            LOCK_HEAD if self._partitioned else LOOK_AT_HEAD
        ).one()
        self._seq, self._chain = int(seq), bytes(chain)
        sealed = key_of(keyring, bytes(stamp))
        never_written = self._seq == 0 and not self._chain and not stamp
        if not never_written and (
            sealed is None or seal(sealed, self._seq, self._chain) != bytes(stamp)
        ):
            raise LedgerDamaged(
                "the head of the ledger does not carry our seal: it was made with other keys, or "
                "altered; see `risk-monitor verify`"
            )
        self._waiting: dict[str, list[dict[str, Any]]] = {}

    @property
    def head(self) -> tuple[int, bytes]:
        """Number and link of the newest row."""
        return self._seq, self._chain

    def add(self, table: Table, recorded_at_us: int, values: Mapping[str, Any]) -> int:
        """Append a row; returns its number in the chain."""
        self._seq += 1
        row: dict[str, Any] = {
            "month": month_of(recorded_at_us),
            "seq": self._seq,
            "recorded_at_us": recorded_at_us,
            **values,
        }
        self._chain = row["chain"] = link(self._key, self._chain, table, row)
        self._waiting.setdefault(table.name, []).append(row)
        return self._seq

    def ask(self, statement: Executable) -> Result[Any]:
        """Run a statement that sees the rows added so far."""
        self.flush()
        return self._connection.execute(statement)

    def flush(self, after: Statements = ()) -> None:
        """Send what was added to the database, and what is to follow it, in one go."""
        waiting, self._waiting = self._waiting, {}
        if not waiting and not after:
            return
        if self._partitioned:
            for name, rows in waiting.items():
                for month in {row["month"] for row in rows}:
                    make_partition(self._connection, name, month)
        with self._in_one_go():
            for statement, rows in (*((INSERTS[n], rows) for n, rows in waiting.items()), *after):
                self._run(statement, rows)

    def _in_one_go(self) -> AbstractContextManager[Any]:
        """Statements in this block go to PostgreSQL without waiting for an answer to each."""
        if not self._partitioned:
            return nullcontext()
        driver = self._connection.connection.driver_connection
        pipeline: AbstractContextManager[Any] = driver.pipeline()  # type: ignore[union-attr]  # psycopg's
        return pipeline

    def close(self) -> None:
        """Write everything and move the head."""
        stamp = seal(self._key, self._seq, self._chain)
        self.flush([(MOVE_HEAD, [{"seq": self._seq, "chain": self._chain, "seal": stamp}])])

    def _run(self, statement: Insert | Update, rows: list[dict[str, Any]]) -> None:
        """Run a statement as the driver takes it: checking it anew would cost more than writing."""
        words, columns = _compiled(statement, self._connection.dialect)
        given = rows if columns is None else [tuple(row[c] for c in columns) for row in rows]
        self._connection.exec_driver_sql(words, given if len(given) > 1 else given[0])


@cache
def _compiled(statement: Insert | Update, dialect: Dialect) -> tuple[str, tuple[str, ...] | None]:
    """A statement in the database's words, and its columns where the driver counts them off."""
    compiled = statement.compile(dialect=dialect)
    return str(compiled), None if compiled.positiontup is None else tuple(compiled.positiontup)


def make_partition(connection: Connection, table: str, month: int) -> None:
    """Make the partition of a month on PostgreSQL, if it is not there yet.

    It is made apart and then attached: making it as a partition at once would wait for every reader
    of the table, and all writers behind it, as long as a backup lasts.
    """
    # Known by connection: asking costs a round trip, and what was made is gone with a rollback,
    # after which the writer begins with a new connection.
    made = connection.info.setdefault("partitions", set())
    if (table, month) in made:
        return
    name, after = f"{table}_{month}", month + 1 if month % 100 < 12 else month + 89
    if connection.execute(text("SELECT to_regclass(:name)"), {"name": name}).scalar() is None:
        connection.execute(
            text(f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
        )
        connection.execute(
            text(
                f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({month}) TO ({after})"
            )
        )
    made.add((table, month))
