"""POST /v1/outcomes."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, Field

from app.schemas.documents.assessment_answer import Warned
from app.schemas.documents.request_body import request_body
from app.schemas.documents.shape import Document


class OutcomeReportDocument(Document):
    """What happened: to one assessment's patient, or to a subject in an episode."""

    assessment_id: str | None = None
    subject: str | None = Field(
        None, min_length=1, max_length=200, description="Never stored, logged or echoed."
    )
    episode: str | None = Field(
        None, min_length=1, max_length=200, description="Never stored, logged or echoed."
    )
    outcome: str
    value: bool | float
    observed_at: AwareDatetime
    correction: bool | None = Field(None, description="Records over what was reported before.")


class OutcomeAnswer(Document):
    """What came of a report."""

    status: Literal["recorded", "already_recorded", "corrected", "kept_for_linkage"]
    outcome: str
    warnings: list[Warned]


EXAMPLE_REPORT = {
    "subject": "patient-17",
    "episode": "case-7731",
    "outcome": "death_180d",
    "value": False,
    "observed_at": "2027-05-20T12:00:00Z",
}


def outcome_operation() -> dict[str, Any]:
    """The request body that OpenAPI documents for a report of what happened."""
    return request_body(OutcomeReportDocument, {"alive": ("Alive after 180 days", EXAMPLE_REPORT)})
