"""Every kind of entry: written, read back, and what it says of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitoring.keyring import Keyring
from monitoring.ledger import Ledger, TokenUse, new_identifier
from monitoring.ledger.book import Book
from monitoring.ledger.entries import (
    CONTRADICTS,
    CORRECTED,
    NEW,
    SAME,
    UNKNOWN,
    UNLINKED,
    Entry,
    from_plain,
    to_plain,
)
from monitoring.ledger.verify import verify
from tests.lib.ledger import (
    MONTH_US,
    NOW_US,
    SITE,
    ask,
    assessment,
    feedback,
    one_of_each,
    outcome,
    reading,
    shadow,
)

GIVEN = assessment(subject_id="2.s", episode_id="2.e")
ID = GIVEN.assessment_id
OF_SUBJECT: dict[str, Any] = {"subject_ids": ("2.s", "1.s"), "episode_ids": ("2.e", "1.e")}


@pytest.fixture
def book(database_url: str, keyring: Keyring) -> Iterator[Book]:
    opened = Book(database_url, keyring)
    opened.prepare()
    yield opened
    engine = reading(database_url)
    assert verify(engine, keyring).holds
    engine.dispose()
    opened.close()


OUTCOMES: dict[str, list[tuple[Entry, str]]] = {
    "new": [(outcome(assessment_id=ID), NEW)],
    "the same again": [(outcome(assessment_id=ID), NEW), (outcome(assessment_id=ID), SAME)],
    "the same again as a correction": [
        (outcome(assessment_id=ID), NEW),
        (outcome(assessment_id=ID, correction=True), SAME),
    ],
    "a contradiction": [
        (outcome(assessment_id=ID), NEW),
        (outcome(assessment_id=ID, value=0.0), CONTRADICTS),
        (outcome(assessment_id=ID), SAME),
    ],
    "a correction, then the corrected value again": [
        (outcome(assessment_id=ID), NEW),
        (outcome(assessment_id=ID, value=0.0, correction=True), CORRECTED),
        (outcome(assessment_id=ID, value=0.0), SAME),
        (outcome(assessment_id=ID, value=1.0), CONTRADICTS),
    ],
    "a correction of nothing": [(outcome(assessment_id=ID, correction=True), NEW)],
    "another outcome of the same patient": [
        (outcome(assessment_id=ID), NEW),
        (outcome(assessment_id=ID, outcome="death_30d", value=0.0), NEW),
    ],
    "an assessment that is not there": [(outcome(assessment_id=new_identifier(NOW_US)), UNKNOWN)],
    "another tenant's assessment": [(outcome(assessment_id=ID, tenant="south"), UNKNOWN)],
    "by subject and episode": [(outcome(**OF_SUBJECT), NEW), (outcome(**OF_SUBJECT), SAME)],
    "by subject only": [(outcome(subject_ids=("2.s",)), NEW)],
    "by episode only": [(outcome(episode_ids=("2.e",)), NEW)],
    "under an older key's pseudonym too": [
        (outcome(subject_ids=("2.s",)), NEW),
        (outcome(subject_ids=("3.s", "2.s")), SAME),
    ],
    "a subject without assessments": [
        (outcome(subject_ids=("2.x",)), UNLINKED),
        (outcome(subject_ids=("2.x",)), SAME),
    ],
    "another tenant's subject": [(outcome(tenant="south", **OF_SUBJECT), UNLINKED)],
    "the subject's own and the assessment's stand beside each other": [
        (outcome(assessment_id=ID), NEW),
        (outcome(value=0.0, **OF_SUBJECT), NEW),
    ],
    "whole numbers, flags and a negative zero are fractions": [
        (outcome(assessment_id=ID, value=True), NEW),
        (outcome(assessment_id=ID, value=1), SAME),
        (outcome(assessment_id=ID, outcome="cost_sek", value=-0.0), NEW),
        (outcome(assessment_id=ID, outcome="cost_sek", value=0), SAME),
    ],
}


@pytest.mark.parametrize("told", OUTCOMES.values(), ids=OUTCOMES)
def test_an_outcome_says_what_came_of_it(book: Book, told: list[tuple[Entry, str]]) -> None:
    book.write([GIVEN])
    for entry, expected in told:
        assert book.write([entry]) == [expected]


def test_outcomes_in_one_batch_see_each_other(book: Book) -> None:
    told = OUTCOMES["a correction, then the corrected value again"]
    assert book.write([GIVEN, *(entry for entry, _ in told)]) == [None, *(said for _, said in told)]


def test_a_correction_names_what_it_corrects_and_keeps_it(book: Book, database_url: str) -> None:
    book.write([GIVEN, outcome(assessment_id=ID), outcome(assessment_id=ID, value=0.0, correction=True)])  # fmt: skip
    rows = ask(
        database_url, "SELECT seq, value, corrects_seq, subject_id FROM outcomes ORDER BY seq"
    )
    (first, was, none, subject), (_, now, corrects, _) = rows
    assert (was, none, now, corrects, subject) == (1.0, None, 0.0, first, "2.s")


def test_feedback_is_recorded_once(book: Book) -> None:
    assert book.write([feedback(), feedback(), feedback(verdict="accepted")]) == [NEW, SAME, NEW]


def test_what_a_challenger_said_is_recorded_once_and_known_by_who_recorded_it(
    book: Book, database_url: str
) -> None:
    """Handed in again because nobody knew what became of it, and by another service a moment later."""
    given = assessment()
    book.write([given])
    ours, theirs = shadow(given), shadow(given, recorded_at_us=given.recorded_at_us + 1)
    assert book.write([ours, theirs]) == [[True], [False]]
    assert book.write([ours]) == [[True]]
    assert book.write([theirs, shadow(given, digest="sha256:03")]) == [[False], [True]]
    assert ask(database_url, "SELECT count(*) FROM shadows") == [(2,)]


def test_a_token_is_used_once_until_it_expires(book: Book) -> None:
    token = b"t" * 32
    assert book.write([TokenUse(token, 100, 160)]) == [True]
    assert book.write([TokenUse(token, 160, 220), TokenUse(b"u" * 32, 160, 220)]) == [False, True]
    assert book.write([TokenUse(token, 161, 220)]) == [True]


@pytest.mark.parametrize("at", range(6))
def test_every_entry_survives_its_plain_form(at: int) -> None:
    entry = one_of_each()[at]
    assert from_plain(to_plain(entry)) == entry


def test_an_assessment_is_read_back_as_it_was_given(
    book: Book, database_url: str, keys: Path
) -> None:
    earlier = assessment(
        NOW_US - MONTH_US, subject_id="2.s", episode_id="2.e", index_time_us=NOW_US - MONTH_US
    )
    book.write([GIVEN, earlier])
    ledger = Ledger(database_url, keys)

    async def read() -> None:
        found = await ledger.read(ID, SITE)
        assert found is not None
        assert (found.answer, found.protected, found.recorded_at_us) == (
            GIVEN.answer.decode(),
            False,
            NOW_US,
        )
        assert "answered" not in repr(found)
        assert await ledger.read(ID, "south") is None
        assert await ledger.read("case-7731", SITE) is None
        assert await ledger.read(new_identifier(NOW_US), SITE) is None
        path = await ledger.read_episode(["2.e", "1.e"], SITE)
        assert [item.assessment_id for item in path] == [earlier.assessment_id, ID]
        assert await ledger.read_episode(["2.e"], "south") == []
        await ledger.close()

    asyncio.run(read())


def test_what_is_refused_leaves_nothing(book: Book, database_url: str) -> None:
    before = ask(database_url, "SELECT seq FROM head")
    with pytest.raises(Exception):  # noqa: B017, PT011 - each database says it its own way
        book.write([GIVEN, feedback(detail=None)])
    assert ask(database_url, "SELECT seq FROM head") == before
    assert ask(database_url, "SELECT count(*) FROM assessments") == [(0,)]
    assert book.write([GIVEN]) == [None]  # the next one is not in its way
