"""Asking the ledger by index for the rows that others are about, many at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, select

from monitoring.ledger.tables import ASSESSMENTS, OUTCOMES
from monitoring.outcomes.feed import Asked, Reported, columns

AT_A_TIME = 500
ANSWERS_AT_A_TIME = 100
"""An answer takes about 20 kB."""


class Answer(NamedTuple):
    """What is read of an assessment only when an outcome of it is counted."""

    answer: str
    inputs: str


def assessments(
    connection: Connection,
    *,
    ids: Collection[str] = (),
    subjects: Collection[str] = (),
    episodes: Collection[str] = (),
) -> Iterator[Asked]:
    """Assessments with one of these identifiers, some of them more than once.

    Persons with protected identity are left out.
    """
    named = (
        (ASSESSMENTS.c.assessment_id, ids),
        (ASSESSMENTS.c.subject_id, subjects),
        (ASSESSMENTS.c.episode_id, episodes),
    )
    statement = columns(ASSESSMENTS, Asked).where(ASSESSMENTS.c.protected.is_(False))
    for column, wanted in named:
        yield from map(Asked._make, _found(connection, statement, column, wanted))


def reports(
    connection: Connection,
    *,
    ids: Collection[str] = (),
    subjects: Collection[str] = (),
    episodes: Collection[str] = (),
) -> Iterator[Reported]:
    """Reports that name one of these assessments, or that are of one of these persons.

    Those of a subject and an episode are found by the subject, and come once.
    """
    statement = columns(OUTCOMES, Reported)
    of_person = statement.where(OUTCOMES.c.assessment_id.is_(None))
    of_episode = of_person.where(OUTCOMES.c.subject_id.is_(None))
    for asked, column, wanted in (
        (statement, OUTCOMES.c.assessment_id, ids),
        (of_person, OUTCOMES.c.subject_id, subjects),
        (of_episode, OUTCOMES.c.episode_id, episodes),
    ):
        yield from map(Reported._make, _found(connection, asked, column, wanted))


def at_places(connection: Connection, places: Collection[tuple[int, int]]) -> Iterator[Asked]:
    """Assessments by month and number."""
    for rows in _by_month(connection, columns(ASSESSMENTS, Asked), places, AT_A_TIME):
        yield from map(Asked._make, rows)


def answers(
    connection: Connection, places: Collection[tuple[int, int]]
) -> Iterator[tuple[int, Answer]]:
    """Stored answers and inputs by month and number, a few at a time."""
    statement = select(ASSESSMENTS.c.seq, ASSESSMENTS.c.answer, ASSESSMENTS.c.inputs)
    for rows in _by_month(connection, statement, places, ANSWERS_AT_A_TIME):
        for seq, answer, inputs in rows:
            yield int(seq), Answer(answer, inputs)


def _found(
    connection: Connection, statement: Any, column: Column[Any], wanted: Collection[str]
) -> Iterator[Any]:
    for some in _parts(sorted(wanted), AT_A_TIME):
        yield from connection.execute(statement.where(column.in_(some)))


def _by_month(
    connection: Connection, statement: Any, places: Collection[tuple[int, int]], most: int
) -> Iterator[Sequence[Any]]:
    months: dict[int, list[int]] = {}
    for month, seq in sorted(places):
        months.setdefault(month, []).append(seq)
    for month, seqs in months.items():
        of_month = statement.where(ASSESSMENTS.c.month == month)
        for some in _parts(seqs, most):
            yield connection.execute(of_month.where(ASSESSMENTS.c.seq.in_(some))).all()


def _parts(items: Sequence[Any], most: int) -> Iterator[list[Any]]:
    rest = iter(items)
    while some := list(islice(rest, most)):
        yield some
