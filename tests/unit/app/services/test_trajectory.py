"""What moved a risk between two answers adds up, whichever models gave them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.trajectory import change, trajectory
from tests.lib.properties import LAW

NAMES = ("age", "albumin", "creatinine", "lactate", "sex")
score = st.floats(-4, 4, allow_subnormal=False)


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    """One outcome's answer, whose parts add up, of a model that reads some of the inputs."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    reasons = [
        {"feature": name, "value": value, "contribution": draw(score), "present": value is not None}
        for name in names
        for value in (draw(st.one_of(st.none(), st.integers(0, 2))),)
    ]
    base = draw(score)
    total = base + sum(reason["contribution"] for reason in reasons)
    return {
        "outcome": "death_30d", "status": "answered", "probability": 0.5, "log_odds": total,
        "base_value": base, "attributions": reasons,
        "model": {"digest": draw(st.sampled_from(["a", "b"]))},
    }  # fmt: skip


@LAW
@given(answers(), answers())
def test_base_value_and_features_add_up_to_the_change_of_score(before, after):
    moved = change(before, after)
    parts = moved["base_value"] + sum(feature["change"] for feature in moved["features"])
    assert parts == pytest.approx(moved["score"], abs=1e-9)
    assert moved["score"] == after["log_odds"] - before["log_odds"]


@LAW
@given(answers(), answers())
def test_every_input_whose_value_changed_is_named(before, after):
    values = [{r["feature"]: r["value"] for r in a["attributions"]} for a in (before, after)]
    differing = {n for n in NAMES if values[0].get(n) != values[1].get(n)}
    moved = change(before, after)["features"]
    assert {feature["feature"] for feature in moved if feature["changed"]} == differing
    sizes = [abs(feature["change"]) for feature in moved]
    assert sizes == sorted(sizes, reverse=True)


@LAW
@given(answers())
def test_nothing_moves_between_an_answer_and_itself(answer):
    moved = change(answer, answer)
    assert moved == {
        "same_model": True, "score": 0.0, "probability": 0.0, "base_value": 0.0, "features": [],
    }  # fmt: skip


def of_assessment(number: int, *outcomes: dict[str, Any]) -> dict[str, Any]:
    return {
        "assessment_id": str(number), "branch_point": "icu-review", "index_time": "t",
        "outcomes": list(outcomes),
    }  # fmt: skip


def test_a_change_is_told_since_the_last_answer_that_had_a_score():
    answered = {
        "outcome": "death_30d", "status": "answered", "probability": 0.5, "log_odds": 0.0,
        "base_value": 0.0, "attributions": [], "model": {"digest": "a"},
    }  # fmt: skip
    abstained = {"outcome": "death_30d", "status": "abstained", "reason": "no_model"}
    path = trajectory(
        [of_assessment(1, abstained), of_assessment(2, answered), of_assessment(3, abstained),
         of_assessment(4, answered)]
    )["death_30d"]  # fmt: skip
    assert [point.get("change", {}).get("since") for point in path] == [None, None, None, "2"]
    assert [point.get("reason") for point in path] == ["no_model", None, "no_model", None]


def test_a_published_score_after_a_model_is_another_maker():
    model = {"log_odds": 0.0, "base_value": 0.0, "attributions": [], "model": {"digest": "a"},
             "reference": {"score": "sort"}}  # fmt: skip
    fallback = {"log_odds": -1.0, "base_value": -1.0, "attributions": [],
                "reference": {"score": "sort"}}  # fmt: skip
    assert change(model, {**model, "reference": {"score": "news2"}})["same_model"]
    assert not change(model, fallback)["same_model"]
    assert change(fallback, fallback)["same_model"]


def test_a_length_of_stay_moves_in_its_own_unit():
    before, after = (
        {"value": v, "base_value": 5.0, "model": {"digest": "a"},
         "attributions": [{"feature": "age", "value": 70, "contribution": v - 5.0}]}
        for v in (6.0, 8.5)
    )  # fmt: skip
    moved = change(before, after)
    assert (moved["score"], moved["value"]) == (2.5, 2.5)
    assert moved["features"][0]["change"] == 2.5
