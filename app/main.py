"""`create_app`: the only place where the parts meet; nothing happens at import."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from app.errors import EXPLAINED, Problem
from app.middleware import SecurityHeaders
from app.routers import assessments, declarations, models, operations
from app.routers.state import PROBLEM_JSON, State, as_json
from app.schemas.documents import MeasuredValue
from app.serving.follower import Follower
from app.serving.slot import ServedModel, Slot
from app.settings import Settings
from models.vocabulary import load_vocabulary
from monitoring.metrics import Metrics

VERSION = "0.1.0"
DESCRIPTION = (
    "Calibrated risks of death, complications and poor recovery at the branch points of surgical "
    "and trauma care, with reasons that add up. Decision support only: it predicts, it never decides."
)

log = structlog.get_logger()


def create_app(settings: Settings) -> FastAPI:
    """Build the service.

    Raises
    ------
    ContentInvalid
        When the clinical content breaks a rule.
    """
    configure_logging(settings.log_level)
    vocabulary = load_vocabulary(settings.content)
    metrics = Metrics(vocabulary)
    slot = Slot()

    def changed(served: Mapping[str, ServedModel]) -> None:
        metrics.serving(model.reference() for model in served.values())

    follower = Follower(
        slot,
        vocabulary,
        settings.var_dir,
        poll_s=settings.registry_poll_s,
        timeout_s=settings.registry_timeout_s,
        failed=metrics.load_failures.inc,
        changed=changed,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        log.warning("open_development_mode", note="callers are not authenticated; loopback only")
        following = asyncio.create_task(follower.run())
        try:
            yield
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following

    app = FastAPI(
        title="Complication-risk service",
        version=VERSION,
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would repeat the path that was asked for
    )
    app.state.risk = State(settings, vocabulary, slot, follower, metrics)
    for router in (assessments.router, declarations.router, models.router, operations.router):
        app.include_router(router)
    app.add_middleware(SecurityHeaders)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http_error)
    _document_shared_shapes(app)
    return app


def _document_shared_shapes(app: FastAPI) -> None:
    """Add the shapes that only hand-written operations refer to."""
    build = app.openapi

    def openapi() -> dict[str, Any]:
        schema = build()
        shapes = schema["components"]["schemas"]
        shapes.setdefault("MeasuredValue", MeasuredValue.model_json_schema())
        for name in ("HTTPValidationError", "ValidationError"):
            shapes.pop(name, None)
        for operations_of_path in schema["paths"].values():
            for operation in operations_of_path.values():
                found = operation["responses"].get("422", {}).get("content", {})
                if "HTTPValidationError" in str(found):
                    del operation["responses"]["422"]
                for response in operation["responses"].values():
                    content = response.get("content", {})
                    for media_type in [m for m in content if "ProblemDocument" in str(content[m])]:
                        content[PROBLEM_JSON] = content.pop(media_type)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it


async def _problem(_: Request, error: Exception) -> Response:
    problem = error if isinstance(error, Problem) else Problem(500, EXPLAINED[500])
    return as_json(problem.document(), problem.status, PROBLEM_JSON)


async def _http_error(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    problem = Problem(status, EXPLAINED.get(status, "The request cannot be answered."))
    response = as_json(problem.document(), status, PROBLEM_JSON)
    if isinstance(error, HTTPException):
        response.headers.update(error.headers or {})
    return response


def configure_logging(level: str) -> None:
    """JSON lines on standard error; uvicorn's access log, which would show paths, stays off."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
