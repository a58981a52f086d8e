"""Prometheus' text with gaps for the numbers: written once, filled at every scrape.

Twenty thousand series are a megabyte or two of labels that never change between two scrapes. What is
left to do is to turn numbers into digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"
LINES_AT_A_TIME = 2000
"""Between two pieces somebody else may have the processor: about a millisecond each."""


@dataclass(frozen=True, slots=True)
class Family:
    """Series of one name.

    Attributes
    ----------
    kind : {"counter", "gauge", "histogram"}
    """

    name: str
    kind: str
    help: str

    @property
    def head(self) -> str:
        """The lines above its samples."""
        said = self.help.replace("\\", r"\\").replace("\n", r"\n")
        return f"# HELP {self.name} {said}\n# TYPE {self.name} {self.kind}\n"


def label_text(labels: Mapping[str, str]) -> str:
    r"""Labels as they stand behind a name.

    Examples
    --------
    >>> label_text({"unit": 'ward "3"', "outcome": "sepsis"})
    '{unit="ward \\"3\\"",outcome="sepsis"}'
    >>> label_text({})
    ''
    """
    if not labels:
        return ""
    told = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return "{" + told + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def text_of(family: Family, rows: Sequence[tuple[str, float]]) -> str:
    """A family of few series; `rows` are the labels' text and the number.

    Examples
    --------
    >>> text_of(Family("risk_up", "gauge", "Up."), [("", 1)]).splitlines()[-1]
    'risk_up 1.0'
    """
    return family.head + "".join(
        f"{family.name}{labels} {float(value)!r}\n" for labels, value in rows
    )


class Frame:
    """Text of families, each a whole; the numbers are taken from a vector.

    Examples
    --------
    >>> frame = Frame()
    >>> frame.add(Family("risk_seen_total", "counter", "Seen."), [("", '{bin="a"}', 1)])
    >>> b"".join(frame.filled(np.array([2.0, 3.0]))).decode().splitlines()[2:]
    ['risk_seen_total{bin="a"} 3.0']
    """

    def __init__(self) -> None:
        self._pieces: list[tuple[str, NDArray[np.intp] | None]] = []

    def add(
        self, family: Family, rows: Sequence[tuple[str, str, int]], *, whole: bool = True
    ) -> None:
        """A family whose numbers change.

        Parameters
        ----------
        rows : sequence of (str, str, int)
            What stands behind the family's name (`_bucket`), the labels' text, and the number's place.
        whole : bool
            Whether they are whole numbers.
        """
        if not rows:
            return
        head = family.head
        for start in range(0, len(rows), LINES_AT_A_TIME):
            some = rows[start : start + LINES_AT_A_TIME]
            gap = "%d.0" if whole else "%r"
            lines = "".join(
                f"{family.name}{suffix}{labels.replace('%', '%%')} {gap}\n"
                for suffix, labels, _ in some
            )
            places = np.array([place for _, _, place in some], dtype=np.intp)
            self._pieces.append((head.replace("%", "%%") + lines, places))
            head = ""

    def mixed(self, family: Family, rows: Sequence[tuple[str, str, int, bool]]) -> None:
        """A family with whole numbers and others (a histogram's sums), each line for itself."""
        lines = "".join(
            f"{family.name}{suffix}{labels.replace('%', '%%')} {'%d.0' if whole else '%r'}\n"
            for suffix, labels, _, whole in rows
        )
        places = np.array([place for _, _, place, _ in rows], dtype=np.intp)
        self._pieces.append((family.head.replace("%", "%%") + lines, places))

    def constant(self, family: Family, rows: Sequence[tuple[str, float]]) -> None:
        """A family whose numbers stay; `rows` are the labels' text and the number."""
        if rows:
            lines = "".join(f"{family.name}{labels} {value!r}\n" for labels, value in rows)
            self._pieces.append((family.head + lines, None))

    def filled(self, numbers: Floats) -> Iterator[bytes]:
        """The text with these numbers, piece by piece."""
        for text, places in self._pieces:
            filled = text if places is None else text % tuple(numbers[places].tolist())
            yield filled.encode()
