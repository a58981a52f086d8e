"""Dashboard of the service: is it there, is it fast, does it record, what does it serve."""

from __future__ import annotations

from typing import Any

from monitoring.dashboards.pages import page
from monitoring.dashboards.panels import (
    GOOD_AT_ONE,
    GOOD_AT_ZERO,
    RATE,
    Query,
    gauges,
    heat,
    lines,
    number,
    table,
)
from monitoring.dashboards.variables import datasource, label, window

AT = 'branch_point=~"$branch_point"'
DURATION = "risk_assessment_duration_seconds"
SLOW = ((None, "green"), (0.25, "orange"), (0.5, "red"))
ALLOWED = ((None, "green"), (0.001, "red"))


def service_dashboard(source: str) -> dict[str, Any]:
    """The dashboard as Grafana imports it."""
    chosen = (datasource(source), window(),
              label("branch_point", "Branch point", "risk_assessments_total", many=True))  # fmt: skip
    rows = [
        ("Now", 4, _now()),
        ("Questions and answers", 8, _traffic()),
        ("Latency and errors", 8, _latency()),
        ("Ledger", 8, _ledger()),
        ("Registry, workers, models", 8, _models()),
        ("Cards", 8, _cards()),
    ]
    return page(
        "risk-service",
        "Risk: service",
        "Is the service there, fast, recording, and serving what the registry says?",
        chosen,
        rows,
        since="now-6h",
    )


def _now() -> list[Any]:
    firing = 'count(ALERTS{alertstate="firing", alertname=~"Risk.*"}) or vector(0)'
    return [
        (4, number("Workers", "sum(risk_workers)", limits=GOOD_AT_ONE)),
        (4, number("Ledger records", "min(risk_ledger_up)", limits=GOOD_AT_ONE,
                   about="0: one replica or more cannot record and does not answer.")),
        (4, number("Models served", "count(count by (model, version) (risk_model_info))")),
        (4, number("Ungated models", "max(risk_models_ungated)", limits=GOOD_AT_ZERO)),
        (4, number("Alerts", firing, limits=GOOD_AT_ZERO)),
        (4, number("Error budget left, 30d", "1 - risk:error_ratio:30d / 0.001", "percentunit",
                   limits=((None, "red"), (0, "orange"), (0.5, "green")),
                   about="Of the 0.1 % of server errors that 30 days allow.")),
    ]  # fmt: skip


def _traffic() -> list[Any]:
    return [
        (8, lines("Assessments per minute", [
            Query(f"60 * sum by (branch_point) (rate({DURATION}_count{{{AT}}}[{RATE}]))",
                  "{{branch_point}}")])),
        (8, lines("Outcomes, by how they were answered", [
            Query(f"60 * sum by (status) (rate(risk_assessments_total{{{AT}}}[{RATE}]))", "{{status}}")],
            stacked=True, about="Per minute. fallback: a published score answered instead of a model.")),
        (8, lines("Silent and refused", [
            Query(f"60 * sum by (branch_point) (rate(risk_silent_assessments_total{{{AT}}}[{RATE}]))",
                  "silent: {{branch_point}}"),
            Query(f"60 * sum by (reason) (rate(risk_refused_requests_total[{RATE}]))",
                  "refused: {{reason}}")], about="Per minute.")),
    ]  # fmt: skip


def _latency() -> list[Any]:
    buckets = f"sum by (le) (rate({DURATION}_bucket{{{AT}}}[{RATE}]))"
    return [
        (6, lines("Time to an answer", [
            Query(f"histogram_quantile({share}, {buckets})", f"p{share * 100:g}")
            for share in (0.5, 0.95, 0.99)], "s", limits=SLOW)),
        (6, heat("Time to an answer, all of them",
                 f"sum by (le) (increase({DURATION}_bucket{{{AT}}}[$__interval]))", "s")),
        (6, gauges("p95 by branch point, $window",
                   Query(f"risk:assessment_latency_p95:${{window}}{{{AT}}}", "{{branch_point}}"),
                   "s", SLOW, least=0)),
        (6, lines("Share of server errors", [
            Query(f"risk:error_ratio:{name}", name) for name in ("5m", "1h", "1d", "30d")],
            "percentunit", limits=ALLOWED)),
        (12, lines("HTTP answers per second", [
            Query(f"sum by (code) (rate(risk_responses_total[{RATE}]))", "{{code}}")], "reqps",
            stacked=True)),
        (12, lines("Tripwire, writes stopped per hour", [
            Query("sum by (where) (increase(risk_tripwire_hits_total[1h]))", "{{where}}")],
            limits=GOOD_AT_ZERO)),
    ]  # fmt: skip


def _ledger() -> list[Any]:
    duration = f"sum by (le) (rate(risk_ledger_commit_duration_seconds_bucket[{RATE}]))"
    return [
        (6, lines("Commits per second", [
            Query(f"sum by (result) (rate(risk_ledger_commits_total[{RATE}]))", "{{result}}")])),
        (6, lines("Duration of a commit", [
            Query(f"histogram_quantile({share}, {duration})", f"p{share * 100:g}")
            for share in (0.5, 0.95)], "s")),
        (6, lines("Answers that wait for their commit", [
            Query("risk_ledger_waiting", "{{instance}}")], limits=((None, "green"), (100, "red")))),
        (6, lines("Recorded per second", [
            Query(f"sum by (kind) (rate(risk_ledger_entries_total[{RATE}]))", "{{kind}}")], stacked=True)),
    ]  # fmt: skip


def _models() -> list[Any]:
    return [
        (6, lines("Workers by replica", [Query("risk_workers", "{{instance}}")], stacked=True)),
        (6, lines("Since the registry answered", [
            Query("time() - risk_registry_last_success_timestamp_seconds", "{{instance}}")], "s",
            limits=((None, "green"), (900, "red")))),
        (6, lines("From cache, refused, silence unknown", [
            Query("sum(risk_registry_serving_from_cache)", "workers that serve from cache"),
            Query("sum(increase(risk_model_load_failures_total[1h]))", "versions refused in 1h"),
            Query("count(risk_silence_current == 0) or vector(0)", "replicas that do not know silence")])),
        (6, table("Models served", "model", [
            Query("sum by (model, version, alias) (risk_model_info)", "workers")])),
    ]  # fmt: skip


def _cards() -> list[Any]:
    return [
        (8, lines("Cards per hour", [
            Query(f"sum by (indicator) (increase(risk_cards_total{{{AT}}}[1h]))", "{{indicator}}")],
            stacked=True)),
        (8, lines("Reports on cards per hour", [
            Query(f"sum by (verdict) (increase(risk_feedback_total{{{AT}}}[1h]))", "{{verdict}}")],
            stacked=True)),
        (8, gauges("Overridden, $window",
                   Query(f"risk:override_ratio:${{window}}{{{AT}}}", "{{branch_point}}"), "percentunit",
                   ((None, "green"), (0.5, "orange"), (0.8, "red")), least=0,
                   about="Of the cards of which it was reported.")),
    ]  # fmt: skip
