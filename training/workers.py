"""Many outcomes at once: processes prepare, one registers.

A worker reads a cohort, fits, evaluates and writes a bundle; it never opens the registry. The parent
registers what is ready, one after another, so that MLflow's database has one writer. What was
registered when a run is stopped stays, and the next run finds it by its fingerprint.

Workers are spawned, not forked, and compute with one thread each: the fits are many and small, and
threads of several processes on the same cores only wait for each other.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty
from typing import Any

from models.environment import THREADS, environment_kept
from models.errors import BundleRefused
from models.vocabulary import Vocabulary, load_vocabulary
from training.cohort import Cohort, Readable, load_cohort
from training.errors import CohortTooSmall
from training.pipeline import Prepared, prepare_outcome
from training.sources.source import Source

# How often progress is looked at while nothing is finished.
LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Task:
    """One outcome to be trained.

    Attributes
    ----------
    content : Path or None
        A site's own content folder; a worker loads the vocabulary itself.
    cohort_digest, fingerprint : str
        From `training.lineage`.
    """

    source: Source
    file: Readable
    outcome: str
    content: Path | None
    seed: int
    cohort_digest: str
    fingerprint: str

    @property
    def name(self) -> str:
        return f"{self.source.branch_point}.{self.outcome}"


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a task: a bundle, or the reason why there is none.

    Attributes
    ----------
    refused : bool
        The bundle did not prove itself; otherwise the cohort cannot carry the outcome.
    set_aside : mapping
        Of the cohort: (feature, reason) -> number of values that were not used.
    """

    task: Task
    prepared: Prepared | None
    reason: str | None
    refused: bool
    set_aside: Mapping[tuple[str, str], int]


def prepare_all(
    tasks: Sequence[Task], jobs: int, advance: Callable[[Task, float], None]
) -> Iterator[Done]:
    """Prepare every task and give each as it is ready; its bundle lives until the next is asked for.

    Parameters
    ----------
    jobs : int
        Processes; with one, or a single task, everything happens in this process.
    advance : callable
        Told, in this process, the share that a step of a task completes.

    Raises
    ------
    TrainingError
        As reading and fitting do; tasks that were not begun are dropped.
    """
    with tempfile.TemporaryDirectory() as folder:
        if jobs == 1 or len(tasks) <= 1:
            reader = CohortReader()
            for task in tasks:
                yield _prepare(task, reader, Path(folder), partial(advance, task))
            return
        yield from _in_processes(tasks, jobs, Path(folder), advance)


def _in_processes(
    tasks: Sequence[Task], jobs: int, folder: Path, advance: Callable[[Task, float], None]
) -> Iterator[Done]:
    context = multiprocessing.get_context("spawn")
    progress = context.Queue()
    with (
        _single_threaded(),
        ProcessPoolExecutor(
            min(jobs, len(tasks)), context, initializer=_begin, initargs=(progress,)
        ) as pool,
    ):
        pending: set[Future[Done]] = {
            pool.submit(_work, number, task, folder) for number, task in enumerate(tasks)
        }
        try:
            while pending:
                ready, pending = wait(pending, LOOK_S, FIRST_COMPLETED)
                for number, share in _drained(progress):
                    advance(tasks[number], share)
                for future in ready:
                    yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _drained(progress: Any) -> list[tuple[int, float]]:
    shares = []
    try:
        while True:
            shares.append(progress.get_nowait())
    except Empty:
        return shares


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Environment that the workers are born into."""
    with environment_kept(THREADS):
        os.environ.update(dict.fromkeys(THREADS, "1"))
        yield


class CohortReader:
    """The vocabulary and the cohort of the last task: those of one branch point share them."""

    def __init__(self) -> None:
        self._content: Path | None = None
        self._vocabulary: Vocabulary | None = None
        self._key: tuple[str, str] | None = None
        self._cohort: Cohort | None = None

    def read(self, task: Task) -> tuple[Cohort, Vocabulary]:
        if self._vocabulary is None or self._content != task.content:
            self._content, self._vocabulary = task.content, load_vocabulary(task.content)
            self._key = None
        key = (task.source.branch_point, task.cohort_digest)
        if self._cohort is None or self._key != key:
            self._cohort = load_cohort(task.source, task.file, self._vocabulary)
            self._key = key
        return self._cohort, self._vocabulary


class _Worker:
    """What a spawned process keeps between tasks."""

    reader: CohortReader
    progress: Any


def _begin(progress: Any) -> None:
    # Ctrl-C reaches the whole group: the parent says it in one line, its workers just end.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _Worker.reader, _Worker.progress = CohortReader(), progress


def _work(number: int, task: Task, folder: Path) -> Done:
    return _prepare(
        task, _Worker.reader, folder, lambda share: _Worker.progress.put((number, share))
    )


def _prepare(task: Task, reader: CohortReader, folder: Path, tell: Callable[[float], None]) -> Done:
    cohort, vocabulary = reader.read(task)
    try:
        prepared = prepare_outcome(
            cohort, task.outcome, vocabulary, folder, seed=task.seed,
            fingerprint=task.fingerprint, progress=tell,
        )  # fmt: skip
    except CohortTooSmall as error:
        return Done(task, None, str(error), False, cohort.set_aside)
    except BundleRefused as error:
        return Done(task, None, f"its bundle was refused: {error}", True, cohort.set_aside)
    return Done(task, prepared, None, False, cohort.set_aside)
