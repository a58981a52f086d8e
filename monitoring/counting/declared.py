"""Counters and histograms whose labels are all known beforehand, as one vector of numbers."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from monitoring.counting.frame import Frame
from monitoring.exposition import labelled

Floats = NDArray[np.float64]
Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Observed:
    """Places of one histogram's series: its buckets, the last for what is above all bounds; the sum."""

    bounds: tuple[float, ...]
    first: int

    def places(self, value: float) -> tuple[int, int]:
        """Which bucket a value falls into (value <= bound), and where the sum stands."""
        return self.first + bisect_left(self.bounds, value), self.first + len(self.bounds) + 1


class Declared:
    """Families with their places in a vector; declare everything, then make the vector.

    Attributes
    ----------
    size : int
        Length of the vector so far.
    """

    def __init__(self) -> None:
        self.size = 0
        self._frame = Frame()
        self._histograms: list[Observed] = []

    def counter(
        self, name: str, names: Sequence[str] = (), *values: Sequence[str]
    ) -> dict[Labels, int]:
        """A counter with every combination of these labels' values.

        Returns
        -------
        dict
            Values of the labels -> place.
        """
        return self.counter_of(name, names, list(product(*values)))

    def counter_of(
        self, name: str, names: Sequence[str], series: Sequence[Labels]
    ) -> dict[Labels, int]:
        """A counter with these combinations."""
        places = {labels: self.size + i for i, labels in enumerate(series)}
        self.size += len(places)
        self._frame.add(
            name,
            [
                ("", labelled(dict(zip(names, labels, strict=True))), place)
                for labels, place in places.items()
            ],
        )
        return places

    def histogram(
        self,
        name: str,
        bounds: tuple[float, ...],
        names: Sequence[str] = (),
        series: Sequence[Labels] = ((),),
    ) -> dict[Labels, Observed]:
        """A histogram for each combination of labels."""
        found = {}
        rows: list[tuple[str, str, int, bool]] = []
        for labels in series:
            observed = found[labels] = Observed(bounds, self.size)
            self.size += len(bounds) + 2
            told = dict(zip(names, labels, strict=True))
            uppers = [*(repr(bound) for bound in bounds), "+Inf"]
            rows += [
                ("_bucket", labelled({**told, "le": upper}), observed.first + i, True)
                for i, upper in enumerate(uppers)
            ]
            # What lies in the last bucket, summed up, is the count.
            rows.append(("_count", labelled(told), observed.first + len(bounds), True))
            rows.append(("_sum", labelled(told), observed.first + len(bounds) + 1, False))
        self._frame.mixed(name, rows)
        self._histograms += found.values()
        return found

    def filled(self, numbers: Floats) -> Iterator[bytes]:
        """The text of all families, piece by piece."""
        told = numbers.copy()
        for one in self._histograms:
            buckets = slice(one.first, one.first + len(one.bounds) + 1)
            told[buckets] = numbers[buckets].cumsum()
        return self._frame.filled(told)
