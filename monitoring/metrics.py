"""Every Prometheus metric of the service, declared once, with bounded labels, created at 0.

No label ever holds anything that came in a request: branch points, outcomes, statuses, model names
and bins are all declared beforehand. What is counted stands in a `Board`: a scrape of any worker
tells the sum over all workers of the service, those included that are gone.
"""

from __future__ import annotations

from collections import Counter as Kinds
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.vocabulary import Vocabulary
from monitoring.counting.board import Board
from monitoring.counting.declared import Declared
from monitoring.counting.models_counted import ModelsCounted
from monitoring.counting.panel_counter import Asked, PanelCounter
from monitoring.counting.profile import ModelProfile
from monitoring.exposition import labelled, text_of
from monitoring.ledger.entries import KINDS
from monitoring.shadow_series import shadow_text

Floats = NDArray[np.float64]

STATUSES = ("answered", "fallback", "abstained")
ENTRY_KINDS = tuple(KINDS)
TRIPWIRES = ("request", "log")
INDICATORS = ("info", "warning", "critical", "none")
"""How loudly a card speaks; `none` where a call was answered without a card."""
VERDICTS = ("accepted", "overridden", "orphan")
"""What became of a card; an orphan is a report about a card that is not known."""
CODES = ("1xx", "2xx", "3xx", "4xx", "5xx")
COMMIT_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
DURATION_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
ModelLabels = tuple[str, str, str, str]
"""Name, version, alias and digest of a served model."""

ASSESSMENT_S, COMMIT_S = "risk_assessment_duration_seconds", "risk_ledger_commit_duration_seconds"
STATE_GAUGES: tuple[tuple[str, Callable[[list[float]], float]], ...] = (
    ("risk_ledger_waiting", sum),
    ("risk_ledger_up", min),
    ("risk_silence_current", min),
    ("risk_models_ungated", max),
)
"""What each worker says of itself, and how several are told as one."""
WAITING, UP, CURRENT, UNGATED = range(len(STATE_GAUGES))
INFO, WORKERS = "risk_model_info", "risk_workers"
LAST_SUCCESS = "risk_registry_last_success_timestamp_seconds"
FROM_CACHE = "risk_registry_serving_from_cache"
SERVICE, STATE = "service", "state"


def at_once(act: Callable[[], None]) -> None:
    """For who has no event loop."""
    act()


