"""Panels of Grafana as plain data.

Plain dictionaries rather than `grafana-foundation-sdk`: that package (4.8 MB, alpha) is generated for one
Grafana version at a time and would have to be in the image only to write three files, of which we use seven kinds
of panel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Panel = dict[str, Any]
Steps = Sequence[tuple[float | None, str]]
"""From which value on which colour; the first from None."""
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
CELLS = 120
RATE = "$__rate_interval"
STABILITY: Steps = ((None, "green"), (0.1, "orange"), (0.25, "red"))
GOOD_AT_ONE: Steps = ((None, "red"), (1, "green"))
GOOD_AT_ZERO: Steps = ((None, "green"), (1, "red"))


@dataclass(frozen=True, slots=True)
class Query:
    """One query; `legend` names its line, or its column in a table."""

    expr: str
    legend: str = ""


def lines(
    title: str,
    queries: Sequence[Query],
    unit: str = "short",
    *,
    about: str = "",
    limits: Steps = (),
    stacked: bool = False,
    repeat: str = "",
) -> Panel:
    """Lines over time; limits are drawn as lines, and what is named `limit …` is dashed."""
    custom: dict[str, Any] = {
        "lineWidth": 2,
        "fillOpacity": 10 if stacked else 0,
        "spanNulls": 900_000,
    }
    if stacked:
        custom["stacking"] = {"mode": "normal", "group": "A"}
    if limits:
        custom["thresholdsStyle"] = {"mode": "dashed"}
    dashed = [
        {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 8]}},
        {"id": "custom.lineWidth", "value": 1},
        {"id": "color", "value": {"mode": "fixed", "fixedColor": "gray"}},
    ]
    panel = _panel("timeseries", title, queries, about, _defaults(unit, limits, custom), {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    })  # fmt: skip
    panel["fieldConfig"]["overrides"] = [
        {"matcher": {"id": "byRegexp", "options": "/^limit/"}, "properties": dashed}
    ]
    if repeat:
        panel |= {"repeat": repeat, "repeatDirection": "h", "maxPerRow": 3}
    return panel


def number(
    title: str, expr: str, unit: str = "short", *, limits: Steps = (), about: str = ""
) -> Panel:
    """One number now, coloured."""
    return _panel("stat", title, [Query(expr)], about, _defaults(unit, limits, {}, by_limit=True), {
        "colorMode": "background" if limits else "value",
        "graphMode": "area",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    })  # fmt: skip


def gauges(
    title: str,
    query: Query,
    unit: str,
    limits: Steps,
    *,
    about: str = "",
    least: float | None = None,
) -> Panel:
    """A bar for each series, now."""
    defaults = _defaults(unit, limits, {}, by_limit=True)
    if least is not None:
        defaults["min"] = least
    panel = _panel("bargauge", title, [query], about, defaults, {
        "displayMode": "lcd",
        "orientation": "horizontal",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    })  # fmt: skip
    for target in panel["targets"]:
        target |= {"instant": True, "range": False}
    return panel


def history(title: str, query: Query, unit: str, limits: Steps, *, about: str = "") -> Panel:
    """A row for each series, a coloured cell for each moment: where it began is seen at once."""
    custom = {"fillOpacity": 90, "lineWidth": 0}
    defaults = _defaults(unit, limits, custom, by_limit=True)
    panel = _panel("status-history", title, [query], about, defaults, {
        "showValue": "never",
        "rowHeight": 0.9,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
        "tooltip": {"mode": "single", "sort": "none"},
    })  # fmt: skip
    # More cells than that and Grafana draws none.
    return panel | {"maxDataPoints": CELLS}


def heat(title: str, expr: str, unit: str, *, about: str = "") -> Panel:
    """A histogram over time."""
    panel = _panel("heatmap", title, [Query(expr, "{{le}}")], about, _defaults("short", (), {}), {
        "calculate": False,
        "color": {"mode": "scheme", "scheme": "Blues", "steps": 32},
        "yAxis": {"unit": unit, "axisPlacement": "left"},
        "tooltip": {"mode": "single", "yHistogram": True},
    })  # fmt: skip
    panel["targets"][0] |= {"format": "heatmap"}
    return panel


def bars(title: str, label: str, queries: Sequence[Query], unit: str, *, about: str = "") -> Panel:
    """Bars side by side for each value of a label, now."""
    panel = _panel("barchart", title, queries, about, _defaults(unit, (), {"fillOpacity": 80}), {
        "xField": label,
        "orientation": "auto",
        "stacking": "none",
        "showValue": "auto",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "none"},
    })  # fmt: skip
    return _as_table(panel, queries, label)


def curve(title: str, label: str, queries: Sequence[Query], unit: str, *, about: str = "") -> Panel:
    """Queries after the first against the first, a point for each value of a label."""
    custom = {"lineWidth": 2, "showPoints": "always", "pointSize": 8}
    panel = _panel("trend", title, queries, about, _defaults(unit, (), custom), {
        "xField": queries[0].legend,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "none"},
    })  # fmt: skip
    return _as_table(panel, queries, label, kept=False)


def table(
    title: str,
    sort: str,
    queries: Sequence[Query],
    *,
    about: str = "",
    units: Mapping[str, str] | None = None,
    coloured: Mapping[str, Steps] | None = None,
) -> Panel:
    """A row for each set of labels, a column for each query."""
    panel = _panel("table", title, queries, about, _defaults("short", (), {"align": "auto"}),
                   {"showHeader": True})  # fmt: skip
    overrides = [_override(name, {"unit": unit}) for name, unit in (units or {}).items()]
    for name, steps in (coloured or {}).items():
        cell = {"type": "color-background", "mode": "basic"}
        overrides.append(
            _override(name, {"thresholds": _thresholds(steps), "custom.cellOptions": cell})
        )
    panel["fieldConfig"]["overrides"] = overrides
    return _as_table(panel, queries, sort)


def _as_table(panel: Panel, queries: Sequence[Query], label: str, *, kept: bool = True) -> Panel:
    """One frame with a column for each query, in the order of a label.

    Rows are merged where all labels agree, the name among them: queries must not keep it.
    """
    for target in panel["targets"]:
        target |= {"format": "table", "instant": True, "range": False}
    # A single query's column is not numbered.
    names = [f"Value #{_letter(i)}" for i in range(len(queries))] if len(queries) > 1 else ["Value"]
    renamed = {name: query.legend for name, query in zip(names, queries, strict=True)}
    hidden = {"Time": True} | ({} if kept else {label: True})
    panel["transformations"] = [
        {"id": "merge", "options": {}},
        {"id": "sortBy", "options": {"fields": {}, "sort": [{"field": label}]}},
        {"id": "organize", "options": {"excludeByName": hidden, "indexByName": {}, "renameByName": renamed}},
    ]  # fmt: skip
    return panel


def _letter(i: int) -> str:
    return "ABCDEFGHIJ"[i]


def _panel(
    kind: str,
    title: str,
    queries: Sequence[Query],
    about: str,
    defaults: dict[str, Any],
    options: dict[str, Any],
) -> Panel:
    targets = [
        {
            "refId": _letter(i),
            "datasource": SOURCE,
            "expr": query.expr,
            "legendFormat": query.legend,
        }
        for i, query in enumerate(queries)
    ]
    return {
        "type": kind,
        "title": title,
        "description": about,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": targets,
    }


def _defaults(
    unit: str, limits: Steps, custom: dict[str, Any], *, by_limit: bool = False
) -> dict[str, Any]:
    """How values are written and coloured: by the limit that they passed, or each series its own."""
    return {
        "unit": unit,
        "color": {"mode": "thresholds" if by_limit else "palette-classic"},
        "thresholds": _thresholds(limits or ((None, "green"),)),
        "custom": custom,
    }


def _thresholds(steps: Steps) -> dict[str, Any]:
    return {
        "mode": "absolute",
        "steps": [{"value": value, "color": colour} for value, colour in steps],
    }


def _override(column: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "matcher": {"id": "byName", "options": column},
        "properties": [{"id": name, "value": value} for name, value in properties.items()],
    }
