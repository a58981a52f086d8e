"""The door of the console's pages: the same identity and scopes as every call, told to people.

Who has no credential is led to the page on which one signs in, and back. What changes something comes
as a form of ours, or not at all. Refusals and failures are pages as well.
"""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute

from app.console.frame.addresses import HOME, own_address
from app.console.frame.session import COOKIE, FORM_COOKIE, Credential, Sessions
from app.console.frame.site import page, reader_of
from app.deid import IdentifierFound
from app.errors import Problem
from app.routers.admission import CALLER, OPEN, Direct, Handler
from app.routers.state import problem_of, problem_response, state_of
from monitoring.ledger import LedgerUnavailable

SIGN_IN = f"{HOME}/sign-in"
PROOF_HEADER, PROOF_FIELD = "x-console-form", "form"
URL_ENCODED, FORM = "application/x-www-form-urlencoded", "risk.form"
SAFE = ("GET", "HEAD")
UNAUTHENTICATED, FORBIDDEN = 401, 403


def page_for(needed: str) -> type[APIRoute]:
    """A kind of route that only people with a scope can reach; `open` for everybody.

    A script's call (`Accept: application/json`) is refused as calls of the API are.
    """

    class Page(Direct):
        scope: ClassVar[str] = needed

        def get_route_handler(self) -> Handler:
            handle = super().get_route_handler()

            async def admitted(request: Request) -> Response:
                caller = None
                try:
                    caller = request.scope[CALLER] = await admit_to(request, needed)
                    if request.method not in SAFE:
                        await _refuse_foreign_form(request)
                    return await handle(request)
                except (Problem, LedgerUnavailable, IdentifierFound) as error:
                    problem = problem_of(error)
                if "application/json" in request.headers.get("accept", ""):
                    return problem_response(request.scope["path"], problem)
                if problem.status == UNAUTHENTICATED and request.method in SAFE:
                    wanted = quote(own_address(request.scope["path"]), safe="")
                    return RedirectResponse(f"{SIGN_IN}?next={wanted}", 303)
                view = {"problem": problem.document(), "status": problem.status}
                told = page(
                    request, reader_of(request, caller), "frame/problem.html", view, problem.status
                )
                told.headers.update(problem.headers)
                return told

            return admitted

    return Page


async def admit_to(request: Request, needed: str) -> Any:
    """The caller of a page; None where everybody may look.

    Raises
    ------
    Problem
        401, 403 or 429.
    """
    if needed == OPEN:
        return None
    credential = credential_of_session(request)
    instead = {} if credential is None else {credential.header.encode(): credential.value}
    return await state_of(request).admission.admit(request, needed, instead)


def credential_of_session(request: Request) -> Credential | None:
    """What the reader signed in with; None where nobody did."""
    sessions: Sessions = request.app.state.console
    cookie = request.cookies.get(COOKIE)
    return sessions.open(cookie) if cookie else None


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form that was sent; the last of two with one name.

    Raises
    ------
    Problem
        As `BodyReader.read` does; 400 when it is no form.
    """
    if (known := request.scope.get(FORM)) is None:
        body = await state_of(request).bodies.read(request)
        try:
            known = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=1000))
        except ValueError:
            raise Problem(400, "The form cannot be read.") from None
        request.scope[FORM] = known
    found: dict[str, str] = known
    return found


async def _refuse_foreign_form(request: Request) -> None:
    """Refuse what another site had a browser send.

    Raises
    ------
    Problem
        403.
    """
    sessions: Sessions = request.app.state.console
    proof = request.headers.get(PROOF_HEADER)
    if proof is None and request.headers.get("content-type", "").startswith(URL_ENCODED):
        proof = (await form_of(request)).get(PROOF_FIELD)
    if not sessions.is_ours(request.cookies.get(FORM_COOKIE), proof):
        raise Problem(
            FORBIDDEN, "The form is not one of this service's, or is too old: reload the page."
        )
