"""What a rung writes, and that the next one only ever merges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.vocabulary import load_vocabulary, take
from tests.lib.properties import LAW
from training.export.ladder import Step, describe, generalise, is_coarser
from training.export.rules import load_rules

WORDS = load_vocabulary()
LADDERS = load_rules(WORDS).ladders
AGE = WORDS.features["age"]
MISSING = float("nan")


def told(feature: str, values: list[float], step: Step) -> list[float]:
    return generalise(np.array(values), WORDS.features[feature], step).tolist()


@pytest.mark.parametrize(
    ("width", "sent", "written"),
    [
        (1, 62.0, 62.5), (1, 62.9, 62.5), (5, 62.9, 62.5), (10, 62.9, 65), (20, 62.9, 70),
        (20, 19.9, 10),
        (20, 88, 85), (20, 90, 85),  # 80 to the top code 90
        (10, 85, 85), (10, 90, 90), (5, 89, 87.5), (5, 90, 90),
        (1, 89, 89), (1, 90, 90),  # 89.5 would be read back as 90
    ],
)  # fmt: skip
def test_an_age_is_written_as_the_middle_of_its_band(width, sent, written):
    assert told("age", [sent], Step("width", width=width)) == [written]


def test_whole_numbers_stay_whole():
    """Months 1 to 3 as 2, 4 to 7 as 5; 12 is alone in its band."""
    months = told("operation_month", [1, 3, 4, 12], Step("width", width=4))
    assert months == [2, 2, 5, 12]


def test_a_band_between_limits_is_written_as_what_is_declared():
    step = Step("limits", limits=(25.0, 30.0), written=(22.0, 27.5, 34.0))
    assert told("bmi", [12, 24.9, 25, 30, 80], step) == [22, 22, 27.5, 34, 34]


def test_categories_are_merged_by_name():
    names = WORDS.features["race_us"].categories
    step = Step("merge", merge={"asian": "other", "hispanic": "other"})
    written = told("race_us", [float(i) for i in range(len(names))], step)
    assert [names[int(i)] for i in written] == ["white", "black", "other", "other", "other"]


@pytest.mark.parametrize(
    "step",
    [
        Step("exact"),
        Step("width", width=5),
        Step("limits", limits=(50.0,), written=(30.0, 70.0)),
        Step("suppress"),
    ],
)
def test_missing_stays_missing(step):
    assert np.isnan(told("age", [MISSING], step)).all()


def _values(name):
    feature = WORDS.features[name]
    if feature.kind == "category":
        return st.integers(0, len(feature.categories) - 1).map(float)
    if feature.kind == "flag":
        return st.sampled_from((0.0, 1.0))
    lowest, highest = feature.plausible
    numbers = st.integers(int(np.ceil(lowest)), int(highest)).map(float)
    if not feature.integer:
        numbers |= st.floats(lowest, highest)
    return numbers.map(lambda number: take(feature, number))


@pytest.mark.parametrize("name", list(LADDERS))
def test_each_rung_writes_plausible_values_and_only_merges_what_the_one_below_tells(name):
    ladder = LADDERS[name]
    feature = ladder.feature

    @LAW
    @given(st.lists(_values(name), min_size=1, max_size=30))
    def holds(values):
        below = np.array(values)
        for step in ladder.steps:
            written = generalise(np.array(values), feature, step)
            again = generalise(written, feature, step)
            assert np.array_equal(written, again, equal_nan=True)
            pairs = set(zip(np.nan_to_num(below, nan=-1).tolist(),
                            np.nan_to_num(written, nan=-1).tolist(), strict=True))  # fmt: skip
            assert len(pairs) == len({fine for fine, _ in pairs})
            if feature.kind == "number":
                for value in written[~np.isnan(written)]:
                    assert feature.plausible[0] <= value <= feature.plausible[1]
                    assert not feature.integer or value.is_integer()
                    # What is read back is what was counted.
                    assert take(feature, value) == value
            below = written

    holds()


@pytest.mark.parametrize(
    ("finer", "coarser", "expected"),
    [
        (Step("width", width=5), Step("width", width=10), True),
        (Step("width", width=10), Step("width", width=5), False),
        (Step("width", width=5), Step("width", width=5), False),
        (Step("width", width=5), Step("limits", limits=(45.0, 65.0)), True),
        (Step("width", width=10), Step("limits", limits=(45.0,)), False),
        (Step("exact"), Step("limits", limits=(44.5,)), True),
        (Step("width", width=5), Step("suppress"), True),
        (Step("suppress"), Step("width", width=5), False),
        (Step("width", width=5), Step("exact"), False),
    ],
)
def test_a_rung_is_coarser_when_it_only_merges(finer, coarser, expected):
    assert is_coarser(AGE, finer, coarser) is expected


def test_merges_that_part_what_was_together_are_no_rungs():
    race = WORDS.features["race_us"]
    first = Step("merge", merge={"asian": "other", "hispanic": "other"})
    assert is_coarser(race, first, Step("merge", merge={"asian": "white", "other": "white", "hispanic": "white"}))  # fmt: skip
    assert not is_coarser(race, first, Step("merge", merge={"asian": "white"}))


def test_rungs_are_told_in_words():
    race = WORDS.features["race_us"]
    step = Step("merge", merge={"asian": "other"})
    assert describe(race, step) == "asian as other; others as they are"
    assert describe(AGE, Step("suppress")) == "left out"
    assert describe(AGE, Step("limits", limits=(45.0,), written=(30.0, 60.0))) == (
        "bands beginning at 45 a, written as 30, 60"
    )
