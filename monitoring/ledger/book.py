"""The book: writes entries in one transaction each time, one writer after the other."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

from sqlalchemy.exc import DBAPIError

from monitoring.keyring import Keyring
from monitoring.ledger.checkpoints import Checkpoints
from monitoring.ledger.engine import SQLITE, open_engine
from monitoring.ledger.entries import Entry
from monitoring.ledger.errors import LedgerDamaged
from monitoring.ledger.page import Page
from monitoring.ledger.schema import prepare


class _LostBeforehand(Exception):
    """A connection kept from an earlier write turned out to be gone, before anything was sent."""


class Book:
    """The ledger open for writing.

    Parameters
    ----------
    url : str
        The database.
    patience_s : float
        How long to wait for it.
    """

    def __init__(self, url: str, keyring: Keyring, *, patience_s: float = 5.0) -> None:
        self._keyring = keyring
        self._patience_s = patience_s
        self._engine = open_engine(url, writes=True, patience_s=patience_s)
        own_log = self._engine.dialect.name == SQLITE
        self._checkpoints = Checkpoints(str(self._engine.url.database)) if own_log else None
        self._held = False  # whether a connection is kept from the last write
        self.head: tuple[int, bytes] = (0, b"")

    def prepare(self) -> None:
        """Make the tables in an empty database, otherwise see that schema and keys fit.

        Raises
        ------
        LedgerMisfit
            When they do not.
        """
        prepare(self._engine, self._keyring)

    def write(self, entries: Sequence[Entry]) -> list[Any]:
        """Apply entries in one transaction; all are durable when this returns.

        Returns
        -------
        list
            What each entry says of itself, in order.

        Raises
        ------
        LedgerDamaged
            When the head does not carry our seal.
        sqlalchemy.exc.SQLAlchemyError
            When the database refuses; then nothing is written.
        """
        if self._held and self._checkpoints is not None and self._checkpoints.nearly_done:
            with closing(self._engine.raw_connection()) as kept:
                self._checkpoints.finish(kept.driver_connection)
        try:
            results = self._write(entries)
        except _LostBeforehand:
            # A database that was restarted meanwhile: nothing of the entries went over the old line.
            results = self._write(entries)
        if self._checkpoints is not None:
            self._checkpoints.written(len(entries))
        return results

    def _write(self, entries: Sequence[Entry]) -> list[Any]:
        page = None
        try:
            with self._engine.begin() as connection:
                page = Page(connection, self._keyring)
                results = [entry.apply(page) for entry in entries]
                page.close()
        except LedgerDamaged:
            raise
        except BaseException as error:
            # Whatever it was, the next attempt begins with a new connection.
            self._engine.dispose()
            held, self._held = self._held, False
            lost = isinstance(error, DBAPIError) and error.connection_invalidated
            if held and lost and page is None:
                raise _LostBeforehand from error
            raise
        self.head, self._held = page.head, True
        return results

    def close(self) -> None:
        if self._checkpoints is not None:
            self._checkpoints.end(self._patience_s)
        self._engine.dispose()
