"""Around every answer: security headers, and no error that tells what was sent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import orjson
import structlog
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import EXPLAINED, Problem, StartRefused
from app.fhir import FHIR_JSON, problem_outcome
from models.card import STYLE_SHA256

log = structlog.get_logger()

SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; "
    f"style-src 'self' 'sha256-{STYLE_SHA256}'; img-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
}

DISCOVERY = ("/cds-services", "/cds-services/")
DISCOVERY_HEADERS = SECURITY_HEADERS | {
    "cache-control": "private, max-age=300",
    "vary": "Authorization, X-API-Key",
}
"""What is offered holds no patient and seldom changes, but depends on who asks."""

CONSOLE, KEPT = "/console", "/console/static/"
CONSOLE_HEADERS = SECURITY_HEADERS | {
    "content-security-policy": "default-src 'self'; object-src 'none'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'self'",
    "referrer-policy": "same-origin",
}
"""Pages load styles, scripts and pictures from here, and nothing from elsewhere; nothing is inline."""


def _raw(headers: Mapping[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple(
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()
    )


RAW_HEADERS, RAW_DISCOVERY_HEADERS = _raw(SECURITY_HEADERS), _raw(DISCOVERY_HEADERS)
RAW_CONSOLE_HEADERS = _raw(CONSOLE_HEADERS)
RAW_KEPT_HEADERS = _raw({k: v for k, v in CONSOLE_HEADERS.items() if k != "cache-control"})
"""Of files whose address holds their digest: how long they may be kept is said where they are served."""

Network = IPv4Network | IPv6Network
PROBES = ("/livez", "/readyz")
FORWARDED_PROTOCOL = b"x-forwarded-proto"


class OnlyOverTls:
    """Refuse what did not come over TLS all the way; added where the settings ask for it.

    TLS ends at a proxy, so what counts is `X-Forwarded-Proto: https` on a connection of a proxy that
    the operator trusts. Probes are let through: they come from within and ask for nothing.

    Parameters
    ----------
    proxies : collection of networks
        See `trusted_networks`.
    """

    def __init__(self, app: ASGIApp, proxies: Collection[Network]) -> None:
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PROBES or self._came_over_tls(scope):
            await self._app(scope, receive, send)
        else:
            problem = Problem(403, "Only over TLS.")
            await _refusal(scope["path"], problem)(scope, receive, send)

    def _came_over_tls(self, scope: Scope) -> bool:
        said = [value for name, value in scope["headers"] if name == FORWARDED_PROTOCOL]
        if said != [b"https"] or not scope.get("client"):
            return False
        try:
            peer = ip_address(scope["client"][0])
        except ValueError:
            return False
        return any(peer in proxy for proxy in self._proxies)


def trusted_networks(proxies: Collection[str]) -> tuple[Network, ...]:
    """The networks whose word is taken for TLS.

    Raises
    ------
    StartRefused
        When there is none: then every request would be refused.
    """
    try:
        found = tuple(ip_network(proxy, strict=False) for proxy in proxies)
    except ValueError:
        raise StartRefused("RISK_TRUSTED_PROXIES must hold addresses or networks") from None
    if not found:
        raise StartRefused("RISK_TLS is `required`, and no proxy is trusted to say so")
    return found


class SecurityHeaders:
    """Add the headers to every response and count it; plain ASGI, because it stands in the hot path.

    A failure ends here: were it raised on, the server would log its text, and an exception's text
    can hold what was sent.
    """

    def __init__(self, app: ASGIApp, responded: Callable[[int], None] = lambda _: None) -> None:
        self._app = app
        self._responded = responded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message["headers"], *_more(scope["path"], message["status"])]
                self._responded(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:
            log.info("client_disconnected")
        except Exception as error:
            log.error("request_failed", error=type(error).__name__)  # noqa: TRY400 - no traceback
            if not started:
                failure = _refusal(scope["path"], Problem(500, EXPLAINED[500]))
                await failure(scope, receive, send_with_headers)


def _more(path: str, status: int) -> tuple[tuple[bytes, bytes], ...]:
    """The headers that a response gets."""
    if path.startswith(CONSOLE):
        return RAW_KEPT_HEADERS if path.startswith(KEPT) and status == 200 else RAW_CONSOLE_HEADERS
    if path in DISCOVERY and status == 200:
        return RAW_DISCOVERY_HEADERS
    return RAW_HEADERS


def _refusal(path: str, problem: Problem) -> Response:
    """A problem as the clients of a path read it; the routers are not reached, or have failed."""
    if path.startswith("/cds-services"):
        told, media_type = problem_outcome(problem, in_parameters=False), "application/json"
    elif path.startswith("/fhir/"):
        told, media_type = problem_outcome(problem), FHIR_JSON
    else:
        told, media_type = problem.document(), "application/problem+json"
    return Response(orjson.dumps(told), problem.status, media_type=media_type)
