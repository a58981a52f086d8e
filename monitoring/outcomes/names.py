"""Pseudonyms that were linked to each other, and since which row of the ledger."""

from __future__ import annotations

import math


class Names:
    """Which pseudonyms belong to one patient or one episode; what is not linked costs nothing.

    A tree of links without shortened paths: links come in the ledger's order, so the latest link on
    the way between two pseudonyms is the one that brought them together.

    Examples
    --------
    >>> names = Names()
    >>> names.link("1.a", "2.a", seq=5); names.link("2.a", "3.a", seq=9)
    >>> names.since("1.a", "2.a"), names.since("1.a", "3.a"), names.since("1.a", "2.b")
    (5, 9, None)
    >>> names.all_of("3.a"), names.all_of("1.b")
    (('1.a', '2.a', '3.a'), ('1.b',))
    """

    def __init__(self) -> None:
        self._above: dict[str, tuple[str, int]] = {}
        self._together: dict[str, list[str]] = {}

    def link(self, one: str, other: str, seq: int) -> None:
        """Two pseudonyms belong together from this row on; what is known already changes nothing."""
        big, small = self._top(one), self._top(other)
        if big == small:
            return
        if len(self._together.get(big, (big,))) < len(self._together.get(small, (small,))):
            big, small = small, big
        self._above[small] = (big, seq)
        self._together.setdefault(big, [big]).extend(self._together.pop(small, (small,)))

    def all_of(self, name: str) -> tuple[str, ...]:
        """A pseudonym and all that belong with it."""
        return tuple(sorted(self._together.get(self._top(name), (name,))))

    def since(self, one: str, other: str) -> int | None:
        """The row from which on both were one; 0 for the same name, None when they are not."""
        found = 0
        while one != other:
            (above_one, seq_one), (above_other, seq_other) = (
                self._above.get(name, (name, math.inf)) for name in (one, other)
            )
            if seq_one == seq_other == math.inf:
                return None
            if seq_one < seq_other:
                one, found = above_one, int(seq_one)
            else:
                other, found = above_other, int(seq_other)
        return found

    def _top(self, name: str) -> str:
        while name in self._above:
            name = self._above[name][0]
        return name
