"""No other patient's resource is ever read, however references and Bundles are written."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lib.fhir import bundle, chart, observation, patient, values

SODIUM = observation("2951-2", 139, "mmol/L")


def of(subject: Any, **other: Any) -> dict[str, Any]:
    return {**SODIUM, "subject": subject, **other}


@pytest.mark.parametrize(
    "subject",
    [
        {"reference": "Patient/1"},
        {"reference": "Patient/1/_history/3"},
        {"reference": "https://ehr.example/fhir/Patient/1"},
        {"reference": "Patient/1", "type": "Patient", "display": "anybody"},
    ],
)
def test_a_reference_to_the_patient_is_the_patients(subject: Any):
    assert values(chart(of(subject))) == {"sodium": 139}
    for whose in ("1", "Patient/1"):
        assert values(chart(of(subject), whose=whose)) == {"sodium": 139}


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        ({"reference": "Patient/2"}, "other_patient"),
        ({"reference": "Patient/11"}, "other_patient"),
        ({"reference": "Patient/1x"}, "other_patient"),
        ({"reference": "patient/1"}, "other_patient"),
        ({"reference": "Group/1"}, "other_patient"),
        ({"reference": "1"}, "other_patient"),
        ({"reference": "#1"}, "other_patient"),
        ({"reference": "urn:uuid:1"}, "other_patient"),
        ({"reference": "https://ehr.example/fhir/Patient/2"}, "other_patient"),
        ({"reference": "https://ehr.example/fhir/Patient/1?x=/Patient/1"}, "other_patient"),
        ({"reference": "Patient/1", "type": "Group"}, "other_patient"),
        ({"reference": "x" * 2000 + "/Patient/1"}, "other_patient"),
        ({"reference": ["Patient/1"]}, "no_subject"),
        ({"identifier": {"value": "1"}}, "no_subject"),
        ({"display": "Patient/1"}, "no_subject"),
        ("Patient/1", "no_subject"),
        ([{"reference": "Patient/1"}], "no_subject"),
        (None, "no_subject"),
    ],
)
def test_anybody_elses_is_not_read_and_counted(subject: Any, reason: str):
    read = chart(of(subject))
    assert (values(read), dict(read.ignored)) == ({}, {reason: 1})


def test_an_observation_about_somebody_else_than_its_subject_is_not_the_patients():
    fetus = of({"reference": "Patient/1"}, focus=[{"reference": "RelatedPerson/9"}])
    assert dict(chart(fetus).ignored) == {"other_patient": 1}


def test_subject_and_patient_must_agree():
    both = of({"reference": "Patient/1"}, patient={"reference": "Patient/2"})
    assert dict(chart(both).ignored) == {"other_patient": 1}


def entry(url: str, resource: dict[str, Any]) -> dict[str, Any]:
    return {"fullUrl": url, "resource": resource}


def test_the_url_of_the_patients_own_entry_names_the_patient():
    mine, other = "urn:uuid:0a", "urn:uuid:0b"
    sent = bundle()
    sent["entry"] = [
        entry("urn:uuid:1a", of({"reference": mine})),
        entry(other, patient(id="2")),
        entry("urn:uuid:1b", of({"reference": other}, valueQuantity={"value": 1})),
        entry(mine, patient()),
    ]
    for whose in ("1", mine):
        read = chart(sent, whose=whose)
        assert values(read) == {"age": 71, "sex": "male", "sodium": 139}
        assert dict(read.ignored) == {"other_patient": 2}


def test_two_servers_may_both_have_a_patient_of_that_id():
    ours, theirs = "https://a.example/Patient/1", "https://b.example/Patient/1"
    sent = bundle()
    sent["entry"] = [entry(ours, patient()), entry("https://b.example/Observation/5", SODIUM)]
    assert "sodium" not in values(chart(sent))
    sent["entry"] = [entry(ours, patient()), {"resource": of({"reference": theirs})}]
    assert "sodium" not in values(chart(sent))
    sent["entry"] = [entry(ours, patient()), entry("https://a.example/Observation/5", SODIUM)]
    assert values(chart(sent))["sodium"] == 139
    sent["entry"] = [entry(ours, patient()), entry(theirs, patient(birthDate="1990-01-01"))]
    assert values(chart(sent)) == {}
    assert values(chart(sent, whose=theirs)) == {"age": 36, "sex": "male"}


def test_what_is_no_resource_is_counted_and_passed_over():
    sent = bundle(None, SODIUM, "text", 7, [], {}, {"resourceType": 3}, {"resourceType": "Device"})
    sent["entry"] += [None, "x", {}, {"response": {"status": "404"}}]
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}
    read = chart(sent, outcome, {"resourceType": "Bundle", "entry": "x"}, bundle(bundle()))
    assert values(read) == {"sodium": 139}
    assert dict(read.ignored) == {"unreadable": 8, "operation_outcome": 1, "other_type": 1}


def test_bundles_in_bundles_are_unpacked_to_a_depth():
    nested: dict[str, Any] = bundle(SODIUM)
    for _ in range(7):
        nested = bundle(nested)
    assert values(chart(nested)) == {"sodium": 139}
    read = chart(bundle(nested))
    assert (values(read), dict(read.ignored)) == ({}, {"too_deep": 1})


def test_a_bundle_that_holds_itself_is_unpacked_once():
    sent = bundle(SODIUM)
    sent["entry"] += [{"resource": sent}] * 40
    assert values(chart(sent)) == {"sodium": 139}
