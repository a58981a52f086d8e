"""A silent answer tells nothing of the risk, is its own silent form, and reads back as it was sent."""

from __future__ import annotations

import string
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from app.services.silence import TOLD, as_given, is_silent, marked_silent, silent_answer
from tests.lib.properties import LAW

WORDS = st.text(string.ascii_lowercase + "åäö_", min_size=1, max_size=12)
RISKS = st.floats(1_000.5, 9_999.5)  # a range of its own, so that each is found again as text
OUTCOMES = st.lists(
    st.fixed_dictionaries(
        {
            "outcome": WORDS,
            "status": st.sampled_from(["answered", "fallback", "abstained"]),
            "probability": RISKS,
            "band": st.just("BAND"),
            "interval": st.fixed_dictionaries({"lower": RISKS, "upper": RISKS}),
            "attributions": st.lists(
                st.fixed_dictionaries({"feature": WORDS, "contribution": RISKS}), max_size=4
            ),
        }
    ),
    min_size=1,
    max_size=4,
)
ANSWERS = st.fixed_dictionaries(
    {
        "assessment_id": WORDS,
        "episode_id": st.none() | WORDS,
        "branch_point": WORDS,
        "index_time": WORDS,
        "status": st.sampled_from(["answered", "partial", "abstained"]),
        "decision_support_only": st.just(True),
        "outcomes": OUTCOMES,
        "missing": st.lists(WORDS, max_size=4),
        "warnings": st.lists(st.fixed_dictionaries({"code": WORDS, "detail": WORDS}), max_size=3),
        "suggestions": st.lists(st.fixed_dictionaries({"id": st.just("BAND")}), max_size=2),
        "deidentification": st.fixed_dictionaries({"kept": st.integers(0, 99)}),
    },
    optional={
        "measure_next": st.lists(st.fixed_dictionaries({"expected_information": RISKS})),
        "reference_scores": st.lists(st.fixed_dictionaries({"lowest": RISKS})),
        "something_that_comes_later": RISKS,
    },
)


def numbers_of(part: Any) -> list[float]:
    if isinstance(part, dict):
        part = list(part.values())
    if isinstance(part, list):
        return [number for inside in part for number in numbers_of(inside)]
    return [part] if isinstance(part, float) else []


@LAW
@given(ANSWERS)
def test_nothing_of_the_outcomes_is_left_and_the_rest_is_as_it_was(answer: dict[str, Any]):
    silent = silent_answer(answer)
    assert list(silent) == list(TOLD)
    assert (silent["status"], silent["outcomes"], silent["suggestions"]) == ("silent", [], [])
    kept = set(TOLD) - {"status", "outcomes", "suggestions"}
    assert all(silent[name] == answer[name] for name in kept)
    text = orjson.dumps(silent).decode()
    assert "BAND" not in text
    for number in numbers_of(answer):
        assert orjson.dumps(number).decode() not in text


@LAW
@given(ANSWERS)
def test_the_silent_form_of_a_silent_form_is_itself(answer: dict[str, Any]):
    silent = silent_answer(answer)
    assert silent_answer(silent) == silent
    assert list(silent_answer({"silent": True, **answer})) == list(silent)


@LAW
@given(ANSWERS)
def test_what_is_read_back_is_the_bytes_that_were_sent(answer: dict[str, Any]):
    sent, stored = orjson.dumps(silent_answer(answer)), marked_silent(answer).decode()
    assert is_silent(stored)
    assert as_given(stored) == sent
    told = orjson.dumps(answer)
    assert not is_silent(told.decode())
    assert as_given(told.decode()) == told
