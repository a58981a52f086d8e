"""What a window's assessments add up to, counted again from the ledger.

The service counts as it answers; here the same bins are filled from what was recorded. What a rule
reads of a counter and what is read here differ only by the moments at which Prometheus looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from models.risk.assessment import NO_MODEL, OUT_OF_DISTRIBUTION, Abstained, Answered
from models.vocabulary import IMPLAUSIBLE, Vocabulary, restored, settle
from monitoring.counting.panel_counter import Asked, PanelCounter
from monitoring.counting.profile import BINARY, ModelProfile
from monitoring.ledger.errors import LedgerUnavailable
from monitoring.ledger.identifiers import month_of
from monitoring.ledger.tables import ASSESSMENTS

Floats = NDArray[np.float64]
Progress = Callable[[int], None]

PAGE = 512
SLICES = 12
"""Equal parts of a window, to see when in it something changed."""
TRY_AGAIN_AFTER_S = 5.0


@dataclass(frozen=True, slots=True)
class Recounted:
    """Counts of every model in a window.

    Attributes
    ----------
    assessments : int
        Recorded in it.
    models : tuple of (ModelProfile, ndarray)
        Every version that was asked, with its counts as `ModelProfile` orders them.
    over_time : tuple of ndarray, shape (SLICES, n_counts)
        Of each of `models`, the same counts in the parts of the window, oldest first.
    strangers : tuple of (str, str)
        Models and digests that answered and whose profile is not at hand.
    """

    since_us: int
    until_us: int
    assessments: int
    models: tuple[tuple[ModelProfile, Floats], ...]
    over_time: tuple[Floats, ...]
    strangers: tuple[tuple[str, str], ...]


def recount(
    engine: Engine,
    profiles: Sequence[ModelProfile],
    vocabulary: Vocabulary,
    since_us: int,
    until_us: int,
    *,
    tenant: str | None = None,
    progress: Progress = lambda _: None,
) -> Recounted:
    """Count what was recorded in a window, in the bins of the models' reference profiles.

    An abstention does not say which version abstained; it is counted to the version that answered
    last before it, or else first after it.

    Parameters
    ----------
    profiles : sequence of ModelProfile
        Every version that may have answered.
    since_us, until_us : int
        Recorded after the one and up to the other, microseconds since 1970.
    tenant : str, optional
        Whose assessments; everybody's when left out.
    progress : callable
        Told how many assessments have been read.

    Raises
    ------
    LedgerUnavailable
        When the database does not answer.
    """
    counts = _Counts(profiles, vocabulary, since_us, until_us)
    try:
        with engine.connect() as connection:
            for n, row in enumerate(_recorded(connection, since_us, until_us, tenant), start=1):
                counts.add(*row)
                if not n % PAGE:
                    progress(n)
    except SQLAlchemyError:
        raise LedgerUnavailable("failing", TRY_AGAIN_AFTER_S) from None
    found = list(counts.each())
    return Recounted(
        since_us,
        until_us,
        counts.assessments,
        tuple((profile, slices.sum(axis=0)) for profile, slices in found),
        tuple(slices for _, slices in found),
        tuple(sorted(counts.strangers)),
    )


class _Counts:
    """Counts of every version, filled assessment by assessment."""

    def __init__(
        self, profiles: Sequence[ModelProfile], vocabulary: Vocabulary, since_us: int, until_us: int
    ) -> None:
        self._vocabulary = vocabulary
        self._since_us, self._length_us = since_us, max(until_us - since_us, 1)
        self._counters = {one.digest: PanelCounter([one]) for one in profiles}
        self._blocks: dict[str, Floats] = {}
        self._last: dict[str, str] = {}
        self._early: dict[str, list[tuple[int, Mapping[str, float], set[str]]]] = {}
        self.strangers: set[tuple[str, str]] = set()
        self.assessments = 0

    def add(self, recorded_at_us: int, branch_point: str, inputs: str, answer: str) -> None:
        """Count one assessment as it was recorded."""
        self.assessments += 1
        # A window begins after its first moment and ends with its last.
        part = (recorded_at_us - self._since_us - 1) * SLICES // self._length_us
        point = self._vocabulary.branch_points.get(branch_point)
        if point is None:
            return
        measurements, _ = restored(inputs, self._vocabulary.features)
        values = settle(measurements, point, self._vocabulary.features).values
        told = orjson.loads(answer)
        implausible = {one["feature"] for one in told["warnings"] if one["code"] == IMPLAUSIBLE}
        for body in told["outcomes"]:
            name = f"{branch_point}.{body['outcome']}"
            if "model" in body:
                digest = body["model"]["digest"]
                self._last[name] = digest
                self._count(name, digest, part, values, implausible, body)
                for earlier in self._early.pop(name, ()):
                    self._count(name, digest, *earlier, None)
            elif body.get("reason") != NO_MODEL:
                if name in self._last:
                    self._count(name, self._last[name], part, values, implausible, None)
                else:
                    self._early.setdefault(name, []).append((part, values, implausible))

    def each(self) -> Iterator[tuple[ModelProfile, Floats]]:
        """Every version that was asked, by name and version, with its counts in each slice."""
        asked = [(self._counters[digest], blocks) for digest, blocks in self._blocks.items()]
        for counter, blocks in sorted(
            asked, key=lambda one: (one[0].profiles[0].name, one[0].profiles[0].version)
        ):
            yield counter.profiles[0], np.stack([counter.of_model(0, block) for block in blocks])

    def _count(
        self,
        name: str,
        digest: str,
        part: int,
        values: Mapping[str, float],
        implausible: set[str],
        body: Mapping[str, Any] | None,
    ) -> None:
        counter = self._counters.get(digest)
        if counter is None:
            self.strangers.add((name, digest))
            return
        (profile,) = counter.profiles
        answer: Answered | Abstained = Abstained(OUT_OF_DISTRIBUTION)
        if body is not None:
            said = float(body["probability"] if profile.kind == BINARY else body["value"])
            own = {one["feature"]: one["contribution"] for one in body["attributions"]}
            reasons = np.array([own[feature.name] for feature in profile.features])
            answer = Answered(0.0, said, 0.0, reasons, said, said)
        blocks = self._blocks.setdefault(digest, np.zeros((SLICES, counter.size)))
        counter.add([Asked(values, (answer,), implausible)], blocks[part], 0)


def _recorded(
    connection: Connection, since_us: int, until_us: int, tenant: str | None
) -> Iterator[tuple[int, str, str, str]]:
    """When, branch point, inputs and answer of every assessment of a window, page by page."""
    own = ASSESSMENTS.c
    wanted = [own.recorded_at_us > since_us, own.recorded_at_us <= until_us]
    if tenant is not None:
        wanted.append(own.tenant == tenant)
    lowest = select(func.min(own.month))
    month = connection.execute(lowest.where(own.month >= month_of(since_us))).scalar()
    while month is not None and month <= month_of(until_us):
        after, rows = 0, None
        while rows is None or len(rows) == PAGE:
            rows = connection.execute(
                select(own.seq, own.recorded_at_us, own.branch_point, own.inputs, own.answer)
                .where(own.month == month, own.seq > after, *wanted)
                .order_by(own.seq)
                .limit(PAGE)
            ).all()
            for seq, *row in rows:
                after = seq
                yield tuple(row)
        month = connection.execute(lowest.where(own.month > month)).scalar()
