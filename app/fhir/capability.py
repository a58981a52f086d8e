"""The CapabilityStatement: what this service can do in FHIR, for machines."""

from __future__ import annotations

from typing import Any

from app.fhir.assess_operation import PARAMETERS, RESOURCES

PUBLISHED = "2026-11-22"
"""When this statement last changed; raise it with every change of it."""


def capability_statement(version: str) -> dict[str, Any]:
    """FHIR R4 CapabilityStatement of the service; the same on every installation."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": PUBLISHED,
        "kind": "instance",
        "software": {"name": "Complication-risk service", "version": version},
        "implementation": {
            "description": "Calibrated risks at the branch points of surgical and trauma care."
        },
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [
            {
                "mode": "server",
                "security": {
                    "description": "A bearer token or an API key with the scope `assess` for "
                    "$assess, `read` for RiskAssessment; this statement is open."
                },
                "resource": [
                    {
                        "type": "RiskAssessment",
                        "interaction": [{"code": "read"}],
                        "versioning": "no-version",
                        "documentation": "By assessment id; the subject is a pseudonym, `basis` "
                        "is not kept. probabilityDecimal is a percentage, as R4 has it.",
                    }
                ],
                "operation": [
                    {
                        "name": "assess",
                        "definition": "urn:x-complication-risk:OperationDefinition:assess",
                        "documentation": "POST [base]/$assess with Parameters ("
                        + ", ".join((*RESOURCES, *PARAMETERS))
                        + ") or with a Bundle and ?branch-point=; answers a collection Bundle with "
                        "one RiskAssessment and, where there is something to warn of, an "
                        "OperationOutcome.",
                    }
                ],
            }
        ],
    }
