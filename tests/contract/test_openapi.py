"""The published OpenAPI document is the running service's, its examples work, and it holds under fire."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import settings
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter
from schemathesis.checks import content_type_conformance, not_a_server_error

from app.main import create_app
from app.schemas.documents import (
    AssessmentAnswer,
    BranchPointDocument,
    EpisodeDocument,
    FeatureDocument,
    LivenessDocument,
    ModelDocument,
    ProblemDocument,
    ReadinessDocument,
)
from app.schemas.documents.cds_hooks import DiscoveryDocument
from app.schemas.documents.monitoring import DriftDocument, PerformanceDocument
from app.settings import load_settings
from monitoring.keyring import throwaway_keyring
from tests.lib.properties import LAW
from tests.lib.service import Service
from tests.lib.until import until

FILE = Path(__file__).parents[2] / "openapi" / "openapi.json"
DOCUMENT: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
ICU = "icu-review"
MODEL = "icu-review.death_180d"

# Path and the shape that OpenAPI names for it; every GET that answers JSON.
SHAPES = {
    "/livez": LivenessDocument,
    "/readyz": ReadinessDocument,
    "/v1/branch-points": list[BranchPointDocument],
    "/v1/branch-points/{branch_point}": BranchPointDocument,
    "/v1/features": list[FeatureDocument],
    "/v1/assessments/{assessment_id}": AssessmentAnswer,
    "/v1/episodes/{episode_id}": EpisodeDocument,
    "/v1/models": list[ModelDocument],
    "/v1/models/{name}": ModelDocument,
    "/v1/models/{name}/card": dict[str, Any],
    "/v1/monitoring/drift": DriftDocument,
    "/v1/monitoring/performance": PerformanceDocument,
    "/cds-services": DiscoveryDocument,
}
PAGES = {"/metrics": "text/plain"}
FHIR = {
    "/fhir/metadata": "CapabilityStatement",
    "/fhir/RiskAssessment/{assessment_id}": "RiskAssessment",
}
FHIR_JSON = "application/fhir+json"
PROBLEM_JSON = "application/problem+json"


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


EPISODE = "case-7731"


@pytest.fixture(scope="session")
def recorded(service: Service) -> dict[str, str]:
    """An assessment of the episode that the document's examples name; outcomes have been read."""
    assessments = DOCUMENT["paths"]["/v1/branch-points/{branch_point}/assessments"]["post"]
    media = assessments["requestBody"]["content"]["application/json"]
    sent = {
        **media["examples"][ICU]["value"],
        "episode": EPISODE,
        "outcomes": ["death_180d", "length_of_stay_days"],
    }
    with service.client() as client:
        answer: dict[str, str] = client.post(
            f"/v1/branch-points/{ICU}/assessments", json=sent
        ).json()
        until(lambda: client.get("/v1/monitoring/performance").status_code != 503)
    return answer


def filled(path: str, recorded: dict[str, str], branch_point: str = ICU) -> str:
    return path.format(branch_point=branch_point, name=MODEL, **{
        name: recorded[name] for name in ("assessment_id", "episode_id")
    })  # fmt: skip


def matches(schema: dict[str, Any], content: object) -> None:
    """Hold content against a schema of the document, references and all."""
    whole = {**schema, "components": DOCUMENT["components"]}
    Draft202012Validator(whole).validate(content)


def test_the_checked_in_document_is_the_apps_own():
    """When this fails: `make openapi`, and look at the difference."""
    assert create_app(load_settings(), throwaway_keyring()).openapi() == DOCUMENT


def test_the_served_document_is_the_checked_in_one(client: httpx.Client):
    assert client.get("/openapi.json").json() == DOCUMENT


def test_the_checked_in_capability_statement_is_the_served_one(client: httpx.Client):
    """When this fails: `make openapi`, look at the difference, and raise its date."""
    checked_in = json.loads((FILE.parent / "capability-statement.json").read_text())
    assert client.get("/fhir/metadata").json() == checked_in


def test_the_document_is_openapi_3_1_and_every_reference_resolves():
    assert DOCUMENT["openapi"].startswith("3.1")
    schemas = DOCUMENT["components"]["schemas"]
    for reference in _references(DOCUMENT):
        assert reference.removeprefix("#/components/schemas/") in schemas
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)


def _references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for child in node.values():
            yield from _references(child)
    elif isinstance(node, list):
        for child in node:
            yield from _references(child)


def test_every_operation_says_what_it_is_for_and_what_it_answers():
    for path, method, operation in operations():
        assert operation["summary"], (path, method)
        assert operation["description"], (path, method)
        for status, response in operation["responses"].items():
            if status.startswith("4"):
                expected = FHIR_JSON if path.startswith("/fhir/") else PROBLEM_JSON
                if path.startswith("/cds-services"):
                    expected = "application/json"
                assert list(response["content"]) == [expected], (path, status)


def test_the_assessment_documents_each_of_its_problems():
    operation = DOCUMENT["paths"]["/v1/branch-points/{branch_point}/assessments"]["post"]
    assert {"200", "400", "404", "413", "422"} <= operation["responses"].keys()


EXAMPLES = [
    (path, name, example["value"])
    for path, _, operation in operations()
    for media in operation.get("requestBody", {}).get("content", {}).values()
    for name, example in media.get("examples", {}).items()
]
ANSWERS = [
    (path, name, media["schema"], example["value"])
    for path, _, operation in operations()
    for media in operation["responses"].get("200", {}).get("content", {}).values()
    for name, example in media.get("examples", {}).items()
]


