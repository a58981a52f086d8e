"""When a prediction is counted, with what, and what a correction takes back."""

from __future__ import annotations

from typing import Any

import pytest

from models.vocabulary import Vocabulary
from monitoring.keyring import Keyring
from monitoring.ledger import Link
from monitoring.ledger.book import Book
from monitoring.outcomes.joiner import SETTLED_AFTER_US, Joiner
from tests.lib.ledger import NOW_US, feedback, outcome
from tests.lib.reported import DAY_US, answered, counted, opened, read_to_the_end

SAID = {"death_60d": 0.25}
ASKED_US = NOW_US - 400 * DAY_US
END_US = ASKED_US + 60 * DAY_US
SECOND_US = 1_000_000


class Story:
    """A ledger that is written and read in turns."""

    def __init__(self, url: str, keyring: Keyring, vocabulary: Vocabulary, **given: Any) -> None:
        self.url, self.book = url, Book(url, keyring)
        self.joiner_vocabulary = vocabulary
        self.joiner = Joiner(vocabulary, **given)
        self.pages: list[Any] = []

    def write(self, *entries: Any) -> None:
        self.book.write(entries)

    def read(self, now_us: int = NOW_US) -> list[Any]:
        with opened(self.url) as engine:
            pages = read_to_the_end(self.joiner, engine, now_us)
        self.pages += pages
        return counted(pages)


@pytest.fixture
def story(copied: Any, prepared: str, keyring: Keyring, vocabulary: Vocabulary, tmp_path: Any):
    one = Story(copied(prepared, tmp_path), keyring, vocabulary, settled_after_us=0)
    yield one
    one.book.close()


def told(day: float, value: bool, observed: float, **changes: Any) -> Any:
    at_us = ASKED_US + int(day * DAY_US)
    seen_us = ASKED_US + int(observed * DAY_US)
    return outcome(
        at_us, outcome="death_60d", value=float(value), observed_at_us=seen_us, **changes
    )


@pytest.mark.parametrize(
    ("day", "value", "observed", "counted_day", "delay_days"),
    [
        (20, True, 10, 60, 0),  # said early: counted when it has matured
        (70, True, 10, 70, 10),  # said ten days after the end of the horizon
        (70, False, 65, 70, 5),  # said five days after it was seen, and it was seen late
        (70, False, 75, 75, 0),  # said to be seen in the future: counted from then on
    ],
)
def test_it_is_counted_when_it_is_matured_and_reported(
    story: Story, day: int, value: bool, observed: int, counted_day: int, delay_days: int
) -> None:
    one = answered(
        ASKED_US, SAID, unit="ward-31", inputs={"age": 71.0, "sex": "female"}, version="7"
    )
    story.write(one, told(day, value, observed, assessment_id=one.assessment_id))
    (count,) = story.read()
    assert count.counted_at_us == ASKED_US + counted_day * DAY_US
    assert count.delay_us == delay_days * DAY_US
    assert (count.p, count.y, count.was) == (0.25, value, None)
    assert (count.model, count.version, count.digest) == ("icu-review.death_60d", "7", "sha256:7")
    assert (count.assessment_id, count.unit) == (one.assessment_id, "ward-31")
    assert count.subgroups == ("sex: female", "age: 65-79")
    assert story.read() == []


def test_corrections_take_back_what_stood(story: Story) -> None:
    one = answered(ASKED_US, SAID)
    whose = {"subject_ids": ("1.aa",)}
    story.write(one, told(61, True, 30, **whose))
    assert [(c.y, c.was, c.is_first) for c in story.read()] == [(True, None, True)]
    story.write(told(62, False, 61, correction=True, **whose))
    assert [(c.y, c.was, c.is_first) for c in story.read()] == [(False, True, False)]
    # It happened, but after the horizon: nothing is known of the horizon any more.
    story.write(told(63, True, 62, correction=True, **whose))
    assert [(c.y, c.was, c.whole) for c in story.read()] == [(None, False, -1)]
    story.write(told(64, False, 63, correction=True, **whose))
    assert [(c.y, c.was, c.whole, c.is_first) for c in story.read()] == [(False, None, 1, False)]


def test_a_link_brings_report_and_assessment_together(story: Story) -> None:
    story.write(
        answered(ASKED_US, SAID, subject_id="1.s"), told(61, True, 30, subject_ids=("2.s",))
    )
    linked_us = ASKED_US + 90 * DAY_US
    assert story.read(linked_us - DAY_US) == []
    story.write(Link(linked_us, "subject", "1.s", "2.s"))
    assert [(c.counted_at_us, c.y) for c in story.read()] == [(linked_us, True)]


