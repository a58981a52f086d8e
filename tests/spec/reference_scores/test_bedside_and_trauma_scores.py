"""NEWS2, RTS, TRISS, shock index and qSOFA against published charts and worked examples."""

from __future__ import annotations

import math

import pytest

from models.errors import InvalidValue
from models.reference_scores import (
    news2,
    qsofa,
    revised_trauma_score,
    shock_index,
    triage_revised_trauma_score,
    triss,
)

NORMAL = {
    "resp_rate": 16,
    "spo2": 97,
    "on_oxygen": False,
    "sbp": 120,
    "pulse": 70,
    "consciousness": "alert",
    "temperature": 37.0,
    "spo2_scale": 1,
}


def points(**finding) -> int:
    score = news2(**(NORMAL | finding))
    assert score is not None
    return score.total


def test_a_low_saturation_alone_is_low_medium_with_a_red_flag():
    score = news2(**(NORMAL | {"spo2": 91}))
    assert score is not None
    assert (score.total, score.band, score.red_flags) == (3, "low_medium", ("spo2",))


def test_three_small_deviations_are_low():
    score = news2(**(NORMAL | {"resp_rate": 21, "spo2": 95, "pulse": 91}))
    assert score is not None
    assert (score.total, score.band, score.red_flags) == (4, "low", ())


@pytest.mark.parametrize(
    ("finding", "worth"),
    [
        ({"resp_rate": 8}, 3),
        ({"resp_rate": 9}, 1),
        ({"resp_rate": 12}, 0),
        ({"resp_rate": 20}, 0),
        ({"resp_rate": 21}, 2),
        ({"resp_rate": 25}, 3),
        ({"sbp": 90}, 3),
        ({"sbp": 91}, 2),
        ({"sbp": 111}, 0),
        ({"sbp": 220}, 3),
        ({"temperature": 35.0}, 3),
        ({"temperature": 39.1}, 2),
        ({"spo2": 90, "spo2_scale": 2}, 0),
        ({"spo2": 97, "spo2_scale": 2, "on_oxygen": True}, 3 + 2),
        ({"consciousness": "confusion"}, 3),
        ({"consciousness": "voice"}, 3),
        ({"consciousness": "pain"}, 3),
        ({"consciousness": "unresponsive"}, 3),
        ({"on_oxygen": True}, 2),
    ],
)
def test_news2_gives_the_published_points(finding, worth):
    assert points(**finding) == worth


@pytest.mark.parametrize("spo2", range(88, 93))
@pytest.mark.parametrize("on_oxygen", [False, True])
def test_the_target_of_scale_2_is_worth_nothing(spo2, on_oxygen):
    """A public "corrected" implementation gives 88-92 one point; the chart gives none."""
    assert points(spo2=spo2, spo2_scale=2, on_oxygen=on_oxygen) == 2 * on_oxygen


@pytest.mark.parametrize(
    ("spo2", "on_air", "on_oxygen"),
    [
        (83, 3, 3), (84, 2, 2), (85, 2, 2), (86, 1, 1), (87, 1, 1), (88, 0, 0), (92, 0, 0),
        (93, 0, 1), (94, 0, 1), (95, 0, 2), (96, 0, 2), (97, 0, 3), (100, 0, 3),
    ],
)  # fmt: skip
def test_scale_2_punishes_too_much_oxygen_only_when_it_is_given(spo2, on_air, on_oxygen):
    assert points(spo2=spo2, spo2_scale=2) == on_air
    assert points(spo2=spo2, spo2_scale=2, on_oxygen=True) == on_oxygen + 2


@pytest.mark.parametrize(
    ("finding", "total", "band"),
    [
        ({}, 0, "low"),
        ({"resp_rate": 21, "pulse": 111}, 4, "low"),
        ({"resp_rate": 25}, 3, "low_medium"),
        ({"resp_rate": 25, "pulse": 91}, 4, "low_medium"),
        ({"resp_rate": 25, "pulse": 111}, 5, "medium"),
        ({"resp_rate": 21, "pulse": 111, "on_oxygen": True}, 6, "medium"),
        ({"resp_rate": 25, "pulse": 111, "on_oxygen": True}, 7, "high"),
    ],
)
def test_news2_bands_follow_the_total_and_the_single_three(finding, total, band):
    score = news2(**(NORMAL | finding))
    assert score is not None
    assert (score.total, score.band) == (total, band)


def test_the_worst_news2_is_twenty():
    worst = {"resp_rate": 30, "spo2": 80, "on_oxygen": True, "sbp": 80, "pulse": 140}
    assert points(**worst, consciousness="unresponsive", temperature=34.0) == 20


@pytest.mark.parametrize("finding", NORMAL)
def test_news2_gives_nothing_when_an_observation_is_missing(finding):
    assert news2(**(NORMAL | {finding: None})) is None
    if finding not in ("consciousness", "on_oxygen", "spo2_scale"):
        assert news2(**(NORMAL | {finding: math.nan})) is None


