"""Alerts of the models that answer: registry, loading, gate, silence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from monitoring.rules.rule import Alert
from monitoring.rules.thresholds import number


def serving_alerts(thresholds: Mapping[str, float]) -> Iterator[Alert]:
    """What serves is what the registry says, gated, and as silent as it should be."""
    yield Alert(
        "RiskRegistryStale",
        "time() - risk_registry_last_success_timestamp_seconds > "
        + number(thresholds["registry_stale_s"]),
        "5m",
        "warning",
        "{{ $labels.instance }} has not heard from the model registry",
        "The registry last answered {{ $labels.instance }} {{ $value | humanizeDuration }} ago: "
        "promotions do not reach it.",
    )
    yield Alert(
        "RiskServingFromCache",
        "risk_registry_serving_from_cache > 0",
        "15m",
        "warning",
        "{{ $labels.instance }} serves models that the registry has not confirmed",
        "{{ $value }} workers of {{ $labels.instance }} serve the last good models from their cache.",
    )
    yield Alert(
        "RiskModelLoadFailures",
        "sum by (instance) (increase(risk_model_load_failures_total[1h])) > 0",
        "0m",
        "warning",
        "{{ $labels.instance }} refused a model version",
        "Within an hour {{ $labels.instance }} refused a model version; what it served before goes on.",
    )
    yield Alert(
        "RiskUngatedModels",
        "max(risk_models_ungated) > 0",
        "15m",
        "warning",
        "Models answer without a gate decision",
        "{{ $value }} served models have a gate decision that is missing, failed, or not sealed here.",
    )
    yield Alert(
        "RiskSilenceNotCurrent",
        "risk_silence_current == 0",
        "5m",
        "critical",
        "{{ $labels.instance }} does not know which branch points are silent",
        "{{ $labels.instance }} cannot read from the ledger which branch points are silent and goes by an "
        "earlier look.",
    )
