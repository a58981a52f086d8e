"""Answers as RiskAssessments: percentages, horizons, what abstained; all by hand."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import InputError, Problem
from app.fhir import answer_bundle, answer_outcome, problem_outcome, risk_assessment
from tests.lib.fhir import WORDS

AGE = {"feature": "age", "value": 71.0, "unit": "a", "contribution": 0.312, "present": True}
GCS = {"feature": "gcs_total", "value": 15, "unit": "{score}", "contribution": 0.0, "present": True}
OXYGEN = {
    "feature": "on_supplemental_oxygen",
    "value": True,
    "unit": None,
    "contribution": 0.1,
    "present": True,
}
ALBUMIN = {
    "feature": "albumin",
    "value": None,
    "unit": "g/L",
    "contribution": -0.05,
    "present": False,
}
DEATH: dict[str, Any] = {
    "outcome": "death_180d",
    "kind": "binary",
    "status": "answered",
    "horizon_days": 180,
    "probability": 0.073,
    "band": "intermediate",
    "cohort_probability": 0.468,
    "link": "logit",
    "interval": {"lower": 0.05, "upper": 0.105, "level": 0.9, "method": "x"},
    "attributions": [AGE, OXYGEN, ALBUMIN, GCS],
    "model": {"name": "icu-review.death_180d", "version": 3},
}
STAY: dict[str, Any] = {
    "outcome": "length_of_stay_days",
    "kind": "numeric",
    "status": "answered",
    "horizon_days": None,
    "value": 12.34,
    "unit": "d",
    "cohort_value": 10.0,
    "link": "identity",
    "interval": {"lower": 5.0, "upper": 30.0, "level": 0.9, "method": "x"},
    "attributions": [AGE],
    "model": {"name": "icu-review.length_of_stay_days", "version": 1},
}
SEPSIS = {
    "outcome": "sepsis",
    "kind": "binary",
    "status": "abstained",
    "reason": "missing_required",
    "features": ["map"],
}
FALLBACK = {
    **{key: value for key, value in DEATH.items() if key not in ("model", "interval")},
    "status": "fallback",
    "reason": "no_model",
    "reference": {"score": "SORT", "probability": 0.073},
}


def answer(*outcomes: dict[str, Any], **other: Any) -> dict[str, Any]:
    return {
        "assessment_id": "017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
        "episode_id": None,
        "branch_point": "icu-review",
        "index_time": "2026-11-21T08:15:00Z",
        "status": "answered",
        "outcomes": list(outcomes),
        "warnings": [],
        "suggestions": [],
        **other,
    }


def test_a_probability_is_a_percentage():
    """fhir_sweden: 0.073 is written 7.3; 0.07 x 100 is 7.000000000000001 in binary."""
    for probability, percent in ((0.073, 7.3), (0.07, 7.0), (0.0, 0.0), (1.0, 100.0)):
        made = risk_assessment(answer({**DEATH, "probability": probability}), WORDS)
        assert made["prediction"][0]["probabilityDecimal"] == percent


def test_a_prediction_says_what_until_when_and_why():
    (prediction,) = risk_assessment(answer(DEATH), WORDS)["prediction"]
    assert prediction["outcome"]["coding"][0]["code"] == "death_180d"
    assert prediction["qualitativeRisk"]["coding"][0]["code"] == "moderate"
    assert prediction["qualitativeRisk"]["text"] == "intermediate"
    assert prediction["whenRange"]["high"]["value"] == 180
    assert prediction["rationale"] == (
        "90% interval 5.0 % to 10.5 %; cohort 46.8 %; strongest reasons (log-odds): age 71 a "
        "(+0.31), on_supplemental_oxygen yes (+0.10), albumin missing (-0.05), gcs_total 15 (+0.00)"
    )


def test_an_expected_number_has_no_probability():
    (prediction,) = risk_assessment(answer(STAY), WORDS)["prediction"]
    assert not {"probabilityDecimal", "qualitativeRisk", "whenRange"} & prediction.keys()
    assert prediction["extension"][0]["valueQuantity"] == {"value": 12.34, "unit": "d"}
    assert "90% interval 5 d to 30 d; cohort 10 d" in prediction["rationale"]


def test_a_published_score_says_that_it_is_one():
    made = risk_assessment(answer(FALLBACK), WORDS)
    assert made["method"]["coding"] == [
        {"system": "urn:x-complication-risk:reference-score", "code": "SORT"}
    ]
    rationale = made["prediction"][0]["rationale"]
    assert "published score SORT, because the model did not answer: no_model" in rationale


def test_an_outcome_that_abstains_has_no_prediction_but_a_note_and_an_issue():
    made = risk_assessment(answer(SEPSIS), WORDS)
    assert "prediction" not in made
    assert made["note"][1]["text"].endswith(": missing_required (map)")
    outcome = answer_outcome(answer(SEPSIS), {})
    assert outcome is not None
    assert outcome["issue"][0]["diagnostics"] == "sepsis: no answer (map)"


@pytest.mark.parametrize(
    ("patient", "reference"),
    [
        ("1", "Patient/1"),
        ("Patient/1", "Patient/1"),
        ("urn:uuid:017f22e2-79b0-7cc3-98c4-dc0c0c07398f",) * 2,
        ("https://ehr.example/Patient/1", None),
        ("a7.f3-19", "Patient/a7.f3-19"),
        ("017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "Patient/017f22e2-79b0-7cc3-98c4-dc0c0c07398f"),
        ("195009072553", None),
        ("195009072554", None),  # the check digit is wrong: mistyped, and somebody's all the same
        ("1950.09-07", None),
        ("Anna.Andersson", None),
        ("Patient/19500907-2553", None),
        ("Patient/1 or Anna Andersson", None),
        (None, None),
    ],
)
def test_a_patient_is_named_as_the_caller_does_unless_that_could_tell_who_it_is(
    patient: str | None, reference: str | None
):
    made = risk_assessment(answer(DEATH), WORDS, patient=patient, subject_id="pseudonym")
    assert made["subject"].get("reference") == reference
    if reference is None:
        assert made["subject"]["identifier"]["value"] == "pseudonym"


def test_the_basis_is_what_the_predictions_used():
    basis = [
        ("age", "Patient/1"),
        ("crp", "Observation/2"),
        ("albumin", "Observation/195009072553"),
    ]
    made = risk_assessment(answer(DEATH), WORDS, basis=basis)
    assert made["basis"] == [{"reference": "Patient/1"}]


def test_suggestions_are_one_string():
    suggested = [{"id": "a", "label": "Call"}, {"id": "b", "label": "Wait"}]
    made = risk_assessment(answer(DEATH, suggestions=suggested), WORDS)
    assert made["mitigation"] == "Suggested, never ordered: Call; Wait"


def test_a_bundle_holds_warnings_only_where_there_are_some():
    made = risk_assessment(answer(DEATH), WORDS)
    assert answer_outcome(answer(DEATH), {}) is None
    assert len(answer_bundle(made, None)["entry"]) == 1
    warned = answer_outcome(answer(DEATH), {"other_patient": 2, "other_type": 1})
    assert warned is not None
    assert [issue["severity"] for issue in warned["issue"]] == ["warning", "information"]
    entries = answer_bundle(made, warned)["entry"]
    assert len({entry["fullUrl"] for entry in entries}) == 2


def test_a_fault_becomes_an_issue_with_its_place():
    problem = Problem(422, "x", [InputError("/parameter/2/valueCode", "invalid_value", "expects")])
    assert problem_outcome(problem)["issue"] == [
        {
            "severity": "error",
            "code": "value",
            "details": {"text": "invalid_value"},
            "diagnostics": "expects",
            "expression": ["Parameters.parameter[2].valueCode"],
        }
    ]


def test_a_silent_answer_is_registered_without_a_result_and_says_why():
    """R4 ObservationStatus `registered`: it exists, there is no result; issue type `suppressed`."""
    silent = answer(status="silent")
    made = risk_assessment(silent, WORDS, patient="Patient/1", basis=[("age", "Patient/1")])
    assert made["status"] == "registered"
    assert not {"prediction", "basis", "mitigation"} & set(made)
    assert "Silent mode" in made["note"][1]["text"]
    (issue,) = answer_outcome(silent, {})["issue"]
    assert (issue["severity"], issue["code"]) == ("information", "suppressed")
