"""POST /v1/branch-points/{id}/assessments: what to send."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, Field

from app.schemas.documents.request_body import request_body
from app.schemas.documents.shape import Document


class MeasuredValue(Document):
    """A value with its unit and the time it was taken."""

    value: float | str | bool | None
    unit: str | None = Field(None, description="UCUM; default: the dictionary's unit")
    time: AwareDatetime | None = None


class AssessmentRequestDocument(Document):
    """What to send."""

    subject: str | None = Field(
        None, min_length=1, max_length=200, description="Never stored, logged or echoed."
    )
    episode: str | None = Field(
        None, min_length=1, max_length=200, description="Never stored, logged or echoed."
    )
    unit: str | None = Field(
        None, min_length=1, max_length=200, description="One of the declared care units."
    )
    index_time: AwareDatetime | None = Field(None, description="Default: the time of asking.")
    measurements: dict[str, float | str | bool | MeasuredValue | None] = Field(
        description="Feature name to a bare value in the dictionary's unit, or to an object."
    )
    outcomes: list[str] | None = Field(None, description="Only these outcomes; default: all.")
    include: list[Literal["measure_next", "reference"]] | None = None
    protected_identity: bool | None = Field(
        None, description="Protected identity: no pseudonym is made, the record is never exported."
    )


EXAMPLE_REQUEST = {
    "index_time": "2026-11-21T08:15:00Z",
    "measurements": {
        "age": 71,
        "sex": "male",
        "disease_group": "arf_mosf_sepsis",
        "comorbidity_count": 2,
        "heart_rate": {"value": 118, "unit": "/min", "time": "2026-11-21T08:00:00Z"},
        "map": 62,
        "resp_rate": 28,
        "temperature": {"value": 101.3, "unit": "[degF]"},
        "creatinine": {"value": 1.9, "unit": "mg/dL", "time": "2026-11-21T06:00:00Z"},
        "sodium": 134,
        "wbc": 17.2,
        "albumin": {"value": 2.4, "unit": "g/dL", "time": "2026-11-21T06:00:00Z"},
    },
    "outcomes": ["death_180d", "length_of_stay_days"],
}


def assessment_operation() -> dict[str, Any]:
    """The request body that OpenAPI documents for an assessment; `app.examples` adds the examples."""
    return request_body(AssessmentRequestDocument, {})
