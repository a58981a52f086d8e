"""What an assessment answers."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from app.schemas.documents.models import ModelReference
from app.schemas.documents.shape import Document, Probability, Text


class Interval(Document):
    """How sure, and what that means."""

    lower: float
    upper: float
    level: Probability
    method: str


class Attribution(Document):
    """One reason: base value plus all contributions is the score."""

    feature: str
    value: float | str | bool | None
    unit: str | None
    contribution: float
    present: bool


class Reference(Document):
    """What a published score says of the same outcome."""

    score: str
    title: Text
    probability: Probability | None = Field(description="Null when inputs leave a range.")
    lowest: Probability
    highest: Probability
    missing: list[str]
    same_definition: bool = Field(description="Whether its event and window are the outcome's.")
    note: str
    source: str


class PointsScore(Document):
    """A published score that counts points and has no probability."""

    score: str
    title: Text
    source: str
    lowest: float | None = None
    highest: float | None = Field(None, description="Equal to `lowest` when it is certain.")
    band: str | None = None
    reason: Literal["outside_definition", "missing_required"] | None = None
    missing: list[str]


class WorthMeasuring(Document):
    """A missing input, and how much it is expected to tell."""

    feature: str
    outcome: str = Field(description="About which it is expected to tell most.")
    expected_information: float = Field(ge=0, description="In bits.")


class BinaryOutcome(Document):
    """A calibrated probability."""

    outcome: str
    kind: Literal["binary"]
    status: Literal["answered"]
    horizon_days: int | None
    probability: Probability
    log_odds: float
    band: str
    cohort_probability: Probability
    link: Literal["logit"]
    interval: Interval
    base_value: float
    attributions: list[Attribution]
    model: ModelReference
    reference: Reference | None = None


class FallbackOutcome(Document):
    """A published score's probability where no model answers; its points are the attributions."""

    outcome: str
    kind: Literal["binary"]
    status: Literal["fallback"]
    reason: Literal["missing_required", "out_of_distribution", "no_model"]
    features: list[str] | None = None
    horizon_days: int | None
    probability: Probability
    log_odds: float
    band: str
    link: Literal["logit"]
    base_value: float
    attributions: list[Attribution]
    reference: Reference


class NumericOutcome(Document):
    """An expected number in its unit."""

    outcome: str
    kind: Literal["numeric"]
    status: Literal["answered"]
    horizon_days: int | None
    value: float
    unit: str
    cohort_value: float
    link: Literal["identity"]
    interval: Interval
    base_value: float
    attributions: list[Attribution]
    model: ModelReference


class AbstainedOutcome(Document):
    """No prediction, and why."""

    outcome: str
    kind: Literal["binary", "numeric"]
    status: Literal["abstained"]
    reason: Literal["missing_required", "out_of_distribution", "no_model"]
    features: list[str] | None = None
    reference: Reference | None = Field(None, description="A range, from what is known.")


class Warned(Document):
    """A value that was set aside, by name, never by value."""

    code: str
    feature: str | None = None
    detail: str


class Suggestion(Document):
    """Something to consider; never ordered."""

    id: str
    label: str


class Deidentification(Document):
    """What the de-identification did."""

    policy_version: str
    kept: int
    set_aside: int


class AssessmentAnswer(Document):
    """The answer to one assessment."""

    assessment_id: str
    episode_id: str | None = Field(description="The keyed pseudonym of the episode.")
    branch_point: str
    index_time: AwareDatetime
    status: Literal["answered", "partial", "abstained", "silent"] = Field(
        description="`silent`: recorded, and nothing of the risk is told; `outcomes` is empty."
    )
    decision_support_only: Literal[True]
    outcomes: list[BinaryOutcome | NumericOutcome | FallbackOutcome | AbstainedOutcome]
    missing: list[str]
    measure_next: list[WorthMeasuring] | None = Field(None, description="When asked for.")
    reference_scores: list[PointsScore] | None = Field(
        None, description="When asked for, or when a model did not answer."
    )
    warnings: list[Warned]
    suggestions: list[Suggestion]
    deidentification: Deidentification
