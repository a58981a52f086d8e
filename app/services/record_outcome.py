"""What happened to a patient: recorded once, corrected by a new row, never overwritten."""

from __future__ import annotations

import time
from dataclasses import dataclass

from app.access_log import Actor, Touched
from app.access_log.seal import RECORD_OUTCOME
from app.schemas.outcome_report import OutcomeReport
from app.services.parts import Parts
from monitoring.ledger import Outcome


@dataclass(frozen=True, slots=True)
class OutcomeRecorded:
    """What came of a report.

    Attributes
    ----------
    result : str
        One of the ledger's words: new, same, corrected, contradicts, unknown_assessment, unlinked.
    later_than_now : bool
        Whether it was said to be observed in the future: kept, but it counts only from then on.
    """

    result: str
    later_than_now: bool


async def record_outcome(report: OutcomeReport, actor: Actor, parts: Parts) -> OutcomeRecorded:
    """Record a report; durable when this returns.

    Raises
    ------
    LedgerUnavailable
        When nothing can be recorded now.
    """
    now_us = time.time_ns() // 1000
    subjects, episodes = (
        () if value is None else parts.pseudonymiser.every(kind, actor.tenant, value)
        for kind, value in (("subject", report.subject), ("episode", report.episode))
    )
    entry = Outcome(
        recorded_at_us=now_us,
        tenant=actor.tenant,
        outcome=report.outcome,
        value=float(report.value),
        observed_at_us=int(report.observed_at.timestamp()) * 1_000_000,
        assessment_id=report.assessment_id,
        subject_ids=subjects,
        episode_ids=episodes,
        correction=report.correction,
    )
    touched = Touched(
        RECORD_OUTCOME, report.subject, report.episode, assessment_id=report.assessment_id
    )
    access = parts.access_log.seal(now_us, actor, touched, subjects[0] if subjects else None)
    result, _ = await parts.ledger.append(entry, access)
    return OutcomeRecorded(result, report.observed_at.timestamp() * 1_000_000 > now_us)
