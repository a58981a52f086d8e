"""POST a request to see what the de-identification makes of it; nothing is stored."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from app.deid.attacks import run_attacks, summarise
from app.deid.inspection import inspect
from app.routers.admission import caller_of, guarded
from app.routers.state import as_json, state_of
from app.schemas.documents import InspectionDocument, ProblemDocument, inspection_operation

INSPECT = "inspect"
DEFAULT_BRANCH_POINT = "icu-review"
router = APIRouter(
    prefix="/v1/deidentification", tags=["deidentification"], route_class=guarded(INSPECT)
)
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemDocument} for status in (400, 404, 408, 413, 422)
}


@router.post(
    "/inspect",
    summary="See what the de-identification keeps",
    response_model=InspectionDocument,
    responses=PROBLEMS,
    openapi_extra=inspection_operation(),
)
async def inspect_request(
    request: Request, branch_point: str = DEFAULT_BRANCH_POINT, attacks: bool = False
) -> Response:
    """Field by field what came (its form, not its value), what leaves, and by which rule.

    `branch_point` says where the request would be sent; `attacks` plants identifiers into every
    field in many spellings, and names each that was not BLOCKED.
    """
    state, caller = state_of(request), caller_of(request)
    point = state.branch_point(branch_point, caller, INSPECT)
    body = await state.bodies.read(request)
    surroundings: dict[str, Any] = {
        "tenant": caller.tenant,
        "care_units": state.admission.identity.care_units(caller.tenant),
        "now": datetime.now(UTC),
        "pseudonymiser": state.parts.pseudonymiser,
    }
    # Off the event loop: looking closely at a hostile megabyte takes seconds.
    found = await asyncio.to_thread(inspect, body, point, state.vocabulary, **surroundings)
    if attacks:
        tried = await asyncio.to_thread(run_attacks, point, state.vocabulary, **surroundings)
        found["attacks"] = summarise(tried)
    return as_json(found)
