"""Sums over all entries since the ledger began: what Prometheus' counters show.

What is added and what is taken back are summed apart, so that no sum ever falls.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from monitoring.outcomes.bins import PROBABILITY_BINS, probability_bin
from monitoring.outcomes.count import Count
from monitoring.outcomes.maturing import Matured, Model

Kind = tuple[str, ...]
"""Branch point, outcome, and a unit or a subgroup."""


def _bins() -> list[float]:
    return [0.0] * len(PROBABILITY_BINS)


@dataclass(slots=True)
class ByBin:
    """Sums of one model version; lists go by bin of the predicted probability.

    Attributes
    ----------
    observed, withdrawn : dict
        Numbers by value: added, and taken back.
    expected, expected_withdrawn : list of float
        Sums of p; taken back only where nothing that is known is left.
    """

    observed: dict[bool, list[int]] = field(
        default_factory=lambda: {value: [0] * len(PROBABILITY_BINS) for value in (False, True)}
    )
    withdrawn: dict[bool, list[int]] = field(
        default_factory=lambda: {value: [0] * len(PROBABILITY_BINS) for value in (False, True)}
    )
    expected: list[float] = field(default_factory=_bins)
    expected_withdrawn: list[float] = field(default_factory=_bins)
    squared_error: float = 0.0
    squared_error_withdrawn: float = 0.0
    expected_variance: float = 0.0
    expected_variance_withdrawn: float = 0.0
    matured: int = 0


@dataclass(slots=True)
class Tally:
    """Sums of one unit or one subgroup."""

    observed: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})
    withdrawn: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})
    expected: float = 0.0
    expected_withdrawn: float = 0.0


@dataclass(slots=True)
class Delay:
    """Time from the end of the horizon, or the observation, to the report."""

    seconds: float = 0.0
    reports: int = 0


class Totals:
    """All sums of a ledger."""

    def __init__(self) -> None:
        self.models: defaultdict[Model, ByBin] = defaultdict(ByBin)
        self.units: defaultdict[Kind, Tally] = defaultdict(Tally)
        self.subgroups: defaultdict[Kind, Tally] = defaultdict(Tally)
        self.delays: defaultdict[Kind, Delay] = defaultdict(Delay)

    def mature(self, matured: Iterable[Matured]) -> None:
        """Count predictions whose horizon has passed, reported or not."""
        for _, models in matured:
            for model in models:
                self.models[model].matured += 1

    def add(self, count: Count) -> None:
        """Take one entry."""
        self._add_model(count)
        of = count.branch_point, count.outcome
        if count.unit is not None:
            _add_tally(self.units[*of, count.unit], count)
        for subgroup in count.subgroups:
            _add_tally(self.subgroups[*of, subgroup], count)
        if count.delay_us is not None:
            delay = self.delays[of]
            delay.seconds += count.delay_us / 1e6
            delay.reports += 1

    def _add_model(self, count: Count) -> None:
        sums, p, place = self.models[count.model, count.version], count.p, probability_bin(count.p)
        for value, sign in count.entries:
            if sign > 0:
                sums.observed[value][place] += 1
                sums.squared_error += (p - value) ** 2
            else:
                sums.withdrawn[value][place] += 1
                sums.squared_error_withdrawn += (p - value) ** 2
        if count.whole > 0:
            sums.expected[place] += p
            sums.expected_variance += p * (1 - p)
        elif count.whole < 0:
            sums.expected_withdrawn[place] += p
            sums.expected_variance_withdrawn += p * (1 - p)


def _add_tally(tally: Tally, count: Count) -> None:
    for value, sign in count.entries:
        (tally.observed if sign > 0 else tally.withdrawn)[value] += 1
    if count.whole > 0:
        tally.expected += count.p
    elif count.whole < 0:
        tally.expected_withdrawn += count.p
