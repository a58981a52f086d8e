"""What operators ask: is it alive, is it ready, what does it count, what does it offer."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from html import escape
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

from app.routers.admission import OPERATIONS, guarded
from app.routers.state import as_json, state_of
from app.schemas.documents import LivenessDocument, ReadinessDocument
from app.serving.figures.outcome_following import EXPOSITION
from app.serving.worker_group import WorkerRow
from models.gate_record import SERVE
from monitoring.exposition import CONTENT_TYPE

CHALLENGER_SHOWN = (
    "name", "version", "digest", "answered", "abstained", "begun", "lag_s", "set_aside",
)  # fmt: skip
OPEN_NOTE = "development mode: callers are not authenticated; loopback only"
liveness = APIRouter(tags=["operations"])
router = APIRouter(tags=["operations"], route_class=guarded(OPERATIONS))


@liveness.get("/livez", summary="Is the process alive?", response_model=LivenessDocument)
async def livez() -> Response:
    """200 as long as the process answers."""
    return as_json({"alive": True})


@router.get(
    "/readyz",
    summary="Are all champions loaded and proven?",
    response_model=ReadinessDocument,
    responses={503: {"model": ReadinessDocument}},
)
async def readyz(request: Request) -> Response:
    """200 when every champion is loaded and proven on its own example, otherwise 503 and why.

    `serving_from_cache` says that the registry has not confirmed what is served: it does not answer,
    or has not been asked since the start.
    """
    state = state_of(request)
    follower, served = state.follower.state, state.slot.models
    ledger, is_open = state.parts.ledger, state.admission.identity.is_open
    silence = state.parts.silence
    waiting = sorted(set(follower.champions) - set(served))
    ready = bool(served) and not waiting and ledger.failing is None and silence.known
    reason = None
    if ready:
        reason = None
    elif not follower.asked and not follower.champions:
        reason = "the registry has not been asked yet"
    elif not follower.reachable and not follower.champions:
        reason = "the registry did not answer and the cache holds no model"
    elif not follower.champions:
        reason = "the registry names no champion; see `risk-train promote`"
    elif waiting:
        reason = "champions without a loaded model: " + ", ".join(waiting)
    elif ledger.failing is not None:
        reason = f"the ledger cannot record ({ledger.failing})"
    elif not silence.known:
        reason = "the ledger has not been read yet: who is silent is not known"
    seq, chain = ledger.head
    workers, _ = state.follower.workers()
    body = {
        "ready": ready,
        "reason": reason,
        "open": is_open,
        "note": OPEN_NOTE if is_open else "callers are authenticated",
        "ledger": {
            "recording": ledger.failing is None,
            "reason": ledger.failing,
            "waiting": ledger.waiting,
            "head": {"seq": seq, "chain": chain} if seq else None,
        },
        "registry": {
            "reachable": follower.reachable,
            "serving_from_cache": follower.from_cache,
            "last_success": follower.last_success or None,
        },
        "models": [model.reference for model in served.values()],
        "ungated": [
            {"name": name, "version": model.version, "reason": model.gate.doubt}
            for name, model in sorted(served.items())
            if model.gate.doubt is not None and state.settings.ungated != SERVE
        ],
        "refused": [{"name": name, **why} for name, why in sorted(follower.refused.items())],
        "silent": [
            {"tenant": tenant, "branch_point": point} for tenant, point in sorted(silence.now)
        ],
        "workers": [worker_document(row) for row in workers],
        "challengers": [
            {key: one[key] for key in CHALLENGER_SHOWN} for row in workers for one in row.shadow
        ],
    }
    return as_json(body, 200 if ready else 503)


def worker_document(row: WorkerRow) -> dict[str, Any]:
    """How one worker of this service follows; every worker says it of all."""
    return {
        "worker": row.worker,
        "last_success": row.last_success or None,
        "serving_from_cache": row.from_cache,
        "models": {name: version for name, version, _, _ in row.models},
        "refused": {name: version for name, version, _ in row.refused},
    }


@router.get("/metrics", summary="Prometheus metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Counters and gauges in Prometheus' text format."""
    state = state_of(request)
    workers, failures = state.follower.workers()
    state.metrics.following(
        [row.models for row in workers],
        [row.last_success for row in workers],
        from_cache=sum(row.from_cache for row in workers),
        failures=failures,
        living={row.worker for row in workers},
    )
    state.metrics.shadowing([one for row in workers for one in row.shadow])
    ledger = state.parts.ledger
    state.metrics.silence(current=state.parts.silence.current)
    state.metrics.ledger(ledger.waiting, up=ledger.failing is None)
    pieces = []
    for piece in state.metrics.pieces():
        pieces.append(piece)
        await asyncio.sleep(0)  # let patients through
    if (shared := state.follower.group.shared()) is not None:
        with suppress(OSError):  # none yet, or nobody follows outcomes
            pieces.append((shared[0] / EXPOSITION).read_bytes())
    return Response(b"".join(pieces), media_type=CONTENT_TYPE)


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> Response:
    """The interface for machines."""
    return as_json(request.app.openapi())


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> Response:
    """The interface as a page that loads nothing from elsewhere."""
    schema = request.app.openapi()
    rows = []
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            rows.append(
                f"<tr><td><code>{method.upper()}</code></td><td><code>{escape(path)}</code></td>"
                f"<td>{escape(operation.get('summary', ''))}</td>"
                f"<td>{escape(operation.get('description', ''))}</td></tr>"
            )
    title = escape(schema["info"]["title"])
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
        f"<body><main><h1>{title}</h1><p>{escape(schema['info']['description'])}</p>"
        f'<p>Machine-readable: <a href="/openapi.json">/openapi.json</a></p>'
        f"<table><thead><tr><th>method</th><th>path</th><th>what</th><th>how</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table><h2>Examples</h2>{_examples(schema)}"
        "</main></body></html>"
    )


def _examples(schema: dict[str, Any]) -> str:
    """Every example of the document, folded, the question above its answer."""
    folded = []
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            asked = _examples_of(operation.get("requestBody", {}))
            told = _examples_of(operation["responses"].get("200", {}))
            for name, example in asked.items():
                texts = [example["value"], *([told[name]["value"]] if name in told else [])]
                shown = "".join(
                    f"<pre>{escape(json.dumps(text, indent=1, ensure_ascii=False))}</pre>"
                    for text in texts
                )
                title = f"{method.upper()} {path.replace('{branch_point}', name)}"
                summary = f"<code>{escape(title)}</code> {escape(example.get('summary', ''))}"
                folded.append(f"<details><summary>{summary}</summary>{shown}</details>")
    return "".join(folded)


def _examples_of(body: dict[str, Any]) -> dict[str, Any]:
    return {
        name: example
        for media in body.get("content", {}).values()
        for name, example in media.get("examples", {}).items()
    }
