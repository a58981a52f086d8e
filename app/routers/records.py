"""GET what was answered before."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from app.errors import InputError, Problem
from app.routers.admission import caller_of, guarded
from app.routers.state import as_json, state_of
from app.schemas.assessment_request import read_name, refused
from app.schemas.documents import (
    AssessmentAnswer,
    EpisodeDocument,
    ProblemDocument,
    episode_operation,
)
from app.schemas.strict_json import parse_json
from app.services.read_back import read_assessment, read_episode

router = APIRouter(prefix="/v1", tags=["records"], route_class=guarded("read"))

NO_EPISODE = "No such episode."
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemDocument} for status in (404, 503)
}
FIND_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemDocument} for status in (400, 404, 408, 413, 422, 503)
}


@router.get(
    "/assessments/{assessment_id}",
    summary="Read an assessment",
    response_model=AssessmentAnswer,
    responses=PROBLEMS,
)
async def get_assessment(assessment_id: str, request: Request) -> Response:
    """The stored answer, byte for byte as it was given."""
    found = await read_assessment(assessment_id, caller_of(request), state_of(request).parts)
    if found is None:
        raise Problem(404, "No such assessment.")
    return Response(found, media_type="application/json")


@router.get(
    "/episodes/{episode_id}",
    summary="Read an episode",
    response_model=EpisodeDocument,
    responses=PROBLEMS,
)
async def get_episode(episode_id: str, request: Request) -> Response:
    """Every assessment of an episode in time order: the path taken and the risk trajectory."""
    parts = state_of(request).parts
    found = await read_episode((episode_id,), None, caller_of(request), parts)
    if found is None:
        raise Problem(404, NO_EPISODE)
    return as_json(found)


@router.post(
    "/episodes:find",
    summary="Find an episode",
    response_model=EpisodeDocument,
    responses=FIND_PROBLEMS,
    openapi_extra=episode_operation(),
)
async def find_episode(request: Request) -> Response:
    """The same, by the identifier that the caller uses, which no URL may hold."""
    state, caller = state_of(request), caller_of(request)
    body = await state.bodies.read(request)
    episode = _episode(body)
    known = state.parts.pseudonymiser.every("episode", caller.tenant, episode)
    found = await read_episode(known, episode, caller, state.parts)
    if found is None:
        raise Problem(404, NO_EPISODE)
    return as_json(found)


def _episode(body: bytes) -> str:
    document = parse_json(body)
    if not isinstance(document, dict):
        raise refused([InputError("", "invalid_value", "expects a JSON object")])
    faults = [
        InputError(f"/{position}", "unknown_field", "unknown field; known: episode")
        for position, key in enumerate(document)
        if key != "episode"
    ]
    episode = read_name(document, "episode", faults)
    if episode is None and not faults:
        faults.append(InputError("/episode", "invalid_value", "expects a string"))
    if faults or episode is None:
        raise refused(faults)
    return episode
