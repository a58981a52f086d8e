"""Whatever is reported, and in whatever order it is read: the counts say what the ledger says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.vocabulary import Vocabulary
from monitoring.keyring import Keyring
from monitoring.ledger import Link
from monitoring.ledger.book import Book
from monitoring.outcomes.joiner import Joiner
from tests.lib.ledger import NOW_US, outcome
from tests.lib.properties import HEAVY_LAW
from tests.lib.reported import (
    DAY_US,
    HORIZONS,
    answered,
    counted,
    opened,
    oracle,
    read_to_the_end,
    standing,
)

BEGIN_US = NOW_US - 900 * DAY_US
PEOPLE = st.sampled_from([0, 0, 0, 1])
KEYS = st.sampled_from("12")
WAITS = st.sampled_from([0, 0, 1, 7 * DAY_US, 31 * DAY_US, 61 * DAY_US, 100 * DAY_US])
OUTCOMES = st.sampled_from(["death_60d", "death_60d", *sorted(HORIZONS)])
ASKED = st.tuples(
    st.just("asked"), PEOPLE, KEYS, st.booleans(),
    st.sets(OUTCOMES, min_size=1), st.sampled_from([0, 3, 70, 200]), st.sampled_from([False] * 5 + [True]),
)  # fmt: skip
REPORTED = st.tuples(
    st.just("reported"), st.sampled_from(["name", "subject", "subject", "episode", "both"]), PEOPLE, KEYS,
    OUTCOMES, st.booleans(), st.sampled_from([-150, -100, -70, -65, -30, -5, -1, 0, 0, 20]), st.sampled_from([True, True, False]),
)  # fmt: skip
LINKED = st.tuples(st.just("linked"), PEOPLE, st.sampled_from(["s", "e"]))
STEPS = st.lists(
    st.tuples(WAITS, st.one_of(ASKED, ASKED, REPORTED, REPORTED, REPORTED, LINKED, LINKED), st.booleans()),
    min_size=10, max_size=40,
)  # fmt: skip


def entry(step: Any, now_us: int, asked: list[Any]) -> Any:
    kind, *told = step
    if kind == "asked":
        person, key, episode, outcomes, days_ago, protected = told
        return answered(
            now_us, dict.fromkeys(sorted(outcomes), 0.25), days_ago=days_ago,
            subject_id=None if protected else f"{key}.s{person}",
            episode_id=f"{key}.e{person}" if episode else None, protected=protected,
            silent=episode,
        )  # fmt: skip
    if kind == "reported":
        of, person, key, name, value, observed, correction = told
        whose: dict[str, Any] = {}
        if of == "name":
            if not asked:
                return None
            whose["assessment_id"] = asked[person % len(asked)].assessment_id
        if of in ("subject", "both"):
            whose["subject_ids"] = (f"{key}.s{person}",)
        if of in ("episode", "both"):
            whose["episode_ids"] = (f"{key}.e{person}",)
        return outcome(
            now_us, outcome=name, value=float(value), observed_at_us=now_us + observed * DAY_US,
            correction=correction, **whose,
        )  # fmt: skip
    person, of = told
    return Link(now_us, {"s": "subject", "e": "episode"}[of], f"1.{of}{person}", f"2.{of}{person}")


def reported(known: Any) -> dict[tuple[str, str], bool]:
    return {key: bool(value) for key, value in known.items() if value is not None}


def matured(pages: Any) -> list[Any]:
    """When each prediction matured, and of which model."""
    return [(at, model) for page in pages for at, models in page.matured for model in models]


@pytest.mark.parametrize("most", [1, 3, 5000])
def test_what_stands_is_what_the_ledger_says_and_a_rebuild_says_the_same(
    copied: Any, prepared: str, keyring: Keyring, vocabulary: Vocabulary, tmp_path: Path, most: int
) -> None:
    """Outcomes early, late, corrected, corrected back, of assessments, subjects and episodes under
    two keys, of nobody known yet, observed in the future; assessments late, silent, protected."""
    number = iter(range(10_000))

    @HEAVY_LAW
    @given(steps=STEPS)
    def law(steps: Any) -> None:
        folder = tmp_path / str(next(number))
        folder.mkdir()
        url = copied(prepared, folder)
        book = Book(url, keyring)
        now_us, asked, said, pages = BEGIN_US, [], set(), []
        with opened(url) as engine:
            joiner = Joiner(vocabulary, settled_after_us=0)
            for wait_us, step, look in steps:
                now_us += wait_us
                one = entry(step, now_us, asked)
                if one is None:
                    continue
                book.write([one])
                if step[0] == "asked" and not one.protected:
                    asked.append(one)
                    said |= {(one.assessment_id, name) for name in step[4]}
                if look:
                    pages += read_to_the_end(joiner, engine, now_us, most)
                    known = oracle(engine, vocabulary, said, now_us)
                    assert standing(counted(pages)) == reported(known)
                    assert len(matured(pages)) == len(known)
                    assert sum(joiner.waiting.values()) == len(said) - len(known)
            now_us += 400 * DAY_US
            pages += read_to_the_end(joiner, engine, now_us, most)
            counts = counted(pages)
            assert standing(counts) == reported(oracle(engine, vocabulary, said, now_us))
            assert [c.counted_at_us for c in counts] == sorted(c.counted_at_us for c in counts)
            again = Joiner(vocabulary, settled_after_us=0)
            rebuilt = read_to_the_end(again, engine, now_us)
            assert counted(rebuilt) == counts
            assert sorted(matured(rebuilt)) == sorted(matured(pages))
        book.close()

    law()


SECOND_US = 1_000_000
EARLY = st.integers(0, 20)
HURRIED = st.lists(
    st.tuples(
        st.integers(0, 15),
        st.one_of(
            st.tuples(st.just("asked"), st.integers(0, 120)),
            st.tuples(st.just("reported"), EARLY, st.integers(0, 1), st.booleans()),
            st.tuples(st.just("reported"), EARLY, st.integers(0, 1), st.booleans()),
        ),
    ),
    min_size=5,
    max_size=25,
)  # fmt: skip


def test_rows_that_come_late_change_nothing_in_a_second_reading(
    copied: Any, prepared: str, keyring: Keyring, vocabulary: Vocabulary, tmp_path: Path
) -> None:
    """Horizons end while reports and corrections come in up to 20 seconds after they were made."""
    number = iter(range(10_000))

    @HEAVY_LAW
    @given(steps=HURRIED)
    def law(steps: Any) -> None:
        folder = tmp_path / str(next(number))
        folder.mkdir()
        url = copied(prepared, folder)
        book = Book(url, keyring)
        now_us, asked, pages = BEGIN_US, [], []
        with opened(url) as engine:
            joiner = Joiner(vocabulary)
            for wait_s, (kind, *told) in steps:
                now_us += wait_s * SECOND_US
                if kind == "asked":
                    index_us = now_us - 60 * DAY_US + told[0] * SECOND_US
                    one = answered(now_us, {"death_60d": 0.25}, index_time_us=index_us)
                    asked.append(one)
                elif asked:
                    early_s, which, value = told
                    one = outcome(
                        now_us - early_s * SECOND_US, outcome="death_60d", value=float(value),
                        observed_at_us=BEGIN_US - DAY_US, correction=True,
                        assessment_id=asked[-1 - which % len(asked)].assessment_id,
                    )  # fmt: skip
                else:
                    continue
                book.write([one])
                pages += read_to_the_end(joiner, engine, now_us)
            now_us += 500 * SECOND_US
            pages += read_to_the_end(joiner, engine, now_us)
            rebuilt = counted(read_to_the_end(Joiner(vocabulary), engine, now_us))
            assert counted(pages) == rebuilt
        book.close()

    law()
