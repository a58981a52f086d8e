"""GET what is served: models, versions, figures and cards."""

from __future__ import annotations

from html import escape
from typing import Any

import markdown
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from app.errors import Problem
from app.routers.admission import guarded
from app.routers.state import as_json, state_of
from app.schemas.documents import ModelDocument, ProblemDocument
from app.serving.slot import ServedModel
from models.gate_record import OVERRIDDEN

router = APIRouter(prefix="/v1/models", tags=["models"], route_class=guarded("read"))

NOT_SERVED: dict[int | str, dict[str, Any]] = {404: {"model": ProblemDocument}}


def model_document(served: ServedModel) -> dict[str, Any]:
    """A served model as clients read it."""
    return served.reference | {
        "branch_point": served.model.branch_point,
        "outcome": served.model.outcome,
        "kind": served.model.kind,
        "features": list(served.model.features),
        "required": list(served.model.required),
        "typical": served.model.typical,
        "trained_on": dict(served.card["cohort"]),
        "evaluation": dict(served.evaluation),
        "gate": served.gate.document(),
    }


def _served(name: str, request: Request) -> ServedModel:
    served = state_of(request).slot.models.get(name)
    if served is None:
        raise Problem(404, "No such model is served; GET /v1/models lists them.")
    return served


@router.get("", summary="List served models", response_model=list[ModelDocument])
async def list_models(request: Request) -> Response:
    """Every served model with version, digest, training data and evaluation."""
    return as_json([model_document(served) for served in state_of(request).slot.models.values()])


@router.get("/{name}", summary="Read one model", response_model=ModelDocument, responses=NOT_SERVED)
async def read_model(name: str, request: Request) -> Response:
    """One served model."""
    return as_json(model_document(_served(name, request)))


@router.get(
    "/{name}/card",
    summary="Read a model card",
    response_class=HTMLResponse,
    responses={
        200: {"content": {"application/json": {"schema": {"type": "object"}}, "text/html": {}}},
        **NOT_SERVED,
    },
)
async def read_card(name: str, request: Request) -> Response:
    """The model card: JSON when `Accept` asks for it, otherwise a page."""
    served = _served(name, request)
    if _prefers_json(request.headers.get("accept", "")):
        return as_json(dict(served.card) | {"gate": served.gate.document()})
    body = markdown.markdown(served.card_markdown, extensions=["tables"]) + gate_section(served)
    title = escape(served.model.name)
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"></head>'
        f"<body><main>{body}</main></body></html>"
    )
    return HTMLResponse(page)


def gate_section(served: ServedModel) -> str:
    """How the served version passed the gate, or that it did not, as HTML for the end of its card.

    The bundle cannot say it: it was decided after the bundle was closed.
    """
    record, doubt = served.gate.record, served.gate.doubt
    lines = [] if doubt is None else [f"<strong>Not gated</strong>: {escape(doubt)}."]
    if record is not None:
        when = f"by {escape(record.decided_by)} at {escape(record.decided_at)}"
        if record.verdict == OVERRIDDEN:
            lines += [
                f"<strong>Promoted against the gate</strong> {when}, because: "
                f"{escape(record.reason or '')}",
                f"Rules that did not hold: {escape(', '.join(record.failed))}.",
            ]
        else:
            lines.append(f"{escape(record.verdict.capitalize())}, decided {when}.")
    return "<h2>Promotion gate</h2>" + "".join(f"<p>{line}</p>" for line in lines)


def _prefers_json(accept: str) -> bool:
    """Whether JSON stands before HTML in an Accept header."""
    order = [part.split(";")[0].strip().lower() for part in accept.split(",")]
    for media_type in order:
        if media_type == "application/json":
            return True
        if media_type == "text/html":
            return False
    return False
