"""GET what an integrator needs; POST an example to see it answered, or to have everything checked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from app.cds_hooks.discovery import discovery
from app.console.frame.addresses import HOME
from app.console.frame.door import credential_of_session, form_of, page_for
from app.console.frame.site import page, reader_of
from app.console.integration.checked import check_at
from app.console.integration.view import WAYS, address, answered, integration_view, report_view
from app.errors import Problem
from app.examples import Answerer, load_examples
from app.identity import Caller
from app.routers.admission import caller_of
from app.routers.state import State, state_of
from app.schemas.assessment_request import AssessmentRequest
from app.services.try_patient import try_patient

NOT_KEPT = "00000000-0000-0000-0000-000000000000"
"""In the place of an assessment's number: cards and resources must have one."""
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
    return await _shown(request, request.query_params)


@sending.post("/send")
async def send_example(request: Request) -> Response:
    """The example of a branch point, answered by the models that are served; nothing is recorded."""
    state, caller, form = state_of(request), caller_of(request), await form_of(request)
    point = state.branch_point(form.get("point", ""), caller, "assess")
    way = form.get("way", WAYS[0])
    if way not in WAYS:
        raise Problem(404, "There is no such example.")
    example = next(one for one in load_examples() if one.branch_point == point.id)
    care_units = state.admission.identity.care_units(caller.tenant)

    def answer(asked: AssessmentRequest) -> dict[str, Any]:
        tried = try_patient(asked, point, caller.tenant, care_units, state.parts)
        return {**tried.answer, "assessment_id": NOT_KEPT}

    answerer = Answerer(
        state.desk.services[point.id],
        state.vocabulary,
        state.codings[caller.tenant],
        answer,
        reader_of(request, caller).language,
    )
    live = json.dumps(answered(answerer, example, way), indent=2, ensure_ascii=False)
    return await _shown(request, {"point": point.id, "way": way}, live=live)


@sending.post("/check")
async def check(request: Request) -> Response:
    """Everything that `risk-serve check-integration` tries, as the reader; what it asks is recorded."""
    where = _own_address(request)
    if where is None:
        raise Problem(409, "Only over TLS, and `base_url` is not declared: run the command.")
    report = await check_at(where, credential_of_session(request))
    return await _shown(request, {}, report=report)


async def _shown(
    request: Request,
    asked: Mapping[str, str],
    live: str | None = None,
    report: Mapping[str, Any] | None = None,
) -> Response:
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
    more = {
        "live": live,
        "report": None if report is None else report_view(report),
        "may_check": reader.may("assess") and _own_address(request) is not None,
    }
    return page(request, reader, "integration/integration.html", {**view, **more})


def _may_ask(point: str, caller: Caller) -> bool:
    return caller.branch_points is None or point in caller.branch_points


def _address(request: Request, state: State, caller: Caller) -> str:
    agreed = state.admission.identity.cds_agreement(caller.tenant).base_url
    return address(agreed, str(request.url))


def _own_address(request: Request) -> str | None:
    """Where this service can be reached from its own machine; None where nobody declared how."""
    state, caller = state_of(request), caller_of(request)
    if state.settings.tls == "required":
        return state.admission.identity.cds_agreement(caller.tenant).base_url
    host, port = request.scope["server"]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
