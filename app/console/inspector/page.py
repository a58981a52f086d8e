"""The inspector: POST what could be sent, see what leaves; nothing is kept or logged."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from app.console.frame.addresses import HOME
from app.console.frame.door import form_of, page_for
from app.console.frame.site import page, reader_of
from app.console.inspector.example import example_text
from app.console.inspector.view import attacks_view, form_view, found_view
from app.deid.attacks import run_attacks
from app.routers.admission import caller_of
from app.routers.state import State, state_of
from app.services.inspect_sent import Site, inspect_sent
from models.vocabulary import BranchPoint

INSPECT = "inspect"
DEFAULT_BRANCH_POINT = "icu-review"
router = APIRouter(
    prefix=f"{HOME}/inspector",
    tags=["console"],
    include_in_schema=False,
    route_class=page_for(INSPECT),
)


@router.get("")
async def show_form(request: Request) -> Response:
    """The form."""
    reader = reader_of(request, caller_of(request))
    view = form_view(_points(request), DEFAULT_BRANCH_POINT, "", reader)
    return page(request, reader, "inspector/inspector.html", view)


@router.post("")
async def inspect_pasted(request: Request) -> Response:
    """What would leave of what was pasted; or the attacks."""
    state, caller, form = state_of(request), caller_of(request), await form_of(request)
    reader = reader_of(request, caller)
    point = state.branch_point(form.get("branch_point", DEFAULT_BRANCH_POINT), caller, INSPECT)
    pasted = form.get("sent", "")
    if "example" in form:
        pasted = example_text(point, state.vocabulary) or ""
    view = form_view(_points(request), point.id, pasted, reader)
    site, now = _site(state, caller.tenant, point), datetime.now(UTC)
    # Off the event loop: looking closely at a hostile megabyte takes seconds, and so do the attacks.
    if "attacks" in form:
        verdicts = await asyncio.to_thread(
            run_attacks,
            point,
            state.vocabulary,
            tenant=caller.tenant,
            care_units=site.care_units,
            now=now,
            pseudonymiser=site.pseudonymiser,
        )
        view["attacks"] = attacks_view(verdicts, reader.texts)
    elif pasted.strip():
        sent = pasted.encode()
        found = await asyncio.to_thread(inspect_sent, sent, point, state.vocabulary, site, now)
        view["found"] = found_view(found, state.vocabulary, reader)
    return page(request, reader, "inspector/inspector.html", view)


def _points(request: Request) -> list[BranchPoint]:
    allowed = caller_of(request).branch_points
    points = state_of(request).vocabulary.branch_points.values()
    return [point for point in points if allowed is None or point.id in allowed]


def _site(state: State, tenant: str, point: BranchPoint) -> Site:
    return Site(
        tenant,
        state.admission.identity.care_units(tenant),
        state.parts.pseudonymiser,
        state.codings[tenant],
        state.desk.services.get(point.id),
    )
