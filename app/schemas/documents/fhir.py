"""What OpenAPI says of the FHIR routes: resources by name, their content is FHIR's own."""

from __future__ import annotations

from typing import Any

MEDIA_TYPE = "application/fhir+json"
OUTCOME = "OperationOutcome"
UCUM = "http://unitsofmeasure.org"


def resource(kind: str) -> dict[str, Any]:
    """A resource of one type; see https://hl7.org/fhir/R4 for what is in it."""
    return {
        "type": "object",
        "description": f"FHIR R4 {kind}",
        "required": ["resourceType"],
        "properties": {"resourceType": {"type": "string", "const": kind}},
    }


def resource_response(kind: str) -> dict[str, Any]:
    """A 200 with a resource, under each JSON type that clients ask for."""
    schema = {"schema": resource(kind)}
    media_types = (MEDIA_TYPE, "application/json", "application/json+fhir")
    return {"description": f"{kind}", "content": dict.fromkeys(media_types, schema)}


def refusal(description: str) -> dict[str, Any]:
    """A refusal with an OperationOutcome."""
    content = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{OUTCOME}"}}}
    return {"description": description, "content": content}


PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: refusal("Not JSON, or neither Parameters nor Bundle"),
    404: refusal("Not found"),
    408: refusal("The body did not arrive in time"),
    413: refusal("Body over RISK_FHIR_BODY_LIMIT_BYTES"),
    422: refusal("Cannot be used; each fault is an issue"),
    503: refusal("Nothing can be recorded or read now"),
}


def assess_operation() -> dict[str, Any]:
    """The query and the body that OpenAPI documents for $assess."""
    schema = {"oneOf": [resource("Parameters"), resource("Bundle")]}
    example = {"summary": "A septic patient reviewed in intensive care", "value": EXAMPLE}
    return {
        "parameters": [
            {
                "name": "branch-point",
                "in": "query",
                "required": False,
                "description": "Beside a plain Bundle; Parameters hold it inside.",
                "schema": {"type": "string"},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {MEDIA_TYPE: {"schema": schema, "examples": {"icu-review": example}}},
        },
    }


def _observation(code: str, value: float, unit: str, minute: int) -> dict[str, Any]:
    return {
        "resource": {
            "resourceType": "Observation",
            "id": f"example-{minute}",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "subject": {"reference": "Patient/example-1"},
            "effectiveDateTime": f"2026-11-21T06:{minute:02}:00Z",
            "valueQuantity": {"value": value, "system": UCUM, "code": unit},
        }
    }


EXAMPLE: dict[str, Any] = {
    "resourceType": "Parameters",
    "parameter": [
        {"name": "branchPoint", "valueCode": "icu-review"},
        {"name": "patient", "valueReference": {"reference": "Patient/example-1"}},
        {"name": "indexTime", "valueDateTime": "2026-11-21T08:15:00Z"},
        {"name": "outcome", "valueCode": "death_180d"},
        {
            "name": "bundle",
            "resource": {
                "resourceType": "Bundle",
                "type": "collection",
                "entry": [
                    {
                        "resource": {
                            "resourceType": "Patient",
                            "id": "example-1",
                            "gender": "male",
                            "birthDate": "1955-03-02",
                        }
                    },
                    _observation("8867-4", 118, "/min", 0),
                    _observation("8478-0", 61, "mm[Hg]", 1),
                    _observation("9279-1", 28, "/min", 2),
                    _observation("8310-5", 38.6, "Cel", 3),
                    _observation("2160-0", 1.9, "mg/dL", 4),
                    _observation("1751-7", 25, "g/L", 5),
                    _observation("2951-2", 139, "mmol/L", 6),
                ],
            },
        },
    ],
}
