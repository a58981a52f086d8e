"""GET the figures that Prometheus holds, for people without it: from the ledger, not from counters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query, Request, Response

from app.errors import Problem
from app.routers.admission import caller_of, guarded
from app.routers.state import as_json, state_of
from app.schemas.documents import ProblemDocument
from app.schemas.documents.monitoring import DriftDocument, PerformanceDocument
from app.serving.figures.outcome_following import PERFORMANCE

router = APIRouter(prefix="/v1/monitoring", tags=["monitoring"], route_class=guarded("read"))

HOUR_S = 3600.0
WINDOWS_S = {"1h": HOUR_S, "1d": 24 * HOUR_S, "7d": 168 * HOUR_S, "30d": 720 * HOUR_S}
Window = Literal["1h", "1d", "7d", "30d"]
OutcomeWindow = Literal["1h", "1d", "7d", "30d", "365d"]
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemDocument} for status in (422, 503)
}
NOT_YET = "The ledger has not been read for outcomes yet."


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
    profiles = [model.profile for _, model in sorted(state.slot.models.items())]
    found = await state.drift.read(profiles, WINDOWS_S[window])
    return Response(b'{"window":"%s",' % window.encode() + found[1:], media_type="application/json")


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
    shared = state.follower.group.shared()
    found = None if shared is None else _read(shared[0] / PERFORMANCE)
    if found is None:
        raise Problem(503, NOT_YET, headers={"Retry-After": "5"})
    own = state.admission.identity.care_units(caller.tenant)
    told = found["windows"][window]
    # The charts stand once in the file, with the points of the longest window.
    for chart in found["charts"]:
        chart["points"] = [point for point in chart["points"] if point["at"] > told["since"]]
    for part, rows in (("units", told["units"]), ("charts", found["charts"])):
        told[part] = [row for row in rows if row["unit"] in own]
    return as_json({"window": window, "read": found["read"], **told})


def _read(path: Path) -> Any:
    try:
        return orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
