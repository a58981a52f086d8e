"""Alerts of drift: beyond a limit and beyond what chance gives with so many patients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from monitoring.rules.rule import Alert, Severity, promql
from monitoring.rules.thresholds import number

OF_MODEL = "{{ $labels.model }} version {{ $labels.version }}"
TWO_DIGITS = '{{ printf "%.2f" $value }}'


def drift_alerts(thresholds: Mapping[str, float]) -> Iterator[Alert]:
    """Inputs, predictions, explanations, and surges of values that are not there or cannot be."""
    for drift in (_feature_drift, _prediction_drift):
        yield drift("1d", thresholds["psi_large"], "warning")
        yield drift("30d", thresholds["psi_moderate"], "info")
    yield Alert(
        "RiskExplanationDrift",
        f"risk:explanation_drift:1d > {number(thresholds['explanation_drift'])}",
        "1h",
        "warning",
        f"{OF_MODEL} explains itself by other features than when it was fitted",
        f"Over 1d, {{{{ $value | humanizePercentage }}}} of the explanation of {OF_MODEL} has moved "
        "to other features.",
    )
    for name, margin, what in (
        ("missing", "surge", "missing"),
        ("implausible", "strange", "implausible"),
        ("unseen", "strange", "unseen in fitting"),
    ):
        yield _surge(name, what, "1h", thresholds[f"{margin}_margin_hour"], thresholds, "15m")
        yield _surge(name, what, "1d", thresholds[f"{margin}_margin_day"], thresholds, "1h")


def _feature_drift(window: str, limit: float, severity: Severity) -> Alert:
    return Alert(
        "RiskFeatureDrift",
        _beyond_chance("feature", window, limit),
        "1h",
        severity,
        f"{{{{ $labels.feature }}}} of {OF_MODEL} is distributed otherwise than when fitted",
        f"Over {window}, the stability index of {{{{ $labels.feature }}}} is {TWO_DIGITS} above what "
        f"chance gives; {OF_MODEL}.",
        (("window", window),),
    )


def _prediction_drift(window: str, limit: float, severity: Severity) -> Alert:
    return Alert(
        "RiskPredictionDrift",
        _beyond_chance("prediction", window, limit),
        "1h",
        severity,
        f"{OF_MODEL} predicts otherwise than when fitted",
        f"Over {window}, the stability index of the predictions of {OF_MODEL} is {TWO_DIGITS} above "
        "what chance gives.",
        (("window", window),),
    )


def _beyond_chance(subject: str, window: str, limit: float) -> str:
    """Without any drift the index is about (bins - 1) / assessments: many bins look like drift."""
    return promql(f"""
        risk:{subject}_psi:{window}
        - (risk:{subject}_bins - 1) / risk:{subject}_total:{window}
        > {number(limit)}
    """)


def _surge(
    name: str, what: str, window: str, margin: float, thresholds: Mapping[str, float], wait: str
) -> Alert:
    fitted = f'risk:feature_reference_share{{bin="{name}"}}'
    return Alert(
        f"Risk{name.title()}Surge",
        promql(f"""
            risk:feature_{name}_ratio:{window}
            - ignoring (bin) {fitted}
            - {number(thresholds["chance_deviations"])} * sqrt(
              {fitted} * (1 - {fitted})
              / ignoring (bin) risk:feature_total:{window}
            )
            > {number(margin)}
        """),
        wait,
        "warning",
        f"{{{{ $labels.feature }}}} is {what} more often than when {OF_MODEL} was fitted",
        f"Over {window}, the share of {what} values of {{{{ $labels.feature }}}} is "
        f"{{{{ $value | humanizePercentage }}}} above what fitting and chance explain; {OF_MODEL}.",
        (("window", window),),
    )
