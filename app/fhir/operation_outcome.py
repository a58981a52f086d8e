"""OperationOutcome: what went wrong, or what was passed over, as FHIR clients read it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from app.errors import Problem
from app.schemas.statuses import ABSTAINED, SILENT

FHIR_JSON = "application/fhir+json"
WARNING_SYSTEM = "urn:x-complication-risk:warning"
# R4 issue-type by HTTP status: http://hl7.org/fhir/R4/valueset-issue-type.html
ISSUE_TYPES = {
    400: "structure",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    408: "timeout",
    409: "conflict",
    412: "required",
    413: "too-long",
    422: "processing",
    429: "throttled",
    503: "transient",
}
ISSUE_TYPE_BY_CODE = {
    "required": "required",
    "invalid_value": "value",
    "unknown_field": "invalid",
    "unknown_outcome": "code-invalid",
    "patient_deceased": "business-rule",
}
_STEP = re.compile(r"/(\d+)")


def problem_outcome(problem: Problem, *, in_parameters: bool = True) -> dict[str, Any]:
    """A problem as an OperationOutcome: an issue for each fault, or one for all of it.

    Parameters
    ----------
    in_parameters : bool
        Whether pointers lead into a Parameters resource. Others are no FHIRPath; the diagnostics
        begin with them.

    Examples
    --------
    >>> problem_outcome(Problem(404, "No such assessment."))["issue"]
    [{'severity': 'error', 'code': 'not-found', 'diagnostics': 'No such assessment.'}]
    """
    general = ISSUE_TYPES.get(problem.status, "exception")
    issues: list[dict[str, Any]] = []
    for error in problem.errors:
        issue = {
            "severity": "error",
            "code": ISSUE_TYPE_BY_CODE.get(error.code, general),
            "details": {"text": error.code},
            "diagnostics": error.detail,
        }
        if error.pointer and in_parameters:
            path = _STEP.sub(r"[\1]", error.pointer).replace("/", ".")
            issue["expression"] = [f"Parameters{path}"]
        elif error.pointer:
            issue["diagnostics"] = f"{error.pointer}: {error.detail}"
        issues.append(issue)
    if not issues:
        issues = [{"severity": "error", "code": general, "diagnostics": problem.detail}]
    return {"resourceType": "OperationOutcome", "issue": issues}


def answer_outcome(answer: Mapping[str, Any], ignored: Mapping[str, int]) -> dict[str, Any] | None:
    """What an answer warns of or keeps back, who abstained, what was not read; None if nothing.

    Of a silent answer R4's issue type `suppressed` tells: not returned, by a rule of the business.
    """
    issues = [*_silence(answer), *_warnings(answer["warnings"]), *_abstentions(answer["outcomes"])]
    issues += [
        {
            "severity": "warning" if reason in ("other_patient", "no_subject") else "information",
            "code": "informational",
            "details": {"coding": [{"system": WARNING_SYSTEM, "code": reason}]},
            "diagnostics": f"resources not read, {reason.replace('_', ' ')}: {count}",
        }
        for reason, count in sorted(ignored.items())
    ]
    return {"resourceType": "OperationOutcome", "issue": issues} if issues else None


def _silence(answer: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    if answer["status"] == SILENT:
        yield {
            "severity": "information",
            "code": "suppressed",
            "details": {"coding": [{"system": WARNING_SYSTEM, "code": SILENT}]},
            "diagnostics": "silent: the assessment was recorded, and nothing of the risk is told",
        }


def _warnings(warnings: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    for warning in warnings:
        feature = warning.get("feature")
        said = warning["detail"] if feature is None else f"{feature}: {warning['detail']}"
        yield {
            "severity": "warning",
            "code": "informational",
            "details": {"coding": [{"system": WARNING_SYSTEM, "code": warning["code"]}]},
            "diagnostics": said,
        }


def _abstentions(outcomes: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    for outcome in outcomes:
        if outcome["status"] == ABSTAINED:
            features = ", ".join(outcome.get("features", ()))
            yield {
                "severity": "warning",
                "code": "incomplete",
                "details": {"coding": [{"system": WARNING_SYSTEM, "code": outcome["reason"]}]},
                "diagnostics": f"{outcome['outcome']}: no answer"
                + (f" ({features})" if features else ""),
            }
