"""What can go wrong with the ledger.

LedgerError
├── LedgerUnavailable   nothing can be recorded now; says after how many seconds to try again
├── LedgerMisfit        the database is not this ledger: other schema, other keys
├── LedgerDamaged       a row was altered, removed or inserted; says which
├── BackupUnusable      a file is not a whole backup of a ledger, or does not fit here
└── RetentionTooShort   the law asks for more

No message holds a stored value.
"""

from __future__ import annotations


class LedgerError(Exception):
    """Root of the errors of the ledger."""


class LedgerUnavailable(LedgerError):
    """Nothing can be recorded now.

    Attributes
    ----------
    reason : str
        One of `full` (too much waits), `failing` (the database refuses), `slow` (no answer in time),
        `closed`, `unread` (not known yet who answers in silence).
    retry_after_s : float
        When it is worth trying again.
    """

    def __init__(self, reason: str, retry_after_s: float) -> None:
        super().__init__(f"the ledger cannot record now ({reason})")
        self.reason = reason
        self.retry_after_s = retry_after_s


class LedgerMisfit(LedgerError):
    """The database is not this ledger."""


class LedgerDamaged(LedgerError):
    """A row was altered, removed or inserted."""


class BackupUnusable(LedgerError):
    """A file is not a whole backup of a ledger, or does not fit here."""


class RetentionTooShort(LedgerError):
    """Rows would be removed earlier than the law allows."""
