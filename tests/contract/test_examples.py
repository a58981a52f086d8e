"""openapi/examples: made anew they are the same, and a real service answers them in the same form.

The service has a small real model for each outcome that the examples illustrate, at each of the nine
branch points; what it says differs, how it says it must not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from math import exp
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.cds_hooks.discovery import services
from app.cds_hooks.hooks import load_hooks
from app.examples import Example, files_of, load_examples
from app.examples.patients import INDEX_TIME, ExamplePatient, load_patients
from app.fhir import load_coding, read_chart
from app.fhir.coding import RULED
from models.tripwire import find_identifiers
from models.vocabulary import Vocabulary
from tests.lib.service import Service, running_service

Json = dict[str, Any]
FOLDER = Path(__file__).parents[2] / "openapi" / "examples"
EXAMPLES = load_examples()
FILES = files_of(EXAMPLES)
POINTS = [example.branch_point for example in EXAMPLES]
PATIENTS = load_patients()
# Required inputs that no code of the dictionary or of coding.toml tells: a site names its own.
NOT_TOLD_IN_FHIR = {
    "preoperative-clinic": {"operation_urgency"},
    "trauma-alert": {"prehospital_gcs_total", "prehospital_sbp", "prehospital_resp_rate"},
    "end-of-surgery": {
        "estimated_blood_loss", "lowest_map_intraoperative", "lowest_heart_rate_intraoperative",
    },
    "recovery-follow-up": {"days_since_discharge"},
}  # fmt: skip
# What depends on the probability, not on the form.
BY_BAND = {"suggestions", "selectionBehavior", "mitigation", "measure_next"}

each_example = pytest.mark.parametrize("example", EXAMPLES, ids=POINTS)


@pytest.fixture(scope="module")
def live(pathway: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(pathway, tmp_path_factory.mktemp("examples") / "log") as running:
        yield running


@pytest.fixture(scope="module")
def client(live: Service) -> Iterator[httpx.Client]:
    with live.client() as opened:
        yield opened


# ---------------------------------------------------------------- the files


def test_every_branch_point_has_its_six_files_and_nothing_else_is_there(vocabulary: Vocabulary):
    assert sorted(POINTS) == sorted(vocabulary.branch_points)
    there = {str(file.relative_to(FOLDER)) for file in FOLDER.rglob("*") if file.is_file()}
    assert there == FILES.keys()
    assert len(there) == 1 + 6 * len(POINTS)


@pytest.mark.parametrize("name", FILES)
def test_the_checked_in_file_is_what_is_made_now(name: str):
    """When this fails: `make openapi`, and look at the difference."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    made = FILES[name]
    assert (text if isinstance(made, str) else json.loads(text)) == made


def test_it_is_said_that_the_answers_are_illustrations():
    said = " ".join(str(FILES["README.md"]).split())
    assert "The patients are invented." in said
    assert "The answers are illustrations" in said
    for example in EXAMPLES:
        assert example.summary in said


@pytest.mark.parametrize("name", FILES)
def test_no_example_holds_what_looks_like_an_identifier(name: str):
    text = json.dumps(FILES[name], ensure_ascii=False)
    assert [part for part in text.split('"') if part and find_identifiers(part)] == []


@each_example
def test_the_reasons_that_are_shown_add_up(example: Example):
    answered = [o for o in example.answer["outcomes"] if o["status"] != "abstained"]
    assert answered
    for outcome in answered:
        score = outcome["base_value"] + sum(a["contribution"] for a in outcome["attributions"])
        if outcome["kind"] == "binary":
            assert score == pytest.approx(outcome["log_odds"], abs=1e-6)
            assert 1 / (1 + exp(-score)) == pytest.approx(outcome["probability"], abs=1e-6)
        else:
            assert score == pytest.approx(outcome["value"], abs=1e-6)


@pytest.mark.parametrize("patient", PATIENTS.values(), ids=PATIENTS)
def test_the_resources_say_what_the_rest_request_says(
    patient: ExamplePatient, vocabulary: Vocabulary
):
    """Every value read from the chart is the patient's; what codes can tell is told."""
    (example,) = (e for e in EXAMPLES if e.branch_point == patient.branch_point)
    bundle = example.fhir_request["parameter"][-1]["resource"]
    point = vocabulary.branch_points[patient.branch_point]
    chart = read_chart(
        [bundle],
        patient="Patient/example-1",
        point=point,
        vocabulary=vocabulary,
        coding=load_coding(vocabulary),
        index_time=INDEX_TIME,
    )
    read = {m.feature.name: m.feature.show(m.value) for m in chart.measurements}
    meant = {"age": patient.age, "sex": patient.sex, **patient.values}
    assert read == {name: meant[name] for name in read}
    assert chart.set_aside == ()
    assert dict(chart.ignored) == {}
    told = {*read, *(("asa_band",) if "asa_class" in read else ())}
    assert set(point.required) - told == NOT_TOLD_IN_FHIR.get(point.id, set())
    assert {*patient.conditions, *patient.procedures, *patient.answers} <= read.keys()


