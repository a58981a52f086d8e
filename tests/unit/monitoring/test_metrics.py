"""Every series exists at 0 from the start, with declared labels only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from models.risk.assessment import Answered
from models.vocabulary import Vocabulary
from monitoring.counting.board import Board
from monitoring.counting.panel_counter import Asked, PanelCounter
from monitoring.counting.profile import model_profile
from monitoring.metrics import STATUSES, Metrics

NAME = "icu-review.death_180d"
MODEL = (NAME, "3", "champion", "sha256:0")
OTHER = ("icu-review.death_60d", "1", "champion", "sha256:9")


@pytest.fixture
def metrics(vocabulary: Vocabulary) -> Metrics:
    return Metrics(vocabulary)


def read(metrics: Metrics, name: str, **labels: str) -> float | None:
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    return None


def follows(metrics: Metrics, *served: list[tuple[str, str, str, str]]) -> None:
    """One worker for each list of served models, all well."""
    metrics.following(served, [1_795_000_000.0] * len(served), from_cache=0, failures=0)


def series(metrics: Metrics, name: str) -> list[dict[str, str]]:
    return [
        sample.labels
        for family in text_string_to_metric_families(metrics.exposition().decode())
        for sample in family.samples
        if sample.name == name
    ]


def test_every_outcome_of_every_branch_point_starts_at_0(metrics: Metrics, vocabulary: Vocabulary):
    declared = sum(len(point.outcomes) for point in vocabulary.branch_points.values())
    assert len(series(metrics, "risk_assessments_total")) == declared * len(STATUSES)
    for point in vocabulary.branch_points.values():
        for outcome in point.outcomes:
            for status in STATUSES:
                labels = {"branch_point": point.id, "outcome": outcome, "status": status}
                assert read(metrics, "risk_assessments_total", **labels) == 0


@pytest.mark.parametrize(
    "name",
    ["risk_model_load_failures_total", "risk_registry_last_success_timestamp_seconds",
     "risk_registry_serving_from_cache"],
)  # fmt: skip
def test_what_has_no_labels_starts_at_0(metrics: Metrics, name: str):
    assert read(metrics, name) == 0


def test_an_assessment_counts_each_of_its_outcomes_once_and_its_time_once(metrics: Metrics):
    metrics.assessed("icu-review", [("death_180d", "answered"), ("sepsis", "abstained")], 0.0007)
    labels = {"branch_point": "icu-review", "outcome": "death_180d"}
    assert read(metrics, "risk_assessments_total", **labels, status="answered") == 1
    assert read(metrics, "risk_assessments_total", **labels, status="abstained") == 0
    labels = {"branch_point": "icu-review"}
    assert read(metrics, "risk_assessment_duration_seconds_count", **labels) == 1
    assert read(metrics, "risk_assessment_duration_seconds_sum", **labels) == pytest.approx(0.0007)
    name = "risk_assessment_duration_seconds_bucket"
    assert [read(metrics, name, **labels, le=le) for le in ("0.0005", "0.001", "+Inf")] == [0, 1, 1]


@pytest.mark.parametrize(
    ("branch_point", "outcome", "status"),
    [("195009072553", "death_180d", "answered"), ("icu-review", "195009072553", "answered"),
     ("icu-review", "death_180d", "195009072553")],
)  # fmt: skip
def test_a_label_that_is_not_declared_cannot_be_made(
    metrics: Metrics, branch_point: str, outcome: str, status: str
):
    with pytest.raises(KeyError):
        metrics.assessed(branch_point, [(outcome, status)], 0.1)
    assert b"195009072553" not in metrics.exposition()


def test_the_served_models_are_named_and_the_old_ones_go(metrics: Metrics):
    follows(metrics, [MODEL, OTHER])
    follows(metrics, [(NAME, "4", "champion", "sha256:0")])
    assert series(metrics, "risk_model_info") == [
        {"model": NAME, "version": "4", "alias": "champion", "digest": "sha256:0"}
    ]


def test_a_model_is_shown_with_the_number_of_workers_that_serve_it(metrics: Metrics):
    newer = (NAME, "4", "champion", "sha256:1")
    follows(metrics, [MODEL, OTHER], [newer, OTHER])
    labels = ("model", "version", "alias", "digest")
    served = {
        model: read(metrics, "risk_model_info", **dict(zip(labels, model, strict=True)))
        for model in (MODEL, newer, OTHER)
    }
    assert served == {MODEL: 1, newer: 1, OTHER: 2}
    assert read(metrics, "risk_workers") == 2


def test_the_registrys_state_is_that_of_the_worker_that_waits_longest(metrics: Metrics):
    metrics.following([[], []], [1_795_000_001.0, 1_795_000_000.5], from_cache=1, failures=0)
    assert read(metrics, "risk_registry_last_success_timestamp_seconds") == 1_795_000_000.5
    assert read(metrics, "risk_registry_serving_from_cache") == 1
    metrics.following([[]], [1_795_000_001.0], from_cache=0, failures=0)
    assert read(metrics, "risk_registry_serving_from_cache") == 0


def test_the_count_of_refused_versions_never_falls(metrics: Metrics):
    for failures, shown in [(2, 2), (1, 2), (3, 3)]:
        metrics.following([[]], [0.0], from_cache=0, failures=failures)
        assert read(metrics, "risk_model_load_failures_total") == shown


def test_two_services_in_one_process_count_apart(vocabulary: Vocabulary):
    one, other = Metrics(vocabulary), Metrics(vocabulary)
    one.following([[]], [0.0], from_cache=0, failures=1)
    assert read(one, "risk_model_load_failures_total") == 1
    assert read(other, "risk_model_load_failures_total") == 0


def test_silent_assessments_are_counted_from_zero_at_every_branch_point(
    metrics: Metrics, vocabulary: Vocabulary
):
    name = "risk_silent_assessments_total"
    assert len(series(metrics, name)) == len(vocabulary.branch_points)
    assert read(metrics, name, branch_point="icu-review") == 0
    metrics.kept_silent("icu-review")
    assert read(metrics, name, branch_point="icu-review") == 1
    assert read(metrics, name, branch_point="ward-round") == 0


def test_whether_the_silent_places_are_up_to_date_is_shown(metrics: Metrics):
    assert read(metrics, "risk_silence_current") == 0
    metrics.silence(current=True)
    assert read(metrics, "risk_silence_current") == 1


def test_answers_of_one_moment_are_counted_together_and_none_is_lost(vocabulary: Vocabulary):
    later: list[Callable[[], None]] = []
    metrics = Metrics(vocabulary, soon=later.append)
    own = model_profile(
        {}, ["age"], {}, {}, name=NAME, version="3", digest="sha256:0", kind="binary"
    )
    counter = PanelCounter([own])

    def answer() -> None:
        said = Answered(0.0, 0.2, 0.0, np.array([1.5]), 0.0, 1.0)
        metrics.assessed("icu-review", [], 0.01, [(counter, Asked({"age": 70.0}, (said,)))])

    def counted() -> float | None:
        labels = {"model": NAME, "version": "3", "status": "answered"}
        return read(metrics, "risk_model_assessments_total", **labels)

    follows(metrics, [MODEL])
    answer()
    answer()
    assert len(later) == 1
    assert not metrics.board.total(counter.key).any()
    later.pop()()
    assert metrics.board.total(counter.key).max() == 2.0 * 1.5  # the sum of its reasons
    assert counted() == 2.0
    answer()
    assert counted() == 3.0  # whoever reads has counted first what waits
    answer()
    metrics.share(Board())
    assert counted() == 4.0
