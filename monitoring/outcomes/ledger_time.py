"""The ledger's own clock: a time for every row that never falls from one row to the next.

Rows carry the clock of the worker that made them, and workers wait for each other before they write:
row 8 can be a little older than row 7. Whoever orders things by such times gets another order in a
second reading than in the first. So a row's time here is the latest that any row up to it carries.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right

BELIEVED_AHEAD_US = 3_600 * 1_000_000
"""A row from further in the future was made by a broken clock, and moves no time."""


class LedgerTime:
    """Times of rows, lowest number first; 16 bytes for a row that moved the time.

    Examples
    --------
    >>> time = LedgerTime()
    >>> for seq, recorded_at_us in ((3, 100), (4, 90), (7, 120)):
    ...     time.pass_row(seq, recorded_at_us, now_us=130)
    >>> [time.at(seq) for seq in (3, 4, 7)], time.now
    ([100, 100, 120], 120)
    """

    def __init__(self) -> None:
        self._seqs = array("q")
        self._times = array("q")
        self._last = 0

    @property
    def now(self) -> int:
        """The latest time that was passed; 0 before all."""
        return self._times[-1] if self._times else 0

    def pass_row(self, seq: int, recorded_at_us: int, now_us: int) -> None:
        """Take the next row; one that was passed is passed over.

        Parameters
        ----------
        now_us : int
            What the reader's clock says.
        """
        if seq <= self._last:
            return
        self._last = seq
        if recorded_at_us <= now_us + BELIEVED_AHEAD_US:
            self._move(seq, recorded_at_us)

    def pass_time(self, at_us: int) -> None:
        """Let time pass without a row: rows that follow are no earlier."""
        self._move(self._last + 1, at_us)

    def at(self, seq: int) -> int:
        """The time of a row that was passed."""
        place = bisect_right(self._seqs, seq)
        return self._times[place - 1] if place else 0

    def _move(self, seq: int, at_us: int) -> None:
        if at_us <= self.now:
            return
        if self._seqs and self._seqs[-1] == seq:
            self._times[-1] = at_us
        else:
            self._seqs.append(seq)
            self._times.append(at_us)
