"""Observations: which values are read, which are set aside, and why; numbers converted by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lib.fhir import UCUM, bundle, chart, concept, observation, quantity, values

# code, value, unit, feature, value in the feature's own unit (factor in brackets)
READ = [
    ("2951-2", 139, "mmol/L", "sodium", 139.0),
    ("2160-0", 1.4, "mg/dL", "creatinine", 123.8),  # x 88.4 = 123.76, four digits
    ("2160-0", 124, "umol/L", "creatinine", 124.0),
    ("2160-0", 1.4, None, "creatinine", 123.8),  # 2160-0 is the mass: mg/dL goes without saying
    ("3094-0", 20, "mg/dL", "urea", 7.14),  # urea nitrogen, x 0.3570
    ("3094-0", 20, None, "urea", 7.14),
    ("4548-4", 7.0, "%", "hba1c", 53.0),  # (7.0 - 2.152) / 0.09148 = 52.995, four digits
    ("8310-5", 98.6, "[degF]", "temperature", 37.0),
    ("2708-6", 0.96, "1", "spo2", 96.0),
    ("2703-7", 75, "mm[Hg]", "po2", 9.999),  # x 0.133322 = 9.99915
    ("9269-2", 14, None, "gcs_total", 14),
    ("6301-6", 1.2, None, "inr", 1.2),
    ("1742-6", 60, "U/L", "alt", 1.0),
]


@pytest.mark.parametrize(("code", "value", "unit", "feature", "expected"), READ)
def test_a_value_is_taken_in_the_features_own_unit(
    code: str, value: float, unit: str | None, feature: str, expected: float
):
    point = "preoperative-clinic" if feature == "hba1c" else "icu-review"
    read = chart(observation(code, value, unit), point=point)
    assert values(read) == {feature: pytest.approx(expected)}
    assert read.set_aside == ()
    assert read.basis == ((feature, f"Observation/o-{code}"),)


SODIUM = "2951-2"
SET_ASIDE: list[tuple[dict[str, Any], str]] = [
    (observation(SODIUM, 139, None), "no_unit"),
    (observation(SODIUM, 139, "mg/dL"), "unit_not_convertible"),
    (observation(SODIUM, 139, "MMOL/L"), "unit_not_convertible"),
    (
        observation(SODIUM, valueQuantity={"value": 139, "unit": "per litre"}),
        "unit_not_convertible",
    ),
    (
        observation(SODIUM, valueQuantity={"value": 1, "system": "x:y", "code": "mmol/L"}),
        "unit_not_convertible",
    ),
    (observation(SODIUM, valueQuantity=quantity(139, "mmol/L", comparator="<")), "comparator"),
    (observation(SODIUM, "139", "mmol/L"), "invalid_value"),
    (observation(SODIUM, True, "mmol/L"), "invalid_value"),
    (observation(SODIUM, 10**400, "mmol/L"), "invalid_value"),
    (observation(SODIUM, [139], "mmol/L"), "invalid_value"),
    (observation(SODIUM, valueQuantity={"value": 139, "code": 7}), "invalid_value"),
    (observation(SODIUM, valueQuantity={"code": "mmol/L"}), "invalid_value"),
    (observation(SODIUM, valueQuantity=139), "invalid_value"),
    (observation(SODIUM, valueInteger=139), "invalid_value"),
    (observation(SODIUM, valueString="139 mmol/L"), "invalid_value"),
    (observation(SODIUM, 139, "mmol/L", valueString="140"), "invalid_value"),
    (observation(SODIUM), "invalid_value"),
    (observation(SODIUM, 1390, "mmol/L"), "implausible_value"),
    (observation(SODIUM, dataAbsentReason=concept("error")), "data_absent"),
    (observation(SODIUM, 139, "mmol/L", dataAbsentReason=concept("error")), "data_absent"),
    (observation(SODIUM, 139, "mmol/L", status="preliminary"), "preliminary"),
    (observation(SODIUM, 139, "mmol/L", effectiveDateTime=None), "no_time"),
    (
        observation(SODIUM, 139, "mmol/L", effectiveDateTime=None, issued="2026-11-21T06:00:00Z"),
        "no_time",
    ),
    (observation(SODIUM, 139, "mmol/L", effectiveDateTime="yesterday"), "no_time"),
    (observation(SODIUM, 139, "mmol/L", effectiveDateTime="2026-11-21T06:00:00"), "no_time"),
    (observation(SODIUM, 139, "mmol/L", effectiveDateTime="2026-11"), "time_not_precise"),
    (observation(SODIUM, 139, "mmol/L", effectiveDateTime="2025"), "time_not_precise"),
    (observation(SODIUM, 139, "mmol/L", effectiveDateTime="2026-11-21"), "time_not_precise"),
    (
        observation(SODIUM, 139, "mmol/L", effectiveDateTime="2026-11-21T08:00:01Z"),
        "later_than_index_time",
    ),
    (
        observation(SODIUM, 139, "mmol/L", effectiveDateTime="2026-11-21T08:00:00.5Z"),
        "later_than_index_time",
    ),
    (
        observation(SODIUM, 139, "mmol/L", effectiveDateTime="2026-11-22"),
        "later_than_index_time",
    ),
    (
        observation(SODIUM, 139, "mmol/L", effectiveDateTime="2026-06-01T06:00:00Z"),
        "too_old",
    ),
    (observation(SODIUM, 139, "mmol/L", issued="2026-11-21T08:00:01Z"), "later_than_index_time"),
    (
        observation(
            SODIUM,
            139,
            "mmol/L",
            effectiveDateTime=None,
            effectivePeriod={"start": "2026-11-21T06:00:00Z"},
        ),
        "no_time",
    ),
    (
        observation(
            SODIUM,
            139,
            "mmol/L",
            effectiveDateTime=None,
            effectivePeriod={"start": "2026-11-21T06:00:00Z", "end": "2026-11-21T09:00:00Z"},
        ),
        "later_than_index_time",
    ),
]


@pytest.mark.parametrize(("sent", "reason"), SET_ASIDE, ids=range(len(SET_ASIDE)))
def test_a_value_that_cannot_be_used_is_set_aside_and_named(sent: dict[str, Any], reason: str):
    read = chart(sent)
    assert values(read) == {}
    assert read.set_aside == (("sodium", reason),)


def test_a_period_counts_at_its_end_and_an_instant_at_itself():
    period = {"start": "2026-11-20T06:00:00Z", "end": "2026-11-21T06:00:00Z"}
    for when in ({"effectivePeriod": period}, {"effectiveInstant": "2026-11-21T07:00:00+01:00"}):
        read = chart(observation(SODIUM, 139, "mmol/L", effectiveDateTime=None, **when))
        assert read.times["sodium"].isoformat() == "2026-11-21T06:00:00+00:00"


def test_a_day_is_used_when_it_is_over_everywhere_and_is_as_old_as_its_start():
    read = chart(observation(SODIUM, 139, "mmol/L", effectiveDateTime="2026-11-19"))
    assert values(read) == {"sodium": 139}
    assert read.times["sodium"].isoformat() == "2026-11-18T10:00:00+00:00"


def test_urea_is_not_urea_nitrogen():
    """The mass of urea nitrogen is 2.14 times as much urea: mg/dL alone says neither."""
    assert chart(observation("22664-7", 20, "mg/dL")).set_aside == (
        ("urea", "unit_not_convertible"),
    )
    assert chart(observation("3094-0", 20, "mmol/L")).set_aside == (
        ("urea", "unit_not_convertible"),
    )


@pytest.mark.parametrize(
    "status", ["registered", "cancelled", "entered-in-error", "unknown", None, 7]
)
def test_only_final_results_are_read(status: object):
    read = chart(observation(SODIUM, 139, "mmol/L", status=status))
    assert (values(read), read.set_aside, dict(read.ignored)) == ({}, (), {"not_final": 1})


@pytest.mark.parametrize("status", ["final", "amended", "corrected"])
def test_corrected_results_are_final_too(status: str):
    assert values(chart(observation(SODIUM, 139, "mmol/L", status=status))) == {"sodium": 139}


def test_codes_match_whole_and_with_their_system():
    unknown = [
        observation("2951-22", 139, "mmol/L"),
        observation("2951", 139, "mmol/L"),
        observation(SODIUM, 139, "mmol/L", code=concept(SODIUM, "http://snomed.info/sct")),
        observation(SODIUM, 139, "mmol/L", code={"coding": [{"code": SODIUM}]}),
        observation(SODIUM, 139, "mmol/L", code={"text": "Sodium"}),
        observation(SODIUM, 139, "mmol/L", code=None),
        observation("2532-0", 4, "U/L"),  # lactate dehydrogenase is not lactate
    ]
    read = chart(*unknown)
    assert (values(read), read.set_aside) == ({}, ())
    assert dict(read.ignored) == {"not_in_dictionary": 7}


def test_the_oid_of_a_code_system_is_its_name_too():
    read = chart(
        observation(SODIUM, 139, "mmol/L", code=concept(SODIUM, "urn:oid:2.16.840.1.113883.6.1")),
        observation("x", 8, "umol/L", code=concept("NPU01370", "urn:oid:1.2.752.108.1")),
    )
    assert values(read) == {"sodium": 139, "bilirubin": 8}


def test_codings_that_mean_two_features_are_set_aside_for_both():
    both = {"coding": [*concept("2951-2")["coding"], *concept("2823-3")["coding"]]}
    read = chart(observation("x", 4.1, "mmol/L", code=both))
    assert values(read) == {}
    assert set(read.set_aside) == {("sodium", "ambiguous_code"), ("potassium", "ambiguous_code")}


def test_blood_pressure_sits_in_components():
    panel = observation(
        "85354-9",
        component=[
            {"code": concept("8480-6"), "valueQuantity": quantity(120, "mm[Hg]")},
            {"code": concept("8462-4"), "valueQuantity": quantity(10, "kPa")},
            {"code": concept("8478-0"), "dataAbsentReason": concept("not-performed")},
            "nonsense",
            {},
        ],
    )
    read = chart(panel)
    assert values(read) == {"sbp": 120, "dbp": pytest.approx(75.01)}  # 10 x 7.50062, four digits
    assert read.set_aside == (("map", "data_absent"),)


def test_a_panel_without_a_value_of_its_own_is_no_missing_value():
    gcs = observation(
        "9269-2",
        component=[
            {"code": concept("9267-6"), "valueInteger": 4},
            {"code": concept("9268-4"), "valueQuantity": quantity(6, "{score}")},
            {"code": concept("9270-0"), "valueCodeableConcept": {"text": "intubated"}},
        ],
    )
    read = chart(gcs)
    assert values(read) == {"gcs_eye": 4, "gcs_motor": 6}
    assert read.set_aside == (("gcs_verbal", "unknown_code"),)


def test_the_newest_value_counts_in_whichever_order_they_come():
    older = observation(SODIUM, 130, "mmol/L", effectiveDateTime="2026-11-21T05:00:00Z")
    newer = observation(SODIUM, 139, "mmol/L", effectiveDateTime="2026-11-21T08:00:00Z")
    for sent in ((older, newer), (newer, older)):
        read = chart(*sent)
        assert (values(read), read.set_aside) == ({"sodium": 139}, ())


def test_a_newer_value_that_cannot_be_used_is_named_and_the_next_is_taken():
    read = chart(
        observation(SODIUM, 130, "mmol/L", effectiveDateTime="2026-11-21T04:00:00Z"),
        observation(SODIUM, 13, "mmol/L", effectiveDateTime="2026-11-21T05:00:00Z"),
        observation(SODIUM, 139, "mmol/L", effectiveDateTime="2026-11-21T09:00:00Z"),
        observation(SODIUM, 1, None, effectiveDateTime="2026-11-21T03:00:00Z"),
    )
    assert values(read) == {"sodium": 130}
    assert read.set_aside == (("sodium", "later_than_index_time"), ("sodium", "implausible_value"))


def test_of_one_moment_the_later_report_counts_then_the_own_unit():
    report = "2026-11-21T07:00:00Z"
    corrected = observation(SODIUM, 141, "mmol/L", issued=report, status="corrected")
    assert values(chart(corrected, observation(SODIUM, 139, "mmol/L"))) == {"sodium": 141}
    converted = observation("2160-0", 1.4, "mg/dL")
    assert values(chart(converted, observation("14682-9", 122, "umol/L"))) == {"creatinine": 122}


def test_values_of_one_moment_that_contradict_each_other_are_all_passed_over():
    read = chart(
        observation(SODIUM, 139, "mmol/L"),
        observation(SODIUM, 119, "mmol/L"),
        observation(SODIUM, 135, "mmol/L", effectiveDateTime="2026-11-20T06:00:00Z"),
    )
    assert values(read) == {"sodium": 135}
    assert read.set_aside == (("sodium", "contradictory_values"),)


def test_the_same_result_sent_twice_is_no_contradiction():
    same = observation(SODIUM, 139, "mmol/L")
    assert values(chart(same, bundle(same))) == {"sodium": 139}


@pytest.mark.parametrize(
    ("system", "code", "expected"),
    [
        ("http://snomed.info/sct", "266919005", "never"),
        ("http://snomed.info/sct", "8517006", "former"),
        ("http://snomed.info/sct", "449868002", "current"),
        ("http://loinc.org", "LA18978-9", "never"),
    ],
)
def test_smoking_is_read_from_its_coded_answer(system: str, code: str, expected: str):
    read = chart(observation("72166-2", valueCodeableConcept=concept(code, system)))
    assert values(read) == {"smoking": expected}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"valueCodeableConcept": concept("266927001", "http://snomed.info/sct")}, "unknown_code"),
        ({"valueCodeableConcept": {"text": "never"}}, "unknown_code"),
        ({"valueString": "never"}, "invalid_value"),
        (
            {
                "valueCodeableConcept": {
                    "coding": [
                        *concept("266919005", "http://snomed.info/sct")["coding"],
                        *concept("8517006", "http://snomed.info/sct")["coding"],
                    ]
                }
            },
            "ambiguous_code",
        ),
    ],
)
def test_an_answer_that_is_not_coded_unambiguously_is_set_aside(value: dict[str, Any], reason: str):
    assert chart(observation("72166-2", **value)).set_aside == (("smoking", reason),)


def test_an_asa_class_says_itself_what_it_is():
    answer = concept("413497009", "http://snomed.info/sct")
    read = chart(
        observation("local", code={"text": "ASA"}, valueCodeableConcept=answer),
        point="preoperative-clinic",
    )
    assert values(read) == {"asa_class": 3}


@pytest.mark.parametrize(
    ("code", "level"),
    [
        ("248234008", "alert"),
        ("130987000", "confusion"),
        ("300202002", "voice"),
        ("450847001", "pain"),
        ("422768004", "unresponsive"),
    ],
)
def test_a_level_of_consciousness_says_itself_what_it_is(code: str, level: str):
    answer = concept(code, "http://snomed.info/sct")
    read = chart(observation("80288-4", valueCodeableConcept=answer), point="ward-round")
    assert values(read) == {"consciousness_acvpu": level}


def test_a_feature_that_the_branch_point_does_not_ask_for_is_not_read():
    discharge = observation("4548-4", 7.0, "%")
    assert values(chart(discharge, point="icu-review")) == {}
    assert values(chart(discharge, point="discharge")) == {"hba1c": 53.0}


def test_a_unit_may_stand_in_its_text_when_it_is_a_listed_one():
    read = chart(observation("8867-4", valueQuantity={"value": 80, "unit": "bpm"}))
    assert values(read) == {"heart_rate": 80}
    wrong = {"value": 80, "unit": "bpm", "system": UCUM, "code": "s"}
    assert chart(observation("8867-4", valueQuantity=wrong)).set_aside == (
        ("heart_rate", "unit_not_convertible"),
    )
