"""Where the ledger is that commands of ML engineers read or write."""

from __future__ import annotations

from pathlib import Path

from training.errors import LedgerClosed

LEDGER_FILE = "ledger.db"
PATIENCE_S = 60.0


def ledger_url(database: str | None, var: Path) -> str:
    """The address that was given, or that of the ledger in the state folder.

    Raises
    ------
    LedgerClosed
        When there is no ledger in the state folder.

    Examples
    --------
    >>> ledger_url("postgresql://there/ledger", Path("var"))
    'postgresql://there/ledger'
    """
    file = var / LEDGER_FILE
    if database is None and not file.is_file():
        raise LedgerClosed(f"no ledger at {file}; --database says where it is")
    return database or f"sqlite:///{file.resolve()}"
