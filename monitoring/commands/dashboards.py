"""`risk-monitor dashboards`: three dashboards as files for Grafana."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitoring.dashboards import DATASOURCE, write_dashboards


def dashboards(
    datasource: Annotated[
        str, typer.Option(help="Name of the Prometheus in Grafana; readers can choose another.")
    ] = DATASOURCE,
    output: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("dashboards"),
) -> None:
    """Write the dashboards of service, drift and outcomes as JSON for Grafana."""
    for file in write_dashboards(output, datasource):
        print(file)
