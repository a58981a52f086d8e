"""The ledger as the service uses it: append and be told when it is durable, read back what was said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import SQLAlchemyError

from monitoring.keyring import load_keyring
from monitoring.ledger.book import Book
from monitoring.ledger.engine import Lines, open_engine
from monitoring.ledger.entries import Entry, Event
from monitoring.ledger.errors import LedgerUnavailable
from monitoring.ledger.identifiers import month_of_identifier
from monitoring.ledger.links import linked
from monitoring.ledger.silence import read_changes
from monitoring.ledger.tables import ASSESSMENTS
from monitoring.ledger.traffic import Traffic, read_traffic
from monitoring.ledger.writer import TRY_AGAIN_AFTER_S, Commitment, Writer


@dataclass(frozen=True, slots=True)
class Recorded:
    """An assessment as it was given."""

    assessment_id: str
    branch_point: str
    subject_id: str | None
    episode_id: str | None
    protected: bool
    index_time_us: int
    recorded_at_us: int
    answer: str = field(repr=False)
    inputs: str = field(repr=False)


Found = TypeVar("Found")
SAYS_SO_ITSELF_WITHIN_S = 0.5
"""A database that lives says by itself that a statement took too long; one that hangs does not."""
COLUMNS = (
    ASSESSMENTS.c.assessment_id,
    ASSESSMENTS.c.branch_point,
    ASSESSMENTS.c.subject_id,
    ASSESSMENTS.c.episode_id,
    ASSESSMENTS.c.protected,
    ASSESSMENTS.c.index_time_us,
    ASSESSMENTS.c.recorded_at_us,
    ASSESSMENTS.c.answer,
    ASSESSMENTS.c.inputs,
)


class Ledger:
    """An open ledger.

    Parameters
    ----------
    url : str
        The database.
    keys : Path
        The keyring's file; the process that writes reads it for itself.
    bound : int
        How many groups of entries may wait for their commit.
    patience_s : float
        How long one may wait before it is refused.
    observe : callable
        Told of every commit.
    held : tuple of int
        File descriptors that the process that writes keeps open: a lock on one of them lasts until
        nothing can be written any more, even when this process is killed.
    """

    def __init__(
        self,
        url: str,
        keys: Path,
        *,
        bound: int = 1024,
        patience_s: float = 5.0,
        observe: Callable[[Commitment], None] = lambda _: None,
        held: tuple[int, ...] = (),
    ) -> None:
        self._url, self._keys = url, keys
        self._reads = open_engine(url, writes=False, patience_s=patience_s)
        self._lines, self._patience_s = Lines(self._reads), patience_s
        self._writer = Writer(
            url, keys, bound=bound, patience_s=patience_s, observe=observe, held=held
        )

    def prepare(self) -> None:
        """Make the tables in an empty database, otherwise see that schema and keys fit.

        Raises
        ------
        LedgerMisfit
            When they do not.
        """
        book = Book(self._url, load_keyring(self._keys))
        book.prepare()
        book.close()

    async def start(self) -> None:
        """Begin to take entries, on the running event loop."""
        await self._writer.start()

    async def close(self) -> None:
        """Commit what waits and let go of the database."""
        await self._writer.close()
        self._lines.cut()  # a read that hangs would keep the process from ending
        self._reads.dispose()

    @property
    def waiting(self) -> int:
        """How many entries wait for their commit."""
        return self._writer.waiting

    @property
    def failing(self) -> str | None:
        """Why nothing can be recorded now; None when the last write went well."""
        return self._writer.failing

    @property
    def head(self) -> tuple[int, str]:
        """Number and link of the newest row this process wrote: worth noting elsewhere."""
        seq, chain = self._writer.head
        return seq, chain.hex()

    def append(self, *entries: Entry) -> asyncio.Future[list[Any]]:
        """Record entries that belong together; the future is done when they are durable.

        Raises
        ------
        LedgerUnavailable
            At once or from the future: then nothing that depends on them may be told.
        """
        return self._writer.submit(entries)

    async def read(self, assessment_id: str, tenant: str) -> Recorded | None:
        """The assessment with this identifier, if the tenant has it.

        Raises
        ------
        LedgerUnavailable
            When the database does not answer.
        """
        month = month_of_identifier(assessment_id)
        if month is None:
            return None
        statement = select(*COLUMNS).where(
            ASSESSMENTS.c.month == month,
            ASSESSMENTS.c.assessment_id == assessment_id,
            ASSESSMENTS.c.tenant == tenant,
        )
        found = await self._ask(lambda connection: _rows(connection, statement))
        return found[0] if found else None

    async def read_episode(self, episode_ids: Sequence[str], tenant: str) -> list[Recorded]:
        """Every assessment of an episode, in the order of index times.

        Parameters
        ----------
        episode_ids : sequence of str
            The episode's pseudonyms, one for every key version.
        """

        def read(connection: Connection) -> list[Recorded]:
            known = linked(connection.execute, episode_ids)
            return _rows(
                connection,
                select(*COLUMNS)
                .where(ASSESSMENTS.c.episode_id.in_(known), ASSESSMENTS.c.tenant == tenant)
                .order_by(ASSESSMENTS.c.index_time_us, ASSESSMENTS.c.seq),
            )

        return await self._ask(read)

    async def read_silence(self) -> list[Event]:
        """What was recorded of going live and going silent, oldest first: see `silence`.

        Raises
        ------
        LedgerUnavailable
            When the database does not answer.
        """
        return await self._ask(read_changes)

    async def read_traffic(self, tenant: str, since_us: int) -> dict[str, Traffic]:
        """What a tenant asked since a moment, by branch point.

        Raises
        ------
        LedgerUnavailable
            When the database does not answer.
        """
        return await self._ask(lambda read: read_traffic(read, tenant, since_us))

    async def _ask(self, read: Callable[[Connection], Found]) -> Found:
        try:
            async with asyncio.timeout(self._patience_s + SAYS_SO_ITSELF_WITHIN_S):
                return await asyncio.to_thread(_connected, self._reads, read)
        except TimeoutError:
            self._lines.cut()
            raise LedgerUnavailable("slow", TRY_AGAIN_AFTER_S) from None
        except SQLAlchemyError:
            raise LedgerUnavailable("failing", TRY_AGAIN_AFTER_S) from None


def _connected(engine: Engine, read: Callable[[Connection], Found]) -> Found:
    with engine.connect() as connection:
        return read(connection)


def _rows(connection: Connection, statement: Any) -> list[Recorded]:
    return [Recorded(*row) for row in connection.execute(statement)]
