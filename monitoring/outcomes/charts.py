"""Risk-adjusted control charts of every unit: two CUSUMs and a VLAD, patient by patient.

A chart takes each patient once, with the value that was counted first, in the order of counting: a
correction years later cannot undo a signal that people acted on. Everything here follows from the
entries alone, so a second reading of the ledger draws the same chart.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from monitoring.cusum import Chart, Design, load_design
from monitoring.outcomes.count import Count
from monitoring.outcomes.limits import Limits, Simulated

WORSE, BETTER = "worse", "better"
DIRECTIONS = (WORSE, BETTER)
FEWEST_OF_ALL = 30
"""Patients of all units together before any limit can be worked out; product proposal."""
NEWEST_POINTS = 200
"""Patients that a picture shows."""

Place = tuple[str, str]
"""Branch point and outcome."""
Unit = tuple[str, str, str]
"""Branch point, outcome and unit."""


class Point(NamedTuple):
    """The charts after one patient."""

    at_us: int
    worse: float
    better: float
    vlad: float
    signal: str | None


class UnitChart:
    """The charts of one unit; `points` are the newest patients, oldest first."""

    def __init__(self, design: Design) -> None:
        self._odds_ratios = design.odds_ratios
        self.charts: dict[str, Chart] = {}
        self.vlad = 0.0
        self.patients = 0
        self.points: deque[Point] = deque(maxlen=NEWEST_POINTS)
        self._early: list[tuple[int, float, bool]] = []

    @property
    def signals(self) -> dict[str, int]:
        """How often each direction has signalled."""
        found = (self.charts.get(direction) for direction in DIRECTIONS)
        return {
            direction: 0 if one is None else one.signals
            for direction, one in zip(DIRECTIONS, found, strict=True)
        }

    def add(self, at_us: int, p: float, y: bool, limits: Mapping[str, float] | None) -> None:
        """Take a patient. Who comes before there is a limit enters as soon as there is one."""
        self.patients += 1
        self.vlad += p - y
        self._early.append((at_us, p, y))
        if limits is None:
            return
        early, self._early = self._early, []
        vlad = self.vlad - sum(p - y for _, p, y in early)
        for when_us, risk, happened in early:
            vlad += risk - happened
            self._after(when_us, risk, happened, limits, vlad)

    def _after(
        self, at_us: int, p: float, y: bool, limits: Mapping[str, float], vlad: float
    ) -> None:
        signal = None
        for direction, odds_ratio in self._odds_ratios.items():
            before = self.charts.get(direction) or Chart(odds_ratio, limits[direction])
            self.charts[direction] = after = _under(before, limits[direction]).after(p, float(y))
            if after.is_signal:
                signal = direction
        worse, better = (self.charts[direction].value for direction in DIRECTIONS)
        self.points.append(Point(at_us, worse, better, vlad, signal))


def _under(chart: Chart, limit: float) -> Chart:
    """A chart that goes on under a limit that was worked out anew.

    A chart that has signalled begins again whatever the new limit is. One that is above a lower limit
    has not signalled: it waits at the limit, so that nothing is forgotten and the next event tells.
    """
    if chart.limit == limit:
        return chart
    value = 0.0 if chart.is_signal else min(chart.value, limit)
    return replace(chart, limit=limit, value=value)


class Charts:
    """The charts of every unit that a ledger names.

    Parameters
    ----------
    simulated : Simulated, optional
        Limits that are known from before.
    """

    def __init__(self, simulated: Simulated | None = None) -> None:
        self._simulated = simulated or Simulated()
        self._design = load_design()
        self.units: dict[Unit, UnitChart] = {}
        self._all: dict[Place, Limits] = {}
        self._own: dict[Unit, Limits] = {}

    def add(self, count: Count) -> None:
        """Take one entry; what is not counted for the first time changes no chart."""
        if not count.is_first or count.y is None:
            return
        place = count.branch_point, count.outcome
        if place not in self._all:
            self._all[place] = Limits(place, FEWEST_OF_ALL, self._design, self._simulated)
        of_all = self._all[place].add(count.p)
        if count.unit is None:
            return
        unit = *place, count.unit
        if unit not in self._own:
            self._own[unit] = Limits(
                unit, self._design.fewest_patients, self._design, self._simulated
            )
            self.units[unit] = UnitChart(self._design)
        own = self._own[unit].add(count.p)
        self.units[unit].add(count.counted_at_us, count.p, count.y, own or of_all)