def test_only_what_a_model_answered_of_whom_is_not_protected_is_counted(story: Story) -> None:
    """Also where nobody was told; a fallback, a number, another tenant and a protected person not."""
    silent = answered(ASKED_US, SAID, silent=True, subject_id="1.a")
    protected = answered(ASKED_US, SAID, protected=True, subject_id="1.b")
    south = answered(ASKED_US, SAID, tenant="south", subject_id="1.c")
    story.write(silent, protected, south)
    story.write(*(told(70, True, 5, subject_ids=(f"1.{who}",)) for who in "abc"))
    story.write(
        told(70, True, 5, assessment_id=silent.assessment_id),
        outcome(
            END_US, outcome="length_of_stay_days", value=5.0, assessment_id=silent.assessment_id
        ),
        outcome(END_US, outcome="sepsis", value=1.0, assessment_id=silent.assessment_id),
    )
    assert [(c.assessment_id, c.outcome) for c in story.read()] == [
        (silent.assessment_id, "death_60d")
    ]
    (matured,) = [one for page in story.pages for one in page.matured if one[0] == END_US][:1]
    assert matured == (END_US, (("icu-review.death_60d", "1"),))


def test_what_waits_and_what_has_matured(story: Story) -> None:
    model, said = ("icu-review.death_60d", "1"), {"death_60d": 0.25, "death_180d": 0.5}
    story.write(answered(ASKED_US, said), answered(ASKED_US + DAY_US, said))
    story.read(END_US + 1)
    assert story.joiner.waiting[model] == 1
    assert story.joiner.waiting["icu-review.death_180d", "1"] == 2
    assert [at for page in story.pages for at, _ in page.matured] == [END_US]
    story.read(END_US + DAY_US)
    assert story.joiner.waiting[model] == 0


def test_each_version_has_its_own_counts_though_the_bytes_are_the_same(story: Story) -> None:
    first = answered(ASKED_US, SAID, version="1")
    again = answered(ASKED_US, SAID, version="2", models=first.models)
    story.write(first, again)
    story.write(*(told(70, True, 5, assessment_id=one.assessment_id) for one in (first, again)))
    assert [count.version for count in story.read()] == ["1", "2"]


def test_what_became_of_cards_is_handed_on(story: Story) -> None:
    story.write(feedback(), feedback(card_id="card-2", verdict="accepted"))
    story.read()
    verdicts = [row.verdict for page in story.pages for row in page.judged]
    assert verdicts == ["overridden", "accepted"]


def test_a_late_row_changes_no_order_while_it_comes_in_time(
    copied: Any, prepared: str, keyring: Keyring, vocabulary: Vocabulary, tmp_path: Any
) -> None:
    """A correction that was made before the horizon ended is committed when it has: who follows and
    who reads later both count the corrected value alone."""
    story = Story(copied(prepared, tmp_path), keyring, vocabulary)
    one = answered(ASKED_US, SAID)
    story.write(one, told(59, True, 30, assessment_id=one.assessment_id))
    assert story.read(END_US + SECOND_US) == []
    late = outcome(
        END_US - 5 * SECOND_US, outcome="death_60d", value=0.0, observed_at_us=ASKED_US,
        assessment_id=one.assessment_id, correction=True,
    )  # fmt: skip
    story.write(late)
    assert story.read(END_US + 2 * SECOND_US) == []
    counts = story.read(END_US + SETTLED_AFTER_US)
    assert [(c.counted_at_us, c.y, c.was) for c in counts] == [(END_US, False, None)]
    story.joiner = Joiner(vocabulary)
    assert story.read() == counts
    story.book.close()


def test_rows_that_two_workers_wrote_out_of_order_keep_the_ledgers_order(story: Story) -> None:
    """And a row of a month before, which comes after the first of the next, is not passed over."""
    new_year_us = 1_767_225_600_000_000  # 2026-01-01
    early, late = (
        answered(new_year_us + shift, SAID, days_ago=70, subject_id=f"1.{who}")
        for shift, who in ((2_000, "a"), (-1_000, "b"))
    )
    story.write(early)
    assert story.read(new_year_us + 3_000) == []
    story.write(late)
    story.write(
        *(
            outcome(
                new_year_us + shift, outcome="death_60d", value=0.0,
                observed_at_us=new_year_us, subject_ids=(f"1.{who}",),
            )
            for shift, who in ((9_000, "b"), (4_000, "a"))
        )
    )  # fmt: skip
    counts = story.read(new_year_us + SECOND_US)
    assert [(c.assessment_id, c.counted_at_us) for c in counts] == [
        (late.assessment_id, new_year_us + 9_000), (early.assessment_id, new_year_us + 9_000),
    ]  # fmt: skip
    first, story.joiner = counts, Joiner(story.joiner_vocabulary, settled_after_us=0)
    assert story.read() == first
