"""Options that several commands have, and where they talk to people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

tell = Console(stderr=True)

Var = Annotated[
    Path, typer.Option("--var", envvar="RISK_VAR_DIR", help="Folder for state (cohorts, MLflow).")
]
Site = Annotated[
    Path | None,
    typer.Option("--content", envvar="RISK_CONTENT", help="A site's own clinical content folder."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]
File = Annotated[
    Path | None, typer.Option("--from", help="The cohort's file, for a source that is not fetched.")
]
From = Annotated[
    Path | None,
    typer.Option("--from", help="The cohort's file; a folder for a source of several points."),
]
SourceName = Annotated[
    str | None,
    typer.Option("--source", help="Source name or .toml; default: the one for the branch point."),
]
Keys = Annotated[
    Path | None,
    typer.Option(
        "--keys", envvar="RISK_KEYS_FILE", help="The keyring; default: keys.toml in --var."
    ),
]
Trusted = Annotated[
    list[Path] | None,
    typer.Option("--trusted-exporter", help="Public key of an exporter to trust; may be repeated."),
]
DEFAULT_VAR = Path("var")


@contextmanager
def progress() -> Iterator[Progress]:
    """Bars on standard error."""
    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=tell) as bars:
        yield bars
