"""Checking the chain from its first row to its head, and saying where it does not hold.

Whoever can write the database and has no key can make none of this go unseen: a row altered in any
column, removed, inserted, moved; the newest rows cut off; the head changed. One such deed gives, as a
rule, one finding: after a row that does not fit, the walk goes on with the link that is stored and
with the one that should have been. A row that was replaced together with its link is found with the
row after it, as nothing is left that the second could be held to; a row after removed ones cannot be
checked for itself, only what is linked to it.

A database put back as a whole to an earlier state is consistent. Only a head that was noted elsewhere
shows it: see `expected_heads`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine

from monitoring.keyring import LEDGER, Keyring
from monitoring.ledger.chain import key_of, link, seal
from monitoring.ledger.engine import SQLITE
from monitoring.ledger.identifiers import month_of
from monitoring.ledger.reading import Progress, Row, chained_rows, heads, snapshot
from monitoring.ledger.retired import Retirements

ALTERED, REMOVED, INSERTED, MISPLACED, HEAD_WRONG, UNKNOWN_KEY, UNPROVEN, FILE_DAMAGED = (
    "altered", "removed", "inserted", "misplaced", "head", "unknown key", "unproven", "file damaged",
)  # fmt: skip
"""What is wrong: a row is not as it was written; numbers without rows; a row that was never written;
a row in another month's place; the head is not the newest row's, or a noted head is not on the
chain; links of a key that the keyring does not have; rows are gone and the event that may explain it
is not ours; SQLite finds its own file inconsistent."""

LARGEST_REPORT = 1_000
REMEMBERED_LINKS = 32
TELL_EVERY = 1_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where the ledger does not hold.

    Attributes
    ----------
    what : str
        One of the words above.
    table : str or None
        None when no one table has it.
    seq : int or None
        The number; None when the row has none.
    last_seq : int or None
        The last number, when it is a range.
    """

    what: str
    table: str | None = None
    seq: int | None = None
    last_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found.

    Attributes
    ----------
    rows : int
        How many were read.
    findings : tuple of Finding
        The first thousand.
    further : int
        How many more there are.
    head : tuple of int and str
        Number and link of the newest row: note it elsewhere, and hand it to a later check.
    """

    rows: int
    findings: tuple[Finding, ...]
    further: int
    head: tuple[int, str]

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def verify(
    engine: Engine,
    keyring: Keyring,
    *,
    expected_heads: Sequence[tuple[int, str]] = (),
    progress: Progress = lambda done, total: None,
) -> Report:
    """Check every row of the ledger in one state of the database, beside its writers.

    Parameters
    ----------
    expected_heads : sequence of (int, str)
        Heads noted earlier, number and link in hex: each must still be on the chain. One whose row
        has been retired since says nothing.
    progress : callable
        Told how many rows are done, of about how many.

    Raises
    ------
    sqlalchemy.exc.SQLAlchemyError
        When the database cannot be read.
    """
    with snapshot(engine) as connection:
        return verify_within(connection, keyring, expected_heads=expected_heads, progress=progress)


def verify_within(
    connection: Connection,
    keyring: Keyring,
    *,
    expected_heads: Sequence[tuple[int, str]] = (),
    progress: Progress = lambda done, total: None,
) -> Report:
    """Check what an open transaction sees; its connection gives values `as_stored`."""
    head = _Head(heads(connection), keyring)
    walk = _Walk(keyring, Retirements(connection, keyring), head, expected_heads)
    for row in chained_rows(connection):
        walk.take(row)
        if walk.rows % TELL_EVERY == 0:
            progress(walk.rows, max(head.seq, walk.rows))
    walk.finish()
    progress(walk.rows, walk.rows)
    # Last, as it cannot say which row: rows read by an index may differ from those in the table.
    if connection.dialect.name == SQLITE and not walk.findings:
        said = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
        if said != "ok":
            walk.note(Finding(FILE_DAMAGED))
    return Report(walk.rows, tuple(walk.findings), walk.further, (head.seq, head.chain.hex()))


class _Head:
    """The stored head, as far as it can be believed."""

    def __init__(self, rows: Sequence[dict[str, Any]], keyring: Keyring) -> None:
        row = rows[0] if len(rows) == 1 else {}
        seq, chain, sealed = row.get("seq"), row.get("chain"), row.get("seal")
        self.seq = seq if isinstance(seq, int) else 0
        self.chain = chain if isinstance(chain, bytes) else b""
        # As the first migration makes it; nothing can have been written yet.
        self.unused = (row.get("id"), seq, chain, sealed) == (1, 0, b"", b"")
        key = key_of(keyring, sealed) if isinstance(sealed, bytes) else None
        self.sealed = self.unused or (
            row.get("id") == 1
            and key is not None
            and (seq, chain) == (self.seq, self.chain)
            and seal(key, self.seq, self.chain) == sealed
        )


class _Walk:
    """Takes the rows in order and compares each link with the one before.

    `_before` holds the links that the next row may follow: one after a row that fits; after a row
    that does not, the stored one and those it should have had; None after removed rows. That there
    can be several is no weakness: without the key nobody makes a row that fits any of them.
    """

    def __init__(
        self,
        keyring: Keyring,
        retirements: Retirements,
        head: _Head,
        expected_heads: Sequence[tuple[int, str]],
    ) -> None:
        self._keys = {key.version: key for key in keyring.every(LEDGER)}
        self._retirements = retirements
        self._head = head
        self._expected: dict[int, set[str]] = {}
        for seq, chain in expected_heads:
            self._expected.setdefault(seq, set()).add(chain)
        self._next = 1
        self._before: tuple[bytes, ...] | None = (b"",)
        # Of the row before, should another one have the same number.
        self._fitted = True
        self._its_before: tuple[bytes, ...] | None = self._before
        self._doubtful_gap: tuple[int, int] | None = None
        self.rows = 0
        self.findings: list[Finding] = []
        self.further = 0

    def take(self, row: Row) -> None:
        """Check one row."""
        self.rows += 1
        seq, name = row.seq, row.table.name
        if type(seq) is not int or seq < 1:
            self.note(Finding(INSERTED, name, seq if type(seq) is int else None))
        elif seq < self._next:
            self._take_second(row)
        elif self._is_beyond(row):
            self.note(Finding(INSERTED, name, seq))
        elif not self._is_renumbered(row):
            self._pass(seq)
            retired = self._retirements.peek(seq)
            if retired is not None and retired.first <= seq:
                self.note(Finding(INSERTED, name, seq))  # put back after it was retired
            else:
                self._take_next(row)

    def finish(self) -> None:
        """Compare the last row with the head, and what was noted elsewhere with what was seen."""
        head = self._head
        if not head.sealed or (head.unused and self.rows):
            self.note(Finding(HEAD_WRONG))
        else:
            self._pass(head.seq + 1)
            if self._before is not None and head.chain not in self._before:
                self.note(Finding(HEAD_WRONG))
        if self._doubtful_gap is not None:
            self.note(Finding(UNPROVEN, None, *self._doubtful_gap))
        for seq in sorted(self._expected):
            self.note(Finding(HEAD_WRONG, None, seq))

    def note(self, finding: Finding) -> None:
        """Keep a finding; beyond a thousand only their number."""
        if len(self.findings) < LARGEST_REPORT:
            self.findings.append(finding)
        else:
            self.further += 1

    def _take_next(self, row: Row) -> None:
        before, chain = self._before, row.values["chain"]
        self._its_before, self._next = before, row.seq + 1
        self._fitted = before is not None and self._fits(row, before)
        if before is None or self._fitted:
            self._before = (chain,) if isinstance(chain, bytes) else None
            if self._fitted and row.values["month"] != _month(row):
                self.note(Finding(MISPLACED, row.table.name, row.seq))
        else:
            self._note_misfit(row, before)
            stored = (chain,) if isinstance(chain, bytes) else ()
            should = () if self.further else self._should_be(row, before[:2])
            self._before = (*stored, *should, *before)[:REMEMBERED_LINKS]
        self._meet_expected(row.seq, chain)

    def _take_second(self, row: Row) -> None:
        """A number that was there already: the row that fits is the one that was written."""
        before = self._its_before
        mine = row.seq == self._next - 1 and not self._fitted
        if not (mine and before is not None and self._fits(row, before)):
            self.note(Finding(INSERTED, row.table.name, row.seq))
            if mine and isinstance(row.values["chain"], bytes):
                self._before = (*(self._before or ()), row.values["chain"])[-REMEMBERED_LINKS:]
            return
        last = self.findings[-1] if self.findings else None
        if last is not None and last.seq == row.seq and not self.further:
            self.findings[-1] = Finding(INSERTED, last.table, last.seq)
        self._fitted, self._before = True, (row.values["chain"],)

    def _is_beyond(self, row: Row) -> bool:
        """Whether a row stands after a head that can be believed, and does not belong there.

        One that does belong there shows that the head was put back.
        """
        if not self._head.sealed or row.seq <= self._head.seq:
            return False
        fits = self._before is not None and self._fits(row, self._before)
        return not (row.seq == self._next and fits)

    def _is_renumbered(self, row: Row) -> bool:
        """Whether a row is the one that is missed, under another number."""
        if row.seq == self._next or self._before is None:
            return False
        retired = self._retirements.peek(self._next)
        if retired is not None and retired.first <= self._next:
            return False
        if not self._fits(row._replace(values={**row.values, "seq": self._next}), self._before):
            return False
        self.note(Finding(ALTERED, row.table.name, row.seq))
        self._its_before, self._fitted = self._before, True
        self._before, self._next = (row.values["chain"],), self._next + 1
        return True

    def _pass(self, to: int) -> None:
        """Go over numbers that have no rows, up to this one."""
        while self._next < to:
            retired = self._retirements.peek(self._next)
            if retired is None or retired.first >= to:
                self._note_gap(to - 1)
            elif retired.first > self._next:
                self._note_gap(retired.first - 1)
            elif retired.last >= to:
                return
            else:
                for seq in [s for s in self._expected if self._next <= s < retired.last]:
                    del self._expected[seq]  # its link is gone with its row
                self._meet_expected(retired.last, retired.link)
                self._before, self._next = (retired.link,), retired.last + 1

    def _note_gap(self, last: int) -> None:
        first, self._next, self._before = self._next, last + 1, None
        if self._retirements.doubtful:
            self._doubtful_gap = ((self._doubtful_gap or (first,))[0], last)
        else:
            self.note(Finding(REMOVED, None, first, last))

    def _note_misfit(self, row: Row, before: tuple[bytes, ...]) -> None:
        name, seq, chain = row.table.name, row.seq, row.values["chain"]
        if isinstance(chain, bytes) and chain and chain[0] not in self._keys:
            last = self.findings[-1] if self.findings else None
            if last and last.what == UNKNOWN_KEY and seq - 1 in (last.seq, last.last_seq):
                table = name if last.table == name else None
                self.findings[-1] = Finding(UNKNOWN_KEY, table, last.seq, seq)
            else:
                self.note(Finding(UNKNOWN_KEY, name, seq))
            return
        elsewhere = row._replace(values={**row.values, "month": _month(row)})
        self.note(Finding(MISPLACED if self._fits(elsewhere, before) else ALTERED, name, seq))

    def _meet_expected(self, seq: int, chain: object) -> None:
        noted = self._expected.pop(seq, None)
        if noted and not (isinstance(chain, bytes) and noted == {chain.hex()}):
            self.note(Finding(HEAD_WRONG, None, seq))

    def _fits(self, row: Row, before: tuple[bytes, ...]) -> bool:
        chain = row.values["chain"]
        key = self._keys.get(chain[0]) if isinstance(chain, bytes) and chain else None
        if key is None:
            return False
        try:
            # A key never follows a newer one: an old one that leaked makes nothing new.
            return any(
                link(key, one, row.table, row.values) == chain
                for one in before
                if not one or one[0] <= key.version
            )
        except UnicodeEncodeError:
            return False

    def _should_be(self, row: Row, before: tuple[bytes, ...]) -> tuple[bytes, ...]:
        try:
            return tuple(
                link(key, one, row.table, row.values)
                for one in before
                for key in self._keys.values()
            )
        except UnicodeEncodeError:
            return ()


def _month(row: Row) -> int | None:
    try:
        return month_of(row.values["recorded_at_us"])
    except (TypeError, ValueError, OverflowError, OSError):
        return None
