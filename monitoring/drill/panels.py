"""Whether every panel of the dashboards has something to show of a drill."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from monitoring.dashboards import dashboards
from monitoring.drill.store import Store

LABELS = {
    "model": "risk_model_assessments_total",
    "version": "risk_model_assessments_total",
    "feature": "risk_feature_observations_total",
    "branch_point": "risk_assessments_total",
    "unit": "risk_unit_outcomes_total",
}
"""Variables of the dashboards that are labels, each with counts: the value with most on the last day is chosen."""
TIMES = {"__rate_interval": "4h", "__interval": "1h"}
"""Grafana's own variables; scrapes of a drill are an hour apart."""


def filled(expr: str, chosen: Mapping[str, str]) -> str:
    """A query with every variable replaced.

    Examples
    --------
    >>> filled('x:$window{unit=~"${unit}"}', {"window": "1d", "unit": ".*"})
    'x:1d{unit=~".*"}'
    """
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda found: chosen[found[1] or found[2]], expr)


@dataclass(frozen=True, slots=True)
class Empty:
    """What has nothing to show.

    Attributes
    ----------
    panels : tuple of str
        Dashboard and panel, where none of its queries gives anything.
    queries : tuple of str
        Dashboard, panel and query. Of a short window a query gives nothing while fewer patients came in
        it than a figure needs, though its panel shows longer ones.
    """

    panels: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()


def without_data(store: Store, at_s: int, window: str = "30d") -> Empty:
    """Ask every query of the dashboards.

    Parameters
    ----------
    at_s : int
        When it is asked, seconds since 1970: a whole simulated hour.
    """
    chosen = {**TIMES, "window": window}
    for name, series in LABELS.items():
        found = store.query(f"topk(1, sum by ({name}) (increase({series}[1d])))", at_s)
        if found:
            chosen[name] = found[0]["metric"].get(name, "")
    shows: dict[str, bool] = {}
    queries = []
    for title, expr in _queries():
        told = bool(store.query(filled(expr, chosen), at_s))
        shows[title] = shows.get(title, False) or told
        if not told:
            queries.append(f"{title}: {expr}")
    return Empty(tuple(title for title, told in shows.items() if not told), tuple(queries))


def _queries() -> Iterator[tuple[str, str]]:
    for page in dashboards():
        for panel in page["panels"]:
            for target in panel.get("targets", ()):
                yield f"{page['title']}, {panel['title']}", target["expr"]
