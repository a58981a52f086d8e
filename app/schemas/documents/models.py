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
