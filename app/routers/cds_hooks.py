"""CDS Hooks 2.0: discovery, service calls, feedback. Errors are OperationOutcomes."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response

from app.cds_hooks.discovery import CdsService, discovery
from app.cds_hooks.feedback import parse_feedback
from app.cds_hooks.hook_request import parse_hook_request
from app.cds_hooks.wording import choose_language
from app.errors import Problem
from app.identity import Caller
from app.routers.admission import CALLER, DISCOVERY, caller_of, guarded
from app.routers.state import State, as_json, state_of
from app.schemas.documents.cds_hooks import (
    CardsDocument,
    DiscoveryDocument,
    FeedbackAnswer,
    OperationOutcomeDocument,
    feedback_operation,
    hook_operation,
)
from app.services.answer_hook import answer_hook
from app.services.record_feedback import record_feedback

CDS = "cds"
INLINE_BYTES = 131_072
"""Above this a body takes long enough to parse that other calls should not wait for it."""
offered = APIRouter(prefix="/cds-services", tags=["CDS Hooks"], route_class=guarded(DISCOVERY))
called = APIRouter(prefix="/cds-services", tags=["CDS Hooks"], route_class=guarded(CDS))

OUTCOMES: dict[int | str, dict[str, Any]] = {
    status: {"model": OperationOutcomeDocument} for status in (400, 404, 408, 413, 503)
}


@offered.get("/", include_in_schema=False)
@offered.get("", summary="What is offered", response_model=DiscoveryDocument)
async def discover(request: Request) -> Response:
    """One service for each branch point that the caller may ask at, with prefetch templates."""
    state = state_of(request)
    caller: Caller | None = request.scope[CALLER]
    allowed = None if caller is None else caller.branch_points
    return as_json(discovery(state.desk.services.values(), allowed))


@called.post(
    "/{branch_point}",
    summary="Ask for cards",
    response_model=CardsDocument,
    response_model_exclude_none=True,
    responses={
        **OUTCOMES,
        412: {
            "model": OperationOutcomeDocument,
            "description": "A required input was neither prefetched nor readable.",
        },
    },
    openapi_extra=hook_operation(),
)
async def call_service(branch_point: str, request: Request) -> Response:
    """One card with the risks, their reasons and what could be done; none when there is nothing."""
    state, caller = state_of(request), caller_of(request)
    service = _service(branch_point, state, caller)
    body = await state.fhir_bodies.read(request)
    if len(body) > INLINE_BYTES:
        asked = await asyncio.to_thread(parse_hook_request, body, service, state.vocabulary)
    else:
        asked = parse_hook_request(body, service, state.vocabulary)
    identity = state.admission.identity
    agreement = identity.cds_agreement(caller.tenant)
    answer = await answer_hook(
        asked,
        service,
        caller,
        identity.care_units(caller.tenant),
        agreement,
        choose_language(agreement.language, request.headers.get("accept-language")),
        state.desk,
        state.codings[caller.tenant],
        state.parts,
    )
    return as_json(answer)


@called.post(
    "/{branch_point}/feedback",
    summary="Say what became of cards",
    response_model=FeedbackAnswer,
    responses=OUTCOMES,
    openapi_extra=feedback_operation(),
)
async def give_feedback(branch_point: str, request: Request) -> Response:
    """Kept as codes; the same report again changes nothing; a card that is not known is counted."""
    state, caller = state_of(request), caller_of(request)
    service = _service(branch_point, state, caller)
    reports = parse_feedback(await state.bodies.read(request), state.desk.reasons)
    done = await record_feedback(reports, service.point, caller, state.parts)
    return as_json(
        {"recorded": done.new, "already_recorded": done.same, "unknown_cards": done.orphans}
    )


def _service(name: str, state: State, caller: Caller) -> CdsService:
    service = state.desk.services.get(name)
    if service is None:
        raise Problem(404, "No such service; GET /cds-services lists them.")
    state.admission.identity.permit(caller, CDS, name)
    return service
