"""What the ledger says of the rows it no longer has: ranges of numbers, each with its last link.

A row that follows a removed one is linked to it. So the event that tells of a retirement keeps, for
every unbroken range of removed numbers, the link of the range's last row: the chain is checked on
from there. The event also names the link before itself, so that it can be proven on its own, ahead
of the rows whose absence it explains.
"""

from __future__ import annotations

import base64
import heapq
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection

from monitoring.keyring import Keyring
from monitoring.ledger.chain import key_of, link
from monitoring.ledger.reading import Row, chained_rows, event_detail
from monitoring.ledger.tables import EVENTS

RETIRED = "retired"
RANGES_PER_EVENT = 1_000


class Range(NamedTuple):
    """Removed rows, all numbers from the first to the last, and the last one's link."""

    first: int
    last: int
    link: bytes


def to_detail(month: int, rows: Mapping[str, int], ranges: Sequence[Range], *, after: bytes) -> str:
    """The detail of an event that tells of a retirement.

    Parameters
    ----------
    month : int
        The month that was removed.
    rows : mapping
        Number of rows by table.
    after : bytes
        The link of the row before the event.

    Examples
    --------
    >>> to_detail(202202, {"accesses": 2}, [Range(4, 5, b"xyz")], after=b"abc")
    '{"month": 202202, "rows": {"accesses": 2}, "after": "YWJj", "ranges": [[4, 5, "eHl6"]]}'
    """
    return json.dumps(
        {
            "month": month,
            "rows": rows,
            "after": base64.b64encode(after).decode(),
            "ranges": [
                [item.first, item.last, base64.b64encode(item.link).decode()] for item in ranges
            ],
        }
    )


def from_detail(detail: object) -> tuple[list[Range], bytes] | None:
    """Ranges and the link before; None when the detail does not tell of a retirement.

    Examples
    --------
    >>> from_detail('{"after": "YWJj", "ranges": [[4, 5, "eHl6"]]}')
    ([Range(first=4, last=5, link=b'xyz')], b'abc')
    >>> from_detail('{"purpose": "ledger"}') is None
    True
    """
    try:
        told = json.loads(detail)  # type: ignore[arg-type]  # whatever it is, see below
        ranges = [
            Range(int(first), int(last), base64.b64decode(chain, validate=True))
            for first, last, chain in told["ranges"]
        ]
        return ranges, base64.b64decode(told["after"], validate=True)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


@dataclass(frozen=True, slots=True)
class _Told:
    """Where one event's ranges begin; they are read again when the walk gets there."""

    first: int
    month: Any
    seq: int


class Retirements:
    """All retired ranges of a ledger in order, from events that carry our link.

    Attributes
    ----------
    doubtful : frozenset of int
        Numbers of events that seem to tell of a retirement and cannot be believed.
    """

    def __init__(self, connection: Connection, keyring: Keyring) -> None:
        self._connection = connection
        believed, doubtful = [], set()
        for row in chained_rows(connection, (EVENTS,)):
            detail = from_detail(row.values["detail"])
            if detail is None:
                if row.values["kind"] == RETIRED:
                    doubtful.add(row.seq)
            elif detail[0] and _is_ours(row, detail[1], keyring):
                believed.append(_Told(detail[0][0].first, row.values["month"], row.seq))
            else:
                doubtful.add(row.seq)
        self.doubtful = frozenset(doubtful)
        self._ranges = heapq.merge(*map(self._read, sorted(believed, key=lambda told: told.first)))
        self._next = next(self._ranges, None)

    def peek(self, seq: int) -> Range | None:
        """The first range that does not end before this number."""
        while self._next is not None and self._next.last < seq:
            self._next = next(self._ranges, None)
        return self._next

    def _read(self, told: _Told) -> Iterator[Range]:
        # One that stands for the event until the walk reaches it: then the event is read.
        yield Range(told.first, told.first - 1, b"")
        detail = from_detail(event_detail(self._connection, told.month, told.seq))
        yield from detail[0] if detail else ()


def _is_ours(row: Row, after: bytes, keyring: Keyring) -> bool:
    chain = row.values["chain"]
    key = key_of(keyring, chain) if isinstance(chain, bytes) else None
    try:
        return key is not None and link(key, after, EVENTS, row.values) == chain
    except UnicodeEncodeError:
        return False
