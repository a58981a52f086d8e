"""GET the page of one assessment; POST its number to be led there."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from app.console.assessment.view import assessment_view
from app.console.frame.addresses import HOME, assessment_address
from app.console.frame.door import form_of, page_for
from app.console.frame.site import page, reader_of
from app.errors import Problem
from app.routers.admission import caller_of
from app.routers.state import state_of
from app.services.explain import explain

SEE_OTHER = 303
router = APIRouter(
    prefix=f"{HOME}/assessments",
    tags=["console"],
    include_in_schema=False,
    route_class=page_for("read"),
)


@router.post("")
async def open_by_number(request: Request) -> Response:
    """On to the assessment whose number was typed; sent as a form, so that no address holds what was typed."""
    found = assessment_address((await form_of(request)).get("number", ""))
    if found is None:
        raise Problem(422, "That is not the number of an assessment: 36 signs were expected.")
    return RedirectResponse(found, SEE_OTHER)


@router.get("/{assessment_id}")
async def show_assessment(assessment_id: str, request: Request) -> Response:
    """Risks with reasons, inputs, episode and models of one recorded assessment."""
    state, caller = state_of(request), caller_of(request)
    explained = await explain(assessment_id, caller, state.parts)
    if explained is None:
        raise Problem(404, "No such assessment.")
    reader = reader_of(request, caller)
    view = assessment_view(explained, state.vocabulary, reader)
    return page(request, reader, "assessment/assessment.html", view)