def test_there_are_examples():
    assert EXAMPLES
    assert len(ANSWERS) == 27  # nine branch points, three ways in


@pytest.mark.parametrize(
    ("path", "name", "sent"), EXAMPLES, ids=[f"{path}-{name}" for path, name, _ in EXAMPLES]
)
def test_every_example_is_answered_as_documented(
    client: httpx.Client, recorded: dict[str, str], path: str, name: str, sent: object
):
    operation = DOCUMENT["paths"][path]["post"]
    (question,) = operation["requestBody"]["content"].values()
    matches(question["schema"], sent)
    response = client.post(filled(path, recorded, name), json=sent)
    assert response.is_success, response.text
    documented = operation["responses"][str(response.status_code)]["content"]
    matches(documented[response.headers["content-type"]]["schema"], response.json())


@pytest.mark.parametrize(
    ("schema", "shown"),
    [answer[2:] for answer in ANSWERS],
    ids=[f"{path}-{name}" for path, name, *_ in ANSWERS],
)
def test_every_answer_that_is_shown_is_as_documented(schema: dict[str, Any], shown: object):
    matches(schema, shown)


def test_the_example_of_an_assessment_is_answered_in_full(
    client: httpx.Client, recorded: dict[str, str]
):
    assert recorded["status"] == "answered"
    assert recorded["warnings"] == []
    AssessmentAnswer.model_validate(recorded)


def test_every_real_request_and_answer_is_as_documented(
    client: httpx.Client, patients: list[dict[str, Any]]
):
    operation = DOCUMENT["paths"]["/v1/branch-points/{branch_point}/assessments"]["post"]
    question = operation["requestBody"]["content"]["application/json"]["schema"]
    documented = operation["responses"]["200"]["content"]["application/json"]["schema"]
    for patient in patients:
        matches(question, patient["request"])
        path = f"/v1/branch-points/{patient['branch_point']}/assessments"
        matches(documented, client.post(path, json=patient["request"]).json())


@pytest.mark.parametrize("path", SHAPES)
def test_every_document_has_its_documented_shape(
    client: httpx.Client, recorded: dict[str, str], path: str
):
    response = client.get(filled(path, recorded), headers={"accept": "application/json"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    TypeAdapter(SHAPES[path]).validate_json(response.content)
    documented = DOCUMENT["paths"][path]["get"]["responses"]["200"]["content"]
    matches(documented["application/json"]["schema"], response.json())


@pytest.mark.parametrize("path", FHIR)
def test_every_fhir_resource_is_the_documented_one(
    client: httpx.Client, recorded: dict[str, str], path: str
):
    response = client.get(filled(path, recorded))
    assert response.json()["resourceType"] == FHIR[path]
    documented = DOCUMENT["paths"][path]["get"]["responses"]["200"]["content"]
    matches(documented[response.headers["content-type"]]["schema"], response.json())


def test_no_get_is_left_out():
    gets = {path for path, method, _ in operations() if method == "get"}
    assert gets == {*SHAPES, *PAGES, *FHIR}


@pytest.mark.parametrize(
    ("method", "path", "sent", "status"),
    [
        ("POST", "/v1/branch-points/icu-review/assessments", b"{", 400),
        ("POST", "/v1/branch-points/nowhere/assessments", b"{}", 404),
        ("POST", "/v1/branch-points/icu-review/assessments", b" " * 2_000_000, 413),
        ("POST", "/v1/branch-points/icu-review/assessments", b"{}", 422),
        ("POST", "/v1/branch-points/nowhere/assessments:batch", b"{}", 404),
        ("GET", "/v1/branch-points/nowhere", None, 404),
        ("GET", "/v1/models/nothing", None, 404),
        ("GET", "/v1/models/nothing/card", None, 404),
    ],
)
def test_every_problem_has_its_documented_shape(
    client: httpx.Client, method: str, path: str, sent: bytes | None, status: int
):
    response = client.request(method, path, content=sent)
    assert response.status_code == status
    ProblemDocument.model_validate(response.json())
    declared = path.replace("nowhere", "{branch_point}").replace(ICU, "{branch_point}")
    operation = DOCUMENT["paths"][declared.replace("nothing", "{name}")][method.lower()]
    content = operation["responses"][str(status)]["content"]
    matches(content[response.headers["content-type"]]["schema"], response.json())


# ---------------------------------------------------------------- whatever the document allows


@schemathesis.serializer("application/x-ndjson")
def _ndjson(_: object, text: object) -> bytes:
    return str(text).encode("utf-8", "replace")


def _narrowed() -> dict[str, Any]:
    """The document, asking mostly for what exists: random names would only ever be 404."""
    document: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    known = {"branch_point": [ICU, "surgery-decision", "nowhere"], "name": [MODEL, "nothing"]}
    for item in document["paths"].values():
        for operation in item.values():
            for parameter in operation.get("parameters", []):
                if parameter["name"] in known:
                    parameter["schema"] = {"type": "string", "enum": known[parameter["name"]]}
    return document


attacked = schemathesis.openapi.from_dict(_narrowed())


@attacked.parametrize()
@settings(LAW, max_examples=30)
def test_nothing_the_document_allows_breaks_the_service(case: schemathesis.Case, service: Service):
    case.call_and_validate(
        base_url=service.url, checks=[not_a_server_error, content_type_conformance]
    )
