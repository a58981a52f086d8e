"""POST /v1/deidentification/inspect."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from app.schemas.documents.assessment_request import EXAMPLE_REQUEST, AssessmentRequestDocument
from app.schemas.documents.problem import InputErrorDocument
from app.schemas.documents.request_body import request_body
from app.schemas.documents.shape import Document


class InspectedField(Document):
    """One field of a request: what came (its form), what leaves, and by which rule."""

    pointer: str
    came: str
    leaves: Any
    action: str
    rule: str


class Attack(Document):
    """An identifier planted into a field in one spelling, and whether any of it left."""

    field: str
    encoding: str
    verdict: Literal["BLOCKED", "ALLOWED"]


class AttackSummary(Document):
    """What came of all attacks; `holes` lists every one that was ALLOWED."""

    tried: int
    blocked: int
    allowed: int
    fields: int
    encodings: int
    holes: list[Attack]


class InspectionDocument(Document):
    """What the de-identification makes of a request; nothing of it is stored."""

    accepted: bool
    status: int = Field(description="What the request would have been answered with.")
    detail: str | None
    faults: list[InputErrorDocument]
    policy_version: str
    policy_digest: str
    actions: dict[str, int]
    fields: list[InspectedField]
    attacks: AttackSummary | None = None


def inspection_operation() -> dict[str, Any]:
    """The request body that OpenAPI documents for an inspection: anything, it is what is inspected."""
    found = request_body(AssessmentRequestDocument, {"icu-review": ("A request", EXAMPLE_REQUEST)})
    found["requestBody"]["content"]["application/json"]["schema"] = {
        "description": "An assessment request, or anything that somebody might send as one."
    }
    return found
