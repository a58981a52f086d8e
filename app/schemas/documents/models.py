"""GET /v1/models, and how an answer names its model."""

from __future__ import annotations

from typing import Any, Literal

from app.schemas.documents.shape import Document


class ModelReference(Document):
    """Which model answered."""

    name: str
    version: str
    alias: str
    digest: str
    training_data: Literal["real", "synthetic"]


class GateDocument(Document):
    """What the promotion gate decided about the version; `doubt` says why it counts as ungated."""

    verdict: Literal["passed", "overridden", "failed", "none"]
    doubt: str | None
    failed: list[str]
    reason: str | None
    rules: str | None
    code: str | None
    decided_at: str | None
    decided_by: str | None


class ModelDocument(ModelReference):
    """A served model with its figures."""

    branch_point: str
    outcome: str
    kind: Literal["binary", "numeric"]
    features: list[str]
    required: list[str]
    typical: dict[str, float]
    trained_on: dict[str, Any]
    evaluation: dict[str, Any]
    gate: GateDocument
