"""The least that could answer: parsing, models and answer, and nothing around them.

    RISK_VAR_DIR=DIR python -m uvicorn tests.benchmarks.bare:app

Beside `unguarded` in `tests.benchmarks.boundary`; it is no part of the product and serves no patient.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import orjson
from fastapi import FastAPI, Request, Response

from app.deid import Deidentified
from app.main import NO_TELEMETRY
from app.routers.admission import Direct
from app.schemas.assessment_request import parse_assessment_request
from app.services.assess import assess
from app.serving.follower import Follower
from app.serving.memory import settle_memory
from app.serving.slot import Slot
from models.vocabulary import load_vocabulary, settle

NOBODY = "00000000-0000-7000-8000-000000000000"
vocabulary = load_vocabulary()
slot = Slot()


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    follower = Follower(
        slot,
        vocabulary,
        Path(os.environ["RISK_VAR_DIR"]),
        poll_s=3600.0,
        timeout_s=60.0,
        changed=lambda _: settle_memory(),
    )
    following = asyncio.create_task(follower.run())
    try:
        yield
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


async def create_assessment(branch_point: str, request: Request) -> Response:
    point = vocabulary.branch_points[branch_point]
    asked = parse_assessment_request(await request.body(), point, vocabulary)
    plain = Deidentified(
        index_time=asked.index_time or datetime.now(UTC),
        measurements=asked.measurements,
        outcomes=asked.outcomes,
        include=asked.include,
        unit=None,
        undeclared_unit=False,
    )
    panel = slot.panel(point, asked.outcomes)
    intake = settle(asked.measurements, point, vocabulary.features)
    said = panel.assess(intake.values)
    return Response(
        orjson.dumps(assess(plain, intake, point, vocabulary, panel, said, NOBODY)),
        media_type="application/json",
    )


async def ready(_: Request) -> Response:
    return Response(b"{}", 200 if slot.models else 503)


app = FastAPI(lifespan=lifespan, openapi_url=None, telemetry=NO_TELEMETRY)
app.router.routes += [
    Direct("/v1/branch-points/{branch_point}/assessments", create_assessment, methods=["POST"]),
    Direct("/readyz", ready, methods=["GET"]),
]
