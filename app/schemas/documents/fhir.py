"""What OpenAPI says of the FHIR routes: resources by name, their content is FHIR's own."""

from __future__ import annotations

from typing import Any

MEDIA_TYPE = "application/fhir+json"
OUTCOME = "OperationOutcome"


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
    """The query and the body that OpenAPI documents for $assess; `app.examples` adds the examples."""
    schema = {"oneOf": [resource("Parameters"), resource("Bundle")]}
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
            "content": {MEDIA_TYPE: {"schema": schema}},
        },
    }
