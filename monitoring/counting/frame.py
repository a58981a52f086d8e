"""Prometheus' text with gaps for the numbers: written once, filled at every scrape.

Twenty thousand series are a megabyte or two of labels that never change between two scrapes. What is
left to do is to turn numbers into digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from monitoring.exposition import braced, head_of

Floats = NDArray[np.float64]

LINES_AT_A_TIME = 2000
"""Between two pieces somebody else may have the processor: about a millisecond each."""


class Frame:
    """Text of families, each a whole; the numbers are taken from a vector.

    Examples
    --------
    >>> frame = Frame()
    >>> frame.add("risk_workers", [("", 'bin="a"', 1)])
    >>> b"".join(frame.filled(np.array([2.0, 3.0]))).decode().splitlines()[2:]
    ['risk_workers{bin="a"} 3.0']
    """

    def __init__(self) -> None:
        self._pieces: list[tuple[str, NDArray[np.intp] | None]] = []

    def add(self, name: str, rows: Sequence[tuple[str, str, int]], *, whole: bool = True) -> None:
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
        head = head_of(name)
        for start in range(0, len(rows), LINES_AT_A_TIME):
            some = rows[start : start + LINES_AT_A_TIME]
            gap = "%d.0" if whole else "%r"
            lines = "".join(
                f"{name}{suffix}{braced(labels).replace('%', '%%')} {gap}\n"
                for suffix, labels, _ in some
            )
            places = np.array([place for _, _, place in some], dtype=np.intp)
            self._pieces.append((head.replace("%", "%%") + lines, places))
            head = ""

    def mixed(self, name: str, rows: Sequence[tuple[str, str, int, bool]]) -> None:
        """A family with whole numbers and others (a histogram's sums), each line for itself."""
        lines = "".join(
            f"{name}{suffix}{braced(labels).replace('%', '%%')} {'%d.0' if whole else '%r'}\n"
            for suffix, labels, _, whole in rows
        )
        places = np.array([place for _, _, place, _ in rows], dtype=np.intp)
        self._pieces.append((head_of(name).replace("%", "%%") + lines, places))

    def constant(self, name: str, rows: Sequence[tuple[str, float]]) -> None:
        """A family whose numbers stay; `rows` are the labels' text and the number."""
        if rows:
            lines = "".join(f"{name}{braced(labels)} {value!r}\n" for labels, value in rows)
            self._pieces.append((head_of(name) + lines, None))

    def filled(self, numbers: Floats) -> Iterator[bytes]:
        """The text with these numbers, piece by piece."""
        for text, places in self._pieces:
            filled = text if places is None else text % tuple(numbers[places].tolist())
            yield filled.encode()
