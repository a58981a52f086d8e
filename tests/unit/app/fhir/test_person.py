"""Age, sex and death from the patient's own resource; ages counted by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.errors import Problem
from app.fhir import assessment_request
from tests.lib.fhir import NOW, bundle, chart, observation, patient, values

PERSONNUMMER = "http://electronichealth.se/identifier/personnummer"


@pytest.mark.parametrize(
    ("born", "age"),
    [
        ("1955-11-20", 71),
        ("1955-11-21", 71),  # the birthday itself
        ("1955-11-22", 70),
        ("2026-11-21", 0),
        ("1955-03", 71),  # whichever day of March it was
        ("1910-01-01", 90),  # the dictionary tells ages from 90 as one
    ],
)
def test_age_is_completed_years_at_the_index_time(born: str, age: int):
    assert values(chart(patient(birthDate=born)))["age"] == age


def test_who_is_born_on_a_leap_day_has_a_birthday_on_the_first_of_march():
    leap = patient(birthDate="2004-02-29")
    assert values(chart(leap, at=datetime(2026, 2, 28, tzinfo=UTC)))["age"] == 21
    assert values(chart(leap, at=datetime(2026, 3, 1, tzinfo=UTC)))["age"] == 22


@pytest.mark.parametrize(
    ("born", "reason"),
    [
        ("1955", "time_not_precise"),
        ("1955-11", "time_not_precise"),
        ("2026-11-22", "later_than_index_time"),
        ("1905-11-20", "implausible_value"),  # 121 years
        ("1955-02-30", "invalid_value"),
        ("1955-13-01", "invalid_value"),
        ("0000-00-00", "invalid_value"),
        ("19550302", "invalid_value"),
        (1955, "invalid_value"),
        (["1955-03-02"], "invalid_value"),
    ],
)
def test_a_birth_date_that_leaves_the_age_open_is_set_aside(born: object, reason: str):
    read = chart(patient(birthDate=born))
    assert "age" not in values(read)
    assert read.set_aside == (("age", reason),)


def test_age_is_never_read_from_an_observation_or_an_identifier():
    sent = patient(birthDate=None, identifier=[{"system": PERSONNUMMER, "value": "195009072553"}])
    read = chart(sent, observation("30525-0", 71, "a"))
    assert values(read) == {"sex": "male"}


@pytest.mark.parametrize("gender", ["other", "unknown", "Male", "m", None, 1, ["male"]])
def test_sex_other_than_male_or_female_is_missing(gender: object):
    read = chart(patient(gender=gender))
    assert ("sex" in values(read), read.set_aside) == (False, ())


def test_copies_of_the_patient_that_differ_cancel_each_other():
    read = chart(patient(), patient(birthDate="1990-01-01"))
    assert values(read) == {"sex": "male"}
    assert read.set_aside == (("age", "contradictory_values"),)


@pytest.mark.parametrize(
    ("said", "deceased"),
    [
        ({"deceasedBoolean": True}, True),
        ({"deceasedBoolean": False}, False),
        ({"deceasedDateTime": "2026-11-21T07:59:59Z"}, True),
        ({"deceasedDateTime": "2026-11-21T08:00:01Z"}, False),
        ({"deceasedDateTime": "2026-11-21"}, True),
        ({"deceasedDateTime": "2026"}, True),
        ({"deceasedDateTime": "2027"}, False),
        ({"deceasedDateTime": "long ago"}, True),
        ({}, False),
    ],
)
def test_the_dead_are_not_assessed(said: dict[str, object], deceased: bool):
    """Dead, or perhaps dead, at the index time; a death after it is the future."""
    read = chart(patient(**said))
    assert read.deceased is deceased
    if deceased:
        with pytest.raises(Problem, match="deceased") as refusal:
            request(read)
        assert refusal.value.status == 422
    else:
        assert request(read).measurements == read.measurements


def request(read):
    return assessment_request(
        read, episode=None, unit=None, index_time=NOW, outcomes=("a", "a"), include=()
    )


def test_a_request_holds_what_the_chart_does():
    read = chart(patient(), observation("2951-2", 139, "mmol/L"), observation("2823-3", 4, None))
    made = request(read)
    assert made.measurements == read.measurements
    assert made.times == read.times
    assert made.set_aside == (("potassium", "no_unit"),)
    assert made.outcomes == ("a",)


def test_the_subject_is_the_identifier_that_other_ways_in_use():
    named = [
        {"system": "urn:oid:1.2.752.129.2.1.3.3", "value": "196109732393"},
        {"system": PERSONNUMMER, "value": "196101182803", "use": "old"},
        {"system": PERSONNUMMER, "value": "190001010000", "period": {"end": "1999-01-01"}},
        {"system": PERSONNUMMER, "value": " 195009072553 "},
        {"system": PERSONNUMMER, "value": 7},
        "nonsense",
    ]
    sent = bundle(patient(id="2", identifier=[{"system": PERSONNUMMER, "value": "x"}]))
    sent["entry"].append({"resource": patient(identifier=named)})
    assert request(chart(sent)).subject == "195009072553"
    assert "1950" not in repr(chart(sent))
    sent["entry"][1]["resource"]["identifier"] = named[:2]
    assert request(chart(sent)).subject == "196109732393"
    assert request(chart()).subject == "1"


RESTRICTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_restricted_patient_is_protected_wherever_the_resource_stands(depth: int):
    """Clients send the patient bare, as a search's Bundle, or as a Bundle in a Bundle."""
    sent = patient(meta={"security": [RESTRICTED]})
    for _ in range(depth):
        sent = bundle(sent)
    read = chart(sent)
    assert read.protected
    asked = assessment_request(
        read, episode=None, unit=None, index_time=NOW, outcomes=(), include=()
    )
    assert asked.protected_identity


@pytest.mark.parametrize(
    "meta",
    [
        None, [], {"security": "R"}, {"security": ["R", 1, None]},
        {"security": [{"system": "http://example.org", "code": "R"}]},
        {"security": [{**RESTRICTED, "code": "N"}]},
    ],
)  # fmt: skip
def test_nobody_else_is(meta: object):
    assert not chart(patient(meta=meta)).protected
