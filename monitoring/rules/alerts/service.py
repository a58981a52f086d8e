"""Alerts of the service: its ledger, its traffic, its error budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from monitoring.rules.rule import Alert, Severity, promql
from monitoring.rules.thresholds import number


def ledger_alerts(thresholds: Mapping[str, float]) -> Iterator[Alert]:
    """Recording, and what must never be recorded."""
    yield Alert(
        "RiskLedgerDown",
        "risk_ledger_up == 0",
        "1m",
        "critical",
        "{{ $labels.instance }} cannot record and therefore does not answer",
        "The ledger of {{ $labels.instance }} refuses: callers get 503 until it records again.",
    )
    yield Alert(
        "RiskLedgerCommitsFail",
        'sum by (instance) (increase(risk_ledger_commits_total{result="failed"}[15m])) > 0',
        "5m",
        "warning",
        "Writes of {{ $labels.instance }} to the ledger fail",
        "Within 15m some writes of {{ $labels.instance }} to the ledger's database failed.",
    )
    yield Alert(
        "RiskLedgerWaiting",
        f"risk_ledger_waiting > {number(thresholds['ledger_waiting'])}",
        "2m",
        "warning",
        "Answers of {{ $labels.instance }} wait for the ledger",
        "{{ $value }} answers of {{ $labels.instance }} wait for their commit: the database is slower than "
        "the questions.",
    )
    yield Alert(
        "RiskTripwireHit",
        "sum by (where) (increase(risk_tripwire_hits_total[1h])) > 0",
        "0m",
        "critical",
        "An identifier was stopped: {{ $labels.where }}",
        "Within an hour the tripwire stopped a write ({{ $labels.where }}) that looked like an identifier.",
    )


def traffic_alerts(thresholds: Mapping[str, float]) -> Iterator[Alert]:
    """Latency, workers, and questions that no longer come."""
    yield Alert(
        "RiskLatencyHigh",
        f"risk:assessment_latency_p95:1h > {number(thresholds['latency_p95_s'])}",
        "10m",
        "warning",
        "Answers at {{ $labels.branch_point }} are slow",
        "Over 1h, one answer in twenty at {{ $labels.branch_point }} took longer than "
        "{{ $value | humanizeDuration }}.",
    )
    # Not the maximum: a rolling deployment has more for a few minutes.
    yield Alert(
        "RiskWorkersLost",
        "sum(risk_workers) < quantile_over_time(0.9, sum(risk_workers)[6h:1m])",
        "10m",
        "warning",
        "Fewer workers than before",
        "{{ $value }} workers are left of all replicas, fewer than most of the last six hours.",
    )
    yield Alert(
        "RiskServiceAbsent",
        "absent(risk_workers)",
        "2m",
        "critical",
        "No replica of the service can be seen",
        "Prometheus reads no replica: nothing else about the service can be said, and no other alert of it "
        "can fire.",
    )
    yield Alert(
        "RiskNoAssessments",
        promql(f"""
            risk:assessments:1h == 0
            and
            risk:assessments:1h offset 1w >= {number(thresholds["usual_assessments"])}
        """),
        "15m",
        "warning",
        "Nobody asks at {{ $labels.branch_point }}",
        "For an hour no assessment was asked for at {{ $labels.branch_point }}, where a week ago at this "
        "hour there were.",
    )


def budget_alerts(thresholds: Mapping[str, float]) -> Iterator[Alert]:
    """Four rates at which server errors use up the budget."""
    budget = 1 - thresholds["availability"]
    rates: tuple[tuple[str, str, str, str, Severity], ...] = (
        ("burn_fast", "1h", "5m", "2m", "critical"),
        ("burn_medium", "6h", "30m", "5m", "critical"),
        ("burn_slow", "1d", "2h", "15m", "warning"),
        ("burn_lasting", "3d", "6h", "30m", "warning"),
    )
    for name, long, short, wait, severity in rates:
        limit = number(thresholds[name] * budget)
        yield Alert(
            "RiskErrorBudgetBurn",
            promql(f"""
                risk:error_ratio:{long} > {limit}
                and
                risk:error_ratio:{short} > {limit}
                and
                sum(increase(risk_responses_total{{code="5xx"}}[{long}])) >= {number(thresholds["burn_errors"])}
            """),
            wait,
            severity,
            "Server errors use up the month's allowance",
            f"Over {long}, {{{{ $value | humanizePercentage }}}} of the answers were server errors: "
            f"{number(thresholds[name])} times what a month allows, or more.",
            (("window", long),),
        )
