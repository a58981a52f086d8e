"""GET what is served: models, versions, figures and cards."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from app.errors import Problem
from app.routers.admission import guarded
from app.routers.state import as_json, state_of
from app.schemas.documents import ModelDocument, ProblemDocument
from app.serving.slot import ServedModel
from models.card import card_page, chai_card

router = APIRouter(prefix="/v1/models", tags=["models"], route_class=guarded("read"))

XML = "application/xml"
FORMS = ("application/json", XML, "text/xml", "text/html")
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
        200: {
            "content": {
                "application/json": {"schema": {"type": "object"}},
                "application/xml": {},
                "text/html": {},
            }
        },
        **NOT_SERVED,
    },
)
async def read_card(name: str, request: Request) -> Response:
    """The model card: a page, JSON, or the applied model card of CHAI as XML, as `Accept` asks."""
    served = _served(name, request)
    match _preferred(request.headers.get("accept", "")):
        case "application/json":
            return as_json(dict(served.card) | {"gate": served.gate.document()})
        case "application/xml" | "text/xml":
            return Response(chai_card(served.card, served.reference), media_type=XML)
    return HTMLResponse(card_page(served.card, _standing(served), _elsewhere(served)))


def _elsewhere(served: ServedModel) -> dict[str, str]:
    """From the card back to the console, from which most readers come."""
    return {
        "This model in the console": f"/console/models/{served.model.name}",
        "Its branch point": f"/console/pathway/{served.model.branch_point}",
        "All models": "/console/models",
    }


def _standing(served: ServedModel) -> dict[str, str]:
    named = served.reference
    shown = {key.capitalize(): named[key] for key in ("version", "alias", "digest")}
    return shown | served.gate.said()


def _preferred(accept: str) -> str:
    """The first of the forms of a card that an Accept header names with the highest weight."""
    weighed = []
    for part in accept.split(","):
        media_type, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if media_type in FORMS:
            weighed.append((_weight(parameters), media_type))
    best = max((weight for weight, _ in weighed), default=0.0)
    return next((form for weight, form in weighed if weight == best and weight > 0), "text/html")


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0
