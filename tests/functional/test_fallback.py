"""Where no model answers: a published score that is certain, a range, or a plain abstention."""

from __future__ import annotations

import math
from typing import Any

import httpx
import pytest

from app.schemas.documents import AssessmentAnswer

Document = dict[str, Any]
NOON = "2026-11-21T12:00:00Z"
# SORT's own worked example in the reference tables: ASA III, expedited, high-risk specialty, complex
# operation, cancer, age 65-79: 10.138 %.
SORT_PATIENT = {
    "age": 71, "procedure_group": "colorectal_resection", "asa_class": 3,
    "operation_urgency": "expedited", "surgical_specialty": "colorectal",
    "operative_severity": "major_plus", "cancer": True,
}  # fmt: skip
SORT_RISK = 0.10138


def ask(client: httpx.Client, point: str, measurements: Document, **fields: Any) -> Document:
    sent = {"index_time": NOON, "measurements": measurements, **fields}
    reply = client.post(f"/v1/branch-points/{point}/assessments", json=sent)
    assert reply.status_code == 200, reply.text
    answer: Document = reply.json()
    AssessmentAnswer.model_validate(answer)
    return answer


def by_outcome(answer: Document) -> dict[str, Document]:
    return {outcome["outcome"]: outcome for outcome in answer["outcomes"]}


@pytest.fixture(scope="module")
def sort_patient() -> Document:
    """The worked example in the dictionary's words."""
    return SORT_PATIENT


def test_without_a_champion_the_published_score_answers_and_its_points_add_up(
    client: httpx.Client, sort_patient: Document
):
    answer = ask(client, "surgery-decision", sort_patient)
    death = by_outcome(answer)["death_30d"]
    assert (death["status"], death["reason"]) == ("fallback", "no_model")
    assert death["probability"] == pytest.approx(SORT_RISK, abs=5e-6)
    reasons = sum(reason["contribution"] for reason in death["attributions"])
    assert death["base_value"] + reasons == pytest.approx(death["log_odds"], abs=1e-6)
    assert 1 / (1 + math.exp(-death["log_odds"])) == pytest.approx(death["probability"], abs=1e-6)
    assert death["reference"]["score"] == "sort"
    assert death["reference"]["same_definition"]
    assert "model" not in death
    assert answer["status"] == "partial"


def test_a_missing_input_gives_a_range_and_never_a_silent_normal(
    client: httpx.Client, sort_patient: Document
):
    known = {name: v for name, v in sort_patient.items() if name != "operative_severity"}
    death = by_outcome(ask(client, "surgery-decision", known))["death_30d"]
    assert (death["status"], death["reason"]) == ("abstained", "no_model")
    assert "probability" not in death
    told = death["reference"]
    assert told["probability"] is None
    assert told["missing"] == ["operative_severity"]
    assert told["lowest"] < SORT_RISK <= told["highest"] + 5e-6


def test_an_outcome_that_no_score_stands_for_abstains_plainly(
    client: httpx.Client, sort_patient: Document
):
    stay = by_outcome(ask(client, "surgery-decision", sort_patient))["length_of_stay_days"]
    assert stay == {
        "outcome": "length_of_stay_days", "kind": "numeric", "status": "abstained",
        "reason": "no_model",
    }  # fmt: skip


def test_points_without_a_probability_stand_beside_the_outcomes(client: httpx.Client):
    """NEWS2's worked example: breathing 21, saturation 95 %, pulse 91, the rest normal: 4 points."""
    patient = {
        "age": 60, "resp_rate": 21, "spo2": 95, "sbp": 120, "heart_rate": 91, "temperature": 37.0,
        "consciousness_acvpu": "alert", "on_supplemental_oxygen": False,
        "hypercapnic_respiratory_failure": False,
    }  # fmt: skip
    answer = ask(client, "ward-round", patient)
    assert {outcome["status"] for outcome in answer["outcomes"]} == {"abstained"}
    news2 = next(score for score in answer["reference_scores"] if score["score"] == "news2")
    assert (news2["lowest"], news2["highest"], news2["missing"]) == (4, 4, [])
    partly = {name: v for name, v in patient.items() if name != "on_supplemental_oxygen"}
    unsure = ask(client, "ward-round", partly)["reference_scores"]
    news2 = next(score for score in unsure if score["score"] == "news2")
    assert (news2["lowest"], news2["highest"]) == (4, 6)
    assert news2["missing"] == ["on_supplemental_oxygen"]


def test_what_to_measure_next_is_ranked_when_asked_for(
    client: httpx.Client, patients: list[Document]
):
    measured = patients[0]["request"]["measurements"]
    required = {n: measured[n] for n in ("age", "heart_rate", "map", "resp_rate", "temperature")}
    answer = ask(client, "icu-review", required, include=["measure_next"])
    ranked = answer["measure_next"]
    assert len(ranked) >= 10
    assert {item["feature"] for item in ranked} <= set(answer["missing"])
    bits = [item["expected_information"] for item in ranked]
    assert bits == sorted(bits, reverse=True)
    assert all(0 < value <= 1 for value in bits)
    plain = ask(client, "icu-review", required)
    assert "measure_next" not in plain
    # Nobody measures an income, however much it would tell this model.
    lived = {"income_band_us", "education_years"}
    assert lived <= set(answer["missing"])
    assert not lived & {item["feature"] for item in ranked}
    assert plain["outcomes"] == answer["outcomes"]


def test_an_episode_may_go_from_a_published_score_to_a_model(
    client: httpx.Client, sort_patient: Document, patients: list[Document]
):
    first = ask(client, "surgery-decision", sort_patient, episode="fallback-first")
    ask(client, "icu-review", patients[0]["request"]["measurements"], episode="fallback-first")
    ask(client, "surgery-decision", {**sort_patient, "cancer": False}, episode="fallback-first",
        index_time="2026-11-21T15:00:00Z")  # fmt: skip
    found = client.get(f"/v1/episodes/{first['episode_id']}").json()
    path = found["trajectory"]["death_30d"]
    assert [point["status"] for point in path] == ["fallback", "fallback"]
    moved = path[1]["change"]
    assert moved["same_model"]
    assert [feature["feature"] for feature in moved["features"]] == ["cancer"]
    # SORT gives cancer 0.667.
    assert moved["features"][0]["change"] == pytest.approx(-0.667)
    assert moved["score"] == pytest.approx(-0.667)
