"""The documented shapes of requests and answers: what OpenAPI publishes.

The request path does not validate through these (`assessment_request` does, strictly and with the
contract's codes); a contract test holds both, and every real answer, against each other.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Probability = Annotated[float, Field(ge=0, le=1)]
Text = dict[Literal["en", "sv"], str]


class Document(BaseModel):
    """Base of all documented shapes: nothing undeclared."""

    model_config = ConfigDict(extra="forbid")


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


class InputErrorDocument(Document):
    """One thing wrong with a request; what was sent is never repeated."""

    pointer: str
    code: str
    detail: str


class ProblemDocument(Document):
    """RFC 9457 problem document."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[InputErrorDocument] | None = None


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


class ModelReference(Document):
    """Which model answered."""

    name: str
    version: str
    alias: str
    digest: str
    training_data: Literal["real", "synthetic"]


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
    status: Literal["answered", "partial", "abstained"]
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


class BandsDocument(Document):
    """Named ranges of probability."""

    names: list[str]
    limits: list[Probability]
    source: str


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
    outcomes: list[DeclaredOutcome]
    actions: list[ActionDocument]


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


class ModelDocument(ModelReference):
    """A served model with its figures."""

    branch_point: str
    outcome: str
    kind: Literal["binary", "numeric"]
    features: list[str]
    required: list[str]
    trained_on: dict[str, Any]
    evaluation: dict[str, Any]


class LivenessDocument(Document):
    """The process answers."""

    alive: bool


class RegistryDocument(Document):
    """How the registry does."""

    reachable: bool
    serving_from_cache: bool
    last_success: float | None


class RefusedDocument(Document):
    """A version that was refused, and why."""

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
    refused: list[RefusedDocument]


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


EXAMPLE_REPORT = {
    "subject": "patient-17",
    "episode": "case-7731",
    "outcome": "death_180d",
    "value": False,
    "observed_at": "2027-05-20T12:00:00Z",
}


def assessment_operation() -> dict[str, Any]:
    """The request body that OpenAPI documents for an assessment."""
    summary = "A septic patient reviewed in intensive care"
    return _operation(AssessmentRequestDocument, {"icu-review": (summary, EXAMPLE_REQUEST)})


def outcome_operation() -> dict[str, Any]:
    """The request body that OpenAPI documents for a report of what happened."""
    return _operation(OutcomeReportDocument, {"alive": ("Alive after 180 days", EXAMPLE_REPORT)})


def episode_operation() -> dict[str, Any]:
    """The request body that OpenAPI documents for finding an episode."""
    return _operation(EpisodeQuestion, {"episode": ("An episode", {"episode": "case-7731"})})


def inspection_operation() -> dict[str, Any]:
    """The request body that OpenAPI documents for an inspection: anything, it is what is inspected."""
    found = _operation(AssessmentRequestDocument, {"icu-review": ("A request", EXAMPLE_REQUEST)})
    found["requestBody"]["content"]["application/json"]["schema"] = {
        "description": "An assessment request, or anything that somebody might send as one."
    }
    return found


def _operation(document: type[Document], examples: dict[str, tuple[str, Any]]) -> dict[str, Any]:
    """A hand-written request body: the request path does not validate through these shapes."""
    schema = document.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": schema,
                    "examples": {
                        name: {"summary": summary, "value": value}
                        for name, (summary, value) in examples.items()
                    },
                }
            },
        }
    }
