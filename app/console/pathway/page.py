"""GET the map of the branch points, and the page of one."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request, Response

from app.console.frame.addresses import HOME
from app.console.frame.door import page_for
from app.console.frame.site import page, reader_of
from app.console.pathway.point_view import point_view
from app.console.pathway.view import Standing, pathway_view
from app.identity import Caller
from app.routers.admission import caller_of
from app.routers.state import State, state_of
from app.services.standing import by_name, standings
from models.vocabulary import BranchPoint
from monitoring.ledger import LedgerUnavailable, Traffic

DAY_US = 24 * 3600 * 1_000_000
router = APIRouter(
    prefix=f"{HOME}/pathway",
    tags=["console"],
    include_in_schema=False,
    route_class=page_for("read"),
)


@router.get("")
async def show_pathway(request: Request) -> Response:
    """All branch points that the caller's tenant may see, in the order of care."""
    state, caller = state_of(request), caller_of(request)
    traffic = await _traffic(state, caller)
    reader = reader_of(request, caller)
    allowed = caller.branch_points
    points = [
        _standing(point, state, caller, traffic)
        for point in state.vocabulary.branch_points.values()
        if allowed is None or point.id in allowed
    ]
    view = pathway_view(points, state.vocabulary, reader, counted=traffic is not None)
    return page(request, reader, "pathway/pathway.html", view)


@router.get("/{branch_point}")
async def show_point(branch_point: str, request: Request) -> Response:
    """One branch point: purpose, question, inputs, outcomes, actions."""
    state, caller = state_of(request), caller_of(request)
    point = state.branch_point(branch_point, caller, "read")
    traffic = await _traffic(state, caller)
    reader = reader_of(request, caller)
    standing = _standing(point, state, caller, traffic)
    view = point_view(standing, state.vocabulary, reader, counted=traffic is not None)
    return page(request, reader, "pathway/point.html", view)


def _standing(
    point: BranchPoint, state: State, caller: Caller, traffic: dict[str, Traffic] | None
) -> Standing:
    workers, _ = state.follower.workers()
    rows = by_name(row for worker in workers for row in worker.shadow)
    silent = (caller.tenant, point.id) in state.parts.silence.now
    counted = None if traffic is None else traffic.get(point.id, Traffic(0, 0))
    return Standing(point, standings(point, state.slot.models, rows), silent, counted)


async def _traffic(state: State, caller: Caller) -> dict[str, Traffic] | None:
    """What the tenant asked in the last day; None while the ledger cannot be read."""
    since_us = time.time_ns() // 1000 - DAY_US
    try:
        return await state.parts.ledger.read_traffic(caller.tenant, since_us)
    except LedgerUnavailable:
        return None
