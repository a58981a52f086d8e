"""GET /v1/episodes/{id} and POST /v1/episodes:find."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, Field

from app.schemas.documents.assessment_answer import AssessmentAnswer
from app.schemas.documents.request_body import request_body
from app.schemas.documents.shape import Document, Probability


class MovedInput(Document):
    """One input's part in a change of risk."""

    feature: str
    before: float | str | bool | None = Field(description="Null where it was missing or not read.")
    after: float | str | bool | None
    changed: bool = Field(description="Whether the value differs, not only what it counts.")
    change: float = Field(description="Difference of the contributions.")


class RiskChange(Document):
    """What moved a score since the answer before; `base_value` and `features` add up to `score`."""

    since: str = Field(description="The assessment that it is compared with.")
    same_model: bool
    score: float = Field(description="In log-odds, or in the outcome's unit.")
    probability: float | None = None
    value: float | None = None
    base_value: float
    features: list[MovedInput]


class RiskOverTime(Document):
    """One outcome's answer at one assessment of an episode."""

    assessment_id: str
    branch_point: str
    index_time: AwareDatetime
    status: Literal["answered", "fallback", "abstained"]
    probability: Probability | None = None
    value: float | None = None
    band: str | None = None
    reason: str | None = None
    change: RiskChange | None = None


class EpisodeDocument(Document):
    """Every assessment of an episode in time order, and each outcome's risk over time."""

    episode_id: str
    assessments: list[AssessmentAnswer]
    trajectory: dict[str, list[RiskOverTime]]


class EpisodeQuestion(Document):
    """Which episode, as the caller names it."""

    episode: str = Field(
        min_length=1, max_length=200, description="Never stored, logged or echoed."
    )


def episode_operation() -> dict[str, Any]:
    """The request body that OpenAPI documents for finding an episode."""
    return request_body(EpisodeQuestion, {"episode": ("An episode", {"episode": "case-7731"})})
