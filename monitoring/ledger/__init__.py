"""The ledger: what was asked and answered and what became of it; append-only, chained, durable."""

from monitoring.ledger.entries import (
    Access,
    Assessment,
    Event,
    Feedback,
    Link,
    Outcome,
    Shadows,
    TokenUse,
)
from monitoring.ledger.errors import LedgerDamaged, LedgerError, LedgerMisfit, LedgerUnavailable
from monitoring.ledger.identifiers import new_identifier
from monitoring.ledger.ledger import Ledger, Recorded
from monitoring.ledger.traffic import Traffic
from monitoring.ledger.writer import Commitment

__all__ = [
    "Access",
    "Assessment",
    "Commitment",
    "Event",
    "Feedback",
    "Ledger",
    "LedgerDamaged",
    "LedgerError",
    "LedgerMisfit",
    "LedgerUnavailable",
    "Link",
    "Outcome",
    "Recorded",
    "Shadows",
    "TokenUse",
    "Traffic",
    "new_identifier",
]
