"""FHIR over real HTTP: the same patient gets the same answer as through REST, and errors are FHIR's."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from tests.lib.fhir import UCUM, bundle, concept, observation, quantity

POINT = "icu-review"
REST = f"/v1/branch-points/{POINT}/assessments"
ASSESS = "/fhir/$assess"
FHIR_JSON = "application/fhir+json"
INDEX = "2026-11-21T08:15:00Z"
TAKEN = "2026-11-21T06:00:00Z"
PERSONNUMMER = "http://electronichealth.se/identifier/personnummer"
SUBJECT = "195009072553"
# feature, LOINC, value as REST sends it, value and unit as FHIR sends it
MEASURED = [
    ("heart_rate", "8867-4", 118, 118, "/min"),
    ("map", "8478-0", 61, 61, "mm[Hg]"),
    ("resp_rate", "9279-1", 28, 28, "/min"),
    ("temperature", "8310-5", 38.6, 38.6, "Cel"),
    ("creatinine", "2160-0", {"value": 1.9, "unit": "mg/dL"}, 1.9, "mg/dL"),
    ("albumin", "1751-7", 25, 2.5, "g/dL"),
    ("sodium", "2951-2", 139, 139, "mmol/L"),
    ("wbc", "6690-2", 17.2, 17200, "/uL"),
    ("bilirubin", "1975-2", {"value": 2.0, "unit": "mg/dL"}, 2.0, "mg/dL"),
    ("ph", "2744-1", 7.31, 7.31, "[pH]"),
]


def rest_request() -> dict[str, Any]:
    measurements: dict[str, Any] = {"age": 71, "sex": "male", "diabetes": True}
    for name, _, value, _, _ in MEASURED:
        sent = value if isinstance(value, dict) else {"value": value}
        measurements[name] = {**sent, "time": TAKEN}
    return {"subject": SUBJECT, "index_time": INDEX, "measurements": measurements}


def fhir_resources() -> list[dict[str, Any]]:
    person = {
        "resourceType": "Patient",
        "id": "p1",
        "identifier": [{"system": PERSONNUMMER, "value": SUBJECT}],
        "gender": "male",
        "birthDate": "1955-03-02",
    }
    diagnosis = {
        "resourceType": "Condition",
        "id": "c1",
        "code": concept("E11.9", "urn:oid:1.2.752.116.1.1.1.1.8"),
        "subject": {"reference": "Patient/p1"},
        "recordedDate": "2019-04-01",
    }
    whose = {"subject": {"reference": "Patient/p1"}, "effectiveDateTime": TAKEN}
    measured = [observation(code, value, unit, **whose) for _, code, _, value, unit in MEASURED]
    return [person, diagnosis, *measured]


def parameters(*resources: Any, **more: Any) -> dict[str, Any]:
    given = [
        {"name": "branchPoint", "valueCode": POINT},
        {"name": "indexTime", "valueDateTime": INDEX},
        {"name": "bundle", "resource": bundle(*resources)},
    ]
    given += [{"name": name, **value} for name, value in more.items()]
    return {"resourceType": "Parameters", "parameter": given}


def answered(response: httpx.Response) -> tuple[dict[str, Any], dict[str, Any]]:
    """The RiskAssessment and the issues by code, of a 200."""
    assert response.status_code == 200, response.text
    made = response.json()
    assert (made["resourceType"], made["type"]) == ("Bundle", "collection")
    resources = [entry["resource"] for entry in made["entry"]]
    outcomes = [one for one in resources if one["resourceType"] == "OperationOutcome"]
    issues = [issue for one in outcomes for issue in one["issue"]]
    return resources[0], {i["details"]["coding"][0]["code"]: i["diagnostics"] for i in issues}


def predicted(assessment: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {p["outcome"]["coding"][0]["code"]: p for p in assessment["prediction"]}


def test_the_same_patient_gets_the_same_answer_through_rest_and_through_fhir(client: httpx.Client):
    rest = client.post(REST, json=rest_request()).json()
    response = client.post(ASSESS, json=parameters(*fhir_resources()))
    assessment, _ = answered(response)
    assert response.headers["content-type"] == FHIR_JSON
    stored = client.get(f"/v1/assessments/{assessment['id']}").json()
    for key in ("outcomes", "missing", "warnings", "suggestions", "deidentification", "index_time"):
        assert stored[key] == rest[key], key
    shown = predicted(assessment)
    for outcome in rest["outcomes"]:
        if outcome["status"] == "answered" and outcome["kind"] == "binary":
            percent = shown[outcome["outcome"]]["probabilityDecimal"]
            assert abs(percent / 100 - outcome["probability"]) < 1e-9
            assert 0 <= percent <= 100
            rationale = shown[outcome["outcome"]]["rationale"]
            assert outcome["attributions"][0]["feature"] in rationale
        elif outcome["status"] == "answered":
            (extension,) = shown[outcome["outcome"]]["extension"]
            assert extension["valueQuantity"]["value"] == outcome["value"]


def test_both_ways_in_lead_to_one_pseudonym(client: httpx.Client):
    rest = client.post(REST, json=rest_request()).json()
    assessment, _ = answered(client.post(ASSESS, json=parameters(*fhir_resources())))
    subjects = [
        client.get(f"/fhir/RiskAssessment/{number}").json()["subject"]
        for number in (rest["assessment_id"], assessment["id"])
    ]
    assert subjects[0] == subjects[1]
    assert SUBJECT not in str(subjects)


def test_a_risk_assessment_is_what_r4_asks_for(client: httpx.Client):
    sent = parameters(*fhir_resources(), episode={"valueString": "case-7731"})
    assessment, _ = answered(client.post(ASSESS, json=sent))
    assert assessment["resourceType"] == "RiskAssessment"
    assert assessment["status"] == "final"
    assert assessment["subject"]["reference"] == "Patient/p1"
    assert assessment["occurrenceDateTime"] == INDEX
    assert assessment["identifier"][0]["value"] == assessment["id"]
    assert assessment["encounter"]["identifier"]["value"] != "case-7731"
    assert {"reference": "Observation/o-8867-4"} in assessment["basis"]
    assert {"reference": "Patient/p1"} in assessment["basis"]
    codes = {(c["code"], c.get("version")) for c in assessment["method"]["coding"]}
    assert any(code == f"{POINT}.death_180d" and version for code, version in codes)
    for prediction in assessment["prediction"]:
        assert not {"whenRange", "whenPeriod"} <= prediction.keys()
        if "probabilityDecimal" in prediction:
            assert prediction["probabilityDecimal"] <= 100  # invariant ras-2
        if "whenRange" in prediction:
            assert prediction["whenRange"]["low"]["unit"] == "d"
    when = predicted(assessment)["death_180d"]["whenRange"]["high"]
    assert when == {"value": 180, "unit": "d", "system": UCUM, "code": "d"}


def test_a_risk_assessment_can_be_read_back_whichever_way_in_was_used(client: httpx.Client):
    assessment, _ = answered(client.post(ASSESS, json=parameters(*fhir_resources())))
    again = client.get(f"/fhir/RiskAssessment/{assessment['id']}")
    assert again.headers["content-type"] == FHIR_JSON
    kept = again.json()
    assert kept["subject"]["identifier"]["value"]
    for key in assessment.keys() - {"subject", "basis"}:
        assert kept[key] == assessment[key], key
    rest = client.post(REST, json=rest_request()).json()
    assert client.get(f"/fhir/RiskAssessment/{rest['assessment_id']}").status_code == 200


def test_a_plain_bundle_is_assessed_with_the_branch_point_in_the_query(client: httpx.Client):
    sent = bundle(*fhir_resources())
    assessment, _ = answered(client.post(f"{ASSESS}?branch-point={POINT}", json=sent))
    assert assessment["subject"]["reference"] == "Patient/p1"


def test_outcomes_that_are_not_asked_for_are_not_answered(client: httpx.Client):
    sent = parameters(*fhir_resources(), outcome={"valueCode": "death_180d"})
    assert list(predicted(answered(client.post(ASSESS, json=sent))[0])) == ["death_180d"]


def test_what_was_not_used_is_named(client: httpx.Client):
    whose = {"subject": {"reference": "Patient/p1"}}
    taken = {**whose, "effectiveDateTime": TAKEN}
    later = {**whose, "effectiveDateTime": "2026-11-21T09:00:00Z"}
    more = [
        observation("2823-3", 4.1, None, **taken),
        observation("2951-2", 150, "mmol/L", **later),
        observation("32693-4", 9, "mmol/L", **taken, status="preliminary"),
        observation("3094-0", 80, "mg/dL", subject={"reference": "Patient/p2"}),
    ]
    assessment, issues = answered(client.post(ASSESS, json=parameters(*fhir_resources(), *more)))
    assert issues["no_unit"].startswith("potassium: set aside")
    assert issues["later_than_index_time"].endswith("another value is used")
    assert issues["preliminary"].startswith("lactate")
    assert issues["other_patient"].endswith(": 1")
    stored = client.get(f"/v1/assessments/{assessment['id']}").json()
    assert {"code": "no_unit", "feature": "potassium"}.items() <= stored["warnings"][1].items()
    assert stored["deidentification"]["set_aside"] == 3
    assert "urea" in stored["missing"]


def test_an_outcome_that_abstains_is_named_in_words(client: httpx.Client):
    only_age = fhir_resources()[:1]
    assessment, issues = answered(client.post(ASSESS, json=parameters(*only_age)))
    assert "missing_required" in issues
    assert any("missing_required" in note["text"] for note in assessment["note"])


@pytest.mark.parametrize(
    ("accept", "answered_as"),
    [
        ("application/fhir+json", FHIR_JSON),
        ("application/json", "application/json"),
        ("application/json+fhir", "application/json+fhir"),
        ("text/html, application/json;q=0.9", "application/json"),
        ("application/xml", FHIR_JSON),
    ],
)
def test_the_media_type_is_the_one_that_is_asked_for(
    client: httpx.Client, accept: str, answered_as: str
):
    for path in ("/fhir/metadata",):
        assert client.get(path, headers={"accept": accept}).headers["content-type"] == answered_as
    sent = parameters(*fhir_resources())
    response = client.post(ASSESS, json=sent, headers={"accept": accept})
    assert response.headers["content-type"] == answered_as


REFUSED = [
    (b"{", 400, "structure"),
    (b"[]", 400, "structure"),
    (b'{"resourceType": "Patient"}', 400, "structure"),
    (b'{"resourceType": "Bundle", "x": NaN}', 400, "structure"),
    (b'{"resourceType": "Bundle"}', 422, "required"),
    (b'{"resourceType": "Parameters"}', 422, "required"),
    (b'{"resourceType": "Parameters", "parameter": {}}', 422, "value"),
    (b'{"resourceType": "Parameters", "parameter": [7]}', 422, "invalid"),
    (b'{"resourceType": "Parameters", "parameter": [{"name": "nobody"}]}', 422, "invalid"),
]


@pytest.mark.parametrize(("body", "status", "code"), REFUSED)
def test_a_body_that_cannot_be_used_is_refused_in_fhir(
    client: httpx.Client, body: bytes, status: int, code: str
):
    response = client.post(ASSESS, content=body)
    assert response.status_code == status
    assert response.headers["content-type"] == FHIR_JSON
    outcome = response.json()
    assert outcome["resourceType"] == "OperationOutcome"
    assert code in {issue["code"] for issue in outcome["issue"]}


@pytest.mark.parametrize(
    ("different", "status", "code"),
    [
        ({"branchPoint": {"valueCode": "nowhere"}}, 404, "not-found"),
        ({"branchPoint": {"valueDecimal": 1}}, 422, "value"),
        ({"indexTime": {"valueDateTime": "2026-11-21"}}, 422, "value"),
        ({"indexTime": {"valueDateTime": "2026-11-21T08:15:00"}}, 422, "value"),
        ({"outcome": {"valueCode": "happiness"}}, 422, "code-invalid"),
        ({"include": {"valueCode": "everything"}}, 422, "value"),
        ({"patient": {"valueReference": {}}}, 422, "value"),
        ({"protectedIdentity": {"valueBoolean": "yes"}}, 422, "value"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_pointed_at(
    client: httpx.Client, different: dict[str, Any], status: int, code: str
):
    sent = parameters(*fhir_resources())
    sent["parameter"] = [p for p in sent["parameter"] if p["name"] not in different]
    position = len(sent["parameter"])
    sent["parameter"] += [{"name": name, **value} for name, value in different.items()]
    response = client.post(ASSESS, json=sent)
    assert response.status_code == status, response.text
    (issue,) = response.json()["issue"]
    assert issue["code"] == code
    if code == "value":
        assert issue["expression"][0].startswith(f"Parameters.parameter[{position}]")


def test_two_patients_need_one_to_be_named(client: httpx.Client):
    other = {"resourceType": "Patient", "id": "p2", "birthDate": "1990-01-01"}
    sent = parameters(*fhir_resources(), other)
    assert client.post(ASSESS, json=sent).json()["issue"][0]["code"] == "required"
    named = parameters(
        *fhir_resources(), other, patient={"valueReference": {"reference": "Patient/p1"}}
    )
    assessment, issues = answered(client.post(ASSESS, json=named))
    assert assessment["subject"]["reference"] == "Patient/p1"
    assert issues["other_patient"].endswith(": 1")


def test_a_deceased_patient_is_not_assessed(client: httpx.Client):
    person, *rest = fhir_resources()
    person = {**person, "deceasedDateTime": "2026-11-20"}
    response = client.post(ASSESS, json=parameters(person, *rest))
    assert response.status_code == 422
    assert response.json()["issue"][0]["details"]["text"] == "patient_deceased"
    later = {**person, "deceasedDateTime": "2026-12-20"}
    assert client.post(ASSESS, json=parameters(later, *rest)).status_code == 200


def test_an_id_that_is_a_personal_number_is_not_repeated(client: httpx.Client):
    person, *rest = fhir_resources()
    moved = [{**r, "subject": {"reference": f"Patient/{SUBJECT}"}} for r in rest]
    response = client.post(ASSESS, json=parameters({**person, "id": SUBJECT}, *moved))
    assert predicted(answered(response)[0])
    assert SUBJECT not in response.text


def test_unknown_paths_under_fhir_answer_in_fhir(client: httpx.Client):
    for response in (
        client.get("/fhir/Patient/1"),
        client.get("/fhir/RiskAssessment/nothing"),
        client.put(ASSESS, json={}),
    ):
        assert response.status_code in (404, 405)
        assert response.json()["resourceType"] == "OperationOutcome"
        assert response.headers["content-type"] == FHIR_JSON


def test_the_statement_is_open_and_names_the_operation(client: httpx.Client):
    statement = client.get("/fhir/metadata").json()
    assert statement["fhirVersion"] == "4.0.1"
    assert statement["rest"][0]["operation"][0]["name"] == "assess"


def large_bundle(count: int) -> dict[str, Any]:
    """A long stay: the patient, and Observations of ten kinds minute by minute before the index."""
    resources = fhir_resources()[:1]
    for number in range(count - 1):
        _, code, _, value, unit = MEASURED[number % len(MEASURED)]
        day, minute = divmod(number, 1440)
        resources.append(
            {
                **observation(code, value, unit, id=f"o{number}"),
                "subject": {"reference": "Patient/p1"},
                "effectiveDateTime": f"2026-11-{20 - day:02}T{minute // 60:02}:{minute % 60:02}:00Z",
                "category": [concept("vital-signs", "http://example.org/category")],
                "performer": [{"reference": "Practitioner/1", "display": "Somebody"}],
                "referenceRange": [{"low": quantity(0, unit), "high": quantity(1, unit)}],
            }
        )
    return bundle(*resources)


def test_a_bundle_of_five_thousand_entries_is_answered(client: httpx.Client):
    """The bound is generous, because test machines are shared; the benchmark has the real figure."""
    sent = json.dumps(parameters(large_bundle(5000))).encode()
    begun = time.perf_counter()
    response = client.post(ASSESS, content=sent)
    assert time.perf_counter() - begun < 5
    assert {"reference": "Observation/o1438"} in answered(response)[0]["basis"]