def test_every_prefetch_key_that_discovery_offers_is_answered(vocabulary: Vocabulary):
    coding = load_coding(vocabulary)
    recorded = {kind: coding.recorded_as(kind) for kind in RULED}
    offered = services(vocabulary, load_hooks(), recorded, coding.standing_alone())
    for example in EXAMPLES:
        sent = example.cds_hooks_request
        assert sent["prefetch"].keys() == offered[example.branch_point].prefetch.keys()
        assert sent["hook"] == offered[example.branch_point].hook.name


# ---------------------------------------------------------------- a real service


def assert_same_form(shown: Any, answered: Any, where: str) -> None:
    """The same keys, and values of the same kind; of lists that are not empty the same elements."""
    if isinstance(shown, dict):
        assert isinstance(answered, dict), where
        assert shown.keys() - BY_BAND == answered.keys() - BY_BAND, where
        for key in shown.keys() & answered.keys():
            assert_same_form(shown[key], answered[key], f"{where}.{key}")
    elif isinstance(shown, list):
        assert isinstance(answered, list), where
        for one in answered if shown else ():
            assert_same_form(shown[0], one, f"{where}[]")
    elif shown is not None and answered is not None and not where.endswith(".value"):
        number = (int, float)
        same = isinstance(shown, number) and isinstance(answered, number)
        assert same or type(shown) is type(answered), where


@each_example
def test_rest_answers_the_example_in_the_form_that_is_shown(client: httpx.Client, example: Example):
    path = f"/v1/branch-points/{example.branch_point}/assessments"
    response = client.post(path, json=example.request)
    assert response.status_code == 200
    shown, answered = example.answer, response.json()
    assert answered["warnings"] == []
    told = [
        [(o["outcome"], o["status"], o.get("reason")) for o in document["outcomes"]]
        for document in (shown, answered)
    ]
    assert told[0] == told[1]
    for one, other in zip(shown["outcomes"], answered["outcomes"], strict=True):
        assert_same_form(one, other, f"{example.branch_point}.{one['outcome']}")
    without = {"outcomes": []}
    assert_same_form({**shown, **without}, {**answered, **without}, example.branch_point)


@each_example
def test_a_published_score_is_shown_as_it_is_answered(client: httpx.Client, example: Example):
    """What needs no model is no illustration: it is the service's own answer, to the digit."""
    path = f"/v1/branch-points/{example.branch_point}/assessments"
    answered = client.post(path, json=example.request).json()
    scores = [document.get("reference_scores") for document in (example.answer, answered)]
    assert _rounded_equal(*scores)
    for one, other in zip(example.answer["outcomes"], answered["outcomes"], strict=True):
        if one["status"] != "answered":
            assert _rounded_equal(one, other)


def _rounded_equal(one: Any, other: Any) -> bool:
    if isinstance(one, float):
        return bool(one == pytest.approx(other, abs=1e-8))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_rounded_equal(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_rounded_equal, one, other))
    return bool(one == other)


@each_example
def test_assess_answers_the_example_in_the_form_that_is_shown(
    client: httpx.Client, example: Example
):
    response = client.post("/fhir/$assess", json=example.fhir_request)
    assert response.status_code == 200
    shown, answered = example.fhir_answer, response.json()
    assert len(shown["entry"]) == len(answered["entry"])
    predicted = [
        [p["outcome"]["coding"][0]["code"] for p in d["entry"][0]["resource"].get("prediction", [])]
        for d in (shown, answered)
    ]
    assert predicted[0] == predicted[1]
    for one, other in zip(shown["entry"], answered["entry"], strict=True):
        own, real = one["resource"], other["resource"]
        predictions = own.get("prediction", []), real.get("prediction", [])
        for prediction, counterpart in zip(*predictions, strict=True):
            assert_same_form(prediction, counterpart, "prediction")
        assert_same_form({**own, "prediction": []}, {**real, "prediction": []}, "resource")


@each_example
def test_a_hook_call_answers_the_example_in_the_form_that_is_shown(
    client: httpx.Client, example: Example
):
    path = f"/cds-services/{example.branch_point}"
    response = client.post(path, json=example.cds_hooks_request)
    assert response.status_code == 200
    (shown,), (answered,) = example.cds_hooks_answer["cards"], response.json()["cards"]
    assert_same_form(shown, answered, "card")
    assert _blocks(shown) == _blocks(answered)


def _blocks(card: Json) -> list[str]:
    """The headings of a card's detail, and the outcomes in its table."""
    lines = card["detail"].splitlines()
    heads = [line for line in lines if line.startswith("**") and line.endswith("**")]
    return heads + [line.split(" | ")[0] for line in lines if line.startswith("| ")]


def test_the_page_for_people_shows_every_example_with_its_answer(client: httpx.Client):
    page = client.get("/docs").text
    for example in EXAMPLES:
        assert f"<code>POST /cds-services/{example.branch_point}</code>" in page
        assert escape(example.cds_hooks_answer["cards"][0]["summary"]) in page
