"""The inspection says field by field what came, what leaves and by which rule; and never the value."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.deid import POLICY, scrub, stored_inputs
from app.deid.inspection import inspect
from app.errors import Problem
from app.schemas.assessment_request import parse_assessment_request
from app.schemas.documents import EXAMPLE_REQUEST
from models.vocabulary import load_vocabulary, settle
from tests.lib.deid import surroundings
from tests.lib.properties import LAW

WORDS = load_vocabulary()
POINT = WORDS.branch_points["icu-review"]
PERSON = "195009072553"
INDEX = "2026-11-21T08:15:00Z"


def inspected(document, **changed):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return inspect(body, POINT, WORDS, **surroundings(**changed))


def row(document, pointer):
    (found,) = [f for f in inspected(document)["fields"] if f["pointer"] == pointer]
    return found


def request(measurements=None, **fields):
    return {"index_time": INDEX, "measurements": measurements or {}, **fields}


CASES = [
    # request, pointer, what leaves, action, rule
    (request(unit="ward-31"), "/unit", "ward-31", "keep", "unit_declared"),
    (request(unit=PERSON), "/unit", None, "drop", "unit_undeclared"),
    (request(unit="ward-31", protected_identity=True), "/unit", None, "drop", "unit_protected"),
    (request(subject=PERSON, protected_identity=True), "/subject", None, "drop", "subject_protected"),
    (request(episode=PERSON, protected_identity=True), "/episode", None, "drop", "episode_protected"),
    (request(subject="  "), "/subject", None, "drop", "subject_blank"),
    (request(subject=7), "/subject", None, "refuse", "anything_else_refused"),
    (request(subject=""), "/subject", None, "refuse", "anything_else_refused"),
    (request(protected_identity=True), "/protected_identity", True, "keep",
     "protected_identity_marked"),
    (request(protected_identity="ja"), "/protected_identity", None, "refuse", "free_text_refused"),
    (request(), "/index_time", "2026-11-21T08:15:00+00:00", "coarsen", "index_time_to_the_second"),
    ({"index_time": "2026-11-21T08:15:00.195009072Z", "measurements": {}}, "/index_time",
     "2026-11-21T08:15:00+00:00", "coarsen", "index_time_to_the_second"),
    ({"index_time": PERSON, "measurements": {}}, "/index_time", None, "refuse", "free_text_refused"),
    (request(outcomes=["death_180d"]), "/outcomes/0", "death_180d", "keep", "outcomes_declared"),
    (request(outcomes=["death_180d", PERSON]), "/outcomes/1", None, "refuse", "free_text_refused"),
    (request(outcomes=PERSON), "/outcomes", None, "refuse", "anything_else_refused"),
    (request(include=["reference"]), "/include/0", "reference", "keep", "include_declared"),
    (request(note="x"), "/2", None, "refuse", "anything_else_refused"),
    (request({PERSON: 1}), "/measurements/0", None, "refuse", "unknown_name_refused"),
    (request({"age": 97}), "/measurements/age", 90.0, "coarsen", "number_coarsened"),
    (request({"age": 121}), "/measurements/age", None, "drop", "implausible_not_kept"),
    (request({"age": PERSON}), "/measurements/age", None, "refuse", "free_text_refused"),
    (request({"age": None}), "/measurements/age", None, "drop", "not_measured"),
    (request({"age": True}), "/measurements/age", None, "refuse", "anything_else_refused"),
    (request({"sex": "male"}), "/measurements/sex", "male", "keep", "category_declared"),
    (request({"sex": "Anna"}), "/measurements/sex", None, "refuse", "free_text_refused"),
    (request({"diabetes": False}), "/measurements/diabetes", False, "keep", "flag_kept"),
    (request({"diagnosis": "I48.9"}), "/measurements/diagnosis", None, "drop", "code_not_kept"),
    (request({"diagnosis": PERSON}), "/measurements/diagnosis", None, "refuse", "free_text_refused"),
    (request({"injury_iss": 9}), "/measurements/injury_iss", None, "refuse", "not_yet_known"),
    (request({"creatinine": {"value": 1.9, "unit": "mg/dL"}}), "/measurements/creatinine/value",
     168.0, "coarsen", "number_coarsened"),
    (request({"creatinine": {"value": 1.9, "unit": "mg/dL"}}), "/measurements/creatinine/unit",
     None, "drop", "measurement_unit_converted"),
    (request({"creatinine": {"value": 1.9, "unit": PERSON}}), "/measurements/creatinine/unit",
     None, "refuse", "measurement_unit_unknown"),
    (request({"sex": {"value": "male", "unit": "1"}}), "/measurements/sex/unit", None, "refuse",
     "measurement_unit_unknown"),
    (request({"creatinine": {"value": 90, "time": "2026-11-21T06:00:30Z"}}),
     "/measurements/creatinine/time", {"minutes_before": 134}, "coarsen",
     "measurement_time_to_minutes"),
    (request({"creatinine": {"value": 90, "time": "2026-11-21T09:00:00Z"}}),
     "/measurements/creatinine/value", None, "drop", "untimely_not_kept"),
    (request({"creatinine": {"value": 90, "time": "2026-11-21T09:00:00Z"}}),
     "/measurements/creatinine/time", None, "drop", "measurement_time_unused"),
    (request({"creatinine": {"value": 1.9, "unit": "mg/dL", "time": "1950-09-07T00:00:00Z"}}),
     "/measurements/creatinine/value", None, "drop", "untimely_not_kept"),
    (request({"creatinine": {"value": 90, "time": PERSON}}), "/measurements/creatinine/time",
     None, "refuse", "free_text_refused"),
    (request({"creatinine": {"value": 90, PERSON: 1}}), "/measurements/creatinine/1",
     None, "refuse", "anything_else_refused"),
    (request({"creatinine": {"unit": "mg/dL"}}), "/measurements/creatinine/value",
     None, "refuse", "anything_else_refused"),
    ({"measurements": PERSON}, "/measurements", None, "refuse", "anything_else_refused"),
    ([PERSON], "", None, "refuse", "anything_else_refused"),
    (f'{{"subject": "{PERSON}"'.encode(), "", None, "refuse", "anything_else_refused"),
    (b"\xff\xfe", "", None, "refuse", "anything_else_refused"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("document", "pointer", "leaves", "action", "rule"),
    CASES,
    ids=[c[1] + " " + c[4] for c in CASES],
)
def test_every_field_meets_its_rule(document, pointer, leaves, action, rule):
    found = row(document, pointer)
    assert (found["leaves"], found["action"], found["rule"]) == (leaves, action, rule)
    assert type(found["leaves"]) is type(leaves)
    assert PERSON not in json.dumps(inspected(document))


def test_every_rule_of_the_policy_is_met_by_some_request():
    met = {f["rule"] for case in CASES for f in inspected(case[0])["fields"]}
    met |= {f["rule"] for f in inspected(request(subject="a", episode="b"))["fields"]}
    met |= {f["rule"] for f in inspected(request(episode="\t"))["fields"]}
    assert met == set(POLICY.rules)


def test_an_accepted_request_shows_what_the_real_way_lets_through():
    document = {**EXAMPLE_REQUEST, "subject": PERSON, "episode": "case-7731", "unit": "icu"}
    body = json.dumps(document).encode()
    report = inspected(body)
    clean = scrub(parse_assessment_request(body, POINT, WORDS), **surroundings())
    stored = json.loads(stored_inputs(settle(clean.measurements, POINT, WORDS.features).used))
    left = {f["pointer"]: f["leaves"] for f in report["fields"] if f["leaves"] is not None}
    assert report["accepted"]
    assert (report["status"], report["faults"]) == (200, [])
    assert (left["/subject"], left["/episode"]) == (clean.subject_id, clean.episode_id)
    for name, kept in stored.items():
        bare = left.get(f"/measurements/{name}")
        assert kept["value"] == (left[f"/measurements/{name}/value"] if bare is None else bare)
        if "minutes_before" in kept:
            time = left[f"/measurements/{name}/time"]
            assert time == {"minutes_before": kept["minutes_before"]}
    assert report["policy_version"] == POLICY.version
    assert sum(report["actions"].values()) == len(report["fields"])


BODIES = st.one_of(
    st.binary(max_size=60),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
        ),
    ).map(lambda sent: json.dumps(sent).encode()),
    st.fixed_dictionaries(
        {"measurements": st.dictionaries(
            st.sampled_from(["age", "sex", "creatinine", "diabetes", "diagnosis", PERSON]),
            st.one_of(st.integers(), st.text(max_size=4), st.booleans(), st.none(),
                      st.dictionaries(st.sampled_from(["value", "unit", "time", "x"]),
                                      st.one_of(st.integers(), st.text(max_size=4), st.just(INDEX)))),
        )},
        optional={"subject": st.one_of(st.text(), st.integers()), "unit": st.text(),
                  "index_time": st.one_of(st.just(INDEX), st.text()),
                  "outcomes": st.lists(st.text()), "protected_identity": st.booleans()},
    ).map(lambda sent: json.dumps(sent).encode()),
)  # fmt: skip


@LAW
@given(BODIES)
def test_whatever_is_sent_the_verdict_is_that_of_the_real_door(body):
    report = inspected(body)
    refused = None
    try:
        request = parse_assessment_request(body, POINT, WORDS)
        scrub(request, **surroundings())
    except Problem as problem:
        refused = problem
    assert report["accepted"] is (refused is None)
    if refused is not None:
        assert report["status"] == refused.status
        assert report["faults"] == [fault.document() for fault in refused.errors]
    # A refusal is never without the rule that refused, and no rule refuses what is accepted.
    missing = (
        any(fault.pointer == "/measurements" for fault in refused.errors) if refused else False
    )
    assert ("refuse" in report["actions"]) is (refused is not None) or missing
    json.dumps(report).encode()


@pytest.mark.parametrize(
    "sent",
    ["19500907-2553", "Anna 070-174 06 05", "anna@example.org", "20210325K069", 195009072553],
)
def test_what_came_is_told_by_form_and_kind_never_by_value(sent):
    found = row(request(note=sent), "/2")
    assert "looks like: " in found["came"]
    for piece in ("2553", "Anna", "174", "anna", "K069"):
        assert piece not in json.dumps(found)


def test_a_deeply_nested_body_does_not_stop_the_inspection():
    body = b'{"measurements": {}, "x": ' + b"[" * 700 + b"]" * 700 + b"}"
    assert not inspected(body)["accepted"]
