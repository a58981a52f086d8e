"""The examples put together: as files, and as `examples` of the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from app.cds_hooks.discovery import services
from app.cds_hooks.hooks import load_hooks
from app.examples.answers import Answerer, illustrated
from app.examples.patients import ExamplePatient, load_patients
from app.examples.requests import fhir_request, hook_request, rest_request
from app.examples.stand_in import stand_in
from app.fhir import load_coding
from app.fhir.coding import RULED
from models.vocabulary import load_vocabulary

Json = dict[str, Any]
FOLDER = "examples"
"""Beside openapi.json."""
README = """\
# A request and its answer for every branch point and way in

Made by `risk-serve openapi --write openapi`; edit `app/examples/patients.toml` instead.

The patients are invented. The requests are whole and work as they are:

    curl http://127.0.0.1:8000/v1/branch-points/icu-review/assessments -d @icu-review/rest-request.json

The answers are illustrations: their form, reasons and sums are the service's own, their
probabilities, intervals and models (version `0`, a digest of zeros) are invented, because models are
trained and promoted at each site. What needs no model is real: published scores, points,
abstentions.

| folder | patient |
|---|---|
"""
REST = "/v1/branch-points/{branch_point}/assessments"
FHIR = "/fhir/$assess"
CDS_HOOKS = "/cds-services/{branch_point}"


@dataclass(frozen=True, slots=True)
class Example:
    """One branch point's requests and answers, as JSON documents."""

    branch_point: str
    summary: str
    request: Json
    answer: Json
    fhir_request: Json
    fhir_answer: Json
    cds_hooks_request: Json
    cds_hooks_answer: Json


@cache
def load_examples() -> tuple[Example, ...]:
    """Make every example, in the order of the pathway.

    Of the product's own vocabulary: a site's changes to it make no patient of ours invalid.

    Raises
    ------
    ContentInvalid
        When `patients.toml` breaks a rule.
    """
    vocabulary = load_vocabulary()
    coding = load_coding(vocabulary)
    recorded = {kind: coding.recorded_as(kind) for kind in RULED}
    offered = services(vocabulary, load_hooks(), recorded, coding.standing_alone())

    def example(patient: ExamplePatient) -> Example:
        service = offered[patient.branch_point]
        point = service.point
        models = (stand_in(patient, shown, point, vocabulary) for shown in patient.illustrations)
        served = {model.model.name: model for model in models}
        answerer = Answerer(service, vocabulary, coding, illustrated(point, vocabulary, served))
        rest = rest_request(patient, vocabulary)
        fhir = fhir_request(patient, vocabulary)
        call = hook_request(patient, vocabulary, service)
        return Example(
            branch_point=point.id,
            summary=patient.summary,
            request=rest,
            answer=answerer.rest(rest),
            fhir_request=fhir,
            fhir_answer=answerer.fhir(fhir),
            cds_hooks_request=call,
            cds_hooks_answer=answerer.cds_hooks(call),
        )

    return tuple(example(patient) for patient in load_patients().values())


def files_of(examples: Iterable[Example]) -> dict[str, Json | str]:
    """What stands in `openapi/examples`, by name: JSON documents, and the README."""
    files: dict[str, Json | str] = {}
    rows = []
    for example in examples:
        point = example.branch_point
        rows.append(f"| `{point}/` | {example.summary} |\n")
        for name, document in (
            ("rest-request", example.request),
            ("rest-answer", example.answer),
            ("fhir-request", example.fhir_request),
            ("fhir-answer", example.fhir_answer),
            ("cds-hooks-request", example.cds_hooks_request),
            ("cds-hooks-answer", example.cds_hooks_answer),
        ):
            files[f"{point}/{name}.json"] = document
    return {"README.md": README + "".join(rows), **files}


def show_in(schema: Json, examples: Iterable[Example]) -> None:
    """Add every example to an OpenAPI document, named after its branch point."""
    for example in examples:
        for path, question, answer in _pairs(example):
            operation = schema["paths"][path]["post"]
            _show(operation["requestBody"], example, example.summary, question)
            _show(
                operation["responses"]["200"],
                example,
                f"{example.summary} (the numbers are an illustration)",
                answer,
            )


def _show(body: Json, example: Example, summary: str, value: Json) -> None:
    """Under the first media type: others are other names of the same."""
    media_type, media = next(iter(body["content"].items()))
    shown = {
        **media.get("examples", {}),
        example.branch_point: {"summary": summary, "value": value},
    }
    body["content"][media_type] = {**media, "examples": shown}


def _pairs(example: Example) -> Iterator[tuple[str, Json, Json]]:
    yield REST, example.request, example.answer
    yield FHIR, example.fhir_request, example.fhir_answer
    yield CDS_HOOKS, example.cds_hooks_request, example.cds_hooks_answer
