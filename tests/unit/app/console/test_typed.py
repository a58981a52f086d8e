"""What is typed into the form becomes the request that a REST client would have sent."""

from __future__ import annotations

import json

from app.console.patient.typed import inputs_of, read_typed
from app.schemas.assessment_request import AssessmentRequest, parse_assessment_request
from models.vocabulary import load_vocabulary

WORDS = load_vocabulary()
POINT = WORDS.branch_points["icu-review"]


def values(request: AssessmentRequest) -> dict[str, float]:
    return {measurement.feature.name: measurement.value for measurement in request.measurements}


def test_it_is_the_request_of_a_rest_client():
    form = {
        "v.age": "71", "u.age": "a", "v.creatinine": "1,2", "u.creatinine": "mg/dL",
        "v.diabetes": "no", "v.sex": "male", "v.sodium": " ", "form": "proof",
        "subject": "195009072553", "episode": "case-1",
    }  # fmt: skip
    sent = {
        "measurements": {
            "age": 71, "sex": "male", "creatinine": {"value": 1.2, "unit": "mg/dL"}, "diabetes": False,
        },
        "include": ["measure_next"],
    }  # fmt: skip
    typed = read_typed(form, POINT, WORDS, "sv")
    expected = parse_assessment_request(json.dumps(sent).encode(), POINT, WORDS)
    assert values(typed.request) == values(expected)
    assert (typed.request.subject, typed.request.episode) == (None, None)
    assert not typed.unreadable
    assert typed.what_if is None


def test_what_cannot_be_read_is_named_and_left_out():
    form = {"v.age": "old", "v.sex": "male", "v.sodium": "1e999", "v.creatinine": "1,234"}
    typed = read_typed(form, POINT, WORDS, "en")
    assert typed.unreadable == {"age", "sodium", "creatinine"}
    assert [m.feature.name for m in typed.request.measurements] == ["sex"]


def test_what_if_changes_one_value_in_the_unit_that_was_chosen():
    form = {
        "v.age": "71", "v.creatinine": "1", "u.creatinine": "mg/dL",
        "if_feature": "creatinine", "if_value": "2",
    }  # fmt: skip
    typed = read_typed(form, POINT, WORDS, "en")
    assert typed.what_if is not None
    found = values(typed.what_if)
    assert found == {"age": 71.0, "creatinine": 176.8}
    assert typed.changed == "creatinine"


def test_a_code_is_not_asked_for():
    assert "diagnosis" in POINT.features
    assert "diagnosis" not in {feature.name for feature in inputs_of(POINT, WORDS)}
