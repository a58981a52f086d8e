"""What the use cases work with; put together once, in `app.main`."""

from __future__ import annotations

from dataclasses import dataclass

from app.access_log import AccessLog
from app.deid import Pseudonymiser
from app.services.silent_places import SilentPlaces
from app.serving.slot import Slot
from models.vocabulary import Vocabulary
from monitoring.ledger import Ledger
from monitoring.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Parts:
    """The vocabulary, the models, and where things are recorded."""

    vocabulary: Vocabulary
    slot: Slot
    ledger: Ledger
    silence: SilentPlaces
    access_log: AccessLog
    pseudonymiser: Pseudonymiser
    metrics: Metrics
