"""Predictions that wait for the end of their horizon, reported or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from monitoring.outcomes.agenda import Agenda

Model = tuple[str, str]
"""Name and version."""
Matured = tuple[int, tuple[Model, ...]]
"""When some models' predictions for one patient matured, in microseconds since 1970."""


class Maturing:
    """How many predictions wait, by model, and which mature when.

    Examples
    --------
    >>> maturing = Maturing()
    >>> maturing.add(7, [("icu-review.sepsis", "1"), ("icu-review.stroke", "1")])
    >>> maturing.add(9, [("icu-review.sepsis", "1")])
    >>> [at_us for at_us, _ in maturing.take(8)], maturing.waiting["icu-review.sepsis", "1"]
    ([7], 1)
    """

    def __init__(self) -> None:
        self._agenda = Agenda()
        self._numbers: dict[tuple[Model, ...], int] = {}
        self._groups: list[tuple[Model, ...]] = []
        self._waiting: Counter[Model] = Counter()

    @property
    def waiting(self) -> Mapping[Model, int]:
        return self._waiting

    def add(self, at_us: int, models: Iterable[Model]) -> None:
        """Let the predictions of some models mature at a time."""
        group = tuple(models)
        if group not in self._numbers:
            self._numbers[group] = len(self._groups)
            self._groups.append(group)
        self._waiting.update(group)
        self._agenda.add(at_us, self._numbers[group])

    def take(self, upto_us: int) -> Iterator[Matured]:
        """Take out what matures up to and with this time."""
        for at_us, number in self._agenda.take(upto_us):
            group = self._groups[number]
            self._waiting.subtract(group)
            yield at_us, group
