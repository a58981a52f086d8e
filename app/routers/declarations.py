"""GET what is declared: branch points and the feature dictionary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response

from app.routers.admission import caller_of, guarded
from app.routers.state import State, as_json, state_of
from app.schemas.documents import BranchPointDocument, FeatureDocument, ProblemDocument
from app.serving.slot import ServedModel
from models.vocabulary import BranchPoint, Feature, Vocabulary

router = APIRouter(prefix="/v1", tags=["declarations"], route_class=guarded("read"))


def branch_point_document(
    point: BranchPoint,
    vocabulary: Vocabulary,
    served: Mapping[str, ServedModel],
    *,
    silent: bool,
) -> dict[str, Any]:
    """A branch point as the clients of one tenant read it."""
    outcomes = []
    for name, bands in point.outcomes.items():
        outcome = vocabulary.outcomes[name]
        champion = served.get(f"{point.id}.{name}")
        outcomes.append(
            {
                "outcome": name,
                "label": {"en": outcome.label_en, "sv": outcome.label_sv},
                "kind": outcome.kind,
                "family": outcome.family,
                "unit": outcome.unit,
                "horizon_days": outcome.horizon_days,
                "definition": outcome.definition,
                "competing": outcome.competing,
                "bands": None
                if bands is None
                else {
                    "names": list(bands.names),
                    "limits": list(bands.limits),
                    "source": bands.source,
                    "capacity": asdict(bands.capacity),
                },
                "champion": None if champion is None else champion.reference,
            }
        )
    return {
        "id": point.id,
        "stage": point.stage,
        "title": {"en": point.title_en, "sv": point.title_sv},
        "question": {"en": point.question_en, "sv": point.question_sv},
        "hook": point.hook,
        "intended_purpose": point.intended_purpose,
        "who": point.who,
        "reference_scores": list(point.reference_scores),
        "required": list(point.required),
        "optional": list(point.optional),
        "silent": silent,
        "outcomes": outcomes,
        "actions": [
            {
                "id": action.id,
                "label": {"en": action.label_en, "sv": action.label_sv},
                "outcome": action.outcome,
                "bands": list(action.bands),
                "source": action.source,
                "capacity": action.capacity,
            }
            for action in point.actions
        ],
    }


def feature_document(feature: Feature) -> dict[str, Any]:
    """A dictionary row as clients read it."""
    return {
        "name": feature.name,
        "label": {"en": feature.label_en, "sv": feature.label_sv},
        "group": feature.group,
        "kind": feature.kind,
        "unit": feature.unit,
        "accepted_units": [
            {"unit": unit, "factor": c.factor, "offset": c.offset}
            for unit, c in feature.conversions.items()
        ],
        "plausible": None if feature.plausible is None else list(feature.plausible),
        "integer": feature.integer,
        "categories": list(feature.categories),
        "ordered": feature.ordered,
        "pattern": feature.pattern,
        "codes": {system: list(codes) for system, codes in feature.codes.items()},
        "maximum_age_hours": feature.maximum_age_hours,
        "earliest": feature.earliest,
        "direction": feature.direction,
        "source": feature.source,
    }


@router.get(
    "/branch-points", summary="List branch points", response_model=list[BranchPointDocument]
)
async def list_branch_points(request: Request) -> Response:
    """Every declared branch point, with which outcomes have a champion."""
    state, tenant = state_of(request), caller_of(request).tenant
    return as_json([_document(p, state, tenant) for p in state.vocabulary.branch_points.values()])


@router.get(
    "/branch-points/{branch_point}",
    summary="Read one branch point",
    response_model=BranchPointDocument,
    responses={404: {"model": ProblemDocument}},
)
async def read_branch_point(branch_point: str, request: Request) -> Response:
    """One declared branch point: question, purpose, inputs, outcomes, actions."""
    state, caller = state_of(request), caller_of(request)
    point = state.branch_point(branch_point, caller, "read")
    return as_json(_document(point, state, caller.tenant))


def _document(point: BranchPoint, state: State, tenant: str) -> dict[str, Any]:
    silent = (tenant, point.id) in state.parts.silence.now
    return branch_point_document(point, state.vocabulary, state.slot.models, silent=silent)


@router.get("/features", summary="Read the dictionary", response_model=list[FeatureDocument])
async def list_features(request: Request) -> Response:
    """Every feature: unit, accepted units, plausible range, codes, earliest branch point."""
    return as_json([feature_document(f) for f in state_of(request).vocabulary.features.values()])
