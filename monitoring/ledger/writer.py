"""The worker's end of the ledger: hands entries to its scribe and learns when they are durable.

One batch is with the scribe at a time; what is handed in meanwhile is the next batch, so batches
grow with the load by themselves. A commit costs as much as writing several answers does: a batch
that could go gathers on as long as the loop keeps bringing more, and not a moment longer. Nothing is tried twice: an entry that could not be committed is
refused to who handed it in, and its answer is never sent. While the database fails, entries are
refused at once; the scribe tries a write of its own every so often, and a scribe that ended is
started again, so that the service comes back by itself.
"""

from __future__ import annotations

import asyncio
import marshal
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from monitoring.ledger.entries import Entry, to_plain
from monitoring.ledger.errors import LedgerUnavailable
from monitoring.ledger.scribe import DONE, FAILED, LENGTH, STDIN, STDOUT, frame, laid
from monitoring.ledger.shelf import Shelf

SEND_AT_ONCE = 8
"""So many groups are worth a commit of their own; fewer wait for those that are on their way."""
QUIET_TURNS = 4
"""Turns of the loop in which nothing was handed in: nothing is on its way. A few microseconds each."""
LONGEST_GATHERING_S = 0.005
LARGEST_BATCH = 256
LOOK_FOR_OVERDUE_S = 0.25
RESTART_AFTER_S = 0.2
TRY_AGAIN_AFTER_S = 1.0
STARTING, ENDED = "starting", "ScribeEnded"


@dataclass(frozen=True, slots=True)
class Commitment:
    """One attempt to commit, as observers are told of it.

    Attributes
    ----------
    kinds : tuple of str
        What was in the batch.
    failure : str or None
        The kind of the exception; None when all is durable.
    """

    kinds: tuple[str, ...]
    duration_s: float
    failure: str | None


@dataclass(slots=True)
class _Waiting:
    entries: Sequence[Entry]
    done: asyncio.Future[list[Any]]
    since: float


