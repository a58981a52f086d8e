"""What was scraped, kept under simulated time until it is handed to Prometheus."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Labels = tuple[tuple[str, str], ...]
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
CLOCK = "_timestamp_seconds"


class Scrapes:
    r"""Expositions in the order of simulated time.

    * A gauge that holds a time of the real clock is moved to simulated time: its age stays.
    * A counter that was not there at the scrape before, but is there now, was 0 before: else
      `increase()` would not see what it was born with.

    Parameters
    ----------
    labels : tuple
        Added to every series, as a scrape adds `job` and `instance`.

    Examples
    --------
    >>> scrapes = Scrapes(())
    >>> scrapes.add('a_total 1', at_s=0, real_s=0.0)
    >>> scrapes.add('a_total 3\nb_total{x="y"} 2', at_s=3600, real_s=1.0)
    >>> [(dict(labels)["__name__"], at.tolist(), v.tolist()) for labels, at, v in scrapes.take()]
    [('a_total', [0, 3600], [1.0, 3.0]), ('b_total', [0, 3600], [0.0, 2.0])]
    """

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._known: dict[str, int] = {}
        self._series: list[Labels] = []
        self._last_at_s: int | None = None
        self._at: list[list[int]] = []
        self._values: list[list[float]] = []

    def add(self, exposition: str, at_s: int, real_s: float) -> None:
        """Take one exposition, scraped at `real_s` of the real clock for `at_s` of the simulated one."""
        for line in exposition.splitlines():
            if not line or line[0] == "#":
                continue
            name, _, told = line.rpartition(" ")
            number = self._known.get(name)
            if number is None:
                number = self._new(name)
                if self._last_at_s is not None and _is_counter(name):
                    self._at[number].append(self._last_at_s)
                    self._values[number].append(0.0)
            value = float(told)
            if CLOCK in name:
                value = at_s - (real_s - value)
            self._at[number].append(at_s)
            self._values[number].append(value)
        self._last_at_s = at_s

    def take(self) -> Iterator[tuple[Labels, NDArray[np.int64], NDArray[np.float64]]]:
        """Every series with its times (simulated seconds) and values since they were last taken."""
        for labels, at, values in zip(self._series, self._at, self._values, strict=True):
            if at:
                yield labels, np.array(at, dtype=np.int64), np.array(values)
                at.clear()
                values.clear()

    def _new(self, name: str) -> int:
        number = self._known[name] = len(self._series)
        bare, _, inside = name.partition("{")
        own = ((k, re.sub(r"\\.", _plain, v)) for k, v in _LABEL.findall(inside))
        self._series.append(tuple(sorted((("__name__", bare), *own, *self._labels))))
        self._at.append([])
        self._values.append([])
        return number


def _plain(found: re.Match[str]) -> str:
    return _ESCAPED.get(found[0], found[0])


def _is_counter(name: str) -> bool:
    return name.partition("{")[0].endswith(("_total", "_bucket", "_sum", "_count"))
