"""Opening the database: SQLite with full durability, or PostgreSQL; the same statements on both."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from monitoring.ledger.errors import LedgerMisfit

SQLITE, POSTGRESQL = "sqlite", "postgresql"
BUSY_MS = 5_000
LONGEST_LOG_PAGES = 16_000
"""SQLite copies its log by itself when it is so long; `checkpoints` does it sooner, beside the writing."""


def open_engine(url: str, *, writes: bool, patience_s: float = 5.0) -> Engine:
    """An engine on the ledger's database.

    Parameters
    ----------
    url : str
        `sqlite:///FILE` or `postgresql://USER@HOST/NAME`.
    writes : bool
        Whether transactions take the write lock at their beginning. SQLite gives a reader that
        turns writer an error instead of a turn.
    patience_s : float
        How long to wait for a connection and for a statement.

    Raises
    ------
    LedgerMisfit
        On any other kind of database.
    """
    try:
        address = make_url(url)
    except ArgumentError:
        raise LedgerMisfit("RISK_DATABASE_URL is not a database address") from None
    kind = address.get_backend_name()
    # Parameters of a failing statement are patients' values: they must not reach any message.
    options: dict[str, Any] = {"hide_parameters": True}
    if kind == SQLITE:
        options["connect_args"] = {"timeout": BUSY_MS / 1000, "check_same_thread": False}
        if address.database in (None, "", ":memory:"):
            raise LedgerMisfit("a ledger in memory would be lost: expected sqlite:///FILE")
    elif kind == POSTGRESQL:
        address = address.set(drivername="postgresql+psycopg")
        milliseconds = int(patience_s * 1000)
        options["connect_args"] = {
            "connect_timeout": max(2, int(patience_s)),
            "tcp_user_timeout": milliseconds,
            "application_name": "complication-risk",
            "options": f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds}",
        }
        options |= {"pool_size": 1 if writes else 4, "max_overflow": 0, "pool_timeout": patience_s}
        options["pool_pre_ping"] = not writes
    else:
        raise LedgerMisfit(f"no ledger on `{kind}`: expected sqlite:///FILE or postgresql://…")
    try:
        engine = create_engine(address, **options)
    except (NoSuchModuleError, ImportError):
        raise LedgerMisfit("psycopg is not installed: PostgreSQL needs it") from None
    if kind == SQLITE:
        _make_durable(engine, writes=writes)
    elif writes:
        _compress_quickly(engine)
    return engine


def _compress_quickly(engine: Engine) -> None:
    """Have PostgreSQL compress long values with LZ4, where it was built with it.

    An answer of 20 kB took its process 0.31 ms to store the usual way, 0.08 ms this way and 0.09 ms
    uncompressed; a server that wrote it can read it back whatever the setting is then.
    """

    @event.listens_for(engine, "connect")
    def choose(connection: Any, _: object) -> None:
        connection.execute(
            "SELECT set_config(name, 'lz4', false) FROM pg_settings "
            "WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)"
        )
        connection.commit()  # a rollback would take the setting back


class Lines:
    """The network connections of an engine, which another thread can cut.

    A server that hangs, or a network that is gone, says nothing: neither its own limits nor the
    driver end a thread that waits for it. A cut line does, at once, with an ordinary error.
    """

    def __init__(self, engine: Engine) -> None:
        self._ends: dict[Any, socket.socket] = {}
        if engine.dialect.name == POSTGRESQL:
            event.listen(engine, "connect", self._opened)
            event.listen(engine, "close", self._closed)

    def cut(self) -> None:
        """End every connection; whoever waits on one gets an error, the next opens anew."""
        for end in tuple(self._ends.values()):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _opened(self, connection: Any, record: Any) -> None:
        # An end of our own: the driver's number may be another file's by the time of the cut.
        self._ends[record] = socket.socket(fileno=os.dup(connection.fileno()))

    def _closed(self, _: Any, record: Any) -> None:
        if (end := self._ends.pop(record, None)) is not None:
            end.close()


def _make_durable(engine: Engine, *, writes: bool) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        connection.isolation_level = None  # transactions begin below, not when Python thinks
        try:
            if writes:  # counts only before the first table, and fails where nothing can be written
                connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
                connection.execute(f"PRAGMA wal_autocheckpoint={LONGEST_LOG_PAGES}")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        except BaseException:
            # Nobody else closes it. Left open on a file that could not be written, it would make
            # every later connection of this process a read-only one.
            connection.close()
            raise

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
