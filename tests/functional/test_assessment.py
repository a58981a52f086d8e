"""Real patients through the running service: the answers keep the contract's laws."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.schemas.documents import AssessmentAnswer
from tests.lib.properties import LAW

ICU = "/v1/branch-points/icu-review/assessments"
NOON = "2026-11-21T12:00:00Z"
REQUIRED = ("age", "heart_rate", "map", "resp_rate", "temperature")
# severe_disability_60d is trained too, but its calibration slope on held-out rows (1.31) is over the
# gate's limit of 1.25, so it has no champion.
PROMOTED = {
    "death_in_hospital", "death_60d", "death_180d", "prolonged_stay", "length_of_stay_days",
}  # fmt: skip
Measurements = Mapping[str, Any]
Document = dict[str, Any]


@pytest.fixture(scope="module")
def point(client: httpx.Client) -> Document:
    """The branch point as it is declared to clients."""
    found: Document = client.get("/v1/branch-points/icu-review").json()
    return found


@pytest.fixture(scope="module")
def served(client: httpx.Client) -> dict[str, Document]:
    """Served models by outcome."""
    return {model["outcome"]: model for model in client.get("/v1/models").json()}


@pytest.fixture(scope="module")
def dictionary(client: httpx.Client) -> dict[str, Document]:
    return {feature["name"]: feature for feature in client.get("/v1/features").json()}


@pytest.fixture(scope="module")
def measured(patients: Sequence[Document]) -> list[dict[str, Any]]:
    return [patient["request"]["measurements"] for patient in patients]


@pytest.fixture(scope="module")
def familiar(client: httpx.Client, measured: Sequence[Measurements]) -> dict[str, Any]:
    """A patient whom every model answers, with as much measured as any other."""
    for found in sorted(measured, key=len, reverse=True):
        if answered(ask(client, found)).keys() == PROMOTED:
            return dict(found)
    pytest.fail("no patient is answered by every model")


def ask(client: httpx.Client, measurements: Measurements, **fields: Any) -> Document:
    """One assessment at a fixed index time; the answer has the documented shape."""
    sent = {"index_time": NOON, "measurements": measurements, **fields}
    response = client.post(ICU, json=sent)
    assert response.status_code == 200, response.text
    answer: Document = response.json()
    AssessmentAnswer.model_validate(answer)
    return answer


def ask_many(client: httpx.Client, requests: Iterator[Document] | Sequence[Document]) -> Any:
    sent = "\n".join(json.dumps({"index_time": NOON, **request}) for request in requests)
    return [
        json.loads(line) for line in client.post(f"{ICU}:batch", content=sent).text.splitlines()
    ]


def answered(answer: Document) -> dict[str, Document]:
    return {o["outcome"]: o for o in answer["outcomes"] if o["status"] == "answered"}


def abstained(answer: Document) -> dict[str, str]:
    return {o["outcome"]: o["reason"] for o in answer["outcomes"] if o["status"] == "abstained"}


def estimate(outcome: Document) -> float:
    return float(outcome["probability" if outcome["kind"] == "binary" else "value"])


def keeps_the_law(outcome: Document, features: Sequence[str]) -> None:
    """Base value and contributions add up to what is shown; every feature has its reason."""
    contributions = [reason["contribution"] for reason in outcome["attributions"]]
    total = outcome["base_value"] + math.fsum(contributions)
    if outcome["kind"] == "binary":
        assert outcome["link"] == "logit"
        assert total == pytest.approx(outcome["log_odds"], abs=1e-6)
        assert outcome["probability"] == pytest.approx(1 / (1 + math.exp(-total)), abs=1e-6)
        assert 0 < outcome["probability"] < 1
    else:
        assert outcome["link"] == "identity"
        assert total == pytest.approx(outcome["value"], abs=1e-6)
    assert outcome["interval"]["lower"] <= estimate(outcome) <= outcome["interval"]["upper"]
    assert sorted(reason["feature"] for reason in outcome["attributions"]) == sorted(features)
    magnitudes = [abs(contribution) for contribution in contributions]
    assert magnitudes == sorted(magnitudes, reverse=True)
    assert all(
        (reason["value"] is not None) == reason["present"] for reason in outcome["attributions"]
    )


def test_every_patient_gets_an_answer_that_keeps_the_law(
    client: httpx.Client,
    measured: Sequence[Measurements],
    served: Mapping[str, Document],
    point: Document,
):
    reached = set()
    for measurements in measured:
        answer = ask(client, measurements)
        assert [o["outcome"] for o in answer["outcomes"]] == [
            o["outcome"] for o in point["outcomes"]
        ]
        assert answer["branch_point"] == "icu-review"
        assert answer["decision_support_only"] is True
        assert answer["index_time"] == NOON
        for name, outcome in answered(answer).items():
            keeps_the_law(outcome, served[name]["features"])
            assert outcome["model"] == {
                key: served[name][key]
                for key in ("name", "version", "alias", "digest", "training_data")
            }
            reached.add(name)
        reasons = abstained(answer)
        assert {name for name, why in reasons.items() if why == "no_model"} == {
            o["outcome"] for o in point["outcomes"] if o["champion"] is None
        }
    assert reached == PROMOTED


def test_most_real_patients_are_answered(client: httpx.Client, measured: Sequence[Measurements]):
    """The rule for unlike patients lets one in a thousand fitting patients go."""
    unfamiliar = [m for m in measured if answered(ask(client, m)).keys() != PROMOTED]
    assert len(unfamiliar) <= 2


def taken(number: float) -> float:
    """A number as it is taken: four significant digits."""
    return float(f"{number:.4g}")


def test_a_reason_shows_the_value_as_measured_in_the_dictionarys_unit(
    client: httpx.Client, familiar: Measurements, dictionary: Mapping[str, Document]
):
    for outcome in answered(ask(client, familiar)).values():
        for reason in outcome["attributions"]:
            name = reason["feature"]
            assert reason["unit"] == dictionary[name]["unit"]
            assert reason["present"] == (name in familiar)
            sent = familiar.get(name)
            if not isinstance(sent, dict):
                assert reason["value"] == (taken(sent) if type(sent) in (int, float) else sent)
                continue
            [conversion] = [
                accepted
                for accepted in dictionary[name]["accepted_units"]
                if accepted["unit"] == sent["unit"]
            ]
            expected = sent["value"] * conversion["factor"] + conversion["offset"]
            assert reason["value"] == taken(expected)


def test_the_band_and_the_suggestions_are_the_declared_ones(
    client: httpx.Client, measured: Sequence[Measurements], point: Document
):
    declared = {o["outcome"]: o["bands"] for o in point["outcomes"]}
    for measurements in measured:
        answer = ask(client, measurements)
        bands = {}
        for name, outcome in answered(answer).items():
            if outcome["kind"] == "numeric":
                continue
            limits, names = declared[name]["limits"], declared[name]["names"]
            bands[name] = names[sum(outcome["probability"] >= limit for limit in limits)]
            assert outcome["band"] == bands[name]
        assert [suggestion["id"] for suggestion in answer["suggestions"]] == [
            action["id"]
            for action in point["actions"]
            if bands.get(action["outcome"]) in action["bands"]
        ]


def test_the_same_question_gets_the_same_bytes_but_for_its_identifier(
    client: httpx.Client, measured: Sequence[Measurements]
):
    for measurements in measured[:10]:
        sent = {"index_time": NOON, "measurements": measurements}
        first, second = (client.post(ICU, json=sent) for _ in range(2))
        one, other = first.json()["assessment_id"], second.json()["assessment_id"]
        assert one != other
        assert first.content.replace(one.encode(), other.encode()) == second.content


def test_the_order_of_measurements_does_not_matter(
    client: httpx.Client, measured: Sequence[Measurements]
):
    for i, measurements in enumerate(measured[:10]):
        names = list(measurements)
        random.Random(i).shuffle(names)  # noqa: S311 - an order, no secret
        shuffled = ask(client, {name: measurements[name] for name in names})
        assert shuffled["outcomes"] == ask(client, measurements)["outcomes"]


def test_a_batch_answers_what_single_questions_would(
    client: httpx.Client, measured: Sequence[Measurements]
):
    lines = ask_many(client, [{"measurements": m} for m in measured])
    assert len(lines) == len(measured)
    for line, measurements in zip(lines, measured, strict=True):
        single = ask(client, measurements)
        assert {**line, "assessment_id": ""} == {**single, "assessment_id": ""}


def test_what_models_use_and_nobody_measured_is_listed_as_missing(
    client: httpx.Client,
    measured: Sequence[Measurements],
    served: Mapping[str, Document],
    point: Document,
):
    used = {name for model in served.values() for name in model["features"]}
    order = [name for name in (*point["required"], *point["optional"]) if name in used]
    for measurements in measured:
        expected = [name for name in order if name not in measurements]
        assert ask(client, measurements)["missing"] == expected


def test_a_null_counts_as_not_measured(client: httpx.Client, familiar: Measurements):
    bare = ask(client, {name: familiar[name] for name in REQUIRED})
    nulls = dict.fromkeys(familiar) | {name: familiar[name] for name in REQUIRED}
    objects = {name: {"value": None} if value is None else value for name, value in nulls.items()}
    for measurements in (nulls, objects):
        answer = ask(client, measurements)
        assert (answer["outcomes"], answer["missing"]) == (bare["outcomes"], bare["missing"])


@given(data=st.data())
@settings(LAW, max_examples=400)
def test_whatever_part_of_a_patient_is_known_the_answer_keeps_the_law(
    client: httpx.Client,
    measured: Sequence[Measurements],
    served: Mapping[str, Document],
    data: st.DataObject,
):
    patient = data.draw(st.sampled_from(measured))
    left_out = data.draw(st.sets(st.sampled_from(sorted(patient))))
    answer = ask(client, {n: value for n, value in patient.items() if n not in left_out})
    lacking = [name for name in REQUIRED if name in left_out or name not in patient]
    for name, outcome in answered(answer).items():
        assert not lacking
        keeps_the_law(outcome, served[name]["features"])
    for outcome in answer["outcomes"]:
        if outcome["outcome"] in served and outcome["status"] == "abstained":
            assert outcome["reason"] == ("missing_required" if lacking else "out_of_distribution")
            if lacking:
                assert sorted(outcome["features"]) == sorted(lacking)
    assert left_out & set(served["death_180d"]["features"]) <= set(answer["missing"])


@pytest.mark.parametrize(
    "wanted",
    [["death_180d"], ["length_of_stay_days", "death_60d"], ["cost_sek"], ["sepsis", "death_180d"],
     ["death_60d", "death_60d"], sorted(PROMOTED)],
    ids=", ".join,
)  # fmt: skip
def test_only_the_outcomes_asked_for_are_answered(
    client: httpx.Client, familiar: Measurements, wanted: list[str]
):
    whole = {o["outcome"]: o for o in ask(client, familiar)["outcomes"]}
    answer = ask(client, familiar, outcomes=wanted)
    distinct = list(dict.fromkeys(wanted))
    assert answer["outcomes"] == [whole[name] for name in distinct]
    with_model = [name in PROMOTED for name in distinct]
    expected = "answered" if all(with_model) else "abstained" if not any(with_model) else "partial"
    assert answer["status"] == expected


@pytest.mark.parametrize("name", REQUIRED)
def test_without_a_required_measurement_every_model_abstains(
    client: httpx.Client, familiar: Measurements, name: str
):
    answer = ask(client, {n: value for n, value in familiar.items() if n != name})
    assert answer["status"] == "abstained"
    assert {abstained(answer)[outcome] for outcome in PROMOTED} == {"missing_required"}
    assert name in answer["missing"]


def test_every_age_over_89_is_answered_as_90(client: httpx.Client, familiar: Measurements):
    """Very old ages identify a person: they are told as one, in training as in serving."""
    answers = [ask(client, {**familiar, "age": age}) for age in (90, 97, 119)]
    for answer in answers:
        for name in ("assessment_id", "index_time"):
            del answer[name]
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize(
    "changed",
    [
        {"age": 5},
        {"heart_rate": 280},
        {
            "heart_rate": 20, "map": 190, "resp_rate": 70, "temperature": 32,
            "creatinine": {"value": 15, "unit": "mg/dL"}, "sodium": 178, "ph": 6.85,
            "albumin": {"value": 6.5, "unit": "g/dL"}, "support_coma_score": 100,
        },
    ],
    ids=["a child", "a heart rate never seen", "nothing fits together"],
)  # fmt: skip
def test_a_patient_unlike_the_fitting_ones_gets_no_answer(
    client: httpx.Client, familiar: Measurements, changed: Measurements
):
    answer = ask(client, {**familiar, **changed})
    assert answer["warnings"] == []
    assert answer["status"] == "abstained"
    assert {abstained(answer)[outcome] for outcome in PROMOTED} == {"out_of_distribution"}


def test_being_older_never_lowers_the_risk_of_death(
    client: httpx.Client, measured: Sequence[Measurements]
):
    ages = range(20, 101, 4)
    lines = ask_many(
        client,
        [
            {"measurements": {**m, "age": age}, "outcomes": ["death_180d"]}
            for m in measured
            for age in ages
        ],
    )
    assert len(lines) == len(measured) * len(ages)
    compared = 0
    for i in range(0, len(lines), len(ages)):
        risks = [
            outcome["probability"]
            for line in lines[i : i + len(ages)]
            for outcome in answered(line).values()
        ]
        compared += len(risks)
        assert all(older >= younger - 1e-12 for younger, older in pairwise(risks))
    assert compared > 0.9 * len(lines)


def test_the_unit_does_not_change_the_answer(
    client: httpx.Client, familiar: Measurements, dictionary: Mapping[str, Document]
):
    """Creatinine in mg/dL and umol/L, temperature in Fahrenheit and Celsius, and all others."""
    expected = {name: estimate(o) for name, o in answered(ask(client, familiar)).items()}
    own = {
        reason["feature"]: reason["value"]
        for reason in answered(ask(client, familiar))["death_180d"]["attributions"]
        if reason["present"]
    }
    tried = []
    for name, value in own.items():
        for accepted in dictionary[name]["accepted_units"]:
            other = (value - accepted["offset"]) / accepted["factor"]
            sent = {**familiar, name: {"value": other, "unit": accepted["unit"]}}
            found = {n: estimate(o) for n, o in answered(ask(client, sent)).items()}
            assert found == pytest.approx(expected, abs=1e-9), (name, accepted["unit"])
            tried.append((name, accepted["unit"]))
    assert ("creatinine", "mg/dL") in tried
    assert ("temperature", "[degF]") in tried


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("2026-11-21T12:00:00Z", "2026-11-21T12:00:00Z"),
        ("2026-11-21t12:00:00z", "2026-11-21T12:00:00Z"),
        ("2026-11-21T13:30:00+01:30", "2026-11-21T12:00:00Z"),
        ("2026-11-21T12:00:00.123456789Z", "2026-11-21T12:00:00Z"),
        ("1900-02-28T23:59:59-00:01", "1900-03-01T00:00:59Z"),
    ],
)
def test_the_index_time_is_shown_in_utc(client: httpx.Client, sent: str, shown: str):
    answer = client.post(ICU, json={"index_time": sent, "measurements": {}}).json()
    assert answer["index_time"] == shown


def test_without_an_index_time_it_is_now(client: httpx.Client):
    answer = client.post(ICU, json={"measurements": {}}).json()
    shown = datetime.fromisoformat(answer["index_time"])
    assert abs(datetime.now(UTC) - shown) < timedelta(minutes=1)


def test_times_within_their_limit_change_nothing(client: httpx.Client, familiar: Measurements):
    timed = {
        name: {**(value if isinstance(value, dict) else {"value": value}), "time": NOON}
        for name, value in familiar.items()
    }
    assert ask(client, timed)["outcomes"] == ask(client, familiar)["outcomes"]


@pytest.mark.parametrize("include", [[], ["reference"], ["measure_next", "reference"], None])
def test_parts_that_cost_time_can_be_asked_for(
    client: httpx.Client, familiar: Measurements, include: list[str] | None
):
    assert answered(ask(client, familiar, include=include)).keys() == PROMOTED


def test_what_was_kept_and_set_aside_is_counted(client: httpx.Client, familiar: Measurements):
    whole = ask(client, familiar)["deidentification"]
    assert (whole["kept"], whole["set_aside"]) == (len(familiar), 0)
    part = ask(client, {**familiar, "map": -1, "sodium": 9999})["deidentification"]
    assert (part["kept"], part["set_aside"]) == (len(familiar) - 2, 2)


def test_a_question_leaves_nothing_behind_on_disk(
    client: httpx.Client, trained: Path, familiar: Measurements
):
    before = _contents(trained)
    for number in range(20):
        ask(client, familiar, subject=f"195009072553-{number}", episode="case-canary-7731")
    assert _contents(trained) == before
    for file in trained.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert b"195009072553" not in content
            assert b"case-canary-7731" not in content


def _contents(var: Path) -> dict[str, str]:
    """Every file of the state folder but cached models and what workers count, by its hash."""
    return {
        str(path.relative_to(var)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(var.rglob("*"))
        if path.is_file() and not {"model-cache", "workers"} & set(path.parts)
    }


def test_a_batch_sent_whole_before_any_answer_is_read_is_answered(
    client: httpx.Client, measured: Sequence[Measurements]
):
    """6 MB of requests are 40 MB of answers: neither side may wait for the other."""
    line = json.dumps({"measurements": measured[0], "outcomes": ["death_60d"]})
    sent = 9000
    answer = client.post(f"{ICU}:batch", content="\n".join([line] * sent).encode(), timeout=120)
    assert answer.status_code == 200
    lines = answer.content.splitlines()
    assert len(lines) == sent
    assert {json.loads(found)["status"] for found in (lines[0], lines[-1])} == {"answered"}
