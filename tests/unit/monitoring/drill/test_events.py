"""What each event changes of what is sent, and what it leaves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.drill.catalogue import EVENTS, Chosen, EventImpossible, schedule
from monitoring.drill.events import (
    Change,
    CodingChange,
    Complications,
    OlderPatients,
    Promotion,
    UnitChange,
    WardStops,
)
from monitoring.drill.patients import Arrivals, Patient, RowsInvalid, arriving, read_patients

WARDS = ("ward-1", "ward-2")
PATIENTS = st.builds(
    lambda measurements, unit: Patient("icu-review", measurements, {"sepsis": False}, unit),
    st.fixed_dictionaries(
        {},
        optional={
            "age": st.integers(18, 100),
            "lactate": st.floats(0.5, 20),
            "creatinine": st.floats(20, 900).map(lambda v: {"value": v, "unit": "umol/L"}),
            "sex": st.sampled_from(["male", "female"]),
        },
    ),
    st.sampled_from([*WARDS, None]),
)
RECORDED = (
    Change(),
    UnitChange("creatinine", 88.4),
    WardStops("lactate", "ward-1"),
    CodingChange("sex", "male", "female"),
    OlderPatients(3),
    Complications("ward-1", 2.0),
    Promotion(),
)


@given(patient=PATIENTS)
@pytest.mark.parametrize("change", RECORDED, ids=lambda change: type(change).__name__)
def test_an_event_touches_at_most_its_own_feature(change: Change, patient: Patient):
    before = {name: patient.value(name) for name in patient.measurements}
    after = change.recorded(patient)
    moved = {
        name for name in {*before, *after.measurements} if before.get(name) != after.value(name)
    }
    assert moved <= {getattr(change, "feature", None)}
    assert (after.labels, after.unit) == (patient.labels, patient.unit)
    assert before == {name: patient.value(name) for name in patient.measurements}


def test_a_unit_change_keeps_the_unit_that_is_said():
    patient = Patient("icu-review", {"creatinine": {"value": 100.0, "unit": "umol/L"}}, {})
    sent = UnitChange("creatinine", 1 / 88.4).recorded(patient)
    assert sent.measurements["creatinine"] == {"value": 1.131, "unit": "umol/L"}


def test_only_the_ward_that_stops_sends_nothing():
    other = Patient("icu-review", {"lactate": 2.0}, {}, "ward-2")
    assert WardStops("lactate", "ward-1").recorded(other) is other
    assert "lactate" not in WardStops("lactate", None).recorded(other).measurements


@given(p=st.floats(0.001, 0.999), odds_ratio=st.floats(1.0, 10.0))
def test_complications_multiply_the_odds(p: float, odds_ratio: float):
    after = p + (1 - p) * Complications(None, odds_ratio).added(p)
    assert after / (1 - after) == pytest.approx(odds_ratio * p / (1 - p), rel=1e-9)


def test_nobody_is_spared_by_complications_and_other_units_are():
    worse, rng = Complications("ward-1", 2.0), np.random.default_rng(1)
    here, there = (Patient("icu-review", {}, {}, ward) for ward in WARDS)
    assert worse.happened(here, 0.01, True, rng)
    drawn = [worse.happened(here, 0.5, False, rng) for _ in range(3000)]
    # Of 3,000 a third, with a standard deviation of 25.8.
    assert abs(sum(drawn) - 1000) < 4 * 25.8
    assert not any(worse.happened(there, 0.5, False, rng) for _ in range(100))


@given(ages=st.lists(st.integers(18, 100), min_size=3, max_size=3))
def test_who_comes_is_the_oldest(ages: list[int]):
    drawn = iter(ages)
    chosen = OlderPatients(3).choose(lambda: Patient("icu-review", {"age": next(drawn)}, {}))
    assert chosen.value("age") == max(ages)


@given(per_day=st.integers(0, 500), day=st.integers(0, 400))
def test_every_day_has_its_patients(per_day: int, day: int):
    hours = [arriving(per_day, hour) for hour in range(24 * day, 24 * day + 24)]
    assert sum(hours) == per_day
    assert max(hours) - min(hours) <= 1


@given(count=st.integers(1, 20), rounds=st.integers(1, 3), seed=st.integers(0, 9))
def test_every_row_comes_as_often_as_any_other(count: int, rounds: int, seed: int):
    rows = [Patient("icu-review", {"age": age}, {}) for age in range(count)]
    arrivals = Arrivals(rows, np.random.default_rng(seed))
    ages = [arrivals.next().value("age") for _ in range(count * rounds)]
    assert sorted(ages) == sorted(list(range(count)) * rounds)


def test_patients_are_spread_over_the_units_that_are_given():
    arrivals = Arrivals([Patient("icu-review", {}, {}, "x")], np.random.default_rng(1), WARDS)
    assert {arrivals.next().unit for _ in range(50)} == set(WARDS)


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"request": {}}', '{"branch_point": "a", "request": 7}']
)
def test_a_wrong_line_is_named_by_its_number_alone(line: str):
    good = '{"branch_point": "icu-review", "request": {"measurements": {}}, "labels": {}}'
    with pytest.raises(RowsInvalid, match=r"^line 2 of the rows is not what"):
        read_patients([good, line])


ROWS = [
    Patient("icu-review", {"age": 60, "creatinine": 90.0, "lactate": 2.0, "disease_class": c}, {})
    for c in ("coma", "coma", "cancer")
]


@given(
    days=st.integers(20, 400),
    names=st.lists(st.sampled_from(sorted(EVENTS)), min_size=1, max_size=6),
)
def test_events_come_one_after_the_other_with_quiet_between(days: int, names: list[str]):
    events = schedule(names, days, ROWS, Chosen(promotes=True))
    assert [event.name for event in events] == names
    marks = [at for event in events for at in (event.begins_h, event.ends_h)]
    assert marks == sorted(set(marks))
    assert marks[0] >= 24
    assert marks[-1] < days * 24


def test_the_events_are_made_from_the_rows():
    names = ["unit-change", "coding-change", "ward-stops"]
    unit, coding, stops = schedule(names, 100, ROWS, Chosen(unit="ward-1"))
    assert unit.change == UnitChange("creatinine", 1 / 88.4)  # 90 is in µmol/L
    assert coding.change == CodingChange("disease_class", "coma", "cancer")
    assert stops.change == WardStops("lactate", "ward-1")
    assert {finding.labels["feature"] for finding in unit.findings} == {"creatinine"}


def test_a_coding_change_is_of_what_the_models_read_and_prefers_a_code_that_nobody_had():
    declared = {"disease_class": ("coma", "cancer", "arf_mosf")}
    (event,) = schedule(["coding-change"], 100, ROWS, Chosen(declared=declared))
    assert event.change == CodingChange("disease_class", "coma", "arf_mosf")
    with pytest.raises(EventImpossible, match="--recoded"):
        schedule(["coding-change"], 100, ROWS, Chosen(read=frozenset({"age"})))


@pytest.mark.parametrize(
    ("name", "chosen", "why"),
    [
        ("flood", Chosen(), "no event is called that"),
        ("promotion", Chosen(), "--promote"),
        ("unit-change", Chosen(lab="sodium"), "--lab"),
        ("ward-stops", Chosen(stopped="sodium"), "--stopped"),
        ("coding-change", Chosen(recoded="sex"), "FEATURE:CATEGORY:OTHER"),
    ],
)
def test_an_impossible_event_says_what_to_do(name: str, chosen: Chosen, why: str):
    with pytest.raises(EventImpossible, match=why):
        schedule([name], 100, ROWS, chosen)