@pytest.mark.parametrize(
    "wrong", [{"spo2": 101}, {"spo2_scale": 3}, {"consciousness": "asleep"}, {"pulse": -1}]
)
def test_news2_refuses_what_is_not_on_the_chart(wrong):
    with pytest.raises(InvalidValue):
        news2(**(NORMAL | wrong))


@pytest.mark.parametrize(
    ("gcs", "sbp", "resp_rate", "rts", "t_rts"),
    [
        (15, 120, 16, 7.8408, 12),
        (9, 80, 32, 5.8806, 9),
        (7, 70, 8, 3.9204, 6),
        (3, 0, 0, 0.0, 0),
    ],
)
def test_rts_gives_the_worked_totals(gcs, sbp, resp_rate, rts, t_rts):
    found = {"gcs": gcs, "sbp": sbp, "resp_rate": resp_rate}
    assert revised_trauma_score(**found) == pytest.approx(rts, abs=1e-9)
    assert triage_revised_trauma_score(**found) == t_rts
    for finding in found:
        assert revised_trauma_score(**(found | {finding: None})) is None
        assert triage_revised_trauma_score(**(found | {finding: None})) is None


@pytest.mark.parametrize(
    ("mechanism", "age", "rts", "iss", "survival"),
    [
        ("blunt", 28, 7.8408, 9, 0.99416),
        ("blunt", 68, 6.9048, 22, 0.82529),
        ("penetrating", 60, 4.0932, 29, 0.18344),
        ("blunt", 30, 7.84, 10, 0.99366),
        ("penetrating", 60, 6.90, 25, 0.82570),
        ("blunt", 54, 7.8408, 9, 0.99416),
        ("blunt", 55, 7.8408, 9, 0.96754),
    ],
)
def test_triss_gives_the_worked_survival(mechanism, age, rts, iss, survival):
    p = triss(rts=rts, iss=iss, age=age, mechanism=mechanism)
    assert p == pytest.approx(survival, abs=5e-6)


def test_triss_keeps_the_original_coefficients_apart():
    # b = -1.2470 + 0.9544 x 7.8408 - 0.0768 x 9 = 5.54505952
    p = triss(rts=7.8408, iss=9, age=28, mechanism="blunt", coefficients="original_1987")
    assert p == pytest.approx(1 / (1 + math.exp(-5.54505952)), abs=1e-12)
    # b = -0.6029 + 1.1430 x 4 - 0.1516 x 10 - 2.6676 = -0.2145
    p = triss(rts=4, iss=10, age=60, mechanism="penetrating", coefficients="original_1987")
    assert p == pytest.approx(1 / (1 + math.exp(0.2145)), abs=1e-12)
    with pytest.raises(InvalidValue):
        triss(rts=4, iss=10, age=60, mechanism="blunt", coefficients="ntdb_2009")


def test_triss_takes_the_blunt_coefficients_for_a_child():
    blunt = triss(rts=5, iss=16, age=14.9, mechanism="blunt")
    assert triss(rts=5, iss=16, age=14.9, mechanism="penetrating") == blunt
    assert triss(rts=5, iss=16, age=14.9, mechanism=None) == blunt
    assert triss(rts=5, iss=16, age=15, mechanism="penetrating") != blunt
    assert triss(rts=5, iss=16, age=15, mechanism=None) is None


@pytest.mark.parametrize("missing", ["rts", "iss", "age", "mechanism"])
def test_triss_gives_nothing_when_something_is_missing(missing):
    whole = {"rts": 5.0, "iss": 16, "age": 40, "mechanism": "blunt"}
    assert triss(**(whole | {missing: None})) is None


@pytest.mark.parametrize(
    "wrong", [{"rts": 12}, {"iss": 76}, {"rts": -1}, {"age": -1}, {"mechanism": "fall"}]
)
def test_triss_refuses_what_cannot_be(wrong):
    with pytest.raises(InvalidValue):
        triss(**({"rts": 5.0, "iss": 16, "age": 40, "mechanism": "blunt"} | wrong))


def test_shock_index_is_pulse_over_pressure():
    assert shock_index(pulse=120, sbp=80) == 1.5
    assert shock_index(pulse=None, sbp=80) is None
    assert shock_index(pulse=80, sbp=math.nan) is None
    with pytest.raises(InvalidValue):
        shock_index(pulse=120, sbp=0)


@pytest.mark.parametrize(
    ("resp_rate", "sbp", "gcs", "total"),
    [
        (21, 101, 15, 0), (22, 101, 15, 1), (21, 100, 15, 1), (21, 101, 14, 1),
        (22, 100, 15, 2), (22, 100, 14, 3), (None, 90, 14, None), (30, None, 14, None),
        (30, 90, None, None),
    ],
)  # fmt: skip
def test_qsofa_counts_three_signs(resp_rate, sbp, gcs, total):
    assert qsofa(resp_rate=resp_rate, sbp=sbp, gcs=gcs) == total
