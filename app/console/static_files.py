"""What pages load: styles, scripts, the picture library; all of it from here."""

from __future__ import annotations

import mimetypes

from fastapi import APIRouter, Request, Response

from app.console.frame.addresses import HOME
from app.console.frame.door import page_for
from app.console.frame.site import static_files, static_url
from app.errors import Problem
from app.routers.admission import OPEN

KEEP = "public, max-age=31536000, immutable"
router = APIRouter(
    prefix=HOME, tags=["console"], include_in_schema=False, route_class=page_for(OPEN)
)

by_browsers = APIRouter(include_in_schema=False, route_class=page_for(OPEN))
ICON = "icon.svg"


@by_browsers.get("/favicon.ico")
async def read_icon(request: Request) -> Response:
    """What browsers ask for by themselves, on model cards and every page that names no icon."""
    return Response(static_files()[ICON], media_type="image/svg+xml")


@router.get("/static/{digest}/{name}")
async def read_static(digest: str, name: str, request: Request) -> Response:
    """A file under the address that holds its digest, so that a browser may keep it for ever."""
    content = static_files().get(name)
    if content is None or request.scope["path"] != static_url(name):
        raise Problem(404, "There is no such file.")
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response(content, media_type=kind, headers={"cache-control": KEEP})
