"""POST an assessment, or a stream of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.deid import scrub
from app.errors import Problem
from app.routers.state import State, as_json, read_body, state_of
from app.schemas.assessment_request import parse_assessment_request
from app.schemas.documents import AssessmentAnswer, ProblemDocument, assessment_operation
from app.services.assess import assess
from models.vocabulary import BranchPoint

router = APIRouter(prefix="/v1/branch-points", tags=["assessments"])

NDJSON = "application/x-ndjson"
LINES_BETWEEN_BREATHS = 16
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemDocument} for status in (400, 404, 413, 422)
}


def _answer(body: bytes, point: BranchPoint, state: State) -> dict[str, Any]:
    start = perf_counter()
    request = parse_assessment_request(body, point, state.vocabulary)
    clean = scrub(request, state.settings.care_units, datetime.now(UTC))
    answer = assess(clean, point, state.vocabulary, state.slot.models)
    state.metrics.assessed(
        point.id,
        [(outcome["outcome"], outcome["status"]) for outcome in answer["outcomes"]],
        perf_counter() - start,
    )
    return answer


@router.post(
    "/{branch_point}/assessments",
    summary="Assess one patient",
    response_model=AssessmentAnswer,
    responses=PROBLEMS,
    openapi_extra=assessment_operation(),
)
async def create_assessment(branch_point: str, request: Request) -> Response:
    """Calibrated risks with reasons that add up, an interval, or a reason to abstain."""
    state = state_of(request)
    point = state.branch_point(branch_point)
    body = await read_body(request, state.settings.body_limit_bytes)
    return as_json(_answer(body, point, state))


@router.post(
    "/{branch_point}/assessments:batch",
    summary="Assess many patients, one per line",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "One answer or problem per line, in the order sent.",
            "content": {NDJSON: {"schema": {"type": "string"}}},
        },
        404: PROBLEMS[404],
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {NDJSON: {"schema": {"type": "string"}}},
        }
    },
)
async def create_assessments(branch_point: str, request: Request) -> Response:
    """NDJSON in, NDJSON out, same order; a bad line gets its own problem."""
    state = state_of(request)
    point = state.branch_point(branch_point)
    return _TwoWayStream(_answers(request, point, state), media_type=NDJSON)


class _TwoWayStream(StreamingResponse):
    """Writes while the request is still read.

    Starlette's own would look for a disconnect at the same time, and take the body's messages away.
    """

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        await self.stream_response(send)


async def _answers(request: Request, point: BranchPoint, state: State) -> AsyncIterator[bytes]:
    number, limit = 0, state.settings.body_limit_bytes
    body = _read_ahead(request.stream(), state.settings.batch_ahead_bytes)
    async for line in _lines(body, limit):
        number += 1
        if not number % LINES_BETWEEN_BREATHS:
            await asyncio.sleep(0)  # let single requests through
        try:
            document = _answer(_within_limit(line, limit), point, state)
        except Problem as problem:
            document = problem.document()
        yield orjson.dumps(document) + b"\n"


def _within_limit(line: bytes | None, limit: int) -> bytes:
    if line is None:
        raise Problem(413, f"The line is over the limit of {limit} bytes.")
    return line


async def _read_ahead(chunks: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
    """Take the body in as it comes, up to `most` bytes ahead of the answers.

    Many clients send a whole batch before they read the first answer. Answers are larger than
    requests, so without this both sides would soon wait for each other.
    """
    waiting = 0
    queue: asyncio.Queue[bytes | None] = asyncio.Queue()
    room = asyncio.Event()
    room.set()

    async def take_in() -> None:
        nonlocal waiting
        try:
            async for chunk in chunks:
                await room.wait()
                waiting += len(chunk)
                if waiting >= most:
                    room.clear()
                queue.put_nowait(chunk)
        finally:
            queue.put_nowait(None)

    reading = asyncio.create_task(take_in())
    try:
        while (chunk := await queue.get()) is not None:
            waiting -= len(chunk)
            if waiting < most:
                room.set()
            yield chunk
        await reading
    finally:
        reading.cancel()


async def _lines(chunks: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes | None]:
    """Lines of the body as they arrive; None for a line over the limit; blank lines are skipped."""
    buffer = bytearray()
    too_long = False
    async for chunk in chunks:
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            buffer += chunk[start:end]
            start = end + 1
            if too_long or len(buffer) > limit:
                yield None
            elif buffer.strip():
                yield bytes(buffer)
            buffer.clear()
            too_long = False
        buffer += chunk[start:]
        if len(buffer) > limit:
            too_long = True
            buffer.clear()
    if too_long:
        yield None
    elif buffer.strip():
        yield bytes(buffer)
