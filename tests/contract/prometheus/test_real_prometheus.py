"""A real Prometheus scrapes two replicas, evaluates every rule and answers every panel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count, product

import pytest

from monitoring.dashboards import dashboards
from monitoring.rules import alerts, recordings
from monitoring.series import FAMILIES
from tests.lib.every_series import VALUES
from tests.lib.prometheus import Prometheus, running_prometheus, shown, until

COUNTED = 1000
CHOSEN = {
    "window": "1h", "model": "lungs", "version": "1", "feature": "age", "branch_point": "icu-review",
    "unit": "icu", "__rate_interval": "10s", "__interval": "10s",
}  # fmt: skip


def replica() -> Callable[[], str]:
    """What one shows: every family of the catalogue, counters at 0 twice and then for good at 1000."""
    scrapes = count(1)
    return lambda: exposition(COUNTED if next(scrapes) > 2 else 0)


def exposition(grown: float) -> str:
    lines: list[str] = []
    for family in FAMILIES:
        lines.append(f"# TYPE {family.name} {family.kind}")
        for name, labels in family.series.items():
            for chosen in product(*(VALUES[label] for label in labels)):
                inside = ",".join(f'{k}="{v}"' for k, v in zip(labels, chosen, strict=True))
                below = VALUES["le"].index(chosen[-1]) + 1 if "le" in labels else 1
                value = 0.25 if family.kind == "gauge" else grown * below
                lines.append(f"{name}{{{inside}}} {0.0 if '_withdrawn_' in name else value}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with ExitStack() as stack:
        replicas = [stack.enter_context(shown(replica())) for _ in range(2)]
        folder = tmp_path_factory.mktemp("prometheus")
        running = stack.enter_context(running_prometheus(folder, replicas))
        until(
            lambda: running.query("risk:unit_observed_expected_ratio:1h"),
            lambda: running.query("up"),
        )
        until(lambda: running.query("risk:feature_psi:1h"), lambda: running.query("up"))
        yield running


def test_every_rule_is_evaluated_without_an_error(prometheus: Prometheus):
    until(
        lambda: all(rule["health"] == "ok" for rule in prometheus.rules()),
        lambda: [
            (r["name"], r.get("lastError")) for r in prometheus.rules() if r["health"] != "ok"
        ],
    )
    expected = sum(len(group.rules) for group in (*recordings(), *alerts()))
    assert len(prometheus.rules()) == expected


def test_two_replicas_count_twice_what_they_answered_and_once_what_is_in_the_ledger(
    prometheus: Prometheus,
):
    """Every series was counted up by a thousand, in both replicas: two sums, or one largest."""

    def found(expr: str) -> float:
        return sum(float(one["value"][1]) for one in prometheus.query(expr))

    # In the first seconds the increase is stretched by up to half the time between two scrapes.
    summed = 'risk:responses:1h{code="2xx"}'
    once = 'risk:outcomes_observed:1h{bin="missing", observed="true"}'
    for expr, expected in ((summed, 2 * COUNTED), (once, COUNTED)):
        until(
            lambda e=expr, x=expected: abs(found(e) / x - 1) < 0.15,
            lambda e=expr: prometheus.query(e),
        )


def test_every_panel_is_answered(prometheus: Prometheus):
    for page in dashboards():
        for panel in page["panels"]:
            for target in panel.get("targets", ()):
                expr = target["expr"]
                for name, value in CHOSEN.items():
                    expr = expr.replace(f"${{{name}}}", value).replace(f"${name}", value)
                prometheus.query(expr)


def test_an_alert_is_seen_by_who_asks_for_it(prometheus: Prometheus):
    """The gauge `risk_ledger_up` stands at a quarter, `risk_models_ungated` too: one is over its limit."""
    pending = 'ALERTS{alertname="RiskUngatedModels", alertstate="pending", severity="warning"}'
    until(lambda: prometheus.query(pending), lambda: prometheus.query("ALERTS"))
    assert not prometheus.query('ALERTS{alertname="RiskLedgerDown"}')
