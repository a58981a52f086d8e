"""Recording rules of the service itself: traffic, latency, errors, cards, challengers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from monitoring.rules.rule import Group, Recording, promql
from monitoring.rules.thresholds import number
from monitoring.rules.windows import BUDGET_WINDOWS, WINDOWS, Window


def service_groups(thresholds: Mapping[str, float]) -> Iterator[Group]:
    """The groups of all windows, and the short windows of the error budget."""
    for window in WINDOWS:
        yield Group(
            f"risk-service-{window.name}",
            window.interval,
            f"Answers, cards and challengers over {window.name}.",
            (
                *_answers(window, thresholds),
                *_errors(window),
                *_cards(window, thresholds),
                *_challengers(window, thresholds),
            ),
        )
    yield Group(
        "risk-error-budget",
        "1m",
        "Further windows of the error budget, read from the counters.",
        [
            Recording(
                f"risk:error_ratio:{short}",
                promql(f"""
                    sum(increase(risk_responses_total{{code="5xx"}}[{short}]))
                    /
                    (sum(increase(risk_responses_total[{short}])) > 0)
                """),
            )
            for short in BUDGET_WINDOWS
        ],
    )


def _counts(window: Window, record: str, labels: str, series: str) -> Recording:
    return Recording(
        f"{record}:{window.name}",
        window.counted(record, f"sum by ({labels}) (increase({series}[1h]))"),
    )


def _answers(window: Window, thresholds: Mapping[str, float]) -> Iterator[Recording]:
    w, buckets = window.name, "risk:assessment_duration_bucket"
    yield _counts(window, buckets, "branch_point, le", "risk_assessment_duration_seconds_bucket")
    yield Recording(
        f"risk:assessments:{w}",
        f'sum by (branch_point) ({buckets}:{w}{{le="+Inf"}})',
        "Assessments that were answered in any way; one of them can hold many outcomes.",
    )
    yield Recording(
        f"risk:assessment_latency_p95:{w}",
        promql(f"""
            histogram_quantile(0.95, {buckets}:{w})
            and
            risk:assessments:{w} >= {number(thresholds["answers_minimum"])}
        """),
        "Seconds; between two bounds of the histogram it is interpolated, over the last it is the last.",
    )


def _errors(window: Window) -> Iterator[Recording]:
    w = window.name
    yield _counts(window, "risk:responses", "code", "risk_responses_total")
    yield Recording(
        f"risk:error_ratio:{w}",
        f'sum(risk:responses:{w}{{code="5xx"}}) / (sum(risk:responses:{w}) > 0)',
    )


def _cards(window: Window, thresholds: Mapping[str, float]) -> Iterator[Recording]:
    w = window.name
    yield _counts(window, "risk:feedback", "branch_point, verdict", "risk_feedback_total")
    yield Recording(
        f"risk:override_ratio:{w}",
        promql(f"""
            sum by (branch_point) (risk:feedback:{w}{{verdict="overridden"}})
            /
            (
              sum by (branch_point) (risk:feedback:{w}{{verdict=~"accepted|overridden"}})
              >= {number(thresholds["answers_minimum"])}
            )
        """),
    )


def _challengers(window: Window, thresholds: Mapping[str, float]) -> Iterator[Recording]:
    w, labels = window.name, "model, version"
    yield _counts(window, "risk:shadow_assessments", labels, "risk_shadow_assessments_total")
    yield _counts(window, "risk:shadow_other_band", labels, "risk_shadow_other_band_total")
    yield Recording(
        f"risk:shadow_other_band_ratio:{w}",
        promql(f"""
            risk:shadow_other_band:{w}
            /
            (risk:shadow_assessments:{w} >= {number(thresholds["shadow_minimum"])})
        """),
    )
