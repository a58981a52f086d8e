"""Counters and windows are sums over the same entries: one is always the other's increase."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.outcomes.bins import PROBABILITY_BINS
from monitoring.outcomes.figures import figures
from monitoring.outcomes.record import Record
from monitoring.outcomes.totals import ByBin, Totals
from tests.lib.counts import STREAMS, count
from tests.lib.properties import LAW

MODELS = [("icu-review.death_60d", version) for version in "12"]


def numbers(totals: Totals) -> dict[object, float]:
    """Every number that a counter shows."""
    found: dict[object, float] = {}
    for model, sums in totals.models.items():
        for name in ByBin.__slots__:
            value = getattr(sums, name)
            lists = value if isinstance(value, dict) else {"": value}
            for of, some in lists.items():
                for i, number in enumerate(some if isinstance(some, list) else [some]):
                    found[model, name, of, i] = number
    for key, tally in chain(totals.units.items(), totals.subgroups.items()):
        for value in (True, False):
            found[key, value] = tally.observed[value]
            found[key, "back", value] = tally.withdrawn[value]
        found[key, "expected"], found[key, "gone"] = tally.expected, tally.expected_withdrawn
    for key, delay in totals.delays.items():
        found[key, "s"], found[key, "n"] = delay.seconds, delay.reports
    return found


@LAW
@given(STREAMS)
def test_no_counter_ever_falls(counts) -> None:
    totals, before = Totals(), {}
    for one in counts:
        totals.add(one)
        now = numbers(totals)
        assert all(now[key] >= value for key, value in before.items())
        before = now


@LAW
@given(STREAMS, st.tuples(st.integers(0, 60), st.integers(0, 60)).map(sorted))
def test_a_window_holds_what_the_counters_rose_by(counts, window) -> None:
    since_us, until_us = window
    at_start, at_end, record = Totals(), Totals(), Record()
    for one in counts:
        record.add(one)
        if one.counted_at_us <= since_us:
            at_start.add(one)
        if one.counted_at_us <= until_us:
            at_end.add(one)
    early, late = numbers(at_start), numbers(at_end)
    rose = {key: value - early.get(key, 0) for key, value in late.items()}
    by_model = record.window(since_us, until_us).by_model()
    assert set(by_model) <= set(at_end.models)
    for model in at_end.models:
        bins = range(len(PROBABILITY_BINS))

        def net(name, of="", model=model, bins=bins):
            sign = {"observed": "withdrawn"}.get(name, f"{name}_withdrawn")
            return [
                rose[model, name, of, i] - rose[model, sign, of, i]
                for i in bins
                if (model, name, of, i) in rose
            ]

        events, others = net("observed", of=True), net("observed", of=False)
        if model not in by_model:
            assert not any(events + others)
            continue
        found = figures(by_model[model])
        assert found.n == sum(events) + sum(others)
        assert found.observed == sum(events)
        assert found.expected == pytest.approx(sum(net("expected")))
        if found.n > 0:
            assert found.brier == pytest.approx(net("squared_error")[0] / found.n)
            assert found.brier_expected == pytest.approx(net("expected_variance")[0] / found.n)
            apart = zip(events, net("expected"), strict=True)
            error = sum(abs(o - e) for o, e in apart) / found.n
            assert found.calibration_error == pytest.approx(error)


@LAW
@given(STREAMS)
def test_units_and_subgroups_hold_every_patient_once(counts) -> None:
    totals, record, standing = Totals(), Record(), {}
    for one in counts:
        totals.add(one)
        record.add(one)
        standing[one.assessment_id] = one
    stand = [one for one in standing.values() if one.y is not None]
    window = record.window(0, 1_000)
    for kind, found, tallies in (
        ("unit", window.by_unit(), totals.units),
        ("subgroups", window.by_subgroup(), totals.subgroups),
    ):
        assert set(found) == set(tallies)
        for key, entries in found.items():
            mine = [
                one
                for one in stand
                if key[2] in (one.subgroups if kind == "subgroups" else (one.unit,))
            ]
            told, tally = figures(entries), tallies[key]
            assert told.n == len(mine)
            assert told.observed == sum(bool(one.y) for one in mine)
            assert tally.observed[True] - tally.withdrawn[True] == told.observed
            assert told.expected == pytest.approx(sum(one.p for one in mine))


def test_a_correction_by_hand() -> None:
    """0.25 and it happened, later it had not: squared errors 0.5625, then 0.0625."""
    totals = Totals()
    totals.add(count())
    totals.add(count(counted_at_us=9, y=False, was=True, delay_us=None))
    sums = totals.models["icu-review.death_60d", "1"]
    place = PROBABILITY_BINS.index("05: 0.2 to 0.3")
    assert [sums.observed[value][place] for value in (True, False)] == [1, 1]
    assert [sums.withdrawn[value][place] for value in (True, False)] == [1, 0]
    assert (sums.expected[place], sums.expected_withdrawn[place]) == (0.25, 0.0)
    assert (sums.squared_error, sums.squared_error_withdrawn) == (0.625, 0.5625)
    assert sums.expected_variance == 0.1875
    delay = totals.delays["icu-review", "death_60d"]
    assert (delay.seconds, delay.reports) == (3.0, 1)


def test_a_year_later_the_entries_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    record, year_us = Record(), 366 * 24 * 3600 * 1_000_000
    for at_us in (1, 2, year_us):
        record.add(count(counted_at_us=at_us))
        record.mature([(at_us, (("m", "1"),))])
    record.forget(year_us + 3)
    assert len(record.window(0, 2 * year_us).entries) == 1
    assert record.matured(0, 2 * year_us) == {("m", "1"): 1}
