"""Following the assessments of a branch point as they are recorded, for who scores them again.

The ledger itself is the queue: what was answered is there, durable and in order, so whoever reads it
holds up nobody, can fall behind without losing anything, and goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, func, select

from monitoring.ledger.tables import ASSESSMENTS, SHADOWS


@dataclass(frozen=True, slots=True)
class Place:
    """How far somebody has read: everything up to this row."""

    month: int
    seq: int


@dataclass(frozen=True, slots=True)
class Asked:
    """An assessment as it was recorded."""

    place: Place
    recorded_at_us: int
    assessment_id: str
    tenant: str
    branch_point: str
    inputs: str = field(repr=False)
    answer: str = field(repr=False)


COLUMNS = (
    ASSESSMENTS.c.month,
    ASSESSMENTS.c.seq,
    ASSESSMENTS.c.recorded_at_us,
    ASSESSMENTS.c.assessment_id,
    ASSESSMENTS.c.tenant,
    ASSESSMENTS.c.branch_point,
    ASSESSMENTS.c.inputs,
    ASSESSMENTS.c.answer,
)


def newest(engine: Engine) -> Place:
    """The place of the newest assessment; before all of them when there is none."""
    with engine.connect() as connection:
        month = connection.execute(select(func.max(ASSESSMENTS.c.month))).scalar()
        if month is None:
            return Place(0, 0)
        of_month = select(func.max(ASSESSMENTS.c.seq)).where(ASSESSMENTS.c.month == month)
        return Place(int(month), int(connection.execute(of_month).scalar_one()))


def reached(engine: Engine, digest: str) -> Place | None:
    """The newest assessment that a challenger was asked about; None when it never was."""
    with engine.connect() as connection:
        last = select(func.max(SHADOWS.c.assessment_seq)).where(SHADOWS.c.digest == digest)
        seq = connection.execute(last).scalar()
        if seq is None:
            return None
        months = select(func.min(SHADOWS.c.month)).where(
            SHADOWS.c.digest == digest, SHADOWS.c.assessment_seq == seq
        )
        # A row is scored in its own month or later; the month before is read in vain at most.
        month = int(connection.execute(months).scalar_one())
        return Place(month - 1 if month % 100 > 1 else month - 89, int(seq))


def asked_after(engine: Engine, branch_point: str, place: Place, most: int) -> list[Asked]:
    """The next assessments of a branch point, oldest first; persons with protected identity left out.

    Parameters
    ----------
    place : Place
        Of the last one that is known.
    most : int
        How many at a time.
    """
    with engine.connect() as connection:
        found: list[Asked] = []
        for month in _months_from(connection, place.month):
            # By the primary key: the rows after a number within one month.
            page = (
                select(*COLUMNS)
                .where(
                    ASSESSMENTS.c.month == month,
                    ASSESSMENTS.c.seq > place.seq,
                    ASSESSMENTS.c.branch_point == branch_point,
                    ASSESSMENTS.c.protected.is_(False),
                )
                .order_by(ASSESSMENTS.c.seq)
                .limit(most - len(found))
            )
            found += [
                Asked(Place(int(row[0]), int(row[1])), *row[2:]) for row in connection.execute(page)
            ]
            if len(found) >= most:
                break
        return found


def scored(engine: Engine, digest: str, first: int, last: int) -> set[int]:
    """Which assessments of a range of numbers a challenger has been asked about, by anybody."""
    with engine.connect() as connection:
        rows = select(SHADOWS.c.assessment_seq).where(
            SHADOWS.c.digest == digest, SHADOWS.c.assessment_seq.between(first, last)
        )
        return {int(seq) for seq in connection.execute(rows).scalars()}


def _months_from(connection: Connection, first: int) -> Iterator[int]:
    """Months that have rows, each found by one look into the primary key."""
    lowest = select(func.min(ASSESSMENTS.c.month))
    found = connection.execute(lowest.where(ASSESSMENTS.c.month >= first)).scalar()
    while found is not None:
        yield int(found)
        found = connection.execute(lowest.where(ASSESSMENTS.c.month > found)).scalar()
