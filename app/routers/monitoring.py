"""GET the figures that Prometheus holds, for people without it: from the ledger, not from counters."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from app.routers.admission import caller_of, guarded
from app.routers.state import as_json, state_of
from app.schemas.documents import ProblemDocument
from app.schemas.documents.monitoring import DriftDocument, PerformanceDocument
from app.services.read_figures import read_drift, read_outcomes

router = APIRouter(prefix="/v1/monitoring", tags=["monitoring"], route_class=guarded("read"))

Window = Literal["1h", "1d", "7d", "30d"]
OutcomeWindow = Literal["1h", "1d", "7d", "30d", "365d"]
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemDocument} for status in (422, 503)
}


@router.get(
    "/drift",
    summary="Drift of what the served models were asked",
    response_model=DriftDocument,
    responses=PROBLEMS,
)
async def get_drift(
    request: Request, window: Annotated[Window, Query(description="Up to now.")] = "7d"
) -> Response:
    """PSI, Jensen-Shannon, missing, unseen and reasons per feature, now and when it was fitted.

    Over all callers of this service; at most a minute old.
    """
    state = state_of(request)
    found = await read_drift(window, state.slot.models, state.drift)
    return Response(found, media_type="application/json")


@router.get(
    "/performance",
    summary="What became of what was predicted",
    response_model=PerformanceDocument,
    responses=PROBLEMS,
)
async def get_performance(
    request: Request, window: Annotated[OutcomeWindow, Query(description="Up to now.")] = "30d"
) -> Response:
    """Observed over expected, Brier score, calibration, charts of units: by when outcomes were known.

    Over all callers of this service, but units of the caller's own tenant only.
    """
    state, caller = state_of(request), caller_of(request)
    own = state.admission.identity.care_units(caller.tenant)
    return as_json(read_outcomes(window, state.follower.group.shared(), own))
