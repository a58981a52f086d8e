"""What became of cards, into the ledger; a card that nobody knows is counted and not kept."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from app.access_log import Actor, Touched
from app.access_log.seal import RECORD_FEEDBACK
from app.cds_hooks.feedback import Report
from app.services.parts import Parts
from app.services.silence import is_silent
from models.vocabulary import BranchPoint
from monitoring.ledger import Feedback
from monitoring.ledger.entries import NEW


@dataclass(frozen=True, slots=True)
class FeedbackRecorded:
    """How many reports were new, known already, and about no card of this service."""

    new: int
    same: int
    orphans: int


async def record_feedback(
    reports: Sequence[Report], point: BranchPoint, actor: Actor, parts: Parts
) -> FeedbackRecorded:
    """Record every report; durable when this returns.

    Cards carry the identifier of their assessment. One that is not the tenant's, not this branch
    point's, or of an answer that nobody was told, is an orphan: what a client made up could hold
    anything, so it is not stored.

    Raises
    ------
    LedgerUnavailable
        When nothing can be recorded now; what was recorded before is recognised when it comes again.
    """
    known: dict[str, bool] = {}
    for card in dict.fromkeys(report.card for report in reports):
        found = await parts.ledger.read(card, actor.tenant)
        known[card] = (
            found is not None and found.branch_point == point.id and not is_silent(found.answer)
        )
    counted: Counter[str] = Counter()
    for report in reports:
        if not known[report.card]:
            counted["orphan"] += 1
            parts.metrics.feedback_given(point.id, "orphan")
            continue
        now_us = time.time_ns() // 1000
        entry = Feedback(
            recorded_at_us=now_us,
            tenant=actor.tenant,
            branch_point=point.id,
            card_id=report.card,
            assessment_id=report.card,
            verdict=report.verdict,
            given_at_us=int(report.given_at.timestamp()) * 1_000_000,
            detail=report.detail(point),
        )
        touched = Touched(RECORD_FEEDBACK, branch_point=point.id, assessment_id=report.card)
        access = parts.access_log.seal(now_us, actor, touched)
        result, _ = await parts.ledger.append(entry, access)
        counted[result] += 1
        if result == NEW:
            parts.metrics.feedback_given(point.id, report.verdict)
    return FeedbackRecorded(
        counted[NEW], sum(counted.values()) - counted[NEW] - counted["orphan"], counted["orphan"]
    )
