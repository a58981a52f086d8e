"""A process that scores rows: the same service function as every other way in, one event loop."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import NamedTuple

import orjson

from app.access_log import Actor
from app.deid import IdentifierFound
from app.errors import Problem
from app.file_drop.journal import RowIdentifiers
from app.file_drop.opening import Installation
from app.file_drop.questions import Questions
from app.file_drop.source import Content
from app.file_drop.tally import tally_of
from app.routers.state import problem_of
from app.services.answer_request import Given, begin_answer
from app.services.parts import Parts
from app.services.silence import as_given
from app.serving.memory import settle_memory
from monitoring.ledger import LedgerUnavailable

BREATHE_EVERY = 8
"""Rows between two looks at what else is to be done: commits go out and come back meanwhile."""


class Task(NamedTuple):
    """Rows to score.

    Attributes
    ----------
    maybe_recorded : bool
        Whether an earlier run may have recorded some of them.
    """

    first: int
    contents: Sequence[Content]
    maybe_recorded: bool


class Done(NamedTuple):
    """The lines of a task's rows, in order, as they are written; or why the ledger cannot record."""

    first: int
    lines: bytes
    rows: int
    tally: Counter[str]
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What every worker of a job knows."""

    installation: Installation
    questions: Questions
    actor: Actor
    identifiers: RowIdentifiers
    held: tuple[int, ...]


def score_rows(work: Work, pipe: Connection, others: Sequence[Connection]) -> None:
    """Score what comes through the pipe until it closes.

    Parameters
    ----------
    others : sequence of Connection
        The parent's ends, which this process got when it was made: while it held them, no worker
        would be told of the parent's end.
    """
    for other in others:
        other.close()
    settle_memory()
    with suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        asyncio.run(_score(work, pipe))


async def _score(work: Work, pipe: Connection) -> None:
    parts = work.installation.parts(work.held)
    arriving: asyncio.Queue[Task | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def receive() -> None:
        try:
            arriving.put_nowait(pipe.recv())
        except (EOFError, OSError):
            loop.remove_reader(pipe.fileno())
            arriving.put_nowait(None)

    sending = asyncio.Lock()
    await parts.ledger.start()
    await parts.silence.look()
    following = asyncio.create_task(parts.silence.follow())
    loop.add_reader(pipe.fileno(), receive)
    finishing: set[asyncio.Task[None]] = set()
    try:
        while (task := await arriving.get()) is not None:
            # The next task begins while this one's last answers wait for their commit.
            finishing.add(
                telling := asyncio.create_task(
                    _tell(await _begin(task, work, parts), pipe, sending)
                )
            )
            telling.add_done_callback(finishing.discard)
        await asyncio.gather(*finishing)
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
        await parts.ledger.close()


class Begun(NamedTuple):
    """A task's answers on their way to the ledger, and what they add to the counts."""

    first: int
    items: list[Given | bytes | Exception]
    tally: Counter[str]


async def _begin(task: Task, work: Work, parts: Parts) -> Begun:
    begun: list[Given | bytes | Exception] = []
    tally: Counter[str] = Counter()
    for row, content in enumerate(task.contents, start=task.first):
        if not row % BREATHE_EVERY:
            await asyncio.sleep(0)
        try:
            found = await _recorded(row, work, parts) if task.maybe_recorded else None
            if found is None:
                begun.append(_answer(row, content, work, parts, tally))
            else:
                begun.append(found)
                tally.update(tally_of({"answer": orjson.loads(found)}))
        except (Problem, IdentifierFound, LedgerUnavailable) as error:
            begun.append(error)
    return Begun(task.first, begun, tally)


def _answer(row: int, content: Content, work: Work, parts: Parts, tally: Counter[str]) -> Given:
    installation = work.installation
    return begin_answer(
        work.questions.ask(content),
        installation.point,
        work.actor,
        installation.care_units,
        parts,
        identify=partial(work.identifiers.of, row),
        look=lambda answer: tally.update(tally_of({"answer": answer})),
    )


async def _recorded(row: int, work: Work, parts: Parts) -> bytes | None:
    """The answer that an earlier run has recorded for a row."""
    for assessment_id in work.identifiers.every(row, time.time_ns() // 1000):
        found = await parts.ledger.read(assessment_id, work.actor.tenant)
        if found is not None:
            return as_given(found.answer)
    return None


async def _tell(begun: Begun, pipe: Connection, sending: asyncio.Lock) -> None:
    """Send the lines of a task once every answer in it is durable."""
    first, items, tally = begun
    lines: list[bytes] = []
    failure: str | None = None
    for row, item in enumerate(items, start=first):
        try:
            body = await _body(item)
        except LedgerUnavailable as error:
            # Its answer may be recorded all the same: the next run looks it up.
            failure = str(error)
            continue
        except (Problem, IdentifierFound) as error:
            problem = problem_of(error).document()
            lines.append(orjson.dumps({"row": row, "problem": problem}) + b"\n")
            tally.update(tally_of({"problem": problem}))
            continue
        lines.append(b'{"row":%d,"answer":%b}\n' % (row, body))
    done = Done(first, b"".join(lines) if failure is None else b"", len(items), tally, failure)
    # A megabyte: the parent may be waiting for its disk, and the next rows must not wait with it.
    async with sending:
        with suppress(BrokenPipeError):
            await asyncio.to_thread(pipe.send, done)


async def _body(item: Given | bytes | Exception) -> bytes:
    if isinstance(item, Exception):
        raise item
    if isinstance(item, bytes):
        return item
    await item.durable
    return item.body


def cores() -> int:
    """How many processes can work at once here."""
    return len(os.sched_getaffinity(0))
