"""A file in, answers out: every row once, durable in the ledger before it is written."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from app.access_log import Actor
from app.file_drop.answers import check_form, write_answers
from app.file_drop.errors import DropStopped, FileRefused
from app.file_drop.journal import Journal
from app.file_drop.mapping import Mapping as ColumnMapping
from app.file_drop.mapping import load_mapping, mapping_by_name
from app.file_drop.opening import Installation
from app.file_drop.questions import Questions, Wanted
from app.file_drop.source import TABLE, Source
from app.file_drop.tally import summary_of, tally_of
from app.file_drop.worker import Done, Task, Work, score_rows
from app.schemas.assessment_request import INCLUDES

ROWS_A_TASK = 64
TASKS_A_WORKER = 2
TASKS_BETWEEN_FLUSHES = 16
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Scored:
    """What came of a file.

    Attributes
    ----------
    summary : mapping
        See `tally.summary_of`; also `already`, how many rows an earlier run had written, and of a
        FHIR export `resources_passed_over`.
    """

    summary: Mapping[str, Any]

    @property
    def complete(self) -> bool:
        """Whether no row was refused."""
        return not self.summary["refused"]


def score_file(
    path: Path,
    out: Path,
    *,
    wanted: Wanted,
    installation: Installation,
    actor: Actor,
    mapping_file: Path | None = None,
    jobs: int = 1,
    progress: Progress = lambda _, __: None,
) -> Scored:
    """Score every row of a file, or go on where an earlier run of the same job was ended.

    Parameters
    ----------
    out : Path
        Where the answers go: `.ndjson`, `.csv` or `.parquet`.
    progress : callable
        Told how many rows are written, and of how many, where that is known.

    Raises
    ------
    FileRefused
        When file, mapping or OUT cannot be used.
    DropStopped
        When the ledger cannot record; the same call goes on later.
    """
    check_form(out)
    _check(wanted, installation)
    mapping = None if mapping_file is None else load_mapping(mapping_file, installation.vocabulary)
    with Source(path, mapping) as source:
        if source.kind == TABLE:
            mapping = mapping or mapping_by_name(
                source.header, installation.vocabulary, installation.point
            )
        elif mapping is not None:
            raise FileRefused("a mapping belongs to a table: CSV or Parquet")
        questions = Questions(
            wanted,
            source.header,
            mapping,
            installation.point,
            installation.vocabulary,
            installation.coding,
        )
        job = _job(source, wanted, mapping, actor.tenant, out)
        with Journal(out, job) as journal:
            if journal.finished is not None:
                if journal.part.exists():
                    write_answers(journal.part, out)
                elif not out.exists():
                    raise FileRefused(
                        f"{out.name} was answered and taken away; choose another name to score anew"
                    )
                summary = dict(journal.finished)
                return Scored({**summary, "already": summary["rows"]})
            work = Work(installation, questions, actor, journal.identifiers, (journal.fd,))
            try:
                run = _Run(source, journal, work, jobs, progress)
                summary = run.to_the_end()
                if (passed_over := source.passed_over()) is not None:
                    summary["resources_passed_over"] = passed_over
                journal.finish(summary)
                write_answers(journal.part, out)
            except OSError as error:
                raise DropStopped(
                    f"reading or writing failed ({error.strerror}); run the same command again to go on"
                ) from None
            return Scored({**summary, "already": run.already})


def _check(wanted: Wanted, installation: Installation) -> None:
    point = installation.point
    if any(name not in point.outcomes for name in wanted.outcomes):
        raise FileRefused(f"unknown outcome; `{point.id}` has: {', '.join(point.outcomes)}")
    if any(name not in INCLUDES for name in wanted.include):
        raise FileRefused(f"unknown part to include; expected: {', '.join(INCLUDES)}")


def _job(
    source: Source, wanted: Wanted, mapping: ColumnMapping | None, tenant: str, out: Path
) -> dict[str, Any]:
    """What makes two runs the same job; digests and declared names only."""
    index_time = None if wanted.index_time is None else wanted.index_time.isoformat()
    return {
        "file": source.digest,
        "mapping": mapping.digest if mapping else None,
        "tenant": tenant,
        "branch_point": wanted.branch_point,
        "outcomes": list(wanted.outcomes),
        "include": list(wanted.include),
        "index_time": index_time,
        "form": out.suffix,
    }


class _Run:
    """One run over what is left of a job."""

    def __init__(
        self, source: Source, journal: Journal, work: Work, jobs: int, progress: Progress
    ) -> None:
        self._source, self._journal, self._work, self._jobs = source, journal, work, jobs
        self._progress = progress
        self._tally: Counter[str] = Counter()
        self.already = 0
        for line in journal.written():
            self._tally.update(tally_of(line))
            self.already += 1
        self._tasks_ahead = 2 * TASKS_BETWEEN_FLUSHES + 2 * TASKS_A_WORKER * jobs
        self._maybe_until = self.already + journal.open_window(self._tasks_ahead * ROWS_A_TASK)

    def to_the_end(self) -> dict[str, Any]:
        with _Workers(self._work, self._jobs) as workers, self._journal.part.open("ab") as stream:
            self._drive(workers, stream)
            _flush(stream)
        return summary_of(self._tally)

    def _drive(self, workers: _Workers, stream: BinaryIO) -> None:
        total = self._source.count()
        tasks = self._tasks()
        next_task = next(tasks, None)
        order: deque[int] = deque()  # first rows of tasks begun and not written
        waiting: dict[int, Done] = {}
        unflushed = 0
        written = self.already
        self._progress(written, total)
        while next_task is not None or order:
            while (
                next_task is not None
                and len(order) + unflushed < self._tasks_ahead
                and workers.take(next_task)
            ):
                order.append(next_task.first)
                next_task = next(tasks, None)
            for done in workers.done():
                if done.failure is not None:
                    raise DropStopped(f"{done.failure}; run the same command again to go on")
                waiting[done.first] = done
            while order and order[0] in waiting:
                done = waiting.pop(order.popleft())
                stream.write(done.lines)
                self._tally.update(done.tally)
                written += done.rows
                unflushed += 1
            if unflushed >= TASKS_BETWEEN_FLUSHES:
                _flush(stream)
                unflushed = 0
            self._progress(written, total)

    def _tasks(self) -> Iterator[Task]:
        rows = self._source.rows(self.already + 1)
        first = self.already + 1
        while contents := list(islice(rows, ROWS_A_TASK)):
            yield Task(first, contents, first <= self._maybe_until)
            first += len(contents)


class _Workers:
    """The processes that score; forked, so that the models are in memory once."""

    def __init__(self, work: Work, jobs: int) -> None:
        self._work, self._jobs = work, jobs
        self._processes: list[ForkProcess] = []
        self._pipes: list[Connection] = []
        self._busy: dict[Connection, int] = {}

    def __enter__(self) -> _Workers:
        making = multiprocessing.get_context("fork")
        for _ in range(self._jobs):
            ours, theirs = making.Pipe()
            self._pipes.append(ours)
            process = making.Process(
                target=score_rows, args=(self._work, theirs, tuple(self._pipes)), daemon=True
            )
            process.start()
            theirs.close()
            self._processes.append(process)
            self._busy[ours] = 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join()

    def take(self, task: Task) -> bool:
        """Hand a task to the worker that has least to do; False when all have enough."""
        pipe = min(self._pipes, key=self._busy.__getitem__)
        if self._busy[pipe] >= TASKS_A_WORKER:
            return False
        try:
            pipe.send(task)
        except (BrokenPipeError, ConnectionResetError):
            raise DropStopped("a worker ended; run the same command again to go on") from None
        self._busy[pipe] += 1
        return True

    def done(self) -> Sequence[Done]:
        """Wait until something is done, and take it."""
        found = []
        ready = wait([pipe for pipe, busy in self._busy.items() if busy])
        for pipe in (pipe for pipe in self._pipes if pipe in ready):
            try:
                done: Done = pipe.recv()
            except (EOFError, ConnectionResetError):
                raise DropStopped("a worker ended; run the same command again to go on") from None
            self._busy[pipe] -= 1
            found.append(done)
        return found


def _flush(stream: BinaryIO) -> None:
    stream.flush()
    os.fsync(stream.fileno())
