"""Around every answer: security headers, and no error that tells what was sent."""

from __future__ import annotations

import orjson
import structlog
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import EXPLAINED, Problem
from app.fhir import FHIR_JSON, problem_outcome

log = structlog.get_logger()

SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
}

RAW_HEADERS = tuple(
    (name.encode("latin-1"), value.encode("latin-1")) for name, value in SECURITY_HEADERS.items()
)


class SecurityHeaders:
    """Add the headers to every response; plain ASGI, because it stands in the hot path.

    A failure ends here: were it raised on, the server would log its text, and an exception's text
    can hold what was sent.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message["headers"], *RAW_HEADERS]
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:
            log.info("client_disconnected")
        except Exception as error:
            log.error("request_failed", error=type(error).__name__)  # noqa: TRY400 - no traceback
            if not started:
                problem = Problem(500, EXPLAINED[500])
                path = scope["path"]
                in_cds, in_fhir = path.startswith("/cds-services"), path.startswith("/fhir/")
                told = problem_outcome(problem) if in_cds or in_fhir else problem.document()
                media_type = FHIR_JSON if in_fhir else "application/problem+json"
                failure = Response(
                    orjson.dumps(told),
                    500,
                    media_type="application/json" if in_cds else media_type,
                )
                await failure(scope, receive, send_with_headers)
