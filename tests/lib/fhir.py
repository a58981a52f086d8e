"""FHIR resources for tests: an Observation, a Bundle and the like, with what a test says different."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from app.fhir import Chart, Coding, load_coding, read_chart
from models.vocabulary import load_vocabulary

WORDS = load_vocabulary()
CODING = load_coding(WORDS)
NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
UCUM = "http://unitsofmeasure.org"
LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
ICD_10_SE = "urn:oid:1.2.752.116.1.1.1.1.3"
Resource = dict[str, Any]


def concept(code: str, system: str = LOINC) -> Resource:
    return {"coding": [{"system": system, "code": code}]}


def quantity(value: object, code: str | None, **more: object) -> Resource:
    unit = {} if code is None else {"system": UCUM, "code": code}
    return {"value": value, **unit, **more}


def observation(
    code: str, value: object = None, unit: str | None = None, /, **other: Any
) -> Resource:
    """A final Observation of patient 1, taken two hours before `NOW`; None leaves a key out."""
    made = {
        "resourceType": "Observation",
        "id": f"o-{code}",
        "status": "final",
        "code": concept(code),
        "subject": {"reference": "Patient/1"},
        "effectiveDateTime": "2026-11-21T06:00:00Z",
        "valueQuantity": None if value is None else quantity(value, unit),
        **other,
    }
    return {key: given for key, given in made.items() if given is not None}


def condition(
    code: str, system: str = ICD_10_SE, status: str = "active", /, **other: Any
) -> Resource:
    made = {
        "resourceType": "Condition",
        "id": f"c-{code}",
        "clinicalStatus": {"coding": [{"code": status}]},
        "verificationStatus": {"coding": [{"code": "confirmed"}]},
        "code": concept(code, system),
        "subject": {"reference": "Patient/1"},
        "recordedDate": "2020-05-04",
        **other,
    }
    return {key: given for key, given in made.items() if given is not None}


def patient(**other: Any) -> Resource:
    return {
        "resourceType": "Patient",
        "id": "1",
        "birthDate": "1955-03-02",
        "gender": "male",
        **other,
    }


def bundle(*resources: Any, **other: Any) -> Resource:
    entries = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries, **other}


def complete_list(*conditions: Resource, **other: Any) -> Resource:
    """A searchset that says it holds every Condition of patient 1."""
    return bundle(
        *conditions,
        **{
            "type": "searchset",
            "total": len(conditions),
            "link": [
                {"relation": "self", "url": "https://ehr.example/Condition?patient=1&_count=99"}
            ],
            **other,
        },
    )


def chart(
    *resources: Any,
    point: str = "icu-review",
    at: datetime = NOW,
    whose: str = "1",
    coding: Coding = CODING,
) -> Chart:
    return read_chart(
        resources,
        patient=whose,
        point=WORDS.branch_points[point],
        vocabulary=WORDS,
        coding=coding,
        index_time=at,
    )


def values(read: Chart) -> dict[str, Any]:
    """Feature name to value, as a reader expects it."""
    return {m.feature.name: m.feature.show(m.value) for m in read.measurements}
