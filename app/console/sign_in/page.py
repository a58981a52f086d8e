"""Signing in and out, and how somebody wants their pages."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from app.console.frame.addresses import HOME, own_address
from app.console.frame.door import SIGN_IN, form_of, page_for
from app.console.frame.session import (
    COOKIE,
    LONGEST_S,
    Sessions,
    SessionTooLarge,
    credential_of,
)
from app.console.frame.site import (
    LANGUAGE_COOKIE,
    THEME_COOKIE,
    THEMES,
    page,
    reader_of,
    set_cookie,
)
from app.console.frame.words import LANGUAGES
from app.errors import Problem
from app.routers.admission import OPEN
from app.routers.state import state_of

YEAR_S = 365 * 24 * 3600
router = APIRouter(
    prefix=HOME, tags=["console"], include_in_schema=False, route_class=page_for(OPEN)
)


@router.get("/sign-in")
async def show_sign_in(request: Request) -> Response:
    """The form."""
    view = {"next": own_address(request.query_params.get("next", HOME)), "fault": None}
    return page(request, reader_of(request, None), "sign_in/sign_in.html", view)


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Take a credential that the service itself accepts."""
    form = await form_of(request)
    onward, credential = (
        own_address(form.get("next", HOME)),
        credential_of(form.get("credential", "")),
    )
    sessions: Sessions = request.app.state.console
    fault = "refused"
    try:
        await state_of(request).admission.identity.caller(
            path=SIGN_IN,
            authorization=credential.value if credential.header == "authorization" else None,
            api_key=credential.value if credential.header == "x-api-key" else None,
        )
        cookie = sessions.seal(credential)
    except SessionTooLarge:
        fault = "too_large"
    except Problem as problem:
        if problem.status not in (401, 403):
            raise
    else:
        response: Response = RedirectResponse(onward, 303)
        set_cookie(request, response, COOKIE, cookie, lasts_s=LONGEST_S)
        return response
    view = {"next": onward, "fault": fault}
    return page(request, reader_of(request, None), "sign_in/sign_in.html", view, 401)


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """Forget the credential."""
    response = RedirectResponse(SIGN_IN, 303)
    set_cookie(request, response, COOKIE, "", lasts_s=0)
    return response


@router.get("/preferences")
async def prefer(request: Request) -> Response:
    """Keep a language or a theme, and go back to where the reader was."""
    asked = request.query_params
    response = RedirectResponse(own_address(asked.get("next", HOME)), 303)
    if (language := asked.get("language")) in LANGUAGES:
        set_cookie(request, response, LANGUAGE_COOKIE, str(language), lasts_s=YEAR_S)
    if (theme := asked.get("theme")) in THEMES:
        set_cookie(request, response, THEME_COOKIE, str(theme), lasts_s=YEAR_S)
    return response
