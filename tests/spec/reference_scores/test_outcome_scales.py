"""KDIGO stage, comprehensive complication index and days at home against published figures."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InvalidValue
from models.reference_scores import (
    comprehensive_complication_index,
    days_alive_out_of_hospital,
    days_at_home,
    kdigo_creatinine_stage,
    kdigo_stage,
    kdigo_urine_stage,
)
from tests.lib.properties import LAW


def stage(creatinine, baseline, rise, therapy=False):
    return kdigo_creatinine_stage(
        creatinine_umol_per_l=creatinine,
        baseline_umol_per_l=baseline,
        rise_48h_umol_per_l=rise,
        renal_replacement_therapy=therapy,
    )


@pytest.mark.parametrize(
    ("creatinine", "baseline", "rise", "expected"),
    [
        (100, 80, 20, 0),
        (110, 80, 30, 1),
        (106.4, 80, 26.4, 0),
        (106.5, 80, 26.5, 1),
        (119, 80, 10, 0),
        (120, 80, 10, 1),
        (159, 80, 10, 1),
        (160, 80, 10, 2),
        (239, 80, 10, 2),
        (240, 80, 10, 3),
        (132.6, 88.4, 0, 1),  # 1.5 mg/dL from 1.0
        (354, 300, 10, 0),  # trap: chronically high, not acutely
        (354, 300, 30, 3),
        (353.6, 300, 26.5, 3),
        (353.5, 300, 26.5, 1),
        (360, 240, 0, 3),  # 1.5 times and above 353.6
    ],
)
def test_creatinine_is_staged_by_rise_ratio_and_severity(creatinine, baseline, rise, expected):
    assert stage(creatinine, baseline, rise) == expected


def test_renal_replacement_is_stage_three_by_itself():
    assert stage(80, 80, 0, therapy=True) == 3
    assert stage(None, None, None, therapy=True) == 3


@pytest.mark.parametrize(
    ("creatinine", "baseline", "rise", "therapy", "expected"),
    [
        (240, 80, None, None, 3),  # nothing could make it more, or less
        (160, 80, None, False, 2),
        (120, 80, None, False, 1),
        (110, 80, None, False, None),  # 0 or 1, by the rise
        (110, 80, math.nan, False, None),
        (354, 300, None, False, None),  # 0 or 3, by the rise
        (120, 80, 10, None, None),  # 1, or 3 if dialysed
        (120, None, 10, False, None),
        (None, 80, 30, False, None),
    ],
)
def test_a_stage_is_given_only_if_what_is_missing_could_not_change_it(
    creatinine, baseline, rise, therapy, expected
):
    assert stage(creatinine, baseline, rise, therapy) == expected


def test_a_concentration_must_be_positive():
    with pytest.raises(InvalidValue):
        stage(0, 80, 0)


@LAW
@given(st.floats(20, 900), st.floats(20, 900), st.floats(-50, 400), st.floats(0, 200))
def test_more_creatinine_or_a_steeper_rise_never_lowers_the_stage(value, baseline, rise, more):
    first = stage(value, baseline, rise)
    assert first is not None
    assert 0 <= first <= 3
    assert stage(value + more, baseline, rise) >= first
    assert stage(value, baseline, rise + more) >= first


@pytest.mark.parametrize(
    ("low", "very_low", "none", "expected"),
    [
        (5.9, 0, 0, 0), (6, 0, 0, 1), (11.9, 0, 0, 1), (12, 0, 0, 2), (24, 23.9, 0, 2),
        (24, 24, 0, 3), (12, 12, 12, 3), (12, 11, 11.9, 2), (None, 24, None, 3),
        (12, None, 0, None), (None, 0, 0, None), (6, 0, None, None),
    ],
)  # fmt: skip
def test_urine_is_staged_by_hours(low, very_low, none, expected):
    found = kdigo_urine_stage(
        hours_below_0_5_ml_per_kg_h=low,
        hours_below_0_3_ml_per_kg_h=very_low,
        hours_without_urine=none,
    )
    assert found == expected


def test_the_higher_stage_counts_and_an_unknown_one_may_be_higher():
    assert kdigo_stage(1, 2) == 2
    assert kdigo_stage(None, 3) == 3
    assert kdigo_stage(2, None) is None


@pytest.mark.parametrize(
    ("grades", "index"),
    [
        ([], 0.0),
        (["I"], 8.7),
        (["II"], 20.9),
        (["IIIa"], 26.2),
        (["IIIb"], 33.7),
        (["IVa"], 42.4),
        (["IVb"], 46.2),
        (["V"], 100.0),
        (["I", "I", "I"], 15.0),
        (["I", "II"], 22.6),
        (["I", "IIIa", "IIIb"], 43.6),
        (["I", "V"], 100.0),
        (["IVb"] * 5, 100.0),
    ],
)
def test_complication_index_gives_the_published_figures(grades, index):
    assert comprehensive_complication_index(grades) == pytest.approx(index, abs=0.05)


@pytest.mark.parametrize(
    ("grade", "weight"),
    [("I", 300), ("II", 1750), ("IIIa", 2750), ("IIIb", 4550), ("IVa", 7200), ("IVb", 8550)],
)
def test_a_single_complication_is_half_the_root_of_its_published_weight(grade, weight):
    assert comprehensive_complication_index([grade]) == math.sqrt(weight) / 2


def test_complication_index_of_two_organ_failures_lies_between_both_printed_figures():
    assert comprehensive_complication_index(["IVa", "IVb"]) == pytest.approx(62.75, abs=0.005)


def test_five_multiple_organ_failures_are_capped_and_not_beyond_death():
    assert comprehensive_complication_index(["IVb"] * 5) == 100.0


def test_ungraded_is_not_uncomplicated():
    assert comprehensive_complication_index(None) is None
    with pytest.raises(InvalidValue):
        comprehensive_complication_index(["III"])


@LAW
@given(
    st.lists(st.sampled_from(["I", "II", "IIIa", "IIIb", "IVa", "IVb", "V"]), max_size=12),
    st.sampled_from(["I", "II", "IIIa", "IIIb", "IVa", "IVb", "V"]),
)
def test_one_more_complication_never_lowers_the_index(grades, one_more):
    before = comprehensive_complication_index(grades)
    after = comprehensive_complication_index([*grades, one_more])
    assert before is not None
    assert after is not None
    assert 0 <= before <= after <= 100


def test_days_at_home_give_the_published_examples():
    assert (
        days_alive_out_of_hospital(window_days=30, days_in_hospital=10, died_within_window=False)
        == 20
    )
    assert (
        days_at_home(
            window_days=30,
            days_in_hospital=10 + 5,
            days_in_care_facility=7,
            died_within_window=False,
        )
        == 8
    )
    # Death on day 29.
    assert (
        days_alive_out_of_hospital(window_days=30, days_in_hospital=10, died_within_window=True)
        == 0
    )


def test_days_before_death_count_only_where_asked_for():
    died = {"window_days": 30, "days_in_hospital": 10, "died_within_window": True}
    assert days_alive_out_of_hospital(**died) == 0
    assert days_alive_out_of_hospital(**died, days_lived=29) == 19


def test_days_at_home_are_unknown_while_a_part_is():
    known = {
        "window_days": 30,
        "days_in_hospital": 10,
        "days_in_care_facility": 0,
        "died_within_window": False,
    }
    assert days_at_home(**known) == 20
    for part in ("days_in_hospital", "days_in_care_facility", "died_within_window"):
        assert days_at_home(**(known | {part: None})) is None
    # A death settles it, wherever the days were spent.
    assert days_at_home(**(known | {"days_in_hospital": None, "died_within_window": True})) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"days_in_hospital": 31},
        {"days_in_hospital": -1},
        {"days_in_hospital": 40, "days_in_care_facility": -15},
        {"days_in_hospital": 10, "died_within_window": True, "days_lived": 9},
        {"died_within_window": True, "days_lived": 31},
    ],
)
def test_days_at_home_refuse_more_days_than_there_are(wrong):
    whole = {
        "window_days": 30,
        "days_in_hospital": 10,
        "days_in_care_facility": 0,
        "died_within_window": False,
    }
    with pytest.raises(InvalidValue):
        days_at_home(**(whole | wrong))
