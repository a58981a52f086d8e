"""One request answered: de-identified, assessed, recorded; every way in calls this.

The order is the safety: the ledger has the answer, durable, before anybody sees it, and the access
log's line goes with it in the same transaction.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from app.access_log import Actor, Touched
from app.access_log.seal import ASSESS
from app.deid import POLICY_VERSION, Deidentified, IdentifierFound
from app.schemas.assessment_request import AssessmentRequest
from app.schemas.statuses import ANSWERED
from app.services.parts import Parts
from app.services.silence import marked_silent, silent_answer
from app.services.work_out import work_out
from models.vocabulary import IMPLAUSIBLE, BranchPoint, Intake
from monitoring.ledger import Assessment, new_identifier


@dataclass(frozen=True, slots=True)
class Given:
    """An answer that is on its way to the ledger.

    Attributes
    ----------
    body : bytes
        What is answered, as it is sent and, unless the branch point is silent, as it is stored.
        Bytes alone: while answers wait for their commit, the hundreds of objects of each would push
        the next patient's out of the cache.
    durable : asyncio.Future
        Done when it may be sent.
    """

    body: bytes
    durable: asyncio.Future[list[Any]]


def begin_answer(
    request: AssessmentRequest,
    point: BranchPoint,
    actor: Actor,
    care_units: Collection[str],
    parts: Parts,
    identify: Callable[[int], str] = new_identifier,
    look: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> Given:
    """Work out an answer and hand it to the ledger.

    Parameters
    ----------
    identify : callable
        Makes the assessment's identifier of the time it is recorded at (microseconds).
    look : callable
        Shown what is answered before it is bytes, for who counts; it is not durable then.

    Raises
    ------
    IdentifierFound
        When the tripwire sees an identifier in what would be stored.
    LedgerUnavailable
        At once, or from `durable`: then the answer must not be sent.
    """
    start = time.perf_counter()
    told = parts.silence.tells(actor.tenant, point.id)
    now_us = time.time_ns() // 1000
    try:
        worked = work_out(
            request, point, actor.tenant, care_units, now_us // 1_000_000, identify(now_us), parts
        )
    except IdentifierFound:
        parts.metrics.tripped("request")
        raise
    clean, intake, document = worked.clean, worked.intake, worked.document
    # Counted when it is durable: the document itself is gone by then.
    asked = worked.panel.to_count(intake.values, worked.said, _implausible(clean, intake))
    if told:
        look(document)
        body = stored = orjson.dumps(document)
    else:
        silent = silent_answer(document)
        look(silent)
        body, stored = orjson.dumps(silent), marked_silent(document)
    outcomes = document["outcomes"]
    digests = {
        outcome["model"]["name"]: outcome["model"]["digest"]
        for outcome in outcomes
        if outcome["status"] == ANSWERED
    }
    entry = Assessment(
        recorded_at_us=now_us,
        assessment_id=document["assessment_id"],
        tenant=actor.tenant,
        branch_point=point.id,
        unit=clean.unit,
        subject_id=clean.subject_id,
        episode_id=clean.episode_id,
        protected=clean.protected,
        index_time_us=int(clean.index_time.timestamp()) * 1_000_000,
        inputs=worked.inputs,
        answer=stored,
        models=orjson.dumps(digests).decode(),
        policy=POLICY_VERSION,
        latency_us=int((time.perf_counter() - start) * 1_000_000),
    )
    touched = Touched(
        ASSESS, request.subject, request.episode, request.unit, point.id, entry.assessment_id,
        protected=clean.protected,
    )  # fmt: skip
    access = parts.access_log.seal(now_us, actor, touched, clean.subject_id)
    durable = parts.ledger.append(entry, access)
    statuses = [(outcome["outcome"], outcome["status"]) for outcome in outcomes]

    def count(done: asyncio.Future[list[Any]]) -> None:
        if not done.cancelled() and done.exception() is None:
            parts.metrics.assessed(point.id, statuses, time.perf_counter() - start, asked)
            if not told:
                parts.metrics.kept_silent(point.id)

    durable.add_done_callback(count)
    return Given(body, durable)


def _implausible(clean: Deidentified, intake: Intake) -> list[str]:
    """Inputs of which a value that cannot be true was set aside, here or on its way out of a chart."""
    aside = (*intake.set_aside, *clean.set_aside)
    return [name for name, reason in aside if reason == IMPLAUSIBLE]
