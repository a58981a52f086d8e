"""POST to let every worker look at the registry now: by an operator, or by MLflow itself."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from app.errors import Problem
from app.identity import Refused
from app.routers.admission import guarded
from app.routers.state import State, as_json, state_of
from app.schemas.documents import ProblemDocument
from app.schemas.documents.operations import RefreshDocument
from app.serving.follower import HEAR_S, LEAST_BETWEEN_LOOKS_S

OPERATE = "operate"
router = APIRouter(prefix="/v1", tags=["models"], route_class=guarded(OPERATE))
signed = APIRouter(prefix="/v1", tags=["models"])
ACCEPTED: dict[int | str, dict[str, Any]] = {202: {"model": RefreshDocument}}
SIGNATURE_SCHEME = {
    "mlflow_signature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-MLflow-Signature",
        "description": "HMAC-SHA256 with the webhook's secret, as MLflow signs.",
    }
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemDocument} for status in (400, 401, 404, 408, 413)
}


@router.post(
    "/models:refresh",
    summary="Look at the registry now",
    status_code=202,
    response_model=RefreshDocument,
    responses=ACCEPTED,
)
async def refresh(request: Request) -> Response:
    """Every worker looks at the registry's aliases at once instead of at its next interval.

    What it finds goes the usual way: loaded, proven, then served; `/readyz` names what each worker
    serves and refuses.
    """
    return _look_now(state_of(request), new=True)


@signed.post(
    "/models:webhook",
    summary="Receive MLflow's webhook",
    status_code=202,
    response_model=RefreshDocument,
    responses={**ACCEPTED, **PROBLEMS},
    openapi_extra={"security": [{name: []} for name in SIGNATURE_SCHEME]},
)
async def webhook(request: Request) -> Response:
    """The same for MLflow: any delivery signed with `RISK_WEBHOOK_SECRET_FILE`'s secret.

    What it says is not believed: the registry itself is asked. A delivery that comes again changes
    nothing. Without a secret there is nothing at this path.
    """
    state = state_of(request)
    if state.deliveries is None:
        raise Problem(404, "No webhook is received here; see RISK_WEBHOOK_SECRET_FILE.")
    body = await state.bodies.read(request)
    try:
        new = state.deliveries.accept(request.headers, body)
    except Refused as refusal:
        state.metrics.refused(refusal.reason)
        raise refusal.problem() from None
    return _look_now(state, new=new)


def _look_now(state: State, *, new: bool) -> Response:
    if new:
        state.follower.look_now()
    answer = {
        "status": "looking" if new else "known_already",
        "workers": len(state.follower.workers()[0]),
        "begins_within_s": HEAR_S + LEAST_BETWEEN_LOOKS_S,
        "interval_s": state.settings.registry_poll_s,
    }
    return as_json(answer, 202)
