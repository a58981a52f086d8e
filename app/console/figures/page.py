"""GET the pages of drift and of outcomes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from app.console.figures.drift_view import drift_view
from app.console.figures.outcomes_view import outcomes_view
from app.console.frame.addresses import HOME
from app.console.frame.door import page_for
from app.console.frame.site import page, reader_of
from app.errors import Problem
from app.routers.admission import caller_of
from app.routers.state import state_of
from app.services.read_figures import OUTCOME_WINDOWS, WINDOWS_S, read_drift, read_outcomes

router = APIRouter(
    prefix=f"{HOME}/figures",
    tags=["console"],
    include_in_schema=False,
    route_class=page_for("read"),
)
UNREADABLE = 503


@router.get("")
async def show_drift(request: Request) -> Response:
    """Who is asked about, what is answered and why: then and now."""
    state, caller = state_of(request), caller_of(request)
    window = _window(request, WINDOWS_S, "7d")
    told = orjson.loads(await read_drift(window, state.slot.models, state.drift))
    reader = reader_of(request, caller)
    wanted = request.query_params.get("model")
    view = drift_view(told, wanted, caller.branch_points, state.vocabulary, reader)
    return page(request, reader, "figures/drift.html", {"windows": tuple(WINDOWS_S), **view})


@router.get("/outcomes")
async def show_outcomes(request: Request) -> Response:
    """What became of what was predicted."""
    state, caller = state_of(request), caller_of(request)
    window = _window(request, OUTCOME_WINDOWS, "30d")
    own = state.admission.identity.care_units(caller.tenant)
    told: dict[str, Any] | None
    try:
        told = read_outcomes(window, state.follower.group.shared(), own)
    except Problem as problem:
        if problem.status != UNREADABLE:
            raise
        told = None
    reader = reader_of(request, caller)
    wanted = request.query_params.get("model")
    view = {"windows": OUTCOME_WINDOWS, "window": window, "read": told is not None, "models": []}
    if told is not None:
        view |= outcomes_view(told, wanted, caller.branch_points, state.vocabulary, reader)
    return page(request, reader, "figures/outcomes.html", view)


def _window(request: Request, known: Collection[str], usual: str) -> str:
    """The window that was asked for.

    Raises
    ------
    Problem
        422 when there is no such one.
    """
    window = request.query_params.get("window", usual)
    if window not in known:
        raise Problem(422, f"`window` must be one of {', '.join(known)}.")
    return window
