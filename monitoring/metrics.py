"""Every metric of the service, declared once, with bounded labels, created at 0.

No label ever holds anything that came in a request: branch points, outcomes, statuses, model names
and bins are all declared beforehand.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from models.vocabulary import Vocabulary
from monitoring.ledger.entries import KINDS

STATUSES = ("answered", "fallback", "abstained")
ENTRY_KINDS = tuple(KINDS)
TRIPWIRES = ("request", "log")
INDICATORS = ("info", "warning", "critical", "none")
"""How loudly a card speaks; `none` where a call was answered without a card."""
VERDICTS = ("accepted", "overridden", "orphan")
"""What became of a card; an orphan is a report about a card that is not known."""
COMMIT_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
DURATION_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
ModelLabels = tuple[str, str, str, str]
"""Name, version, alias and digest of a served model."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The service's counters; one instance per process, its own registry."""

    def __init__(self, vocabulary: Vocabulary, refusals: Iterable[str] = ()) -> None:
        self._registry = CollectorRegistry()
        assessments = Counter(
            "risk_assessments",
            "Outcomes asked for, by how they were answered.",
            ["branch_point", "outcome", "status"],
            registry=self._registry,
        )
        durations = Histogram(
            "risk_assessment_duration_seconds",
            "Time from a parsed request to its answer.",
            ["branch_point"],
            buckets=DURATION_BUCKETS,
            registry=self._registry,
        )
        self._info = Gauge(
            "risk_model_info",
            "How many workers of this service serve the model.",
            ["model", "version", "alias", "digest"],
            registry=self._registry,
        )
        self._load_failures = Counter(
            "risk_model_load_failures",
            "Model versions that were refused, by all workers of this service.",
            registry=self._registry,
        )
        self.ungated = Gauge(
            "risk_models_ungated",
            "Served models whose gate decision is missing, failed, or not sealed here.",
            registry=self._registry,
        )
        self._shadow = _ShadowSeries()
        self._registry.register(self._shadow)
        self._failures_shown = 0
        self._last_success = Gauge(
            "risk_registry_last_success_timestamp_seconds",
            "When the registry last answered the worker that waits longest, in seconds since 1970.",
            registry=self._registry,
        )
        self._from_cache = Gauge(
            "risk_registry_serving_from_cache",
            "Workers that serve the last good models because the registry did not answer them.",
            registry=self._registry,
        )
        self._workers = Gauge(
            "risk_workers",
            "Workers of this service that are alive.",
            registry=self._registry,
        )
        entries = Counter(
            "risk_ledger_entries",
            "What was recorded, durable, by kind.",
            ["kind"],
            registry=self._registry,
        )
        commits = Counter(
            "risk_ledger_commits",
            "Attempts to write to the ledger's database.",
            ["result"],
            registry=self._registry,
        )
        self._commit_duration = Histogram(
            "risk_ledger_commit_duration_seconds",
            "How long one commit took, with all that it carried.",
            buckets=COMMIT_BUCKETS,
            registry=self._registry,
        )
        self._ledger_waiting = Gauge(
            "risk_ledger_waiting",
            "Answers that wait for their commit.",
            registry=self._registry,
        )
        self._ledger_up = Gauge(
            "risk_ledger_up",
            "1 while the ledger can record.",
            registry=self._registry,
        )
        self._silence_current = Gauge(
            "risk_silence_current",
            "1 while the last look at the ledger told which branch points are silent.",
            registry=self._registry,
        )
        refused = Counter(
            "risk_refused_requests",
            "Requests that were not let in, by reason.",
            ["reason"],
            registry=self._registry,
        )
        tripwire = Counter(
            "risk_tripwire_hits",
            "Writes that were stopped because an identifier was seen in them.",
            ["where"],
            registry=self._registry,
        )
        silent = Counter(
            "risk_silent_assessments",
            "Assessments that were recorded and not told: the branch point is silent.",
            ["branch_point"],
            registry=self._registry,
        )
        cards = Counter(
            "risk_cards",
            "CDS Hooks calls that were answered, by the card's indicator.",
            ["branch_point", "indicator"],
            registry=self._registry,
        )
        feedback = Counter(
            "risk_feedback",
            "Cards of which a client reported what became, each report once.",
            ["branch_point", "verdict"],
            registry=self._registry,
        )
        # Resolved once: a label look-up costs more than the increment.
        self._entries = {kind: entries.labels(kind) for kind in ENTRY_KINDS}
        self._commits = {result: commits.labels(result) for result in ("ok", "failed")}
        self._refused = {reason: refused.labels(reason) for reason in refusals}
        self._tripwire = {where: tripwire.labels(where) for where in TRIPWIRES}
        self._assessments = {
            (point.id, outcome, status): assessments.labels(point.id, outcome, status)
            for point in vocabulary.branch_points.values()
            for outcome in point.outcomes
            for status in STATUSES
        }
        # Counted here first: a dozen outcomes come with every answer, and a counter's lock costs more
        # than the addition.
        self._answered = dict.fromkeys(self._assessments, 0)
        self._cards = {
            (name, indicator): cards.labels(name, indicator)
            for name in vocabulary.branch_points
            for indicator in INDICATORS
        }
        self._feedback = {
            (name, verdict): feedback.labels(name, verdict)
            for name in vocabulary.branch_points
            for verdict in VERDICTS
        }
        self._silent = {name: silent.labels(name) for name in vocabulary.branch_points}
        self._durations = {name: durations.labels(name) for name in vocabulary.branch_points}

    def assessed(
        self, branch_point: str, statuses: Iterable[tuple[str, str]], duration_s: float
    ) -> None:
        """Count one assessment: (outcome, status) pairs and how long it took."""
        tally = self._answered
        for outcome, status in statuses:
            tally[branch_point, outcome, status] += 1
        self._durations[branch_point].observe(duration_s)

    def kept_silent(self, branch_point: str) -> None:
        """Count one assessment of which the caller was told no risk."""
        self._silent[branch_point].inc()

    def card_given(self, branch_point: str, indicator: str) -> None:
        """Count a CDS Hooks call that was answered."""
        self._cards[branch_point, indicator].inc()

    def feedback_given(self, branch_point: str, verdict: str) -> None:
        """Count what a client reported of a card."""
        self._feedback[branch_point, verdict].inc()

    def following(
        self,
        served: Iterable[Sequence[ModelLabels]],
        last_success: Iterable[float],
        *,
        from_cache: int,
        failures: int,
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
        """
        self._info.clear()
        serving = [list(models) for models in served]
        for labels, workers in Tally(model for models in serving for model in models).items():
            self._info.labels(*labels).set(workers)
        self._workers.set(len(serving))
        self._last_success.set(min(last_success))
        self._from_cache.set(from_cache)
        if failures > self._failures_shown:
            self._load_failures.inc(failures - self._failures_shown)
            self._failures_shown = failures

    def shadowing(self, challengers: Sequence[Mapping[str, Any]]) -> None:
        """Show how the challengers of this service do, whichever worker has them asked.

        Parameters
        ----------
        challengers : sequence of mapping
            `app.serving.shadow.ChallengerRow` as a mapping.
        """
        self._shadow.challengers = challengers

    def committed(self, kinds: Iterable[str], duration_s: float, *, failed: bool) -> None:
        """Count one attempt to write to the ledger."""
        self._commits["failed" if failed else "ok"].inc()
        if failed:
            return
        self._commit_duration.observe(duration_s)
        for kind, count in Tally(kinds).items():
            self._entries[kind].inc(count)

    def silence(self, *, current: bool) -> None:
        """Show whether what is silent was read at the last look, or is of an earlier one."""
        self._silence_current.set(current)

    def ledger(self, waiting: int, *, up: bool) -> None:
        """Show how the ledger does."""
        self._ledger_waiting.set(waiting)
        self._ledger_up.set(up)

    def refused(self, reason: str) -> None:
        """Count a request that was not let in."""
        self._refused[reason].inc()

    def tripped(self, where: str) -> None:
        """Count a write that the tripwire stopped."""
        self._tripwire[where].inc()

    def exposition(self) -> bytes:
        """The text that Prometheus scrapes."""
        for key, count in self._answered.items():
            if count:
                self._assessments[key].inc(count)
                self._answered[key] = 0
        return generate_latest(self._registry)


class _ShadowSeries(Collector):
    """The challengers' series, made of what is known of them when Prometheus asks.

    The counts are kept where the challengers are asked and only shown here, so they are no counters
    of this process.
    """

    LABELS = ("model", "version")

    def __init__(self) -> None:
        self.challengers: Sequence[Mapping[str, Any]] = ()

    def collect(self) -> Iterator[Metric]:
        asked = CounterMetricFamily(
            "risk_shadow_assessments", "Assessments that a challenger was asked about, unseen.",
            labels=(*self.LABELS, "status"),
        )  # fmt: skip
        other = CounterMetricFamily(
            "risk_shadow_other_band",
            "Of them those in another band than the champion's, or that only one answered.",
            labels=self.LABELS,
        )
        apart = CounterMetricFamily(
            "risk_shadow_apart",
            "Sum of absolute differences to the champion's predictions, in the outcome's unit.",
            labels=self.LABELS,
        )
        both = CounterMetricFamily(
            "risk_shadow_both", "Predictions that stand in that sum.", labels=self.LABELS
        )
        lag = GaugeMetricFamily(
            "risk_shadow_lag_seconds",
            "Age of the oldest assessment of the challenger's last batch.",
            labels=self.LABELS,
        )
        aside = GaugeMetricFamily(
            "risk_shadow_set_aside",
            "1 for a challenger that is not asked: refused, or its process hung or ended.",
            labels=self.LABELS,
        )
        outcomes = GaugeMetricFamily(
            "risk_shadow_outcomes",
            "Assessments of known outcome to which champion and challenger gave a number.",
            labels=self.LABELS,
        )
        named = {
            "auroc": ("risk_shadow_auroc", "AUROC on them."),
            "brier": ("risk_shadow_brier_score", "Brier score on them."),
            "net_benefit": (
                "risk_shadow_net_benefit",
                "Net benefit on them at the branch point's first threshold of action.",
            ),
        }
        figures = {
            name: GaugeMetricFamily(series, text, labels=(*self.LABELS, "alias"))
            for name, (series, text) in named.items()
        }
        for one in self.challengers:
            who = (one["name"], one["version"])
            for status in ("answered", "abstained"):
                asked.add_metric((*who, status), one[status])
            other.add_metric(who, one["other_band"])
            apart.add_metric(who, one["apart"])
            both.add_metric(who, one["both"])
            lag.add_metric(who, one["lag_s"])
            aside.add_metric(who, float(one["set_aside"] is not None))
            outcomes.add_metric(who, one["outcomes"])
            for alias, told in one["figures"].items():
                for name, value in told.items():
                    figures[name].add_metric((*who, alias), value)
        yield from (asked, other, apart, both, lag, aside, outcomes, *figures.values())
