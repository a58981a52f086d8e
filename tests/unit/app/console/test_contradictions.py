"""Two people in one episode, and a day of the stay that stands still."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.console.assessment.contradictions import astray, contradicted
from models.vocabulary import load_vocabulary

FEATURES = load_vocabulary().features
FACTS = st.fixed_dictionaries(
    {},
    optional={
        "sex": st.sampled_from(["male", "female"]),
        "age": st.floats(18, 90),
        "diabetes": st.booleans(),
        "cancer_extent": st.sampled_from(["none", "localised", "metastatic"]),
        "race_us": st.sampled_from(["white", "black"]),
        "heart_rate": st.floats(40, 180),
    },
)


def told(number: int, facts: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    return {"assessment_id": str(number)}, {name: {"value": v} for name, v in facts.items()}


@given(st.lists(FACTS, min_size=1, max_size=5))
def test_whom_one_page_doubts_doubts_it_back(patients: list[dict[str, Any]]):
    """A warning on the later page alone would leave the earlier one to be believed."""
    path = [told(i, facts) for i, facts in enumerate(patients)]
    doubts = {
        (told["assessment_id"], other.assessment_id, other.facts)
        for told, _ in path
        for other in contradicted(told["assessment_id"], path, FEATURES)
    }
    assert doubts == {(other, own, facts) for own, other, facts in doubts}


@given(FACTS)
def test_who_does_not_change_is_one_person(facts: dict[str, Any]):
    path = [told(i, facts) for i in range(3)]
    assert contradicted("1", path, FEATURES) == []


@pytest.mark.parametrize(
    ("earlier", "later", "facts"),
    [
        ({"age": 70.0}, {"age": 72.0}, ()),
        ({"age": 70.0}, {"age": 72.5}, ("age",)),
        ({"sex": "male"}, {}, ()),
        # Found during the stay: a cancer that has spread, and diabetes.
        (
            {"cancer_extent": "none", "diabetes": False},
            {"cancer_extent": "metastatic", "diabetes": True},
            (),
        ),
        (
            {"cancer_extent": "metastatic", "diabetes": True},
            {"cancer_extent": "none", "diabetes": False},
            ("diabetes", "cancer_extent"),
        ),
        ({"cancer_extent": "metastatic"}, {"cancer_extent": "none"}, ()),
        ({"heart_rate": 60.0, "race_us": "white"}, {"heart_rate": 160.0, "race_us": "black"}, ()),
        # A category that the dictionary no longer has is compared as a word.
        (
            {"cancer_extent": "widespread", "race_us": "white"},
            {"cancer_extent": "none", "race_us": "black"},
            ("race_us", "cancer_extent"),
        ),
    ],
)
def test_what_decides(earlier: dict[str, Any], later: dict[str, Any], facts: tuple[str, ...]):
    path = [told(0, earlier), told(1, later)]
    found = contradicted("1", path, FEATURES)
    assert [(one.assessment_id, set(one.facts)) for one in found] == (
        [("0", set(facts))] if facts else []
    )


def at(number: int, day: int, stay: float | None) -> tuple[dict[str, Any], dict[str, Any]]:
    asked = {"assessment_id": str(number), "index_time": f"2026-11-{day:02}T08:00:00Z"}
    return asked, {} if stay is None else {"hospital_day": {"value": stay}}


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.integers(0, 5))
def test_days_that_go_on_as_the_days_do_are_never_named(gaps: list[int], first: int):
    days = [sum(gaps[:i]) for i in range(len(gaps))]
    path = [
        (
            {
                "assessment_id": str(i),
                "index_time": f"2026-{1 + d // 28:02}-{1 + d % 28:02}T08:00:00Z",
            },
            {"hospital_day": {"value": first + d}},
        )
        for i, d in enumerate(days)
        if d < 28
    ]
    assert all(astray(told["assessment_id"], path, []) == [] for told, _ in path)


@pytest.mark.parametrize(
    ("stays", "named"),
    [
        ([3, 4, 5], [False, False, False]),
        (
            [3, 3, 3],
            [False, False, False],
        ),  # a day begins at midnight for one, at admission for another
        ([3, 9, 5], [False, True, True]),
        ([3, None, 3], [False, False, True]),
    ],
)
def test_a_day_that_does_not(stays: list[float | None], named: list[bool]):
    path = [at(i, 10 + i, stay) for i, stay in enumerate(stays)]
    assert [bool(astray(str(i), path, [])) for i in range(3)] == named


def test_a_stranger_s_day_is_not_compared():
    path = [at(0, 10, 9), at(1, 11, 2)]
    path[0][1]["sex"], path[1][1]["sex"] = {"value": "male"}, {"value": "female"}
    assert astray("1", path, contradicted("1", path, FEATURES)) == []
