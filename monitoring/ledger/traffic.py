"""How much was asked at each branch point since a moment, and how much of it no model answered."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Integer, and_, cast, func, or_, select

from monitoring.ledger.identifiers import month_of, new_identifier
from monitoring.ledger.tables import ASSESSMENTS

NOBODY = "{}"
"""What is stored as the models of an answer that none of them gave."""
FIRST = bytes(10)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Assessments that were recorded at one branch point.

    Attributes
    ----------
    assessed : int
        All of them, silent ones too.
    unanswered : int
        Those in which no model answered any outcome; a published score may have.
    """

    assessed: int
    unanswered: int


def read_traffic(
    connection: Connection, tenant: str, since_us: int, until_us: int
) -> dict[str, Traffic]:
    """Count a tenant's assessments by branch point.

    Identifiers begin with their time, so the index on them leads to the rows of the window and no
    answer is opened.
    """
    kept = ASSESSMENTS.c
    whole = cast(func.sum(cast(kept.models == NOBODY, Integer)), Integer)
    # A window can touch two months, and no more where it is a day.
    months = or_(*(kept.month == month for month in {month_of(since_us), month_of(until_us)}))
    statement = (
        select(kept.branch_point, func.count(), whole)
        .where(
            and_(
                months,
                kept.assessment_id >= new_identifier(since_us, FIRST),
                kept.recorded_at_us >= since_us,
                kept.tenant == tenant,
            )
        )
        .group_by(kept.branch_point)
    )
    return {
        point: Traffic(int(assessed), int(unanswered))
        for point, assessed, unanswered in connection.execute(statement)
    }
