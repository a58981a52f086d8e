"""Diagnoses, drugs, operations and admissions; codes from ICD-10-SE, ATC and KVÅ themselves."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lib.fhir import (
    ICD_10_SE,
    SNOMED,
    chart,
    complete_list,
    concept,
    condition,
    observation,
    values,
)

KVA = "urn:oid:1.2.752.116.1.3.2.1.4"
ATC = "http://www.whocc.no/atc"
POINT = "preoperative-clinic"


@pytest.mark.parametrize(
    ("code", "features"),
    [
        ("E11.9", {"diabetes"}),
        ("E119", {"diabetes"}),
        ("e10.2", {"diabetes", "insulin_treated_diabetes"}),
        ("E14", {"diabetes"}),
        ("E15", set()),
        ("E1", set()),
        ("F03", {"dementia"}),
        ("F04", set()),
        ("I50.9", {"heart_failure", "cardiovascular_disease"}),
        ("I11.0", {"heart_failure"}),
        ("I11.9", set()),
        ("I48.9P", {"cardiovascular_disease"}),
        ("I63.9", {"stroke_or_tia_history", "cardiovascular_disease"}),
        ("G45.9", {"stroke_or_tia_history"}),
        ("G45.4", set()),  # transient global amnesia
        ("C18.9", {"cancer"}),
        ("C44.3", set()),  # skin other than melanoma
        ("C45.0", {"cancer"}),
        ("D12.6", set()),  # benign
        ("J44.9", {"pulmonary_disease"}),
        ("M17.1", {"osteoarthritis"}),
        ("5E11", set()),
        ("", set()),
    ],
)
def test_a_diagnosis_makes_flags_true_by_its_prefix(code: str, features: set[str]):
    read = chart(condition(code), point=POINT)
    assert values(read) == dict.fromkeys(features, True)


def test_other_names_of_the_classification_mean_the_same():
    for system in ("http://hl7.org/fhir/sid/icd-10", "http://hl7.org/fhir/sid/icd-10-cm"):
        assert values(chart(condition("E11.9", system), point=POINT)) == {"diabetes": True}
    assert values(chart(condition("E11.9", "http://example.org"), point=POINT)) == {}


def test_snomed_ct_matches_whole():
    assert values(chart(condition("84114007", SNOMED), point=POINT)) == {"heart_failure": True}
    assert values(chart(condition("841140071", SNOMED), point=POINT)) == {}


def test_a_metastasis_tells_the_extent():
    assert values(chart(condition("C78.7"))) == {"cancer": True, "cancer_extent": "metastatic"}


@pytest.mark.parametrize(
    ("code", "status", "true"),
    [
        ("E11", "active", True),
        ("E11", "recurrence", True),
        ("E11", "relapse", True),
        ("E11", "resolved", False),
        ("E11", "inactive", False),
        ("C18", "remission", False),
        ("I63", "resolved", True),  # a history of stroke
        ("I21", "inactive", True),
    ],
)
def test_a_past_diagnosis_counts_where_history_is_asked(code: str, status: str, true: bool):
    read = chart(condition(code, ICD_10_SE, status), point=POINT)
    assert (True in values(read).values()) is true


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"recordedDate": "2026-11-21T08:00:01Z"}, "later_than_index_time"),
        ({"recordedDate": "2026-11-21"}, "later_than_index_time"),
        ({"recordedDate": "2026"}, "later_than_index_time"),
        ({"onsetDateTime": "2027-01-01"}, "later_than_index_time"),
        ({"recordedDate": None, "onsetPeriod": {"start": "2027"}}, "later_than_index_time"),
        ({"recordedDate": None}, "no_time"),
        ({"recordedDate": None, "onsetString": "childhood"}, "no_time"),
        ({"recordedDate": "x"}, "no_time"),
        ({"recordedDate": None, "meta": {"lastUpdated": "2027-01-01"}}, "later_than_index_time"),
        ({"verificationStatus": concept("provisional")}, "not_confirmed"),
        ({"verificationStatus": concept("unconfirmed")}, "not_confirmed"),
    ],
)
def test_a_diagnosis_that_was_not_known_at_the_index_time_is_set_aside(
    said: dict[str, Any], reason: str
):
    read = chart(condition("E11", **said), point=POINT)
    assert (values(read), read.set_aside) == ({}, (("diabetes", reason),))


@pytest.mark.parametrize(
    "said",
    [
        {"recordedDate": "2026-11-19"},
        {"recordedDate": "2025"},
        {"recordedDate": None, "onsetDateTime": "1999-05"},
        {"recordedDate": None, "meta": {"lastUpdated": "2026-11-21T07:59:00Z"}},
        {"verificationStatus": None},
        {"clinicalStatus": None},
    ],
)
def test_a_diagnosis_that_was_known_counts(said: dict[str, Any]):
    assert values(chart(condition("E11", **said), point=POINT)) == {"diabetes": True}


@pytest.mark.parametrize("status", ["refuted", "entered-in-error"])
def test_a_refuted_diagnosis_is_ignored(status: str):
    read = chart(condition("E11", verificationStatus=concept(status)), point=POINT)
    assert (values(read), read.set_aside, dict(read.ignored)) == ({}, (), {"not_final": 1})


def test_one_diagnosis_that_counts_is_enough():
    read = chart(condition("E11", recordedDate="2027"), condition("E14"), point=POINT)
    assert (values(read), read.set_aside) == ({"diabetes": True}, ())


FALSE = {
    "diabetes": False,
    "dementia": False,
    "cancer": False,
    "ischaemic_heart_disease": False,
    "heart_failure": False,
    "stroke_or_tia_history": False,
}


def test_the_absence_of_a_diagnosis_says_nothing():
    assert values(chart(condition("K35"), point=POINT)) == {}


def test_a_complete_list_of_diagnoses_makes_the_others_false():
    read = chart(complete_list(condition("K35"), condition("E11.9")), point=POINT)
    assert values(read) == {**FALSE, "diabetes": True}


@pytest.mark.parametrize("status", ["resolved", "inactive"])
def test_a_diagnosis_in_doubt_is_neither_true_nor_false(status: str):
    read = chart(complete_list(condition("C18", ICD_10_SE, status)), point=POINT)
    assert "cancer" not in values(read)
    unconfirmed = condition("E11", verificationStatus=concept("provisional"))
    assert "diabetes" not in values(chart(complete_list(unconfirmed), point=POINT))


def url(query: str) -> list[dict[str, str]]:
    return [{"relation": "self", "url": f"https://ehr.example/{query}"}]


@pytest.mark.parametrize(
    "different",
    [
        {"total": 2},
        {"total": None},
        {"total": True},
        {"type": "collection"},
        {"link": None},
        {"link": url("Condition")},
        {"link": url("Condition?patient=1&code=K35")},
        {"link": url("Condition?patient=1&clinical-status=active")},
        {"link": url("Observation?patient=1")},
        {"link": [*url("Condition?patient=1"), {"relation": "next", "url": "https://ehr.example"}]},
        {"link": [{"relation": ["self"], "url": "Condition?patient=1"}]},
    ],
)
def test_a_list_that_may_lack_some_makes_nothing_false(different: dict[str, Any]):
    assert values(chart(complete_list(condition("K35"), **different), point=POINT)) == {}


def test_a_list_that_is_empty_mixed_or_not_coded_makes_nothing_false():
    others = condition("K35", subject={"reference": "Patient/2"})
    outcome = {"resourceType": "OperationOutcome"}
    for sent in (
        complete_list(),
        complete_list(condition("K35"), others),
        complete_list(condition("K35"), outcome),
        complete_list(condition("K35"), condition("74400008", SNOMED)),
        complete_list(condition("K35"), condition("x", code={"text": "sugar disease"})),
    ):
        assert values(chart(sent, point=POINT)) == {}


def drug(code: str, **other: Any) -> dict[str, Any]:
    made = {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": concept(code, ATC),
        "subject": {"reference": "Patient/1"},
        "authoredOn": "2026-01-02",
        **other,
    }
    return {key: value for key, value in made.items() if value is not None}


@pytest.mark.parametrize(
    ("sent", "true"),
    [
        (drug("B01AA03"), {"anticoagulant_use"}),  # warfarin
        (drug("B01AF02"), {"anticoagulant_use"}),  # apixaban
        (drug("B01AC06"), set()),  # acetylsalicylic acid: antiplatelet
        (drug("B01AB05"), set()),  # enoxaparin: the dose decides
        (drug("A10AB05"), {"insulin_treated_diabetes"}),
        (drug("A10BA02"), set()),  # metformin
        (drug("B01AA03", status="stopped"), set()),
        (drug("B01AA03", intent="proposal"), set()),
        (drug("B01AA03", doNotPerform=True), set()),
        (drug("B01AA03", authoredOn="2026-11-22"), set()),
        (drug("B01AA03", authoredOn=None), set()),
        (
            drug(
                "B01AA03",
                resourceType="MedicationStatement",
                intent=None,
                authoredOn=None,
                effectivePeriod={"start": "2020"},
            ),
            {"anticoagulant_use"},
        ),
        (
            drug(
                "B01AA03",
                resourceType="MedicationStatement",
                intent=None,
                effectivePeriod={"start": "2020", "end": "2021"},
            ),
            set(),
        ),
    ],
)
def test_a_drug_that_is_being_taken_makes_its_flag_true(sent: dict[str, Any], true: set[str]):
    assert values(chart(sent, point=POINT)) == dict.fromkeys(true, True)


def operation(code: str = "NFB49", **other: Any) -> dict[str, Any]:
    made = {
        "resourceType": "Procedure",
        "status": "completed",
        "code": concept(code, KVA),
        "subject": {"reference": "Patient/1"},
        "performedDateTime": "2026-11-20T10:00:00Z",
        **other,
    }
    return {key: value for key, value in made.items() if value is not None}


PLANNED = {"resourceType": "ServiceRequest", "performedDateTime": None, "status": "active"}


@pytest.mark.parametrize(
    ("sent", "group"),
    [
        (operation(), "hip_replacement"),
        (operation("NGB49"), "arthroplasty_knee"),
        (operation("JAB30"), "inguinal_and_femoral_hernia_repair"),
        (operation("NFA12"), None),
        (operation(performedDateTime="2019-11-20"), None),  # another hip, another year
        (operation(performedDateTime="2026-11-22"), None),
        (operation(status="not-done"), None),
        (operation(status="entered-in-error"), None),
        (operation(**PLANNED, authoredOn="2026-09-01"), "hip_replacement"),
        (operation(**PLANNED, authoredOn="2026-12-01"), None),
        (operation(**{**PLANNED, "status": "revoked"}, authoredOn="2026-09-01"), None),
        (
            operation(
                status="in-progress",
                performedDateTime=None,
                performedPeriod={"start": "2026-11-21T07:00:00Z"},
            ),
            "hip_replacement",
        ),
    ],
)
def test_the_operation_is_the_planned_one_or_a_recent_one(sent: dict[str, Any], group: str | None):
    assert values(chart(sent, point=POINT)).get("procedure_group") == group


def test_two_operations_of_different_groups_contradict_each_other():
    read = chart(operation("NFB49"), operation("NGB49"), point=POINT)
    assert (values(read), read.set_aside) == (
        {},
        (("procedure_group", "contradictory_values"),),
    )


def stay(start: object = "2026-11-19T22:30:00+01:00", **other: Any) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "subject": {"reference": "Patient/1"},
        "period": {"start": start},
        **other,
    }


@pytest.mark.parametrize(
    ("sent", "day"),
    [
        (stay(), 3),  # 19, 20, 21 November
        (stay("2026-11-21T00:10:00+01:00"), 1),
        (stay("2026-11-20T23:10:00Z"), 2),
        (stay("2026-11-21T09:00:00Z"), None),  # later
        (stay("2026-11-19"), None),  # the clock decides which day it is
        (stay(7), None),
        (stay(status="planned"), None),
        (stay(**{"class": {"code": "IMP"}}), None),
        (stay(**{"class": "IMP"}), None),
        (stay(**{"class": {**stay()["class"], "code": "AMB"}}), None),
        (stay(period={"start": "2026-11-19T08:00:00Z", "end": "2026-11-20T08:00:00Z"}), None),
    ],
)
def test_the_day_of_the_present_stay_is_counted_from_its_start(
    sent: dict[str, Any], day: int | None
):
    assert values(chart(sent)).get("hospital_day") == day


def test_an_observation_goes_before_what_codes_let_conclude():
    read = chart(stay(), stay("2026-11-20T08:00:00Z"))
    assert read.set_aside == (("hospital_day", "contradictory_values"),)
    assert values(chart(stay(), observation("2951-2", 139, "mmol/L"))) == {
        "hospital_day": 3,
        "sodium": 139,
    }