class Metrics:
    """What a service counts and shows; one instance per worker.

    Parameters
    ----------
    refusals : iterable of str
        Reasons for which a request may not be let in.
    soon : callable
        Has something done when what goes on now is done. Answers that one flush to disk made durable
        are counted together so, which costs less than one after the other.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        refusals: Iterable[str] = (),
        soon: Callable[[Callable[[], None]], object] = at_once,
    ) -> None:
        self._soon = soon
        declared, points = Declared(), tuple(vocabulary.branch_points)
        point_of = [(name,) for name in points]
        self._assessments = declared.counter_of(
            "risk_assessments_total",
            ("branch_point", "outcome", "status"),
            [
                (point.id, outcome, status)
                for point in vocabulary.branch_points.values()
                for outcome in point.outcomes
                for status in STATUSES
            ],
        )
        self._responses = declared.counter("risk_responses_total", ("code",), CODES)
        self._load_failures = declared.counter("risk_model_load_failures_total")[()]
        self._entries = declared.counter("risk_ledger_entries_total", ("kind",), ENTRY_KINDS)
        self._commits = declared.counter("risk_ledger_commits_total", ("result",), ("ok", "failed"))
        self._refused = declared.counter(
            "risk_refused_requests_total", ("reason",), tuple(refusals)
        )
        self._tripwire = declared.counter("risk_tripwire_hits_total", ("where",), TRIPWIRES)
        self._silent = declared.counter("risk_silent_assessments_total", ("branch_point",), points)
        self._cards = declared.counter(
            "risk_cards_total", ("branch_point", "indicator"), points, INDICATORS
        )
        self._feedback = declared.counter(
            "risk_feedback_total", ("branch_point", "verdict"), points, VERDICTS
        )
        self._durations = declared.histogram(
            ASSESSMENT_S, DURATION_BUCKETS, ("branch_point",), point_of
        )
        self._commit_s = declared.histogram(COMMIT_S, COMMIT_BUCKETS)[()]
        self._declared = declared
        self._challengers: Sequence[Mapping[str, Any]] = ()
        self._failures_shown = 0
        self.following([], [0.0], from_cache=0, failures=0)
        self._use(Board())

    def share(self, board: Board) -> None:
        """Count on a board that other workers count on too; what was counted so far goes with it."""
        self._models.count()
        before = self.board
        self._use(board)
        for key, about in before.about().items():
            counted = before.total(key)
            at = board.block(key, len(counted), about)
            if key == STATE:
                board.values[at : at + len(counted)] = counted
            else:
                board.values[at : at + len(counted)] += counted

    def _use(self, board: Board) -> None:
        self.board = board
        self._at = board.block(SERVICE, self._declared.size)
        self._state_at = board.block(STATE, len(STATE_GAUGES))
        self._models = ModelsCounted(board)

    def _count(self, place: int, much: float = 1.0) -> None:
        self.board.values[self._at + place] += much

    def _show(self, gauge: int, value: float) -> None:
        self.board.values[self._state_at + gauge] = value

    def serves(self, profiles: Sequence[ModelProfile]) -> None:
        """Let the series of models that are asked together exist from now on."""
        if profiles:
            self._models.prepare(profiles)

    def assessed(
        self,
        branch_point: str,
        statuses: Iterable[tuple[str, str]],
        duration_s: float,
        asked: Iterable[tuple[PanelCounter, Asked]] = (),
    ) -> None:
        """Count one assessment.

        Parameters
        ----------
        statuses : iterable of (str, str)
            Outcome and how it was answered.
        asked : iterable
            What the models were asked and said; counted `soon`, with all others of that moment.
        """
        for outcome, status in statuses:
            self._count(self._assessments[branch_point, outcome, status])
        bucket, total = self._durations[branch_point,].places(duration_s)
        self._count(bucket)
        self._count(total, duration_s)
        idle = not self._models.waiting
        for counter, one in asked:
            self._models.add(counter, one)
        if idle and self._models.waiting:
            self._soon(self._count_models)

    def _count_models(self) -> None:
        self._models.count()

    def responded(self, code: int) -> None:
        """Count an HTTP response."""
        self._count(self._responses[f"{code // 100}xx",])

    def kept_silent(self, branch_point: str) -> None:
        """Count one assessment of which the caller was told no risk."""
        self._count(self._silent[branch_point,])

    def card_given(self, branch_point: str, indicator: str) -> None:
        """Count a CDS Hooks call that was answered."""
        self._count(self._cards[branch_point, indicator])

    def feedback_given(self, branch_point: str, verdict: str) -> None:
        """Count what a client reported of a card."""
        self._count(self._feedback[branch_point, verdict])

    def following(
        self,
        served: Iterable[Sequence[ModelLabels]],
        last_success: Iterable[float],
        *,
        from_cache: int,
        failures: int,
        living: Collection[int] | None = None,
    ) -> None:
        """Show how the workers of this service follow the registry.

        Parameters
        ----------
        served : iterable
            For each worker, the name, version, alias and digest of each model it serves.
        last_success : iterable of float
            When the registry last answered each worker, seconds since 1970; at least one.
        from_cache : int
            Workers that serve what the registry has not confirmed.
        failures : int
            Versions that were refused by all workers since the service started; it never falls.
        living : collection of int, optional
            Places of the workers that live; all that ever told when left out.
        """
        serving = [list(models) for models in served]
        info = Kinds(model for models in serving for model in models)
        named = ("model", "version", "alias", "digest")
        self._following = "".join(
            (
                text_of(INFO, [(labelled(dict(zip(named, labels, strict=True))), count)
                               for labels, count in info.items()]),
                text_of(WORKERS, [("", len(serving))]),
                text_of(LAST_SUCCESS, [("", min(last_success))]),
                text_of(FROM_CACHE, [("", from_cache)]),
            )
        )  # fmt: skip
        self._served = frozenset((name, version, digest) for name, version, _, digest in info)
        self._failures_shown = max(self._failures_shown, failures)
        self._living = living

    def shadowing(self, challengers: Sequence[Mapping[str, Any]]) -> None:
        """Show how the challengers of this service do, whichever worker has them asked.

        Parameters
        ----------
        challengers : sequence of mapping
            `app.serving.shadow.ChallengerRow` as a mapping.
        """
        self._challengers = challengers

    def committed(self, kinds: Iterable[str], duration_s: float, *, failed: bool) -> None:
        """Count one attempt to write to the ledger."""
        self._count(self._commits["failed" if failed else "ok",])
        if failed:
            return
        bucket, total = self._commit_s.places(duration_s)
        self._count(bucket)
        self._count(total, duration_s)
        for kind, count in Kinds(kinds).items():
            self._count(self._entries[kind,], count)

    def silence(self, *, current: bool) -> None:
        """Show whether what is silent was read at the last look, or is of an earlier one."""
        self._show(CURRENT, float(current))

    def ledger(self, waiting: int, *, up: bool) -> None:
        """Show how the ledger does."""
        self._show(WAITING, float(waiting))
        self._show(UP, float(up))

    def ungated(self, models: int) -> None:
        """Show how many served models have no sealed gate decision."""
        self._show(UNGATED, float(models))

    def refused(self, reason: str) -> None:
        """Count a request that was not let in."""
        self._count(self._refused[reason,])

    def tripped(self, where: str) -> None:
        """Count a write that the tripwire stopped."""
        self._count(self._tripwire[where,])

    def pieces(self) -> Iterator[bytes]:
        """The text that Prometheus scrapes, in pieces of about a millisecond's work each."""
        self.board.look()
        numbers = self.board.total(SERVICE)
        # Counted by each worker for itself; the group keeps the sum.
        numbers[self._load_failures] = self._failures_shown
        yield from self._declared.filled(numbers)
        states = self.board.each(STATE, self._living)
        told = [
            text_of(family, [("", how([float(state[i]) for state in states]))])
            for i, (family, how) in enumerate(STATE_GAUGES)
        ]
        yield ("".join(told) + self._following + shadow_text(self._challengers)).encode()
        yield from self._models.filled(self._served)

    def exposition(self) -> bytes:
        """The whole text at once."""
        return b"".join(self.pieces())
