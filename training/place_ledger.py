"""The ledger as `go-live` and `go-silent` need it: whose place is meant, and one event written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from monitoring.keyring import FILE_NAME, KeysInvalid, load_keyring
from monitoring.ledger.book import Book
from monitoring.ledger.engine import open_engine
from monitoring.ledger.entries import Event
from monitoring.ledger.errors import LedgerError
from monitoring.ledger.matured import tenants
from monitoring.ledger.silence import Change, place_of, read_changes
from training.errors import GoLiveRefused, LedgerClosed
from training.ledger_url import PATIENCE_S, ledger_url

DEFAULT_TENANT = "default"
TENANT_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class PlaceLedger:
    """The ledger, open for one change, and what it knows of the tenants of the branch point."""

    def __init__(self, url: str, var: Path, keys: Path | None) -> None:
        self._url = url
        keyring = load_keyring(keys or var / FILE_NAME)
        self._book = Book(url, keyring, patience_s=PATIENCE_S)
        self._known: list[str] = []
        self._changes: list[Event] = []

    def whose(self, branch_point: str, tenant: str | None) -> str:
        """The tenant that is meant: the one that was named, else the only one that the ledger knows.

        Raises
        ------
        GoLiveRefused
            When it is not clear.
        """
        engine = open_engine(self._url, writes=False, patience_s=PATIENCE_S)
        try:
            self._known = tenants(engine, branch_point)
            with engine.connect() as connection:
                self._changes = read_changes(connection)
        finally:
            engine.dispose()
        if tenant is not None:
            if not TENANT_ID.fullmatch(tenant):
                raise GoLiveRefused(
                    "--tenant is no tenant's id: expected lower case letters, digits, `.`, `_`, `-`"
                )
            return tenant
        if len(self._known) > 1:
            raise GoLiveRefused(
                f"the ledger has assessments at `{branch_point}` of {', '.join(self._known)}; "
                "--tenant says whose"
            )
        return self._known[0] if self._known else DEFAULT_TENANT

    def prepare(self) -> None:
        """See that it can be written with these keys, before anything else is done."""
        self._book.prepare()

    def write(self, change: Change) -> None:
        """Record a change; it is durable when this returns."""
        self._book.write([change.event()])

    def told(self, tenant: str) -> str | None:
        """What is worth a second look at the tenant's name."""
        if tenant in self._known or any(place_of(e)[0] == tenant for e in self._changes):
            return None
        others = ", ".join(self._known) or "nobody"
        return (
            f"the ledger has no assessment of tenant `{tenant}` there (it has those of: {others}); "
            "see that it is the id in the tenants file"
        )

    def close(self) -> None:
        self._book.close()


@contextmanager
def open_ledger(database: str | None, var: Path, keys: Path | None) -> Iterator[PlaceLedger]:
    """The ledger for as long as it is needed.

    Raises
    ------
    LedgerClosed
        When it is not there, is not this installation's, or cannot be used now.
    """
    url, book = ledger_url(database, var), None
    try:
        book = PlaceLedger(url, var, keys)
        yield book
    except (KeysInvalid, LedgerError, OSError) as error:
        raise LedgerClosed(str(error)) from None
    except SQLAlchemyError as error:
        raise LedgerClosed(
            f"the ledger's database cannot be used ({type(error).__name__}); see --database"
        ) from None
    finally:
        if book is not None:
            book.close()
