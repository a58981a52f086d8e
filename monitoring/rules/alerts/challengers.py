"""Alerts of challengers: models that are asked beside the champion, unseen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from monitoring.rules.alerts.drift import OF_MODEL
from monitoring.rules.rule import Alert
from monitoring.rules.thresholds import number


def challenger_alerts(thresholds: Mapping[str, float]) -> Iterator[Alert]:
    """A challenger that disagrees much, and one that is no longer asked."""
    yield Alert(
        "RiskShadowDisagreement",
        f"risk:shadow_other_band_ratio:1d > {number(thresholds['shadow_other_band'])}",
        "1h",
        "info",
        f"Challenger {OF_MODEL} often disagrees with its champion",
        "Over 1d, {{ $value | humanizePercentage }} of the assessments fall into another band with the "
        f"challenger {OF_MODEL}.",
    )
    yield Alert(
        "RiskChallengerSetAside",
        "max by (model, version) (risk_shadow_set_aside) > 0",
        "5m",
        "warning",
        f"Challenger {OF_MODEL} is no longer asked",
        f"The challenger {OF_MODEL} was refused, or its process hung or ended; champions are not touched.",
    )
