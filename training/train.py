"""From tasks to registered versions: what is there already is left, the rest prepared and registered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.registry import CHAMPION, Registry, Version
from models.vocabulary import Vocabulary
from training.cohort import Readable
from training.errors import SourceInvalid
from training.lineage import digest_of_file, fingerprint
from training.promote import promote_version
from training.promotion import Decision
from training.publish import FINGERPRINT_TAG
from training.sources.source import Source
from training.workers import CohortReader, Task, prepare_all


@dataclass(frozen=True, slots=True)
class Trained:
    """One outcome after a run.

    Attributes
    ----------
    version : Version or None
        None when there is none; `reason` says why, `refused` whether its bundle was refused, which
        is a fault, where a cohort that is too small is none.
    form, inputs, evaluation
        How it predicts, from how many inputs, and how well; None when the version was there
        already.
    decision : Decision or None
        Of the gate, when it was asked now.
    promoted : bool or None
        Whether the version is the champion; None when nobody asked.
    set_aside : mapping
        Of the cohort: (feature, reason) -> number of values that were not used.
    """

    task: Task
    version: Version | None
    form: str | None = None
    inputs: int | None = None
    evaluation: dict[str, Any] | None = None
    decision: Decision | None = None
    promoted: bool | None = None
    reason: str | None = None
    refused: bool = False
    set_aside: Mapping[tuple[str, str], int] = field(default_factory=dict)


def tasks_of(
    source: Source,
    file: Readable,
    outcomes: Sequence[str],
    vocabulary: Vocabulary,
    content: Path | None,
    seed: int,
) -> list[Task]:
    """One task per outcome of a source.

    Raises
    ------
    SourceInvalid
        When the file cannot be read.
    """
    try:
        digest = digest_of_file(file)
    except (OSError, UnicodeDecodeError) as error:
        raise SourceInvalid(f"{file} cannot be read") from error
    return [
        Task(
            source, file, outcome, content, seed, digest,
            fingerprint(source, digest, outcome, vocabulary, seed),
        )
        for outcome in outcomes
    ]  # fmt: skip


def train(
    tasks: Sequence[Task],
    registry: Registry,
    vocabulary: Vocabulary,
    *,
    jobs: int,
    again: bool,
    seal_key: bytes | None,
    advance: Callable[[Task, float], None],
) -> Iterator[Trained]:
    """Register a version for every task, and promote it when asked and the gate holds.

    Parameters
    ----------
    jobs : int
        Processes that prepare.
    again : bool
        Train also what is registered already from the same cohort and code.
    seal_key : bytes or None
        Seals the gate's decisions; without it no version is promoted.
    advance : callable
        Told the share that each step of a task completes; the shares of a task sum to 1.

    Raises
    ------
    RegistryUnreachable
        When MLflow does not answer.
    TrainingError
        When a cohort cannot be read.
    """
    waiting = []
    gate = None if seal_key is None else _Gate(registry, vocabulary, seal_key)
    for task in tasks:
        present = None if again else _registered(registry, task)
        if present is None:
            waiting.append(task)
            continue
        advance(task, 1.0)
        yield _left(registry, gate, task, present)
    for done in prepare_all(waiting, jobs, advance):
        prepared = done.prepared
        if prepared is None:
            yield Trained(
                done.task, None, reason=done.reason, refused=done.refused, set_aside=done.set_aside
            )
            continue
        version = registry.publish(prepared.name, prepared.bundle, prepared.run)
        decision = None if gate is None else gate.decide(done.task, version)
        yield Trained(
            done.task,
            version,
            prepared.form,
            len(prepared.run.columns),
            prepared.evaluation,
            decision,
            None if decision is None else decision.passed,
            set_aside=done.set_aside,
        )


def _registered(registry: Registry, task: Task) -> Version | None:
    for version in reversed(registry.versions(task.name)):
        if version.digest and version.tags.get(FINGERPRINT_TAG) == task.fingerprint:
            return version
    return None


def _left(registry: Registry, gate: _Gate | None, task: Task, version: Version) -> Trained:
    """A version that was there; the gate is asked only once, so that a roll-back stays."""
    if gate is None:
        return Trained(task, version)
    if "gate" in version.tags:
        champion = registry.aliases([task.name], CHAMPION).get(task.name)
        return Trained(task, version, promoted=champion == version.version)
    decision = gate.decide(task, version)
    return Trained(task, version, decision=decision, promoted=decision.passed)


class _Gate:
    """Asks the gate for one version after another; those of one branch point share their rows."""

    def __init__(self, registry: Registry, vocabulary: Vocabulary, seal_key: bytes) -> None:
        self._registry, self._vocabulary, self._seal_key = registry, vocabulary, seal_key
        self._reader = CohortReader()

    def decide(self, task: Task, version: Version) -> Decision:
        return promote_version(
            self._registry, task.name, version.version, self._vocabulary, self._seal_key,
            cohort=lambda: self._reader.read(task)[0],
        ).decision  # fmt: skip
