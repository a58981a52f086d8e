"""Cases of the alerts of models, ledger, traffic and error budget."""

from __future__ import annotations

from tests.lib.alert_cases import Case, Fired, steady

A = {"instance": "a"}
WARNS, CALLS = {"severity": "warning"}, {"severity": "critical"}


def _of_a(name: str, values: str) -> dict[str, str]:
    return {f'{name}{{instance="a"}}': values}


def _budget(long: str, short: str, ratio: float, brief: float, errors: str) -> dict[str, str]:
    return {
        f"risk:error_ratio:{long}": steady(ratio),
        f"risk:error_ratio:{short}": steady(brief),
        'risk_responses_total{code="5xx", instance="a"}': errors,
        'risk_responses_total{code="5xx", instance="b"}': "0x600",
    }


def _burnt(window: str, severity: str, share: str, times: str) -> Fired:
    return Fired(
        {"severity": severity, "window": window},
        "Server errors use up the month's allowance",
        f"Over {window}, {share} of the answers were server errors: {times} times what a month allows, or "
        "more.",
    )


def _refused(model: str = "RiskModelLoadFailures") -> tuple[Fired, ...]:
    return (Fired({**A, **WARNS}, "a refused a model version",
                  "Within an hour a refused a model version; what it served before goes on."),)  # fmt: skip


_FAILED = 'risk_ledger_commits_total{instance="a", result="failed"}'
_TRIPPED = 'risk_tripwire_hits_total{where="log", instance="%s"}'
_P95 = 'risk:assessment_latency_p95:1h{branch_point="icu-review"}'
_ASKED = 'risk:assessments:1h{branch_point="icu-review"}'
_WORKERS = 'risk_workers{instance="%s"}'
_COMMITS_FAIL = (
    Fired({**A, **WARNS}, "Writes of a to the ledger fail",
          "Within 15m some writes of a to the ledger's database failed."),
)  # fmt: skip
_TRIPWIRE = (
    Fired({"where": "log", **CALLS}, "An identifier was stopped: log",
          "Within an hour the tripwire stopped a write (log) that looked like an identifier."),
)  # fmt: skip
_WEEK = 7 * 24 * 4
"""Quarters of an hour in a week."""

