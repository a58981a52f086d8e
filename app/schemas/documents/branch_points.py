"""GET /v1/branch-points and /v1/branch-points/{id}."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.schemas.documents.models import ModelReference
from app.schemas.documents.shape import Document, Probability, Text


class CapacityDocument(Document):
    """What acting on a threshold assumes; what one patient takes stands with the action."""

    start: str = Field(description="The lowest band that is acted on.")
    patients_per_100: float = Field(
        gt=0, le=100, description="Of 100 assessed patients, those in that band or above."
    )
    source: str


class BandsDocument(Document):
    """Named ranges of probability."""

    names: list[str]
    limits: list[Probability]
    source: str
    capacity: CapacityDocument


class DeclaredOutcome(Document):
    """An outcome of a branch point, and who answers it."""

    outcome: str
    label: Text
    kind: Literal["binary", "numeric"]
    family: str
    unit: str | None
    horizon_days: int | None
    definition: str
    competing: str | None
    bands: BandsDocument | None
    champion: ModelReference | None


class ActionDocument(Document):
    """What the answer can change."""

    id: str
    label: Text
    outcome: str
    bands: list[str]
    source: str
    capacity: str = Field(description="What one suggestion takes where it is followed.")


class BranchPointDocument(Document):
    """A declared branch point."""

    id: str
    stage: int
    title: Text
    question: Text
    hook: str
    intended_purpose: str
    who: str
    reference_scores: list[str]
    required: list[str]
    optional: list[str]
    silent: bool = Field(description="Whether the caller is told no risk here yet.")
    outcomes: list[DeclaredOutcome]
    actions: list[ActionDocument]
