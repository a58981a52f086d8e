"""Assessments whose horizon has passed, with what was reported of them: what a refit can learn from.

What nobody reported is unknown, never "did not happen". A report that names an assessment is about that
assessment. A report of a subject or an episode is about every assessment that it can be about:

- it happened: those whose horizon holds the time at which it was observed;
- it did not happen: those whose horizon had ended when that was observed;
- a number: none, since days and kronor count from the assessment that is named.

The newest report counts, of an assessment by name before any other; what was observed in the future
counts for nothing yet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import SQLAlchemyError

from monitoring.ledger.errors import LedgerUnavailable
from monitoring.ledger.links import linked
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


@dataclass(frozen=True, slots=True)
class _Report:
    seq: int
    value: float
    observed_at_us: int


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
            value = _of_person(
                [
                    report
                    for key in ((subject, None), (None, episode), (subject, episode))
                    for report in of_person.get(key, ())
                ],
                row.index_time_us,
                end_us,
            )
        yield Matured(
            row.assessment_id,
            subject or episode or row.assessment_id,
            row.index_time_us,
            row.recorded_at_us,
            row.inputs,
            value,
        )


def _of_person(reports: list[_Report], index_time_us: int, end_us: int) -> float | None:
    """The newest report that can be about an assessment."""
    own = [
        report
        for report in reports
        if (
            index_time_us <= report.observed_at_us <= end_us
            if report.value
            else report.observed_at_us >= end_us
        )
    ]
    return max(own, key=lambda report: report.seq).value if own else None


def _reports(
    connection: Connection, outcome: str, tenant: str, now_us: int, same: dict[str, str]
) -> tuple[dict[str, _Report], dict[tuple[str | None, str | None], list[_Report]]]:
    """Newest report of every assessment, and of every subject and episode all that stand."""
    named: dict[str, _Report] = {}
    standing: dict[tuple[str | None, str | None], dict[int, _Report]] = defaultdict(dict)
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
        report = _Report(row.seq, row.value, row.observed_at_us)
        if row.assessment_id is not None:
            named[row.assessment_id] = report
            continue
        key = same.get(row.subject_id, row.subject_id), same.get(row.episode_id, row.episode_id)
        standing[key].pop(row.corrects_seq, None)
        standing[key][row.seq] = report
    return named, {key: list(own.values()) for key, own in standing.items()}


def _one_name(connection: Connection) -> dict[str, str]:
    """Pseudonym -> the one that stands for all that are linked to it; unlinked ones are not in it."""
    found: dict[str, str] = {}
    for row in connection.execute(select(LINKS.c.old_id)):
        if row.old_id not in found:
            together = linked(connection.execute, [row.old_id])
            found |= dict.fromkeys(together, together[-1])
    return found
