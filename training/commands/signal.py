"""`risk-train signal`: which variables of a cohort carry the prediction, and which could go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from models.vocabulary import load_vocabulary
from training.commands.cohorts import cohort_at
from training.commands.options import (
    DEFAULT_VAR,
    AsJson,
    From,
    Keys,
    Site,
    SourceName,
    Trusted,
    Var,
    progress,
    tell,
)
from training.errors import CohortTooSmall


def signal(
    branch_point: Annotated[str, typer.Argument(help="For example: icu-review")],
    source: SourceName = None,
    file: From = None,
    outcome: Annotated[
        list[str] | None, typer.Option(help="Only this outcome; may be repeated.")
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option("--rows", min=100, help="At most so many rows, by whole patients."),
    ] = None,
    refit: Annotated[
        bool, typer.Option("--refit", help="Look at models fitted now, not at the champions.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the report as a page of its own.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of folds, boosting and bootstrap.")] = 2026,
    var: Var = DEFAULT_VAR,
    content: Site = None,
    keys: Keys = None,
    trusted: Trusted = None,
    as_json: AsJson = False,
) -> None:
    """Report which variables carry the prediction, which could be dropped, and what each costs.

    Everything is measured on patients that the models were not fitted on; nothing is registered.
    """
    from training.cohort import load_cohort
    from training.signal import (
        champion,
        refuse_unwritable,
        registry_of,
        signal_page,
        signal_report,
        signal_tables,
        subsample,
    )

    vocabulary = load_vocabulary(content)
    if html is not None:
        refuse_unwritable(html)
    mapping, readable, outcomes = cohort_at(
        branch_point, source, file, outcome, vocabulary=vocabulary, var=var, keys=keys,
        trusted=trusted,
    )  # fmt: skip
    with progress() as bars:
        reading = bars.add_task("reading the cohort", total=1)
        cohort = load_cohort(mapping, readable, vocabulary)
        if rows is not None:
            cohort = subsample(cohort, rows, seed)
        registry = None if refit else registry_of(var)
        bars.advance(reading)
        ids = {name: bars.add_task(name, total=1) for name in outcomes}
        report = signal_report(
            cohort, outcomes, vocabulary, seed=seed,
            champion=lambda name: champion(registry, cohort, name),
            progress=lambda name, share: bars.advance(ids[name], share),
        )  # fmt: skip
    if html is not None:
        html.write_text(signal_page(report), encoding="utf-8")
    for name, reason in report["left_out"].items():
        tell.print(f"{name} was left out: {reason}", style="yellow")
        if outcome:
            raise CohortTooSmall(reason)
    if as_json:
        print(json.dumps(report, ensure_ascii=False))
        return
    console = Console()
    console.print(report["sentence"], style="bold", highlight=False, markup=False)
    for table in signal_tables(report):
        console.print(table)
