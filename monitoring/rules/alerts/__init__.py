"""Alerts: of drift, of outcomes, of the service.

An alert asks for more than a number over a limit: where the number comes from few patients it must also
be more than chance explains. Every alert has a section in the runbooks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from monitoring.rules.alerts.challengers import challenger_alerts
from monitoring.rules.alerts.drift import drift_alerts
from monitoring.rules.alerts.outcomes import outcome_alerts
from monitoring.rules.alerts.service import budget_alerts, ledger_alerts, traffic_alerts
from monitoring.rules.alerts.serving import serving_alerts
from monitoring.rules.rule import Group


def alert_groups(thresholds: Mapping[str, float]) -> Iterator[Group]:
    """All alerts, by what they are about."""
    for name, about, alerts in (
        ("drift", "Patients, or what is sent about them, are no longer those of fitting.",
         drift_alerts(thresholds)),
        ("outcomes", "What became of the patients is not what was predicted, or is not known.",
         outcome_alerts(thresholds)),
        ("models", "Which models answer, and whether the registry still says so.",
         serving_alerts(thresholds)),
        ("challengers", "Models that are asked unseen.", challenger_alerts(thresholds)),
        ("ledger", "What cannot be recorded is not answered.", ledger_alerts(thresholds)),
        ("traffic", "Whether questions come and answers go.", traffic_alerts(thresholds)),
        ("error-budget", "How fast server errors use up what a month allows: two windows each, the "
         "long one so that it matters, the short one so that it ends when the errors do.",
         budget_alerts(thresholds)),
    ):  # fmt: skip
        yield Group(f"risk-alerts-{name}", "1m", about, list(alerts))