SERVICE_CASES = [
    # promtool's clock starts at 0
    Case("RiskRegistryStale", "half an hour ago",
         _of_a("risk_registry_last_success_timestamp_seconds", steady(0)), "30m",
         (Fired({**A, **WARNS}, "a has not heard from the model registry",
                "The registry last answered a 30m 0s ago: promotions do not reach it."),)),
    Case("RiskRegistryStale", "a minute ago",
         _of_a("risk_registry_last_success_timestamp_seconds", "0+60x60"), "30m"),
    Case("RiskServingFromCache", "for twenty minutes",
         _of_a("risk_registry_serving_from_cache", steady(2)), "20m",
         (Fired({**A, **WARNS}, "a serves models that the registry has not confirmed",
                "2 workers of a serve the last good models from their cache."),)),
    Case("RiskServingFromCache", "for ten", _of_a("risk_registry_serving_from_cache", steady(2)), "10m"),
    Case("RiskModelLoadFailures", "one", _of_a("risk_model_load_failures_total", "0x30 1x60"), "40m",
         _refused()),
    Case("RiskModelLoadFailures", "before a restart only",
         _of_a("risk_model_load_failures_total", "3x70 0x60"), "80m"),
    Case("RiskModelLoadFailures", "after a restart",
         _of_a("risk_model_load_failures_total", "3x70 0x5 1x60"), "80m", _refused()),
    Case("RiskUngatedModels", "shown by one replica",
         {'risk_models_ungated{instance="a"}': steady(0), 'risk_models_ungated{instance="b"}': steady(2)},
         "20m",
         (Fired(WARNS, "Models answer without a gate decision",
                "2 served models have a gate decision that is missing, failed, or not sealed here."),)),
    Case("RiskUngatedModels", "none", _of_a("risk_models_ungated", steady(0)), "20m"),
    Case("RiskSilenceNotCurrent", "for ten minutes", _of_a("risk_silence_current", steady(0)), "10m",
         (Fired({**A, **CALLS}, "a does not know which branch points are silent",
                "a cannot read from the ledger which branch points are silent and goes by an earlier "
                "look."),)),
    Case("RiskSilenceNotCurrent", "current", _of_a("risk_silence_current", steady(1)), "10m"),
    Case("RiskLedgerDown", "for two minutes", _of_a("risk_ledger_up", "1 1 1 0x60"), "6m",
         (Fired({**A, **CALLS}, "a cannot record and therefore does not answer",
                "The ledger of a refuses: callers get 503 until it records again."),)),
    Case("RiskLedgerDown", "up again", _of_a("risk_ledger_up", "1 0 0 0 1x60"), "6m"),
    Case("RiskLedgerCommitsFail", "some", {_FAILED: "0x10 0+1x60"}, "20m", _COMMITS_FAIL),
    Case("RiskLedgerCommitsFail", "a restart is no failure", {_FAILED: "5x10 0x60"}, "20m"),
    Case("RiskLedgerCommitsFail", "after a restart", {_FAILED: "5x5 0 0+1x60"}, "18m", _COMMITS_FAIL),
    Case("RiskLedgerWaiting", "150", _of_a("risk_ledger_waiting", steady(150)), "5m",
         (Fired({**A, **WARNS}, "Answers of a wait for the ledger",
                "150 answers of a wait for their commit: the database is slower than the questions."),)),
    Case("RiskLedgerWaiting", "a moment", _of_a("risk_ledger_waiting", "0 0 150 0x60"), "5m"),
    Case("RiskTripwireHit", "in one replica", {_TRIPPED % "a": "0x20 1x60", _TRIPPED % "b": "0x90"}, "30m",
         _TRIPWIRE),
    Case("RiskTripwireHit", "a restart is no hit", {_TRIPPED % "a": "1x20 0x60"}, "30m"),
    Case("RiskTripwireHit", "after a restart", {_TRIPPED % "a": "1x20 0 1x60"}, "30m", _TRIPWIRE),
    Case("RiskLatencyHigh", "300 ms", {_P95: steady(0.3)}, "15m",
         (Fired({"branch_point": "icu-review", **WARNS}, "Answers at icu-review are slow",
                "Over 1h, one answer in twenty at icu-review took longer than 300ms."),)),
    Case("RiskLatencyHigh", "250 ms", {_P95: steady(0.25)}, "15m"),
    Case("RiskLatencyHigh", "too few answers", {}, "15m"),
    Case("RiskWorkersLost", "a replica is gone",
         {_WORKERS % "a": steady(2), _WORKERS % "b": "2x300 stale"}, "330m",
         (Fired(WARNS, "Fewer workers than before",
                "2 workers are left of all replicas, fewer than most of the last six hours."),)),
    Case("RiskWorkersLost", "one worker of a replica",
         {_WORKERS % "a": steady(2), _WORKERS % "b": "2x300 1x100"}, "330m",
         (Fired(WARNS, "Fewer workers than before",
                "3 workers are left of all replicas, fewer than most of the last six hours."),)),
    Case("RiskWorkersLost", "a third replica for the ten minutes of a deployment",
         {_WORKERS % "a": steady(2), _WORKERS % "b": steady(2),
          _WORKERS % "c": "_x299 2x10 stale"}, "330m"),
    Case("RiskServiceAbsent", "nothing is scraped", {}, "5m",
         (Fired(CALLS, "No replica of the service can be seen",
                "Prometheus reads no replica: nothing else about the service can be said, and no other "
                "alert of it can fire."),)),
    Case("RiskServiceAbsent", "one replica is left", _of_a("risk_workers", steady(1)), "5m"),
    Case("RiskNoAssessments", "a week ago there were",
         {_ASKED: f"30x{_WEEK} 0x96"}, f"{_WEEK * 15 + 60}m",
         (Fired({"branch_point": "icu-review", **WARNS}, "Nobody asks at icu-review",
                "For an hour no assessment was asked for at icu-review, where a week ago at this hour there "
                "were."),), every="15m"),
    Case("RiskNoAssessments", "a week ago there were few",
         {_ASKED: f"9x{_WEEK} 0x96"}, f"{_WEEK * 15 + 60}m", every="15m"),
    Case("RiskNoAssessments", "as quiet as a week ago, though not as yesterday",
         {_ASKED: f"0x95 30x{_WEEK - 97} 0x96"}, f"{_WEEK * 15 + 60}m", every="15m"),
    Case("RiskNoAssessments", "the first week", {_ASKED: "30x40 0x96"}, "15h", every="15m"),
    # 2 % > 14.4 x 0.1 %
    Case("RiskErrorBudgetBurn", "fast", _budget("1h", "5m", 0.02, 0.02, "0+1x120"), "70m",
         (_burnt("1h", "critical", "2%", "14.4"),)),
    Case("RiskErrorBudgetBurn", "the counter was reset", _budget("1h", "5m", 0.02, 0.02, "0+1x40 0+1x60"),
         "70m", (_burnt("1h", "critical", "2%", "14.4"),)),
    Case("RiskErrorBudgetBurn", "it is over", _budget("1h", "5m", 0.02, 0.0, "0+1x120"), "70m"),
    Case("RiskErrorBudgetBurn", "two errors of a quiet night", _budget("1h", "5m", 0.02, 0.02, "0x30 2x90"),
         "70m"),
    # 0.7 % > 6 x 0.1 %
    Case("RiskErrorBudgetBurn", "in six hours", _budget("6h", "30m", 0.007, 0.007, "0+1x120"), "70m",
         (_burnt("6h", "critical", "0.7%", "6"),)),
    # 0.4 % > 3 x 0.1 %
    Case("RiskErrorBudgetBurn", "in a day", _budget("1d", "2h", 0.004, 0.004, "0+1x120"), "70m",
         (_burnt("1d", "warning", "0.4%", "3"),)),
    # 0.2 % > 1 x 0.1 %
    Case("RiskErrorBudgetBurn", "in three days", _budget("3d", "6h", 0.002, 0.002, "0+1x120"), "70m",
         (_burnt("3d", "warning", "0.2%", "1"),)),
    Case("RiskErrorBudgetBurn", "as many as allowed", _budget("3d", "6h", 0.001, 0.001, "0+1x120"), "70m"),
]  # fmt: skip
