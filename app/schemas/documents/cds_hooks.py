"""The documented shapes of CDS Hooks: what OpenAPI publishes beside `documents`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from app.schemas.documents.shape import Document


class Open(BaseModel):
    """A shape that others fill: what is not declared is allowed, and ignored."""

    model_config = ConfigDict(extra="allow")


class ServiceDocument(Document):
    """One service, as discovery lists it."""

    hook: str
    title: str
    description: str
    id: str
    prefetch: dict[str, str]
    usageRequirements: str


class DiscoveryDocument(Document):
    """What is offered."""

    services: list[ServiceDocument]


class HookRequestDocument(Open):
    """A service call."""

    hook: str
    hookInstance: str = Field(description="UUID")
    context: dict[str, Any] = Field(description="As the hook defines it; `patientId` at least.")
    prefetch: dict[str, dict[str, Any] | None] | None = None
    fhirServer: str | None = None
    fhirAuthorization: dict[str, Any] | None = None
    extension: Any = None


class CodingDocument(Document):
    """A code with its system and its words."""

    system: str
    code: str
    display: str


class SourceDocument(Document):
    """Where a card comes from."""

    label: str
    url: str | None = None
    topic: CodingDocument


class CardActionDocument(Document):
    """What accepting a suggestion does."""

    type: Literal["create"]
    description: str
    resource: dict[str, Any]


class SuggestionDocument(Document):
    """Something to consider; accepting it creates a proposal."""

    label: str
    uuid: str
    actions: list[CardActionDocument] = Field(min_length=1)


class LinkDocument(Document):
    """Where there is more to read."""

    label: str
    url: str
    type: Literal["absolute"]


class CardDocument(Document):
    """One assessment in words."""

    uuid: str = Field(description="The assessment's identifier: feedback names it.")
    summary: str = Field(min_length=1, max_length=139)
    detail: str = Field(min_length=1, description="GitHub Flavored Markdown")
    indicator: Literal["info", "warning", "critical"]
    source: SourceDocument
    suggestions: list[SuggestionDocument] | None = Field(None, min_length=1)
    selectionBehavior: Literal["any"] | None = None
    overrideReasons: list[CodingDocument] = Field(min_length=1)
    links: list[LinkDocument] | None = Field(None, min_length=1)


class CardsDocument(Document):
    """The answer to a call."""

    cards: list[CardDocument]
    systemActions: list[dict[str, Any]] | None = Field(None, min_length=1)


class ReportDocument(Open):
    """What became of one card."""

    card: str = Field(min_length=1, max_length=200)
    outcome: Literal["accepted", "overridden"]
    outcomeTimestamp: AwareDatetime
    acceptedSuggestions: list[dict[str, Any]] | None = None
    overrideReason: dict[str, Any] | None = Field(
        None, description="A code is kept; of a comment only that there was one."
    )


class FeedbackDocument(Open):
    """What became of cards."""

    feedback: list[ReportDocument] = Field(min_length=1, max_length=100)


class FeedbackAnswer(Document):
    """How many reports were recorded."""

    recorded: int
    already_recorded: int
    unknown_cards: int


class IssueDocument(Document):
    """One thing wrong."""

    severity: Literal["error"]
    code: str
    details: dict[str, str] | None = None
    diagnostics: str


class OperationOutcomeDocument(Document):
    """FHIR OperationOutcome; nothing that was sent is repeated."""

    resourceType: Literal["OperationOutcome"]
    issue: list[IssueDocument] = Field(min_length=1)


def hook_operation() -> dict[str, Any]:
    """The request body of a call; `app.examples` adds the examples."""
    return _body(HookRequestDocument, {})


def feedback_operation() -> dict[str, Any]:
    """The request body of feedback, with an example."""
    return _body(FeedbackDocument, EXAMPLE_FEEDBACK)


def _body(shape: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    schema = shape.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    examples = {name: {"value": value} for name, value in example.items()}
    content = {"application/json": {"schema": schema, "examples": examples}}
    return {"requestBody": {"required": True, "content": content}}


EXAMPLE_FEEDBACK: dict[str, Any] = {
    "icu-review": {
        "feedback": [
            {
                "card": "017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
                "outcome": "overridden",
                "overrideReason": {"reason": {"code": "already-considered"}},
                "outcomeTimestamp": "2026-11-21T08:16:00Z",
            }
        ]
    }
}
