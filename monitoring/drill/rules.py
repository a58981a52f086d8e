"""The recording rules and alerts over a simulated year, with their true windows.

A rule is asked for at every whole simulated hour, and what it gives is written back under its name, the
rules that it reads from before it. The windows of a day and longer are sums of whole hours anyway, so
between two whole hours they would give nothing else (`monitoring/rules/windows.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from monitoring.drill.alarms import Firing, firings
from monitoring.drill.store import Series, Store
from monitoring.rules import Alert, Recording, alerts, recordings

HOUR_S = 3600
UNITS_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_RECORDED = re.compile(r"\brisk:[\w:]+")
_WINDOW = re.compile(r"(?::|\[)(\d+[mhd])\b")
_DURATION = re.compile(r"(\d+)(ms|[smhdw])")
Progress = Callable[[int, int], None]


def seconds(duration: str) -> float:
    """A duration as Prometheus writes it, in seconds.

    Examples
    --------
    >>> seconds("1h30m"), seconds("0m")
    (5400, 0)
    """
    return sum(int(number) * UNITS_S[unit] for number, unit in _DURATION.findall(duration))


def window_s(expr: str) -> int:
    """The longest window that an expression looks back over, in seconds; an hour where it has none.

    Examples
    --------
    >>> window_s("risk:feature_psi:30d - 1 > 0.1") // 86400, window_s("max(risk_models_ungated) > 0")
    (30, 3600)
    """
    return int(max((seconds(found) for found in _WINDOW.findall(expr)), default=HOUR_S))


def in_order(rules: Sequence[Recording]) -> list[Recording]:
    """The rules so that each comes after those that it reads.

    Examples
    --------
    >>> rules = [Recording("risk:b:1h", "2 * risk:a:1h"), Recording("risk:a:1h", "x")]
    >>> [rule.record for rule in in_order(rules)]
    ['risk:a:1h', 'risk:b:1h']
    """
    by_name = {rule.record: rule for rule in rules}
    found: dict[str, Recording] = {}

    def take(rule: Recording) -> None:
        if rule.record in found:
            return
        for name in _RECORDED.findall(rule.expr):
            if name in by_name and name != rule.record:
                take(by_name[name])
        found[rule.record] = rule

    for rule in rules:
        take(rule)
    return list(found.values())


def record(
    store: Store, begin_s: int, end_s: int, thresholds: Path | None, progress: Progress
) -> None:
    """Write what every recording rule gives, at every whole hour from begin to end."""
    rules = in_order(
        [r for g in recordings(thresholds) for r in g.rules if isinstance(r, Recording)]
    )
    for number, rule in enumerate(rules):
        progress(number, len(rules))
        store.write(_named(rule.record, store.range(rule.expr, begin_s, end_s, HOUR_S)))
    progress(len(rules), len(rules))


def _named(name: str, series: Sequence[Series]) -> Iterator[Series]:
    for labels, at, values in series:
        kept = [(k, v) for k, v in labels if k != "__name__"]
        yield tuple(sorted([*kept, ("__name__", name)])), at, values


def fired(
    store: Store, begin_s: int, end_s: int, thresholds: Path | None, progress: Progress
) -> list[tuple[str, Firing]]:
    """Every alert that fired, with the group it belongs to, times since `begin_s`.

    Alerts that fired are written as `ALERTS` too, as Prometheus itself would.
    """
    rules = [(g.name, r) for g in alerts(thresholds) for r in g.rules if isinstance(r, Alert)]
    found = []
    for number, (group, rule) in enumerate(rules):
        progress(number, len(rules))
        for labels, at, _ in store.range(rule.expr, begin_s, end_s, HOUR_S):
            own = {k: v for k, v in labels if k != "__name__"} | dict(rule.labels)
            held = [int(t) - begin_s for t in at]
            shown = tuple(sorted(own.items()))
            for fires, ends in firings(held, int(seconds(rule.wait)), HOUR_S):
                one = Firing(rule.name, shown, rule.severity, fires, ends, window_s(rule.expr))
                found.append((group, one))
                store.write([_as_series(one, begin_s)])
    progress(len(rules), len(rules))
    return found


def _as_series(one: Firing, begin_s: int) -> Series:
    at = np.arange(one.fires_s, one.ends_s + 1, HOUR_S) + begin_s
    told = {
        **dict(one.labels), "__name__": "ALERTS", "alertname": one.alert, "alertstate": "firing",
        "severity": one.severity,
    }  # fmt: skip
    return tuple(sorted(told.items())), at, np.ones(len(at))
