"""Figures of a window as people read them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from models.vocabulary import Vocabulary
from monitoring.keyring import Keyring
from monitoring.outcomes import Followed, follow, performance, read_performance
from tests.lib.ledger import NOW_US, feedback, outcome, written
from tests.lib.reported import DAY_US, answered, opened

BEGIN_US = NOW_US - 100 * DAY_US
POINT, OUTCOME = "icu-review", "death_60d"


def patients(n: int) -> list[Any]:
    """Assessments of a day that matured on day 60, each reported two days later: every third died."""
    asked = [
        answered(
            BEGIN_US, {OUTCOME: 0.25}, subject_id=f"1.{i}", unit=f"ward-{i % 2}",
            inputs={"sex": ("female", "male")[i % 2]},
        )
        for i in range(n)
    ]  # fmt: skip
    told = [
        outcome(
            BEGIN_US + 62 * DAY_US, outcome=OUTCOME, value=float(i % 3 == 0),
            observed_at_us=BEGIN_US + (30 if i % 3 == 0 else 60) * DAY_US,
            assessment_id=one.assessment_id,
        )
        for i, one in enumerate(asked)
    ]  # fmt: skip
    late = answered(BEGIN_US, {OUTCOME: 0.25}, subject_id="1.nobody")
    cards = [
        feedback(card_id=f"c{i}", verdict="overridden" if i < 3 else "accepted") for i in range(4)
    ]
    return [*asked, late, *told, *cards]


@pytest.fixture
def url(database_url: str, keyring: Keyring) -> str:
    written(database_url, keyring, patients(33))
    return database_url


def test_the_figures_of_a_year_by_hand(url: str, vocabulary: Vocabulary) -> None:
    with opened(url) as engine:
        found = read_performance(engine, vocabulary, NOW_US - 365 * DAY_US, NOW_US, NOW_US + 1)
    (model,) = found.models
    assert (model.model, model.version) == (f"{POINT}.{OUTCOME}", "1")
    assert (model.matured, model.coverage) == (34, 33 / 34)
    assert (model.figures.n, model.figures.observed, model.figures.expected) == (33, 11, 8.25)
    assert model.figures.ratio == pytest.approx(4 / 3)
    assert model.figures.brier == pytest.approx((11 * 0.5625 + 22 * 0.0625) / 33)
    assert [(row.group, row.figures.n, row.figures.observed) for row in found.units] == [
        ("ward-0", 17, 6), ("ward-1", 16, 5),
    ]  # fmt: skip
    assert [(row.group, row.figures.n, row.figures.few) for row in found.subgroups] == [
        ("sex: female", 17, False), ("sex: male", 16, False),
    ]  # fmt: skip
    (delay,) = found.delays
    assert (delay.reports, delay.mean_s, delay.median_s) == (33, 2 * 86_400, 2 * 86_400)
    (cards,) = found.cards
    assert (cards.accepted, cards.overridden, cards.override_ratio) == (1, 3, 0.75)
    chart = next(one for one in found.charts if one.unit == "ward-0")
    assert chart.patients == len(chart.points) == 17
    assert chart.vlad == pytest.approx(17 * 0.25 - 6)
    assert set(chart.limits) == {"worse", "better"}


def test_a_window_before_anything_was_counted_is_empty(url: str, vocabulary: Vocabulary) -> None:
    with opened(url) as engine:
        found = read_performance(
            engine, vocabulary, BEGIN_US, BEGIN_US + 61 * DAY_US, now_us=NOW_US + 1
        )
    (model,) = found.models
    assert (model.matured, model.coverage, model.figures.n) == (34, 0.0, 0)
    assert (found.units, found.subgroups, found.delays, found.cards) == ((), (), (), ())
    assert all(chart.points == () for chart in found.charts)


def test_the_document_is_json_and_marks_what_is_few(
    database_url: str, keyring: Keyring, vocabulary: Vocabulary
) -> None:
    written(database_url, keyring, patients(3))
    known = Followed(vocabulary)
    with opened(database_url) as engine:
        follow(known, engine, NOW_US + 1)
    found = performance(known, NOW_US - 365 * DAY_US, NOW_US)
    document = json.loads(json.dumps(found.as_document()))
    assert document["ledger"] == known.label
    assert document["until"] == "2026-11-21T22:26:40.000Z"
    assert document["models"][0]["figures"]["few"] is True
    assert document["models"][0]["figures"]["auroc"] is None
    assert document["units"][0]["figures"]["n"] == 2
    assert [row["unit"] for row in document["units"]] == ["ward-0", "ward-1"]
    assert [row["subgroup"] for row in document["subgroups"]] == ["sex: female", "sex: male"]
    assert document["charts"][0]["points"] == []


def test_points_of_charts_have_a_time(url: str, vocabulary: Vocabulary) -> None:
    with opened(url) as engine:
        found = read_performance(engine, vocabulary, NOW_US - 365 * DAY_US, NOW_US, NOW_US + 1)
    point = found.as_document()["charts"][0]["points"][0]
    assert set(point) == {"at", "worse", "better", "vlad", "signal"}
    assert point["at"] == "2026-10-14T22:26:40.000Z"
    assert point["vlad"] == pytest.approx(0.25 - 1)
