"""`for` over looks, what belongs to an event, and what is a false alarm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.drill.alarms import Firing, firings, judge
from monitoring.drill.events import Change, Complications, Event, Finding
from monitoring.drill.patients import Patient
from monitoring.drill.replay import Replayed

HOUR = 3600


def held(text: str) -> list[int]:
    """Looks at which a condition held, from a picture: one sign an hour, x where it held."""
    return [n * HOUR for n, sign in enumerate(text) if sign == "x"]


@pytest.mark.parametrize(
    ("picture", "wait_h", "expected_h"),
    [
        ("xxx....", 0, [(0, 2)]),
        (".xxxx..", 1, [(2, 4)]),
        (".x.x.x.", 1, []),
        ("xx.xxx.", 1, [(1, 1), (4, 5)]),
        ("xxxxxxx", 6, [(6, 6)]),
        ("xxxxxx.", 6, []),
        (".xx....", 0.25, [(2, 2)]),  # `for: 15m` is seen at the next look
        (".......", 0, []),
    ],
)
def test_an_alert_waits_for_its_time(picture: str, wait_h: float, expected_h: list):
    found = firings(held(picture), int(wait_h * HOUR), HOUR)
    assert found == [(a * HOUR, b * HOUR) for a, b in expected_h]


@given(pattern=st.lists(st.booleans(), max_size=60), wait=st.integers(0, 5))
def test_it_fires_exactly_where_the_last_looks_all_held(pattern: list[bool], wait: int):
    """The other way round: at a look it fires if it held at this one and the `wait` before it."""
    looks = [n * HOUR for n, holds in enumerate(pattern) if holds]
    found = {
        at // HOUR
        for begin, end in firings(looks, wait * HOUR, HOUR)
        for at in range(begin, end + 1, HOUR)
    }
    expected = {n for n in range(len(pattern)) if n >= wait and all(pattern[n - wait : n + 1])}
    assert found == expected


def at(alert: str, hour: float, *, lingers: int = HOUR, **labels: str) -> Firing:
    fires = int(hour * HOUR)
    return Firing(alert, tuple(sorted(labels.items())), "warning", fires, fires, lingers)


UNIT = Event("unit", Change(), 10, 20, (Finding("A", {"feature": "x"}),), within=25)
PROMOTION = Event("promotion", Change(), 40, 50, ())
COUNTS = [5 * hour for hour in range(101)]


def test_delays_count_from_the_event_in_time_and_patients():
    (found, _), false = judge(
        [at("B", 11, feature="x"), at("A", 12, feature="y"), at("A", 14, feature="x", model="m")],
        [UNIT, PROMOTION],
        COUNTS,
    )
    assert false == []
    assert found.by == at("A", 14, feature="x", model="m")
    assert (found.delay_s, found.delay_patients, found.holds) == (4 * HOUR, 20, True)
    assert [one.alert for one in found.also] == ["B", "A"]


def test_delays_of_a_unit_count_its_own_patients():
    event = Event("worse", Complications("b", 2.0), 10, 20, (Finding("A", {}),))
    own = {"a": [3 * hour for hour in range(101)], "b": [2 * hour for hour in range(101)]}
    (found,), _ = judge([at("A", 14)], [event], COUNTS, own)
    assert (found.delay_patients, found.delay_of_unit, found.holds) == (20, 8, None)


def test_too_late_and_never_do_not_hold():
    (late, _), _ = judge([at("A", 16, feature="x")], [UNIT, PROMOTION], COUNTS)
    assert (late.delay_patients, late.holds) == (30, False)
    (never, quiet), _ = judge([], [UNIT, PROMOTION], COUNTS)
    assert (never.by, never.holds, quiet.holds) == (None, False, True)


@pytest.mark.parametrize(
    ("hour", "lingers_h", "is_false"),
    [
        (9, 1, True), (10, 1, True), (11, 1, False), (20, 1, False), (21, 1, False), (22, 1, True),
        (30, 24, False), (99, 720, True),
    ],
)  # fmt: skip
def test_an_alert_without_an_event_is_false(hour: int, lingers_h: int, is_false: bool):
    """The scrape at the begin of an event has not seen it; after its end a window still holds it."""
    one = at("B", hour, lingers=lingers_h * HOUR)
    events = [UNIT] if lingers_h != 720 else []
    assert (judge([one], events, COUNTS)[1] == [one]) is is_false


def test_any_alert_after_a_promotion_is_one_too_many():
    (_, promotion), false = judge([at("B", 44)], [UNIT, PROMOTION], COUNTS)
    assert promotion.holds is False
    assert false == []


FIRED = st.lists(
    st.builds(at, st.sampled_from("AB"), st.integers(0, 100)), max_size=20, unique=True
)


@given(fired=FIRED)
def test_no_alert_is_lost_and_none_is_told_twice(fired: list[Firing]):
    found, false = judge(fired, [UNIT, PROMOTION], COUNTS)
    told = [*false, *(f for one in found for f in (one.by, *one.also) if f is not None)]
    assert sorted(told, key=repr) == sorted(fired, key=repr)


def test_a_unit_that_appears_later_had_nobody_before():
    done = Replayed()
    for hour, units in enumerate(("a", "ab", "", "bb")):
        done.came(hour, [Patient("icu-review", {}, {}, unit) for unit in units])
    assert done.patients_until == [0, 1, 3, 3, 5]
    assert done.of_units == {"a": [0, 1, 2, 2, 2], "b": [0, 0, 1, 1, 3]}
