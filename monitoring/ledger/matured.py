"""Assessments whose horizon has passed, with what was reported of them: what a refit can learn from.

Which report counts for which assessment is the rule of `reports`; what was observed in the future counts
for nothing yet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import SQLAlchemyError

from monitoring.ledger.errors import LedgerUnavailable
from monitoring.ledger.links import linked
from monitoring.ledger.reports import Report, newest_about, standing
from monitoring.ledger.tables import ASSESSMENTS, LINKS, OUTCOMES

DAY_US = 24 * 3600 * 1_000_000
TRY_AGAIN_AFTER_S = 5.0


@dataclass(frozen=True, slots=True)
class Matured:
    """One assessment whose horizon has passed.

    Attributes
    ----------
    whose : str
        Pseudonym of the subject, or of the episode, or the assessment itself: the same for all
        pseudonyms that are linked.
    inputs : str
        JSON, as `app.deid` stores them: what was used, without a date.
    value : float or None
        What was reported; None when nothing was.
    """

    assessment_id: str
    whose: str
    index_time_us: int
    recorded_at_us: int
    inputs: str = field(repr=False)
    value: float | None = field(repr=False)


def tenants(engine: Engine, branch_point: str) -> list[str]:
    """Whose assessments there are at a branch point.

    Raises
    ------
    LedgerUnavailable
        When the database does not answer.
    """
    try:
        with engine.connect() as connection:
            found = select(ASSESSMENTS.c.tenant).where(ASSESSMENTS.c.branch_point == branch_point)
            return sorted({row.tenant for row in connection.execute(found.distinct())})
    except SQLAlchemyError:
        raise LedgerUnavailable("failing", TRY_AGAIN_AFTER_S) from None


def matured(
    engine: Engine,
    branch_point: str,
    outcome: str,
    tenant: str,
    *,
    horizon_days: float,
    is_number: bool,
    now_us: int,
) -> list[Matured]:
    """Every assessment of a branch point whose horizon has passed, in the order it was recorded.

    Persons with protected identity are left out.

    Parameters
    ----------
    horizon_days : float
        From the index time.
    is_number : bool
        Whether the outcome is a number.
    now_us : int
        Microseconds since 1970.

    Raises
    ------
    LedgerUnavailable
        When the database does not answer.
    """
    try:
        with engine.connect() as connection:
            return list(
                _joined(
                    connection, branch_point, outcome, tenant, int(horizon_days * DAY_US),
                    is_number=is_number, now_us=now_us,
                )
            )  # fmt: skip
    except SQLAlchemyError:
        raise LedgerUnavailable("failing", TRY_AGAIN_AFTER_S) from None


def _joined(
    connection: Connection,
    branch_point: str,
    outcome: str,
    tenant: str,
    horizon_us: int,
    *,
    is_number: bool,
    now_us: int,
) -> Iterator[Matured]:
    same = _one_name(connection)
    named, of_person = _reports(connection, outcome, tenant, now_us, same)
    rows = connection.execute(
        select(
            ASSESSMENTS.c.assessment_id,
            ASSESSMENTS.c.subject_id,
            ASSESSMENTS.c.episode_id,
            ASSESSMENTS.c.index_time_us,
            ASSESSMENTS.c.recorded_at_us,
            ASSESSMENTS.c.inputs,
        )
        .where(
            ASSESSMENTS.c.branch_point == branch_point,
            ASSESSMENTS.c.tenant == tenant,
            ASSESSMENTS.c.protected.is_(False),
            ASSESSMENTS.c.index_time_us <= now_us - horizon_us,
        )
        .order_by(ASSESSMENTS.c.month, ASSESSMENTS.c.seq)
    )
    for row in rows:
        subject = same.get(row.subject_id, row.subject_id)
        episode = same.get(row.episode_id, row.episode_id)
        value = None
        if row.assessment_id in named:
            value = named[row.assessment_id].value
        elif not is_number:
            end_us = row.index_time_us + horizon_us
            reports = [
                report
                for key in ((subject, None), (None, episode), (subject, episode))
                for report in of_person.get(key, ())
            ]
            newest = newest_about(reports, row.index_time_us, end_us)
            value = None if newest is None else newest.value
        yield Matured(
            row.assessment_id,
            subject or episode or row.assessment_id,
            row.index_time_us,
            row.recorded_at_us,
            row.inputs,
            value,
        )


def _reports(
    connection: Connection, outcome: str, tenant: str, now_us: int, same: dict[str, str]
) -> tuple[dict[str, Report], dict[tuple[str | None, str | None], list[Report]]]:
    """Newest report of every assessment, and of every subject and episode all that stand."""
    named: dict[str, Report] = {}
    of_person: dict[tuple[str | None, str | None], list[Report]] = defaultdict(list)
    rows = connection.execute(
        select(
            OUTCOMES.c.seq,
            OUTCOMES.c.assessment_id,
            OUTCOMES.c.subject_id,
            OUTCOMES.c.episode_id,
            OUTCOMES.c.value,
            OUTCOMES.c.observed_at_us,
            OUTCOMES.c.corrects_seq,
        )
        .where(
            OUTCOMES.c.outcome == outcome,
            OUTCOMES.c.tenant == tenant,
            OUTCOMES.c.observed_at_us <= now_us,
        )
        .order_by(OUTCOMES.c.seq)
    )
    for row in rows:
        report = Report(row.seq, row.value, row.observed_at_us, row.corrects_seq)
        if row.assessment_id is not None:
            named[row.assessment_id] = report
            continue
        key = same.get(row.subject_id, row.subject_id), same.get(row.episode_id, row.episode_id)
        of_person[key].append(report)
    return named, {key: standing(own) for key, own in of_person.items()}


def _one_name(connection: Connection) -> dict[str, str]:
    """Pseudonym -> the one that stands for all that are linked to it; unlinked ones are not in it."""
    found: dict[str, str] = {}
    for row in connection.execute(select(LINKS.c.old_id)):
        if row.old_id not in found:
            together = linked(connection.execute, [row.old_id])
            found |= dict.fromkeys(together, together[-1])
    return found
