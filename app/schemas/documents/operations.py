"""GET /livez and /readyz."""

from __future__ import annotations

from typing import Literal

from app.schemas.documents.models import ModelReference
from app.schemas.documents.shape import Document


class LivenessDocument(Document):
    """The process answers."""

    alive: bool


class RegistryDocument(Document):
    """How the registry does."""

    reachable: bool
    serving_from_cache: bool
    last_success: float | None


class RefusedDocument(Document):
    """A version that was refused, or that is served without a gate decision, and why."""

    name: str
    version: str
    reason: str


class WorkerDocument(Document):
    """How one worker of this service follows the registry."""

    worker: int
    last_success: float | None
    serving_from_cache: bool
    models: dict[str, str]
    refused: dict[str, str]


class ChallengerDocument(Document):
    """How a challenger does that is asked beside its champion, unseen."""

    name: str
    version: str
    digest: str
    answered: int
    abstained: int
    begun: bool
    lag_s: float
    set_aside: str | None


class RefreshDocument(Document):
    """What will happen now: each worker's next look at the registry begins within that time."""

    status: Literal["looking", "known_already"]
    workers: int
    begins_within_s: float
    interval_s: float


class LedgerHeadDocument(Document):
    """Newest link of the chain: worth noting elsewhere."""

    seq: int
    chain: str


class LedgerDocument(Document):
    """How the ledger does."""

    recording: bool
    reason: str | None
    waiting: int
    head: LedgerHeadDocument | None


class SilentDocument(Document):
    """A tenant's branch point whose risks are recorded and not told."""

    tenant: str
    branch_point: str


class ReadinessDocument(Document):
    """Whether every champion is loaded and proven, and the ledger records."""

    ready: bool
    reason: str | None
    open: bool
    note: str
    ledger: LedgerDocument
    registry: RegistryDocument
    models: list[ModelReference]
    ungated: list[RefusedDocument]
    refused: list[RefusedDocument]
    silent: list[SilentDocument]
    workers: list[WorkerDocument]
    challengers: list[ChallengerDocument]
