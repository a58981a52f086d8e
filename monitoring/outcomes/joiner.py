"""Joins what was reported to what was predicted, as both arrive in the ledger.

The ledger is read once, row by row in its order, and then followed; nothing of an assessment is kept
but when its horizons end. A page of rows is evaluated as a whole: for every prediction that one of its
rows can be about, or whose time came, the whole history is worked out anew, and what changed since the
page before is counted. Pages of any size, and a second reading from the start at any later time, give
the same entries in the same order.

That holds while rows arrive within `SETTLED_AFTER_US` of the time they carry. One that comes later
is counted as well; only the order may differ in a second reading.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from sqlalchemy import Connection

from models.vocabulary import Vocabulary
from monitoring.outcomes import lookups, matching
from monitoring.outcomes.count import Count
from monitoring.outcomes.feed import Asked, Judged, Linked, Row, rows_after
from monitoring.outcomes.history import Change, Moment, history
from monitoring.outcomes.ledger_time import LedgerTime
from monitoring.outcomes.maturing import Matured, Maturing, Model
from monitoring.outcomes.names import Names
from monitoring.outcomes.panels import Panelist, Panels, Said, Versions, said
from monitoring.outcomes.subgroups import labels_of, load_subgroups

MOST_ROWS = 2_000
SETTLED_AFTER_US = 30 * 1_000_000
"""How late a row can arrive: entries wait at most seconds for their commit, and the clocks of the
workers and replicas are taken to be this close."""
NEVER = Moment(0, 0)
Due = tuple[int, int, int]
"""A time, and month and number of an assessment to look at again then."""
Known = tuple[Mapping[str, Said], tuple[str, ...]]
"""What the models said, and the subgroups of the patient."""


@dataclass(frozen=True, slots=True)
class Page:
    """What some rows of the ledger, and the time that passed, brought.

    Attributes
    ----------
    counts : tuple of Count
        In their order.
    matured : tuple of Matured
        Assessments whose horizon has passed, whether reported or not.
    judged : tuple of Judged
        What became of cards.
    rows : int
        How many were read.
    read_to_the_end : bool
        Whether there was nothing more to read.
    """

    counts: tuple[Count, ...]
    matured: tuple[Matured, ...]
    judged: tuple[Judged, ...]
    rows: int
    read_to_the_end: bool


class _Changed(NamedTuple):
    """One change of one prediction, before its answer is read."""

    asked: Asked
    of: Panelist
    change: Change


class Joiner:
    """Follows a ledger from its first row on.

    Only binary outcomes of models that answered are counted, told or silent, and nobody whose identity
    is protected. What a number turned out to be is no count and is left to `ledger.matured`.

    Parameters
    ----------
    settled_after_us : int
        How far behind the clock what matures by time alone is counted.
    """

    def __init__(self, vocabulary: Vocabulary, *, settled_after_us: int = SETTLED_AFTER_US) -> None:
        self._panels = Panels(vocabulary)
        self._subgroups = load_subgroups(vocabulary.features)
        self._settled_after_us = settled_after_us
        self._time = LedgerTime()
        self._names = Names()
        self._versions = Versions()
        self._maturing = Maturing()
        self._due: list[Due] = []
        self._planned: set[Due] = set()
        self._overdue: set[tuple[int, int]] = set()
        self._done = NEVER
        self._first_month = 0

    @property
    def place(self) -> int:
        """Number of the last row that was read."""
        return self._done.seq

    @property
    def now_us(self) -> int:
        """Everything up to this time is counted."""
        return self._done.at_us

    @property
    def waiting(self) -> Mapping[Model, int]:
        """Predictions whose horizon has not passed yet."""
        return self._maturing.waiting

    def read(self, connection: Connection, now_us: int, most: int = MOST_ROWS) -> Page:
        """Read the next rows and count what they and the passing of time have made known.

        Parameters
        ----------
        connection : Connection
            Inside one snapshot of the ledger.
        now_us : int
            What the clock says.
        most : int
            How many rows at a time.

        Raises
        ------
        sqlalchemy.exc.SQLAlchemyError
            When the database does not answer; then nothing was taken, and the next call tries again.
        """
        rows = rows_after(connection, self._done.seq, self._first_month, most)
        end = len(rows) < most
        upto = self._pass(rows, now_us, end=end)
        new = [
            (row, panel)
            for row in rows
            if isinstance(row, Asked)
            and not row.protected
            and (panel := self._panels.of(row.branch_point, row.models))
        ]
        changed, due = self._evaluate(connection, rows, [row for row, _ in new], upto)
        wanted = self._versions.wanted([(row.seq, panel) for row, panel in new])
        places = {(row.month, row.seq) for row, _ in new if row.seq in wanted}
        places |= {(one.asked.month, one.asked.seq) for one in changed}
        known: dict[int, Known] = {
            seq: (said(found.answer), labels_of(found.inputs, self._subgroups))
            for seq, found in lookups.answers(connection, places)
        }
        # All is read: from here on nothing can fail, so that nothing is taken by half.
        counts = [count for one in changed if (count := _count(one, *known[one.asked.seq]))]
        self._await(new, {seq: known[seq][0] for seq in wanted})
        matured = tuple(self._maturing.take(upto.at_us))
        self._plan(due)
        self._overdue.clear()
        self._time.pass_time(upto.at_us)
        self._done = upto
        if end and rows:
            self._first_month = max(self._first_month, _month_before(max(r.month for r in rows)))
        judged = tuple(row for row in rows if isinstance(row, Judged))
        return Page(tuple(counts), matured, judged, len(rows), end)

    def _pass(self, rows: Sequence[Row], now_us: int, *, end: bool) -> Moment:
        """Let the rows' time pass; returns the moment up to which there is something to count."""
        for row in rows:
            self._time.pass_row(row.seq, row.recorded_at_us, now_us)
            if isinstance(row, Linked):
                self._names.link(row.old_id, row.new_id, row.seq)
        settled_us = now_us - self._settled_after_us if end else 0
        at_us = max(self._time.now, settled_us, self._done.at_us)
        return Moment(at_us, rows[-1].seq if rows else self._done.seq)

    def _evaluate(
        self, connection: Connection, rows: Sequence[Row], new: Sequence[Asked], upto: Moment
    ) -> tuple[list[_Changed], set[Due]]:
        """What changed since the page before, and when to look again."""
        while self._due and self._due[0][0] <= upto.at_us:
            one = heapq.heappop(self._due)
            self._planned.discard(one)
            self._overdue.add(one[1:])
        there = chain(
            matching.touched(connection, rows, self._names),
            lookups.at_places(connection, self._overdue),
        )
        asked_of = {row.seq: row for row in there if row.seq <= upto.seq}
        asked_of |= {row.seq: row for row in new}
        told = matching.told_of(connection, asked_of.values(), self._names, self._time, upto.seq)
        changed: list[_Changed] = []
        due: set[Due] = set()
        for (seq, outcome), about in told.items():
            asked = asked_of[seq]
            for of in self._panels.of(asked.branch_point, asked.models):
                if of.outcome != outcome:
                    continue
                end_us = asked.index_time_us + of.horizon_us
                start = max(Moment(self._time.at(seq), seq), Moment(end_us, 0))
                changes = history(about, start, asked.index_time_us, end_us, upto)
                changed += [_Changed(asked, of, one) for one in changes if one.at > self._done]
                due |= {
                    (at_us, asked.month, seq)
                    for at_us in (start.at_us, *(one.since.at_us for one in about))
                    if at_us > upto.at_us
                }
        changed.sort(key=lambda one: (one.change.at, one.asked.seq, one.of.outcome))
        return changed, due

    def _await(
        self,
        new: Sequence[tuple[Asked, tuple[Panelist, ...]]],
        told: Mapping[int, Mapping[str, Said]],
    ) -> None:
        """Let new predictions wait for the end of their horizon."""
        for row, panel in new:
            models = self._versions.of(row.seq, panel, told.get(row.seq))
            by_end: dict[int, list[Model]] = defaultdict(list)
            for of, model in zip(panel, models, strict=True):
                by_end[row.index_time_us + of.horizon_us].append(model)
            for end_us, some in by_end.items():
                self._maturing.add(max(end_us, self._time.at(row.seq)), some)

    def _plan(self, due: set[Due]) -> None:
        """Note when to look at predictions again."""
        for one in due - self._planned:
            heapq.heappush(self._due, one)
        self._planned |= due


def _count(one: _Changed, told: Mapping[str, Said], subgroups: tuple[str, ...]) -> Count | None:
    asked, change = one.asked, one.change
    body = told.get(one.of.outcome)
    if body is None:
        return None
    delay_us = None
    if change.is_first and change.report is not None:
        known_us = max(asked.index_time_us + one.of.horizon_us, change.report.observed_at_us)
        delay_us = max(0, change.told_at_us - known_us)
    return Count(
        counted_at_us=change.at.at_us,
        seq=asked.seq,
        assessment_id=asked.assessment_id,
        branch_point=asked.branch_point,
        outcome=one.of.outcome,
        model=body.model,
        version=body.version,
        digest=body.digest,
        unit=asked.unit,
        subgroups=subgroups,
        p=body.p,
        y=None if change.report is None else bool(change.report.value),
        was=None if change.before is None else bool(change.before.value),
        delay_us=delay_us,
    )


def _month_before(month: int) -> int:
    """Rows of a month can be written when the next has begun.

    Examples
    --------
    >>> _month_before(202601), _month_before(202611)
    (202512, 202610)
    """
    return month - 1 if month % 100 > 1 else month - 89
