"""GET what an integrator needs; POST an example to see it answered by the models that are served."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import orjson
from fastapi import APIRouter, Request, Response

from app.cds_hooks.discovery import discovery
from app.console.frame.addresses import HOME
from app.console.frame.door import form_of, page_for
from app.console.frame.site import page, reader_of
from app.console.integration.view import WAYS, address, integration_view
from app.errors import Problem
from app.examples import load_examples
from app.identity import Caller
from app.routers.admission import caller_of
from app.routers.state import State, state_of
from app.schemas.assessment_request import parse_assessment_request
from app.services.try_patient import try_patient

router = APIRouter(
    prefix=f"{HOME}/integration",
    tags=["console"],
    include_in_schema=False,
    route_class=page_for("read"),
)
sending = APIRouter(
    prefix=f"{HOME}/integration",
    tags=["console"],
    include_in_schema=False,
    route_class=page_for("assess"),
)


@router.get("")
async def show_integration(request: Request) -> Response:
    """Discovery, first calls, and an example with its stored answer."""
    return await _shown(request, request.query_params, None)


@sending.post("/send")
async def send_example(request: Request) -> Response:
    """The example of a branch point, answered by the models that are served; nothing is recorded."""
    state, caller, form = state_of(request), caller_of(request), await form_of(request)
    point = state.branch_point(form.get("point", ""), caller, "assess")
    example = next(one for one in load_examples() if one.branch_point == point.id)
    asked = parse_assessment_request(orjson.dumps(example.request), point, state.vocabulary)
    care_units = state.admission.identity.care_units(caller.tenant)
    tried = try_patient(asked, point, caller.tenant, care_units, state.parts)
    live = orjson.dumps(tried.answer, option=orjson.OPT_INDENT_2).decode()
    return await _shown(request, {"point": point.id, "way": WAYS[0]}, live)


async def _shown(request: Request, asked: Mapping[str, str], live: str | None) -> Response:
    state, caller = state_of(request), caller_of(request)
    # Made once, with stand-in models: it takes a moment the first time.
    examples = {one.branch_point: one for one in await asyncio.to_thread(load_examples)}
    points = [name for name in examples if _may_ask(name, caller)]
    if not points:
        raise Problem(403, "No branch point is this caller's.")
    point = asked.get("point", points[0])
    way = asked.get("way", WAYS[0])
    if point not in points or way not in WAYS:
        raise Problem(404, "There is no such example.")
    reader = reader_of(request, caller)
    view = integration_view(
        discovery(state.desk.services.values(), caller.branch_points),
        examples[point],
        way,
        _address(request, state, caller),
        points,
        state.vocabulary,
        reader,
        is_open=state.admission.identity.is_open,
    )
    return page(request, reader, "integration/integration.html", {**view, "live": live})


def _may_ask(point: str, caller: Caller) -> bool:
    return caller.branch_points is None or point in caller.branch_points


def _address(request: Request, state: State, caller: Caller) -> str:
    agreed = state.admission.identity.cds_agreement(caller.tenant).base_url
    return address(agreed, str(request.url))
