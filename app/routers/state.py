"""What every router can reach: built once in `app.main`, handed down, never global."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import Request, Response

from app.errors import Problem
from app.serving.follower import Follower
from app.serving.slot import Slot
from app.settings import Settings
from models.vocabulary import BranchPoint, Vocabulary
from monitoring.metrics import Metrics

PROBLEM_JSON = "application/problem+json"


@dataclass(frozen=True, slots=True)
class State:
    """The parts that meet in `create_app`."""

    settings: Settings
    vocabulary: Vocabulary
    slot: Slot
    follower: Follower
    metrics: Metrics

    def branch_point(self, name: str) -> BranchPoint:
        """The declared branch point.

        Raises
        ------
        Problem
            404; the name that was asked for is not repeated.
        """
        point = self.vocabulary.branch_points.get(name)
        if point is None:
            raise Problem(404, "No such branch point; GET /v1/branch-points lists them.")
        return point


def state_of(request: Request) -> State:
    state: State = request.app.state.risk
    return state


def as_json(content: Any, status: int = 200, media_type: str = "application/json") -> Response:
    return Response(orjson.dumps(content), status, media_type=media_type)


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body, refused as soon as it is known to be over the limit.

    Raises
    ------
    Problem
        413 over the limit; 400 when empty.
    """
    declared = request.headers.get("content-length")
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise Problem(413, f"The body is over the limit of {limit} bytes.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise Problem(413, f"The body is over the limit of {limit} bytes.")
    if not body:
        raise Problem(400, "The body is empty; an assessment request was expected.")
    return bytes(body)
