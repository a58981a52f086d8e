"""How much was asked at each branch point since a moment, and how much of it no model answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Integer, Select, cast, func, select

from monitoring.ledger.identifiers import new_identifier
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


def read_traffic(connection: Connection, tenant: str, since_us: int) -> dict[str, Traffic]:
    """Count a tenant's assessments by branch point."""
    return {
        point: Traffic(int(assessed), int(unanswered))
        for point, assessed, unanswered in connection.execute(statement(tenant, since_us))
    }


def statement(tenant: str, since_us: int) -> Select[Any]:
    """The question to the database.

    Identifiers begin with their time, so the index on them leads to the rows of the window and no
    answer is opened. The month is not named: with it SQLite would walk through all of the month.
    """
    kept = ASSESSMENTS.c
    return (
        select(kept.branch_point, func.count(), func.sum(cast(kept.models == NOBODY, Integer)))
        .where(
            kept.assessment_id >= new_identifier(since_us, FIRST),
            kept.recorded_at_us >= since_us,
            kept.tenant == tenant,
        )
        .group_by(kept.branch_point)
    )
