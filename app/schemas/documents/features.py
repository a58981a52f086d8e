"""GET /v1/features."""

from __future__ import annotations

from typing import Literal

from app.schemas.documents.shape import Document, Text


class AcceptedUnit(Document):
    """value_in_own_unit = value * factor + offset."""

    unit: str
    factor: float
    offset: float


class FeatureDocument(Document):
    """A row of the dictionary."""

    name: str
    label: Text
    group: str
    kind: Literal["number", "category", "flag", "code"]
    unit: str | None
    accepted_units: list[AcceptedUnit]
    plausible: list[float] | None
    integer: bool
    categories: list[str]
    ordered: bool
    pattern: str | None
    codes: dict[str, list[str]]
    maximum_age_hours: float | None
    earliest: str
    direction: str | None
    source: str
