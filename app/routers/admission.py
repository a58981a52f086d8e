"""Who gets past the door of a route: authenticated, permitted, and not too often.

A router names the scope of its routes once, when it is made; no route of it can be reached without.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from app.errors import Problem
from app.identity import Caller, Identity, RateLimit

CALLER = "risk.caller"
AUTHORIZATION, API_KEY = b"authorization", b"x-api-key"
RATE = "rate"
"""Why a request was refused that came too soon after others."""
OPEN = "open"
OPERATIONS = "operations"
"""The scope of what operators ask: open, or `read`, as the settings have it."""
DISCOVERY = "discovery"
"""The scope of the CDS Hooks discovery: open, or `cds`, as the settings have it."""


Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Direct(APIRoute):
    """A route whose function is called with its path and its request, when it wants no more.

    FastAPI would look for queries, headers, bodies and dependencies first, on the hot path in vain.
    """

    def get_route_handler(self) -> Handler:
        wanted, call = self.dependant, self.endpoint
        name = wanted.request_param_name
        if name is None or any(
            (wanted.query_params, wanted.header_params, wanted.cookie_params, wanted.body_params,
             wanted.dependencies)
        ):  # fmt: skip
            return super().get_route_handler()

        async def handle(request: Request) -> Response:
            answer: Response = await call(**request.path_params, **{name: request})
            return answer

        return handle


class Admission:
    """Finds out who asks, whether they may, and whether they ask too often."""

    def __init__(
        self,
        identity: Identity,
        rate_per_s: float,
        *,
        operations: str,
        discovery: str,
        on_refusal: Callable[[str], None],
    ) -> None:
        self.identity = identity
        self._certificate_header = identity.certificate_header.encode("latin-1")
        self._telling = frozenset((AUTHORIZATION, API_KEY, self._certificate_header))
        self._on_refusal = on_refusal
        self._rate_per_s = rate_per_s
        self._by_setting = {OPERATIONS: operations, DISCOVERY: discovery}
        self._limits: dict[str, RateLimit] = {}

    async def admit(
        self, request: Request, scope: str, instead: Mapping[bytes, str] = MappingProxyType({})
    ) -> Caller | None:
        """The caller of a request; None where everybody may ask.

        Parameters
        ----------
        instead : mapping
            Headers that count where the request itself has none of those that say who asks.

        Raises
        ------
        Problem
            401, 403 or 429.
        """
        scope = self._by_setting.get(scope, scope)
        if scope == OPEN:
            return None
        identity, found = self.identity, self._credentials(request) or instead
        caller = await identity.caller(
            path=request.scope["path"],
            authorization=found.get(AUTHORIZATION),
            api_key=found.get(API_KEY),
            certificate=found.get(self._certificate_header),
            peer=request.client.host if request.client else None,
        )
        identity.permit(caller, scope)
        if not identity.is_open:
            wait_s = self._limit(caller.tenant).allow(caller.client)
            if wait_s is not None:
                self._on_refusal(RATE)
                again = str(math.ceil(wait_s))
                raise Problem(
                    429, "Too many requests of this client.", headers={"Retry-After": again}
                )
        return caller

    def _credentials(self, request: Request) -> dict[bytes, str]:
        """Whatever of the headers says who asks, the first of each; all headers are read once."""
        found: dict[bytes, str] = {}
        for name, value in request.scope["headers"]:
            if name in self._telling and name not in found:
                found[name] = value.decode("latin-1")
        return found

    def _limit(self, tenant: str) -> RateLimit:
        limit = self._limits.get(tenant)
        if limit is None:
            per_s = self.identity.rate_limit_per_s(tenant) or self._rate_per_s
            limit = self._limits[tenant] = RateLimit(per_s)
        return limit


def guarded(needed: str) -> type[APIRoute]:
    """A kind of route that only callers with a scope can reach.

    Raises
    ------
    Problem
        From the route: 401, 403 or 429.
    """

    class Guarded(Direct):
        scope: ClassVar[str] = needed

        def get_route_handler(self) -> Handler:
            handle = super().get_route_handler()

            async def admitted(request: Request) -> Response:
                admission: Admission = request.app.state.risk.admission
                request.scope[CALLER] = await admission.admit(request, needed)
                return await handle(request)

            return admitted

    return Guarded


def guarded_scopes(routers: Iterable[APIRouter]) -> dict[str, str]:
    """The scope of every guarded path."""
    return {
        route.path: route.scope
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute) and hasattr(route, "scope")
    }


def caller_of(request: Request) -> Caller:
    """Who asks, on a guarded route."""
    caller: Caller = request.scope[CALLER]
    return caller
