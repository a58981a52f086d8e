"""Charts take each patient once, as first counted, and are the same whoever reads the ledger."""

from __future__ import annotations

from array import array
from math import log
from pathlib import Path
from typing import Any

import pytest

from monitoring.cusum import Chart, limit, load_design
from monitoring.outcomes import limits as limits_module
from monitoring.outcomes.charts import FEWEST_OF_ALL, Charts, _under
from monitoring.outcomes.limits import Simulated
from tests.lib.counts import count

UNIT = ("icu-review", "death_60d", "ward-1")


def patients(
    n: int, *, unit: str | None = "ward-1", p: float = 0.5, events: int = 0, first: int = 0
):
    return [
        count(counted_at_us=first + i, seq=first + i, unit=unit, p=p, y=i < events)
        for i in range(n)
    ]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of how many patients limits are worked out."""
    asked: list[int] = []

    def noted(p, *given: Any) -> float:
        asked.append(len(p))
        return limit(p, *given)

    monkeypatch.setattr(limits_module, "limit", noted)
    return asked


def test_a_chart_begins_when_thirty_patients_are_known_and_leaves_nobody_out() -> None:
    """Weights: log 1 - log(1 - p + R p) without the event, log R more with it."""
    charts = Charts()
    for one in patients(FEWEST_OF_ALL - 1, events=3):
        charts.add(one)
    unit = charts.units[UNIT]
    assert (unit.charts, len(unit.points)) == ({}, 0)
    assert unit.vlad == pytest.approx(0.5 * 29 - 3)
    charts.add(count(counted_at_us=99, unit="ward-1", p=0.5, y=True))
    assert unit.patients == len(unit.points) == 30
    worse = load_design().odds_ratio_worse
    values, s = [], 0.0
    for y in [True] * 3 + [False] * 26 + [True]:
        s = max(0.0, s + y * log(worse) - log(1 - 0.5 + worse * 0.5))
        values.append(s)
    assert [point.worse for point in unit.points] == pytest.approx(values)
    assert unit.points[-1].vlad == pytest.approx(15 - 4)
    assert unit.points[0].vlad == pytest.approx(-0.5)


def test_limits_are_worked_out_again_when_the_patients_have_doubled(asked) -> None:
    """Of all units at 30, 60, 120, 240; of the unit's own mix at 100 and 200; in both directions."""
    charts = Charts()
    for one in patients(240):
        charts.add(one)
    assert load_design().fewest_patients == 100
    assert asked == [n for n in (30, 60, 100, 120, 200, 240) for _ in range(2)]


def test_a_small_unit_has_the_limit_of_all_units(asked) -> None:
    charts = Charts()
    for one in patients(40, unit="ward-2"):
        charts.add(one)
    charts.add(count(counted_at_us=50, unit="ward-1"))
    small, large = charts.units[UNIT], charts.units[*UNIT[:2], "ward-2"]
    assert small.patients == 1
    for direction in ("worse", "better"):
        assert small.charts[direction].limit == large.charts[direction].limit > 0
    assert asked == [30, 30]


def test_corrections_and_patients_without_a_unit_draw_nothing() -> None:
    charts = Charts()
    for one in [*patients(40, unit=None), *patients(1)]:
        charts.add(one)
    before = charts.units[UNIT].points[-1], charts.units[UNIT].patients
    charts.add(count(y=False, was=True, delay_us=None))
    charts.add(count(y=None, was=False, delay_us=None))
    assert (charts.units[UNIT].points[-1], charts.units[UNIT].patients) == before
    assert set(charts.units) == {UNIT}


def test_a_signal_is_counted_and_the_chart_begins_again() -> None:
    """Every patient of a ward has an event that was predicted at one in two."""
    charts = Charts()
    usual = [patients(1, events=i % 2, first=i)[0] for i in range(100)]
    for one in usual + patients(200, events=200, first=100):
        charts.add(one)
    unit = charts.units[UNIT]
    assert unit.signals["worse"] > 0
    assert unit.signals["better"] == 0
    signalled = [point for point in unit.points if point.signal == "worse"]
    assert len(signalled) == unit.signals["worse"]
    limit_of_all = unit.charts["worse"].limit
    assert all(point.worse > 0.9 * limit_of_all for point in signalled)
    first = unit.points.index(signalled[0])
    one_event = log(2) - log(1 - 0.5 + 2 * 0.5)
    assert unit.points[first + 1].worse == pytest.approx(one_event)


def test_a_second_reading_draws_the_same_charts() -> None:
    both = Charts(), Charts()
    for charts in both:
        for one in patients(130, events=60) + patients(60, unit="ward-2", p=0.1, first=130):
            charts.add(one)
    first, second = (
        {key: (unit.charts, unit.signals, list(unit.points)) for key, unit in charts.units.items()}
        for charts in both
    )
    assert first == second


def test_a_new_limit_forgets_neither_a_signal_nor_what_led_up_to_it() -> None:
    signalled = Chart(odds_ratio=2.0, limit=1.0, value=1.25, signals=1)
    assert _under(signalled, 2.0) == Chart(2.0, 2.0, 0.0, signals=1)
    rising = Chart(odds_ratio=2.0, limit=3.0, value=2.5)
    assert _under(rising, 2.0) == Chart(2.0, 2.0, 2.0)
    assert _under(rising, 2.0).after(0.5, 1.0).is_signal
    assert _under(rising, 4.0) == Chart(2.0, 4.0, 2.5)


def test_limits_are_simulated_once_and_come_from_the_file_afterwards(asked, tmp_path: Path) -> None:
    path, read = tmp_path / "limits.json", []
    for expected in (2, 0):
        asked.clear()
        simulated = Simulated(path)
        charts = Charts(simulated)
        for one in patients(30):
            charts.add(one)
        assert len(asked) == expected
        read.append(charts.units[UNIT].charts)
        if (kept := simulated.to_keep()) is not None:
            path.write_bytes(kept)
        assert simulated.to_keep() is None
    assert read[0] == read[1]


@pytest.mark.parametrize("content", ["", "[1]", '{"a": "high"}', '{"a": null}'])
def test_a_spoiled_file_of_limits_is_as_good_as_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "limits.json"
    path.write_text(content)
    fresh, spoiled = Simulated(), Simulated(path)
    given = array("d", [0.5]), 2.0, load_design(), 7
    assert spoiled.limit(*given) == fresh.limit(*given)
