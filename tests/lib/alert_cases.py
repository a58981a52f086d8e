"""When an alert must fire, what it then says, and when it must be still.

The numbers in the texts are worked out by hand, in the comment beside them. What recording rules give
is put in as series, so that a case shows the condition and nothing else. Times are minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

RUNBOOKS = "monitoring/runbooks.md"


@dataclass(frozen=True, slots=True)
class Fired:
    """One firing alert: its labels without the name, and its two texts."""

    labels: Mapping[str, str]
    summary: str
    description: str


@dataclass(frozen=True, slots=True)
class Case:
    """Series as promtool writes them, and what fires at a time; nothing when `fired` is empty."""

    alert: str
    why: str
    series: Mapping[str, str]
    at: str
    fired: tuple[Fired, ...] = field(default=())
    every: str = "1m"

    def as_test(self) -> dict[str, Any]:
        expected = [
            {
                "exp_labels": dict(one.labels),
                "exp_annotations": {
                    "summary": one.summary,
                    "description": one.description,
                    "runbook_url": f"{RUNBOOKS}#{self.alert.lower()}",
                },
            }
            for one in self.fired
        ]
        return {
            "interval": self.every,
            "input_series": [{"series": s, "values": v} for s, v in self.series.items()],
            "alert_rule_test": [
                {"eval_time": self.at, "alertname": self.alert, "exp_alerts": expected}
            ],
        }


def steady(value: float, samples: int = 600) -> str:
    """The same value, scrape after scrape."""
    return f"{value}+0x{samples}"
