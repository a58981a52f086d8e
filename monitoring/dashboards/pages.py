"""A dashboard from rows of panels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from monitoring.dashboards.panels import SOURCE, Panel

WIDTH = 24
SCHEMA_VERSION = 39
Row = tuple[str, int, Sequence[tuple[int, Panel]]]
"""Title, height of its panels, and the panels with their widths, 24 in all."""


def page(
    uid: str, title: str, about: str, variables: Iterable[Mapping[str, Any]], rows: Sequence[Row],
    *, since: Literal["now-6h", "now-7d", "now-30d"],
) -> dict[str, Any]:  # fmt: skip
    """A dashboard; what does not fit into 24 columns goes into the next line."""
    placed: list[Panel] = []
    y = 0
    for heading, height, panels in rows:
        placed.append({"type": "row", "title": heading, "collapsed": False, "panels": [],
                       "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}})  # fmt: skip
        x, y = 0, y + 1
        for width, panel in panels:
            if x + width > WIDTH:
                x, y = 0, y + height
            placed.append({**panel, "gridPos": {"x": x, "y": y, "w": width, "h": height}})
            x += width
        y += height
    for number_, panel in enumerate(placed, 1):
        panel["id"] = number_
    return {
        "uid": uid,
        "title": title,
        "description": about,
        "tags": ["risk"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": since, "to": "now"},
        "timezone": "browser",
        "links": [{"type": "dashboards", "title": "Risk", "tags": ["risk"], "asDropdown": False,
                   "includeVars": True, "keepTime": True}],
        "templating": {"list": [dict(one) for one in variables]},
        "annotations": {"list": [_promotions()]},
        "panels": placed,
    }  # fmt: skip


def _promotions() -> dict[str, Any]:
    """A mark where a version began to be served."""
    return {
        "name": "New version",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": "purple",
        "expr": "count by (model, version, alias) (risk_model_info) "
        "unless count by (model, version, alias) (risk_model_info offset 5m)",
        "titleFormat": "{{model}} {{version}}",
        "textFormat": "{{alias}}",
    }
