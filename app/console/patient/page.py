"""Trying a patient: GET the form of a branch point, POST what was typed; stored only when asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from app.console.frame.addresses import HOME
from app.console.frame.door import form_of, page_for
from app.console.frame.site import Reader, page, reader_of
from app.console.patient.example import example_form, has_example
from app.console.patient.typed import Typed, read_typed
from app.console.patient.view import answer_view, chooser_view, form_view
from app.errors import Problem
from app.routers.admission import caller_of
from app.routers.state import State, state_of
from app.services.answer_request import begin_answer
from app.services.try_patient import try_patient
from models.vocabulary import BranchPoint

ASSESS = "assess"
HERE = f"{HOME}/patient"
UNREADABLE = 422
router = APIRouter(
    prefix=HERE, tags=["console"], include_in_schema=False, route_class=page_for(ASSESS)
)


@router.get("")
async def choose(request: Request) -> Response:
    """The branch points at which the reader may ask."""
    state, caller = state_of(request), caller_of(request)
    mine = [
        point
        for point in state.vocabulary.branch_points.values()
        if caller.branch_points is None or point.id in caller.branch_points
    ]
    reader = reader_of(request, caller)
    return page(request, reader, "patient/choose.html", chooser_view(mine, reader))


@router.get("/{branch_point}")
async def show_form(branch_point: str, request: Request) -> Response:
    """The form: empty, or with the invented patient."""
    point = state_of(request).branch_point(branch_point, caller_of(request), ASSESS)
    reader = reader_of(request, caller_of(request))
    form: Mapping[str, str] = {}
    if "example" in request.query_params:
        form = example_form(point, reader.language)
    return _whole_page(request, reader, point, form)


@router.post("/{branch_point}")
async def answer(branch_point: str, request: Request) -> Response:
    """The form with the answer to what was typed; nothing is stored."""
    point = state_of(request).branch_point(branch_point, caller_of(request), ASSESS)
    reader = reader_of(request, caller_of(request))
    return _whole_page(request, reader, point, await form_of(request))


@router.post("/{branch_point}/answer")
async def answer_alone(branch_point: str, request: Request) -> Response:
    """The answer alone, for the script that puts it beside the form; nothing is stored."""
    state, caller = state_of(request), caller_of(request)
    point = state.branch_point(branch_point, caller, ASSESS)
    reader, form = reader_of(request, caller), await form_of(request)
    typed = read_typed(form, point, state.vocabulary, reader.language)
    view = _answer(typed, form, point, state, reader)
    return page(request, reader, "patient/answer.html", view)


@router.post("/{branch_point}/record")
async def record(branch_point: str, request: Request) -> Response:
    """Ask as every other way in does, and go to the recorded assessment."""
    state, caller = state_of(request), caller_of(request)
    point = state.branch_point(branch_point, caller, ASSESS)
    reader, form = reader_of(request, caller), await form_of(request)
    typed = read_typed(form, point, state.vocabulary, reader.language)
    if typed.unreadable:
        return _whole_page(request, reader, point, form, status=UNREADABLE)
    care_units = state.admission.identity.care_units(caller.tenant)
    given = begin_answer(typed.request, point, caller, care_units, state.parts)
    await given.durable
    made = orjson.loads(given.body)["assessment_id"]
    if reader.may("read"):
        return RedirectResponse(f"{HOME}/assessments/{made}", 303)
    return _whole_page(request, reader, point, form, recorded=made)


def _whole_page(
    request: Request,
    reader: Reader,
    point: BranchPoint,
    form: Mapping[str, str],
    *,
    recorded: str | None = None,
    status: int = 200,
) -> Response:
    state, caller = state_of(request), caller_of(request)
    typed = read_typed(form, point, state.vocabulary, reader.language)
    units = state.admission.identity.care_units(caller.tenant)
    view = {
        **form_view(typed, point, state.vocabulary, units, reader, form),
        **_answer(typed, form, point, state, reader),
        "has_example": has_example(point),
        "recorded": recorded,
        "refused": status == UNREADABLE,
    }
    return page(request, reader, "patient/patient.html", view, status)


def _answer(
    typed: Typed, form: Mapping[str, str], point: BranchPoint, state: State, reader: Reader
) -> dict[str, Any]:
    caller = reader.caller
    if caller is None:
        raise Problem(401, "Sign in first.")
    units = state.admission.identity.care_units(caller.tenant)
    tried = try_patient(typed.request, point, caller.tenant, units, state.parts)
    instead = None
    if typed.what_if is not None:
        instead = try_patient(typed.what_if, point, caller.tenant, units, state.parts)
    return answer_view(
        typed, tried, instead, point, state.vocabulary, reader, form.get("outcome", "")
    )
