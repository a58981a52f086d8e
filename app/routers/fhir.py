"""FHIR R4: POST a patient's resources, GET a RiskAssessment back."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from app.errors import Problem
from app.fhir import (
    FHIR_JSON,
    answer_bundle,
    answer_outcome,
    capability_statement,
    read_assess_operation,
    risk_assessment,
)
from app.identity import Caller
from app.routers.admission import Direct, caller_of, guarded
from app.routers.state import State, as_json, state_of
from app.schemas.documents.fhir import (
    PROBLEMS,
    assess_operation,
    resource_response,
)
from app.services.answer_request import begin_answer
from app.services.assess_chart import ChartQuestion, question_of_chart
from app.services.read_back import read_recorded
from app.services.silence import as_given
from models.vocabulary import BranchPoint

ASSESS, READ = "assess", "read"
BRANCH_POINT = "branch-point"
MEDIA_TYPES = (FHIR_JSON, "application/json", "application/json+fhir")
INLINE_BYTES = 131_072
"""Above this a Bundle takes long enough to read that other requests should not wait for it."""

asking = APIRouter(prefix="/fhir", tags=["FHIR"], route_class=guarded(ASSESS))
reading = APIRouter(prefix="/fhir", tags=["FHIR"], route_class=guarded(READ))
describing = APIRouter(prefix="/fhir", tags=["FHIR"], route_class=Direct)


@asking.post(
    "/$assess",
    summary="Assess one patient from FHIR resources",
    response_class=Response,
    responses={200: resource_response("Bundle"), **PROBLEMS},
    openapi_extra=assess_operation(),
)
async def assess(request: Request) -> Response:
    """Parameters or a Bundle in; a Bundle with one RiskAssessment out, and what it warns of."""
    state, caller = state_of(request), caller_of(request)
    body = await state.fhir_bodies.read(request)
    if len(body) > INLINE_BYTES:
        read = await asyncio.to_thread(_question, body, request, caller, state)
    else:
        read = _question(body, request, caller, state)
    point, question = read
    care_units = state.admission.identity.care_units(caller.tenant)
    given = begin_answer(question.request, point, caller, care_units, state.parts)
    await given.durable
    answer = orjson.loads(given.body)
    made = risk_assessment(
        answer, state.vocabulary, patient=question.patient, basis=question.chart.basis
    )
    outcome = answer_outcome(answer, question.chart.ignored)
    return as_json(answer_bundle(made, outcome), media_type=_media_type(request))


def _question(
    body: bytes, request: Request, caller: Caller, state: State
) -> tuple[BranchPoint, ChartQuestion]:
    asked = read_assess_operation(body, request.query_params.get(BRANCH_POINT))
    point = state.branch_point(asked.branch_point, caller, ASSESS)
    coding = state.codings[caller.tenant]
    return point, question_of_chart(asked, point, state.vocabulary, coding, datetime.now(UTC))


@reading.get(
    "/RiskAssessment/{assessment_id}",
    summary="Read an assessment as a RiskAssessment",
    response_class=Response,
    responses={200: resource_response("RiskAssessment"), **{s: PROBLEMS[s] for s in (404, 503)}},
)
async def get_risk_assessment(assessment_id: str, request: Request) -> Response:
    """What was answered, whichever way in was used; the subject is a pseudonym."""
    state = state_of(request)
    found = await read_recorded(assessment_id, caller_of(request), state.parts)
    if found is None:
        raise Problem(404, "No such assessment.")
    answer: dict[str, Any] = orjson.loads(as_given(found.answer))
    made = risk_assessment(answer, state.vocabulary, subject_id=found.subject_id)
    return as_json(made, media_type=_media_type(request))


@describing.get(
    "/metadata",
    summary="What this service can do in FHIR",
    response_class=Response,
    responses={200: resource_response("CapabilityStatement")},
)
async def metadata(request: Request) -> Response:
    """The CapabilityStatement, open to everybody."""
    statement = capability_statement(request.app.version)
    return as_json(statement, media_type=_media_type(request))


def _media_type(request: Request) -> str:
    """The first of the JSON types that the client names; FHIR's own when it names none."""
    for wanted in request.headers.get("accept", "").split(","):
        media_type = wanted.partition(";")[0].strip().lower()
        if media_type in MEDIA_TYPES:
            return media_type
    return FHIR_JSON
