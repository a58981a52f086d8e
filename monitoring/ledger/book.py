"""The book: writes entries in one transaction each time, one writer after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monitoring.keyring import Keyring
from monitoring.ledger.engine import open_engine
from monitoring.ledger.entries import Entry
from monitoring.ledger.errors import LedgerDamaged
from monitoring.ledger.page import Page
from monitoring.ledger.schema import prepare


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
        self._engine = open_engine(url, writes=True, patience_s=patience_s)
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
        try:
            with self._engine.begin() as connection:
                page = Page(connection, self._keyring)
                results = [entry.apply(page) for entry in entries]
                page.close()
        except LedgerDamaged:
            raise
        except BaseException:
            # Whatever it was, the next attempt begins with a new connection.
            self._engine.dispose()
            raise
        self.head = page.head
        return results

    def close(self) -> None:
        self._engine.dispose()
