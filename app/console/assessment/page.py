"""GET the page of one assessment."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from app.console.assessment.view import assessment_view
from app.console.frame.addresses import HOME
from app.console.frame.door import page_for
from app.console.frame.site import page, reader_of
from app.errors import Problem
from app.routers.admission import caller_of
from app.routers.state import state_of
from app.services.explain import explain

router = APIRouter(
    prefix=f"{HOME}/assessments",
    tags=["console"],
    include_in_schema=False,
    route_class=page_for("read"),
)


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
