"""`risk-monitor rules`: the recording rules and alerts as files for Prometheus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitoring.rules import RUNBOOKS, ThresholdsInvalid, write_rules


def rules(
    output: Annotated[Path, typer.Option(help="Folder for both files.")] = Path("rules"),
    thresholds: Annotated[
        Path | None,
        typer.Option(
            help="A site's own thresholds: rows of monitoring/rules/thresholds.toml, replaced."
        ),
    ] = None,
    runbooks: Annotated[
        str, typer.Option(help="Address of the page of the runbooks, for the alerts' links.")
    ] = RUNBOOKS,
) -> None:
    """Write recording.yml and alerts.yml, to be named under `rule_files` of Prometheus."""
    try:
        written = write_rules(output, thresholds=thresholds, runbooks=runbooks)
    except ThresholdsInvalid as error:
        raise typer.BadParameter(str(error), param_hint="--thresholds") from None
    for file in written:
        print(file)
