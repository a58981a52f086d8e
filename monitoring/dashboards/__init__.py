"""Three dashboards for Grafana: the service, drift, outcomes.

`risk-monitor dashboards` writes them for any data source; nothing in them is of one installation.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from monitoring.dashboards.drift import drift_dashboard
from monitoring.dashboards.outcomes import outcomes_dashboard
from monitoring.dashboards.service import service_dashboard

DATASOURCE = "Prometheus"

__all__ = ["DATASOURCE", "dashboards", "write_dashboards"]


def dashboards(datasource: str = DATASOURCE) -> list[dict[str, Any]]:
    """The dashboards as Grafana imports them.

    Parameters
    ----------
    datasource : str
        Name of the Prometheus that is chosen at first; a reader can choose another.

    Examples
    --------
    >>> [page["uid"] for page in dashboards()]
    ['risk-service', 'risk-drift', 'risk-outcomes']
    """
    return [page(datasource) for page in (service_dashboard, drift_dashboard, outcomes_dashboard)]


def write_dashboards(folder: Path, datasource: str = DATASOURCE) -> list[Path]:
    """Write each dashboard as `<uid>.json` into a folder, which is made where it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for page in dashboards(datasource):
        file = folder / f"{page['uid']}.json"
        file.write_text(json.dumps(page, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        written.append(file)
    return written
