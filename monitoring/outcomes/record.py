"""The entries of the last year in columns: what figures of any time window are worked out from.

An entry takes 38 bytes. Windows are open at their beginning and closed at their end, so windows that
follow each other share nothing and leave nothing out.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.ledger.matured import DAY_US
from monitoring.outcomes.count import Count
from monitoring.outcomes.feed import Judged
from monitoring.outcomes.maturing import Matured, Model

KEPT_US = 366 * DAY_US
COLUMNS = {
    "at_us": "q", "model": "i", "place": "i", "unit": "i", "subgroups": "i",
    "p": "d", "delay_s": "d", "y": "b", "sign": "b", "whole": "b",
}  # fmt: skip
NOBODY = -1

Column = NDArray[Any]


class Numbered:
    """Things by a number each, in the order they came."""

    def __init__(self) -> None:
        self.things: list[Any] = []
        self._numbers: dict[Hashable, int] = {}

    def number(self, thing: Hashable) -> int:
        if thing not in self._numbers:
            self._numbers[thing] = len(self.things)
            self.things.append(thing)
        return self._numbers[thing]


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries of a window, in their order; every column has shape (n_entries,).

    Attributes
    ----------
    p : ndarray
        Probability 0-1.
    y : ndarray
        0 or 1.
    sign : ndarray
        1 for a value that is added, -1 for one that is taken back.
    whole : ndarray
        How many predictions more are counted with the entry: 1, 0 or -1.
    delay_s : ndarray
        NaN unless the prediction is counted for the first time.
    """

    p: Column
    y: Column
    sign: Column
    whole: Column
    delay_s: Column

    def at(self, places: Column) -> Entries:
        """Some of them."""
        return Entries(*(column[places] for column in self._columns()))

    def _columns(self) -> tuple[Column, ...]:
        return self.p, self.y, self.sign, self.whole, self.delay_s

    def __len__(self) -> int:
        return len(self.p)


class Window:
    """Entries of a window by model, unit, subgroup, or branch point and outcome."""

    def __init__(self, record: Record, since_us: int, until_us: int) -> None:
        times = record.column("at_us")
        first, last = np.searchsorted(times, (since_us, until_us), side="right")
        self._columns = {name: record.column(name)[first:last].copy() for name in COLUMNS}
        self._record = record
        names = ("p", "y", "sign", "whole", "delay_s")
        self.entries = Entries(*(self._columns[name] for name in names))

    def by_model(self) -> dict[Model, Entries]:
        """By name and version."""
        return self._by("model", self._record.models.things)

    def by_place(self) -> dict[tuple[str, str], Entries]:
        """By branch point and outcome."""
        return self._by("place", self._record.places.things)

    def by_unit(self) -> dict[tuple[str, str, str], Entries]:
        """By branch point, outcome and unit."""
        return self._by("unit", self._record.units.things)

    def by_subgroup(self) -> dict[tuple[str, str, str], Entries]:
        """By branch point, outcome and subgroup; a patient is in several."""
        found: defaultdict[tuple[str, str, str], list[Column]] = defaultdict(list)
        for key, places in self._places("subgroups").items():
            for subgroup in self._record.subgroups.things[key]:
                found[subgroup].append(places)
        return {
            subgroup: self.entries.at(np.sort(np.concatenate(places)))
            for subgroup, places in found.items()
        }

    def _by(self, name: str, things: Sequence[Any]) -> dict[Any, Entries]:
        return {
            things[key]: self.entries.at(places)
            for key, places in self._places(name).items()
            if key != NOBODY
        }

    def _places(self, name: str) -> dict[int, Column]:
        column = self._columns[name]
        order = np.argsort(column, kind="stable")
        keys, starts = np.unique(column[order], return_index=True)
        parts = np.split(order, starts[1:])
        return {int(key): part for key, part in zip(keys, parts, strict=False)}


class Record:
    """What was counted, what matured, and what became of cards, within the last year."""

    def __init__(self) -> None:
        self.models, self.places, self.units, self.subgroups = (Numbered() for _ in range(4))
        self._columns: dict[str, array[Any]] = {name: array(kind) for name, kind in COLUMNS.items()}
        self._matured: defaultdict[Model, array[int]] = defaultdict(lambda: array("q"))
        self._judged: defaultdict[tuple[str, str], array[int]] = defaultdict(lambda: array("q"))

    def add(self, count: Count) -> None:
        """Take one entry of the stream: a line for the value it adds, one for what it takes back."""
        place = count.branch_point, count.outcome
        common = (
            count.counted_at_us,
            self.models.number((count.model, count.version)),
            self.places.number(place),
            NOBODY if count.unit is None else self.units.number((*place, count.unit)),
            self.subgroups.number(tuple((*place, subgroup) for subgroup in count.subgroups)),
            count.p,
        )
        delay_s = nan if count.delay_us is None else count.delay_us / 1e6
        whole = count.whole
        for value, sign in count.entries:
            line = (*common, delay_s, value, sign, whole)
            for column, item in zip(self._columns.values(), line, strict=True):
                column.append(item)
            delay_s, whole = nan, 0

    def mature(self, matured: Iterable[Matured]) -> None:
        for at_us, models in matured:
            for model in models:
                self._matured[model].append(at_us)

    def judge(self, judged: Iterable[Judged]) -> None:
        for row in judged:
            self._judged[row.branch_point, row.verdict].append(row.recorded_at_us)

    def window(self, since_us: int, until_us: int) -> Window:
        """What was counted after the first time, up to and with the second."""
        return Window(self, since_us, until_us)

    def matured(self, since_us: int, until_us: int) -> Mapping[Model, int]:
        """How many predictions matured in a window, by model."""
        return {model: _within(at, since_us, until_us) for model, at in self._matured.items()}

    def judged(self, since_us: int, until_us: int) -> Mapping[tuple[str, str], int]:
        """How many cards were judged in a window, by branch point and verdict."""
        return {key: _within(at, since_us, until_us) for key, at in self._judged.items()}

    def column(self, name: str) -> Column:
        return np.frombuffer(self._columns[name], dtype=self._columns[name].typecode)

    def forget(self, now_us: int) -> None:
        """Let go of what is older than a year, when that is much of it."""
        before_us = now_us - KEPT_US
        old = int(np.searchsorted(self.column("at_us"), before_us))
        if 2 * old > len(self._columns["at_us"]):
            for column in self._columns.values():
                del column[:old]
        for times in (*self._matured.values(), *self._judged.values()):
            _thin(times, lambda at_us: at_us >= before_us)


def _within(times: array[int], since_us: int, until_us: int) -> int:
    at = np.frombuffer(times, dtype=np.int64)
    return int(np.count_nonzero((at > since_us) & (at <= until_us)))


def _thin(times: array[int], stays: Callable[[int], bool]) -> None:
    # In about the order they came in: the middle tells whether much of it is old.
    if len(times) and not stays(times[len(times) // 2]):
        times[:] = array("q", filter(stays, times))
