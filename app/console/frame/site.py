"""Turns a view into a page: the frame, the language, the theme, the navigation."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from fastapi import Request, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from app.cds_hooks.wording import Words, load_wording
from app.console.frame.addresses import HOME
from app.console.frame.numbers import Numbers
from app.console.frame.session import FORM_COOKIE, Sessions
from app.console.frame.words import Texts, load_texts, preferred
from app.identity import Caller
from app.routers.state import state_of

FOLDER = Path(__file__).parent.parent
STATIC = FOLDER / "static"
OK = 200
LANGUAGE_COOKIE, THEME_COOKIE = "risk_console_language", "risk_console_theme"
THEMES = ("auto", "light", "dark")
NAVIGATION = (
    ("pathway", f"{HOME}/pathway", "read"),
    ("patient", f"{HOME}/patient", "assess"),
    ("models", f"{HOME}/models", "read"),
    ("figures", f"{HOME}/figures", "read"),
    ("inspector", f"{HOME}/inspector", "inspect"),
    ("integration", f"{HOME}/integration", "read"),
)
"""Name, address, and the scope without which a link would lead nowhere."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who looks at a page, and how they want it.

    Attributes
    ----------
    caller : Caller or None
        None on the page on which one signs in.
    words : Words
        What cards say: labels, bands, units, reasons for no answer.
    """

    caller: Caller | None
    texts: Texts
    words: Words
    numbers: Numbers
    theme: str

    @property
    def language(self) -> str:
        return self.texts.language

    def may(self, scope: str) -> bool:
        """Whether the reader has a scope."""
        return self.caller is not None and scope in self.caller.scopes


def reader_of(request: Request, caller: Caller | None) -> Reader:
    """How a request wants its page."""
    language = preferred(
        request.headers.get("accept-language", ""), request.cookies.get(LANGUAGE_COOKIE)
    )
    theme = request.cookies.get(THEME_COOKIE, THEMES[0])
    return Reader(
        caller,
        load_texts()[language],
        load_wording()[language],
        Numbers(language),
        theme if theme in THEMES else THEMES[0],
    )


def page(
    request: Request,
    reader: Reader,
    template: str,
    view: Mapping[str, Any],
    status: int = 200,
) -> Response:
    """A page as HTML.

    Parameters
    ----------
    template : str
        `<folder>/<name>.html`, below `app/console`.
    view : mapping
        What the template shows. Nothing in it is looked up later: a template asks no service.
    """
    sessions: Sessions = request.app.state.console
    form = request.cookies.get(FORM_COOKIE) or sessions.new_form()
    here = request.scope["path"]
    html = (
        _environment()
        .get_template(template)
        .render(
            **view,
            reader=reader,
            t=reader.texts,
            n=reader.numbers,
            w=reader.words,
            proof=sessions.proof(form),
            here=here,
            # What could not be shown may have been asked for by anything.
            back=quote(here if status == OK else HOME, safe=""),
            navigation=[(name, url) for name, url, scope in NAVIGATION if reader.may(scope)],
            is_open=state_of(request).admission.identity.is_open,
            static=static_url,
        )
    )
    response = Response(html, status, media_type="text/html; charset=utf-8")
    response.headers["content-language"] = reader.language
    response.headers["vary"] = "Cookie, Accept-Language"
    if FORM_COOKIE not in request.cookies:
        set_cookie(request, response, FORM_COOKIE, form)
    return response


def set_cookie(
    request: Request, response: Response, name: str, value: str, *, lasts_s: int | None = None
) -> None:
    """Set a cookie of the console: never readable by a script, never sent from within other sites' pages."""
    secure = request.url.scheme == "https" or state_of(request).settings.tls == "required"
    response.set_cookie(
        name, value, max_age=lasts_s, path=HOME, secure=secure, httponly=True, samesite="lax"
    )


@cache
def static_files() -> Mapping[str, bytes]:
    """Every file that pages load, by name."""
    return {file.name: file.read_bytes() for file in sorted(STATIC.iterdir()) if file.is_file()}


@cache
def static_url(name: str) -> str:
    """Where a page loads a file from: its digest is in the address, so that it may be kept for ever."""
    content = static_files().get(name, b"")
    return f"{HOME}/static/{hashlib.sha256(content).hexdigest()[:16]}/{name}"


def as_data(value: Any) -> Markup:
    """A value as JSON within a page: no text in it can end the element that it stands in."""
    text = orjson.dumps(value).decode()
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704 - every sign that HTML reads is written as JSON's escape


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["as_data"] = as_data
    return made
