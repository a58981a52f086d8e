"""GET /livez and /readyz."""

from __future__ import annotations

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