class Writer:
    """Hands entries from one event loop to a process of its own.

    Parameters
    ----------
    url : str
        The database.
    keys : Path
        The keyring's file.
    bound : int
        How many groups of entries may wait; more are refused.
    patience_s : float
        How long one may wait before it is refused.
    observe : callable
        Told of every attempt to commit.
    held : tuple of int
        File descriptors that the scribe keeps open as long as it lives.

    Attributes
    ----------
    failing : str or None
        Why nothing can be recorded now; None when the last write went well.
    head : (int, bytes)
        Number and link of the newest row written here.
    """

    def __init__(
        self,
        url: str,
        keys: Path,
        *,
        bound: int,
        patience_s: float,
        observe: Callable[[Commitment], None],
        held: tuple[int, ...] = (),
    ) -> None:
        self._shelf = Shelf.new()
        self._held = (*held, self._shelf.descriptor)
        self._configuration = (url, str(keys), patience_s)
        self._bound = bound
        self._patience_s = patience_s
        self._observe = observe
        self._next: list[_Waiting] = []
        self._with_scribe: list[_Waiting] = []
        self._closing = False
        self._scribe: _Scribe | None = None
        self._following: asyncio.Task[None] | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._turn: asyncio.Handle | None = None
        self._quiet = 0  # turns of the loop since something was handed in
        self._free_since = 0.0
        self.failing: str | None = STARTING
        self.head: tuple[int, bytes] = (0, b"")

    @property
    def waiting(self) -> int:
        """How many groups wait for their commit."""
        return len(self._next) + len(self._with_scribe)

    async def start(self) -> None:
        """Start the scribe and wait until it has tried to write, though no longer than patience has it."""
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._following = asyncio.create_task(self._follow(started))
        with suppress(TimeoutError):  # the service says so in /readyz and goes on trying
            async with asyncio.timeout(self._patience_s):
                await asyncio.shield(started)

    def submit(self, entries: Sequence[Entry]) -> asyncio.Future[list[Any]]:
        """Hand in entries that belong together; the future is done when they are durable.

        Raises
        ------
        LedgerUnavailable
            At once when too much waits or the database is known to fail; otherwise from the future.
        """
        if self._closing:
            raise LedgerUnavailable("closed", TRY_AGAIN_AFTER_S)
        if self.failing is not None:
            raise LedgerUnavailable("failing", TRY_AGAIN_AFTER_S)
        if self.waiting >= self._bound:
            raise LedgerUnavailable("full", TRY_AGAIN_AFTER_S)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[list[Any]] = loop.create_future()
        self._next.append(_Waiting(entries, done, loop.time()))
        self._quiet = 0
        if not self._with_scribe:
            self._gather(loop)
        if self._sweep is None:
            self._sweep = loop.call_later(LOOK_FOR_OVERDUE_S, self._refuse_overdue)
        return done

    async def close(self) -> None:
        """Commit what waits, then end the scribe."""
        self._closing = True
        with suppress(LedgerUnavailable, TimeoutError):
            while self.waiting and self.failing is None:
                last = (self._next or self._with_scribe)[-1].done
                async with asyncio.timeout(self._patience_s):
                    await asyncio.shield(last)
        if self._scribe is not None:
            self._scribe.end()
        if self._following is not None:
            try:
                async with asyncio.timeout(self._patience_s):
                    await asyncio.shield(self._following)
            except TimeoutError:
                if self._scribe is not None:
                    self._scribe.kill()
                await self._following
        if self._sweep is not None:
            self._sweep.cancel()
        self._refuse_all("closed")
        self._shelf.close()

    def _gather(self, loop: asyncio.AbstractEventLoop) -> None:
        """Send the next batch when it is worth a commit, else look again after a turn of the loop."""
        if len(self._next) >= SEND_AT_ONCE:
            self._send()
        elif self._turn is None:
            self._turn = loop.call_soon(self._end_of_turn)

    def _end_of_turn(self) -> None:
        self._turn = None
        if not self._next or self._with_scribe:
            return
        loop = asyncio.get_running_loop()
        self._quiet += 1
        gathered_s = loop.time() - max(self._next[0].since, self._free_since)
        if self._quiet > QUIET_TURNS or gathered_s > LONGEST_GATHERING_S:
            self._send()
        else:
            self._gather(loop)

    def _send(self) -> None:
        """Hand the next batch to the scribe, which has none."""
        batch = [waiting for waiting in self._next[:LARGEST_BATCH] if not waiting.done.done()]
        self._next = self._next[LARGEST_BATCH:]
        if self._scribe is None:
            self._refuse(batch, "failing")
        elif batch:
            self._with_scribe = batch
            self._scribe.hand([[to_plain(entry) for entry in group.entries] for group in batch])

    async def _follow(self, started: asyncio.Future[None]) -> None:
        """Keep a scribe running and listen to it until closed."""
        loop = asyncio.get_running_loop()
        while True:

            def hear(said: tuple[Any, ...]) -> None:
                self._hear(said)
                if not started.done():
                    started.set_result(None)

            try:
                _, scribe = await loop.subprocess_exec(
                    lambda: _Scribe(hear, self._shelf),
                    sys.executable, "-m", "monitoring.ledger.scribe", str(self._shelf.descriptor),
                    stderr=asyncio.subprocess.DEVNULL,  # a driver's words can hold what it was given
                    pass_fds=self._held,
                )  # fmt: skip
                self._scribe = scribe
                scribe.tell(self._configuration)
                if self._closing:  # closed while it was being started
                    scribe.end()
                await scribe.ended
            except OSError as error:
                self.failing = type(error).__name__
            self._scribe = None
            if self._closing:
                return
            self.failing = ENDED
            self._refuse_all("failing")
            self._observe(Commitment((), 0.0, ENDED))
            if not started.done():
                started.set_result(None)  # the service says so in /readyz and goes on trying
            await asyncio.sleep(RESTART_AFTER_S)

    def _hear(self, said: tuple[Any, ...]) -> None:
        """Take in what came of a batch, or of the scribe's own try with none."""
        batch, self._with_scribe = self._with_scribe, []
        kinds = tuple(entry.kind for waiting in batch for entry in waiting.entries)
        if said[0] == DONE:
            _, results, took, seq, chain = said
            self.failing, self.head = None, (seq, chain)
            loop = asyncio.get_running_loop()
            self._quiet, self._free_since = 0, loop.time()
            if self._next:
                self._gather(loop)
            if kinds:
                self._observe(Commitment(kinds, took, None))
            for waiting, result in zip(batch, results, strict=True):
                if not waiting.done.done():
                    waiting.done.set_result(result)
        elif said[0] == FAILED:
            _, self.failing, took = said
            self._observe(Commitment(kinds, took, self.failing))
            self._refuse(batch, "failing")
            self._refuse_all("failing")

    def _refuse(self, batch: Iterable[_Waiting], reason: str) -> None:
        for waiting in batch:
            if not waiting.done.done():
                waiting.done.set_exception(LedgerUnavailable(reason, TRY_AGAIN_AFTER_S))

    def _refuse_all(self, reason: str) -> None:
        batch, self._with_scribe, self._next = [*self._with_scribe, *self._next], [], []
        self._refuse(batch, reason)

    def _refuse_overdue(self) -> None:
        """Refuse what has waited too long; a scribe that says nothing at all is ended.

        What is refused before it was handed over is never written; what the scribe has may still be.
        """
        loop = asyncio.get_running_loop()
        self._sweep = None
        late = loop.time() - self._patience_s
        overdue = [w for w in (*self._with_scribe, *self._next) if w.since < late]
        self._refuse(overdue, "slow")
        self._next = [waiting for waiting in self._next if not waiting.done.done()]
        if self._with_scribe and self._with_scribe[0].since < late - 2 * self._patience_s:
            self.failing = "slow"
            if self._scribe is not None:
                self._scribe.kill()
        if self.waiting:
            self._sweep = loop.call_later(LOOK_FOR_OVERDUE_S, self._refuse_overdue)


