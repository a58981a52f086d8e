"""What a reader of a dashboard chooses."""

from __future__ import annotations

from typing import Any

from monitoring.dashboards.panels import SOURCE
from monitoring.rules.windows import WINDOWS

Variable = dict[str, Any]
EVERYTHING = {"text": "All", "value": "$__all"}


def datasource(name: str) -> Variable:
    """The Prometheus that is asked; `name` is chosen at first."""
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {"text": name, "value": name},
    }


def window() -> Variable:
    """The window of the recording rules."""
    names = [one.name for one in WINDOWS]
    return {
        "name": "window",
        "label": "Window",
        "type": "custom",
        "query": ",".join(names),
        "current": {"text": "1d", "value": "1d"},
        "options": [{"text": name, "value": name, "selected": name == "1d"} for name in names],
    }


def label(name: str, title: str, series: str, *, many: bool) -> Variable:
    """Values of a label; `many` lets several be chosen, all of them at first."""
    found: Variable = {
        "name": name,
        "label": title,
        "type": "query",
        "datasource": SOURCE,
        "definition": f"label_values({series}, {name})",
        "query": {"query": f"label_values({series}, {name})", "refId": name},
        "refresh": 2,  # with the time range: another month has other versions
        "sort": 4 if name == "version" else 1,  # the newest version first, names as in a book
        "multi": many,
        "includeAll": many,
    }
    if many:
        found |= {"allValue": ".*", "current": EVERYTHING}
    return found
