"""POST what happened."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from app.errors import Problem
from app.routers.admission import caller_of, guarded
from app.routers.state import as_json, state_of
from app.schemas.documents import OutcomeAnswer, ProblemDocument, outcome_operation
from app.schemas.outcome_report import parse_outcome_report
from app.services.record_outcome import record_outcome
from monitoring.ledger.entries import CONTRADICTS, CORRECTED, NEW, SAME, UNKNOWN, UNLINKED

router = APIRouter(prefix="/v1/outcomes", tags=["outcomes"], route_class=guarded("outcomes"))

STATUS = {NEW: 201, CORRECTED: 201, SAME: 200, UNLINKED: 202}
WORDS = {
    NEW: "recorded",
    CORRECTED: "corrected",
    SAME: "already_recorded",
    UNLINKED: "kept_for_linkage",
}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": OutcomeAnswer, "description": "Known already; nothing was added."},
    202: {"model": OutcomeAnswer, "description": "Kept until an assessment of the subject comes."},
    **{status: {"model": ProblemDocument} for status in (400, 404, 408, 409, 413, 422, 503)},
}


@router.post(
    "",
    summary="Record what happened",
    status_code=201,
    response_model=OutcomeAnswer,
    responses=ANSWERS,
    openapi_extra=outcome_operation(),
)
async def create_outcome(request: Request) -> Response:
    """New 201, the same again 200, contradicting 409 unless it says that it is a correction."""
    state = state_of(request)
    body = await state.bodies.read(request)
    report = parse_outcome_report(body, state.vocabulary)
    done = await record_outcome(report, caller_of(request), state.parts)
    if done.result == UNKNOWN:
        raise Problem(404, "No such assessment.")
    if done.result == CONTRADICTS:
        raise Problem(409, "Another value is recorded; send `correction: true` to correct it.")
    answer: dict[str, Any] = {"status": WORDS[done.result], "outcome": report.outcome}
    answer["warnings"] = []
    if done.later_than_now:
        detail = "observed_at lies in the future: it counts from then on"
        answer["warnings"].append({"code": "later_than_now", "detail": detail})
    return as_json(answer, STATUS[done.result])
