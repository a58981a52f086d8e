"""What waits for its time, compact: one million assessments with four horizons take 64 MB."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterator

HOUR_US = 3_600 * 1_000_000


class Agenda:
    """Numbers that are due at a time, by the hour they are due in; 16 bytes each.

    Examples
    --------
    >>> agenda = Agenda()
    >>> for due_us, what in ((9 * HOUR_US, 1), (HOUR_US + 5, 2), (HOUR_US + 3, 3)):
    ...     agenda.add(due_us, what)
    >>> list(agenda.take(HOUR_US + 3)), list(agenda.take(10 * HOUR_US))
    ([(3600000003, 3)], [(3600000005, 2), (32400000000, 1)])
    """

    def __init__(self) -> None:
        self._hours: dict[int, array[int]] = {}
        self._order: list[int] = []

    def add(self, due_us: int, what: int) -> None:
        hour = due_us // HOUR_US
        waiting = self._hours.get(hour)
        if waiting is None:
            waiting = self._hours[hour] = array("q")
            heapq.heappush(self._order, hour)
        waiting.append(due_us)
        waiting.append(what)

    def take(self, upto_us: int) -> Iterator[tuple[int, int]]:
        """Take out what is due, up to and with this time, earliest first."""
        while self._order and self._order[0] <= upto_us // HOUR_US:
            hour = heapq.heappop(self._order)
            waiting = self._hours.pop(hour)
            for due_us, what in sorted(zip(waiting[::2], waiting[1::2], strict=True)):
                if due_us <= upto_us:
                    yield due_us, what
                else:
                    self.add(due_us, what)
            if hour in self._hours:
                return
