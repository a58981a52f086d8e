"""POST an assessment, or a stream of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.deid import IdentifierFound
from app.errors import Problem
from app.identity import Caller
from app.routers.admission import caller_of, guarded
from app.routers.state import State, problem_of, state_of
from app.schemas.assessment_request import parse_assessment_request
from app.schemas.documents import AssessmentAnswer, ProblemDocument, assessment_operation
from app.services.answer_request import Given, begin_answer
from models.vocabulary import BranchPoint
from monitoring.ledger import LedgerUnavailable

ASSESS = "assess"
router = APIRouter(prefix="/v1/branch-points", tags=["assessments"], route_class=guarded(ASSESS))

NDJSON = "application/x-ndjson"
LINES_BETWEEN_BREATHS = 16
LINES_AT_A_TIME = 64
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemDocument} for status in (400, 404, 413, 422)
}


def _begin(body: bytes, point: BranchPoint, caller: Caller, state: State) -> Given:
    request = parse_assessment_request(body, point, state.vocabulary)
    care_units = state.admission.identity.care_units(caller.tenant)
    return begin_answer(request, point, caller, care_units, state.parts)


@router.post(
    "/{branch_point}/assessments",
    summary="Assess one patient",
    response_model=AssessmentAnswer,
    responses=PROBLEMS,
    openapi_extra=assessment_operation(),
)
async def create_assessment(branch_point: str, request: Request) -> Response:
    """Calibrated risks with reasons that add up, an interval, or a reason to abstain."""
    state, caller = state_of(request), caller_of(request)
    point = state.branch_point(branch_point, caller, ASSESS)
    body = await state.bodies.read(request)
    given = _begin(body, point, caller, state)
    await given.durable
    return Response(given.body, media_type="application/json")


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
    state, caller = state_of(request), caller_of(request)
    point = state.branch_point(branch_point, caller, ASSESS)
    return _TwoWayStream(_answers(request, point, caller, state), media_type=NDJSON)


class _TwoWayStream(StreamingResponse):
    """Writes while the request is still read.

    Starlette's own would look for a disconnect at the same time, and take the body's messages away.
    """

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        await self.stream_response(send)


async def _answers(
    request: Request, point: BranchPoint, caller: Caller, state: State
) -> AsyncIterator[bytes]:
    """Answers in the order of the lines; several wait for the ledger at a time, none is sent before."""
    begun: asyncio.Queue[Given | Exception | None] = asyncio.Queue(LINES_AT_A_TIME)

    async def begin_all() -> None:
        number, settings = 0, state.settings
        limit = settings.body_limit_bytes
        arriving = _in_time(request.stream(), settings.body_timeout_s)
        body = _read_ahead(arriving, settings.batch_ahead_bytes)
        try:
            async for line in _lines(body, limit):
                number += 1
                if not number % LINES_BETWEEN_BREATHS:
                    await asyncio.sleep(0)  # let single requests through
                try:
                    await begun.put(_begin(_within_limit(line, limit), point, caller, state))
                except (Problem, LedgerUnavailable, IdentifierFound) as error:
                    await begun.put(error)
        except Problem as error:  # the client went silent: the last line says so
            await begun.put(error)
        finally:
            await begun.put(None)

    beginning = asyncio.create_task(begin_all())
    try:
        while (item := await begun.get()) is not None:
            yield await _line(item)
        await beginning
    finally:
        beginning.cancel()


async def _line(item: Given | Exception) -> bytes:
    if isinstance(item, Exception):
        return orjson.dumps(problem_of(item).document()) + b"\n"
    try:
        await item.durable
    except LedgerUnavailable as error:
        return orjson.dumps(problem_of(error).document()) + b"\n"
    return item.body + b"\n"


def _within_limit(line: bytes | None, limit: int) -> bytes:
    if line is None:
        raise Problem(413, f"The line is over the limit of {limit} bytes.")
    return line


async def _in_time(chunks: AsyncIterator[bytes], patience_s: float) -> AsyncIterator[bytes]:
    """The body as it comes; 408 when a client that has not finished stays silent for too long."""
    while True:
        try:
            async with asyncio.timeout(patience_s):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Problem(408, f"Nothing more arrived within {patience_s:g} s.") from None
        yield chunk


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