class _Scribe(asyncio.SubprocessProtocol):
    """The scribe's process and its pipes."""

    def __init__(self, hear: Callable[[tuple[Any, ...]], None], shelf: Shelf) -> None:
        self._hear = hear
        self._shelf = shelf
        self._buffer = bytearray()
        self._transport: asyncio.SubprocessTransport | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not asked of its type: uvloop's transports have the methods and not the base class.
        self._transport = cast(asyncio.SubprocessTransport, transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd != STDOUT:
            return
        self._buffer += data
        while len(self._buffer) >= LENGTH.size:
            end = LENGTH.size + LENGTH.unpack_from(self._buffer)[0]
            if len(self._buffer) < end:
                return
            value = bytes(self._buffer[LENGTH.size : end])
            del self._buffer[:end]
            self._hear(marshal.loads(value))  # noqa: S302 - from our own child; data only

    def process_exited(self) -> None:
        if self._transport is not None:
            self._transport.close()
        if not self.ended.done():
            self.ended.set_result(None)

    def tell(self, value: Any) -> None:
        """Send a value; a scribe that is gone is noticed by its end."""
        self._send(frame(value))

    def hand(self, batch: list[list[Any]]) -> None:
        """Hand over a batch, the only one that it has: on the shelf, where it fits there."""
        data = marshal.dumps(batch)
        self._send((laid(data),) if self._shelf.lay(data) else (LENGTH.pack(len(data)), data))

    def _send(self, parts: Sequence[bytes]) -> None:
        if (pipe := self._pipe()) is not None and not pipe.is_closing():
            pipe.writelines(parts)

    def end(self) -> None:
        """Close its pipe: it writes what it has and ends."""
        if (pipe := self._pipe()) is not None:
            pipe.close()

    def _pipe(self) -> asyncio.WriteTransport | None:
        if self._transport is None:
            return None
        return cast(asyncio.WriteTransport | None, self._transport.get_pipe_transport(STDIN))

    def kill(self) -> None:
        if self._transport is not None:
            with suppress(ProcessLookupError):
                self._transport.kill()
