"""Risk-adjusted control charts of every unit: two CUSUMs and a VLAD, patient by patient.

A chart takes each patient once, with the value that was counted first, in the order of counting: a
correction years later cannot undo a signal that people acted on. Everything here follows from the
entries alone, so a second reading of the ledger draws the same chart.
"""

from __future__ import annotations

from array import array
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple
from zlib import crc32

import numpy as np

from monitoring.cusum import Chart, Design, limit, load_design
from monitoring.outcomes.count import Count

WORSE, BETTER = "worse", "better"
DIRECTIONS = (WORSE, BETTER)
FEWEST_OF_ALL = 30
"""Patients of all units together before any limit can be worked out; product proposal."""
NEWEST_RISKS = 2_000
"""Patients whose risks a limit is worked out from; product proposal."""
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


@dataclass(slots=True)
class _Risks:
    """The newest predicted risks of a group of patients, and how many there ever were."""

    patients: int = 0
    newest: array[float] = field(default_factory=lambda: array("d"))

    def add(self, p: float) -> None:
        self.patients += 1
        self.newest.append(p)
        if len(self.newest) >= 2 * NEWEST_RISKS:
            del self.newest[:-NEWEST_RISKS]


class Limits:
    """Limits of both directions for one mix of patients, worked out again when it has doubled.

    Parameters
    ----------
    name : tuple of str
        Of the mix; makes the random numbers, so that a second reading gets the same.
    fewest : int
        Patients before there is a limit.
    """

    def __init__(self, name: tuple[str, ...], fewest: int, design: Design) -> None:
        self._name, self._next, self._design = name, fewest, design
        self._risks = _Risks()
        self._limits: dict[str, float] | None = None

    def add(self, p: float) -> dict[str, float] | None:
        """Take a patient; returns the limits by direction, None while there are too few patients."""
        risks = self._risks
        risks.add(p)
        if risks.patients >= self._next:
            self._next = 2 * risks.patients
            design = self._design
            mix = np.array(risks.newest[-NEWEST_RISKS:])
            self._limits = {
                direction: limit(
                    mix, odds_ratio, design.patients, design.false_alarm_probability,
                    crc32("\n".join((*self._name, direction, str(risks.patients))).encode()),
                )
                for direction, odds_ratio in design.odds_ratios.items()
            }  # fmt: skip
        return self._limits

    @property
    def limits(self) -> dict[str, float] | None:
        return self._limits


class UnitChart:
    """The charts of one unit; `points` are the newest patients, oldest first."""

    def __init__(self, design: Design) -> None:
        self._odds_ratios = design.odds_ratios
        self.charts: dict[str, Chart] = {}
        self.signals = dict.fromkeys(DIRECTIONS, 0)
        self.vlad = 0.0
        self.patients = 0
        self.points: deque[Point] = deque(maxlen=NEWEST_POINTS)
        self._early: list[tuple[int, float, bool]] = []

    def add(self, at_us: int, p: float, y: bool, limits: dict[str, float] | None) -> None:
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

    def _after(self, at_us: int, p: float, y: bool, limits: dict[str, float], vlad: float) -> None:
        signal = None
        for direction, odds_ratio in self._odds_ratios.items():
            before = self.charts.get(direction)
            # Also where the limit has been raised since, a chart that signalled starts again at 0.
            value = 0.0 if before is None or before.is_signal else before.value
            chart = Chart(odds_ratio, limits[direction], value).after(p, float(y))
            self.charts[direction] = chart
            if chart.is_signal:
                self.signals[direction] += 1
                signal = direction
        worse, better = (self.charts[direction].value for direction in DIRECTIONS)
        self.points.append(Point(at_us, worse, better, vlad, signal))


class Charts:
    """The charts of every unit that a ledger names."""

    def __init__(self) -> None:
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
            self._all[place] = Limits(place, FEWEST_OF_ALL, self._design)
        of_all = self._all[place].add(count.p)
        if count.unit is None:
            return
        unit = *place, count.unit
        if unit not in self._own:
            self._own[unit] = Limits(unit, self._design.fewest_patients, self._design)
            self.units[unit] = UnitChart(self._design)
        own = self._own[unit].add(count.p)
        self.units[unit].add(count.counted_at_us, count.p, count.y, own or of_all)
