"""GET the start: on to the first page of the navigation that the caller's scopes reach."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from app.console.frame.addresses import HOME
from app.console.frame.door import admit_to, page_for
from app.console.frame.site import NAVIGATION
from app.errors import Problem
from app.routers.admission import OPEN

FORBIDDEN = 403
router = APIRouter(tags=["console"], include_in_schema=False, route_class=page_for(OPEN))


@router.get(HOME)
async def begin(request: Request) -> Response:
    """The door asks for every page again, so nothing is shown here."""
    first = {scope: url for _, url, scope in reversed(NAVIGATION)}
    refused: Problem | None = None
    for _, _, scope in NAVIGATION:
        if (url := first.pop(scope, None)) is None:
            continue
        try:
            await admit_to(request, scope)
        except Problem as problem:
            if problem.status != FORBIDDEN:
                raise
            refused = problem
        else:
            return RedirectResponse(url, 303)
    raise refused or Problem(404, "There is no page.")


@router.get(f"{HOME}/")
async def begin_with_slash(request: Request) -> Response:
    """The same with a slash at its end, as people type it."""
    return await begin(request)
