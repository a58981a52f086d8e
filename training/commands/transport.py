"""`risk-train validate` and `recalibrate`: a registered model on another hospital's patients."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from models.registry import Registry
from models.vocabulary import Vocabulary, load_vocabulary
from training.commands.cohorts import cohort_at
from training.commands.options import (
    DEFAULT_VAR,
    AsJson,
    Keys,
    Site,
    SourceName,
    Trusted,
    Var,
    progress,
    tell,
)
from training.errors import SourceInvalid
from training.rows import Cohort
from training.sources.source import every_source_name

Name = Annotated[str, typer.Argument(help="NAME, NAME@alias or NAME/VERSION; alone: its champion.")]
CohortFile = Annotated[
    Path | None,
    typer.Option(
        "--cohort", "--from", help="The cohort's file, or the folder of an export or of a source."
    ),
]
Others = Annotated[
    bool,
    typer.Option(
        "--other-patients",
        help="The cohort bears the title of the one it was fitted on, but holds other patients.",
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of folds and bootstrap.")]
Html = Annotated[Path | None, typer.Option("--html", help="Write the report as a page of its own.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Write the report as JSON: what `go-live --report` attaches."),
]
MANIFEST = "manifest.json"


class Method(StrEnum):
    """Ways to update; `auto` is the closed test's choice."""

    AUTO = "auto"
    ORIGINAL = "original"
    INTERCEPT = "intercept"
    INTERCEPT_SLOPE = "intercept-slope"
    REFIT = "refit"


def validate(
    name: Name,
    cohort: CohortFile = None,
    source: SourceName = None,
    development: Annotated[
        Path | None,
        typer.Option(
            "--development",
            help="File or folder of the cohort it was fitted on, to see how related both are; read "
            "by the product's mapping of it, or by --source.",
        ),
    ] = None,
    other_patients: Others = False,
    windows: Annotated[
        bool,
        typer.Option(
            "--expanding-window",
            help="Also fit on the past and judge on what came next, block of months by block.",
        ),
    ] = False,
    block_months: Annotated[int, typer.Option(min=1, help="Months in a block.")] = 12,
    html: Html = None,
    out: Out = None,
    seed: Seed = 2026,
    var: Var = DEFAULT_VAR,
    content: Site = None,
    keys: Keys = None,
    trusted: Trusted = None,
    as_json: AsJson = False,
) -> None:
    """Report how a registered model does on another hospital's patients; nothing is registered."""
    from training.signal import refuse_unwritable
    from training.transport import expanding_window, find, validation_page, validation_tables
    from training.transport import validate as judge_there

    vocabulary = load_vocabulary(content)
    _refuse_no_model(name)
    for wanted in (html, out):
        if wanted is not None:
            refuse_unwritable(wanted)
    with progress() as bars:
        task = bars.add_task("reading", total=1)
        registered = find(Registry.at(var), name, vocabulary)
        here = _cohort(name, source, cohort, vocabulary, var, keys, trusted)
        there = None
        if development is not None:
            own = registered.version.tags.get("source")
            mapping = own if own in every_source_name() else source
            there = _cohort(name, mapping, development, vocabulary, var, keys, trusted)
        bars.advance(task)
        judging = bars.add_task("validating", total=1)
        report = judge_there(
            registered, here, vocabulary, seed=seed, other_patients=other_patients,
            development=there, progress=lambda share: bars.advance(judging, share),
        )  # fmt: skip
        if windows:
            fitting = bars.add_task("expanding window", total=1)
            report["expanding_window"] = expanding_window(
                registered, here, vocabulary, block_months=block_months, seed=seed,
                other_patients=other_patients,
                progress=lambda share: bars.advance(fitting, share),
            )  # fmt: skip
    if html is not None:
        html.write_text(validation_page(report), encoding="utf-8")
    if out is not None:
        out.write_text(json.dumps(report, ensure_ascii=False) + "\n", encoding="utf-8")
    _tell(report, report["sentences"], list(validation_tables(report)), as_json=as_json)


def recalibrate(
    name: Name,
    cohort: CohortFile = None,
    source: SourceName = None,
    method: Annotated[
        Method, typer.Option(help="How much may change; auto: what the closed test says.")
    ] = Method.AUTO,
    other_patients: Others = False,
    seed: Seed = 2026,
    var: Var = DEFAULT_VAR,
    content: Site = None,
    keys: Keys = None,
    trusted: Trusted = None,
    as_json: AsJson = False,
) -> None:
    """Update a registered model for another hospital and register it as the next version.

    The cohort's fitting rows choose and estimate the update, its held-out rows judge it. The trees
    stay as they are, no alias is moved.
    """
    from training.transport import find, recalibration_tables
    from training.transport import recalibrate as update_there

    vocabulary = load_vocabulary(content)
    _refuse_no_model(name)
    registry = Registry.at(var)
    with progress() as bars, tempfile.TemporaryDirectory() as folder:
        task = bars.add_task("reading", total=1)
        registered = find(registry, name, vocabulary)
        here = _cohort(name, source, cohort, vocabulary, var, keys, trusted)
        bars.advance(task)
        updating = bars.add_task("recalibrating", total=1)
        made = update_there(
            registered, here, vocabulary, Path(folder), method=method.value,
            other_patients=other_patients, seed=seed,
            progress=lambda share: bars.advance(updating, share),
        )  # fmt: skip
        version = registry.publish(made.name, made.bundle, made.run)
    report = {"version": version.version, "digest": version.digest, **made.report}
    said = (
        f"{made.name} version {version.version}, from version {report['from']['version']}: "
        f"{report['method']}. No alias was moved; `risk-train promote` asks the gate."
    )
    _tell(report, [said], list(recalibration_tables(report)), as_json=as_json)


def _refuse_no_model(name: str) -> None:
    if "." not in name:
        raise SourceInvalid(f"`{name}` names no model; a model is BRANCH_POINT.OUTCOME")


def _cohort(
    name: str,
    source: str | None,
    given: Path | None,
    vocabulary: Vocabulary,
    var: Path,
    keys: Path | None,
    trusted: list[Path] | None,
) -> Cohort:
    from training.cohort import load_cohort
    from training.transport.registered import split_reference

    branch_point, _, outcome = split_reference(name)[0].partition(".")
    if source is None and given is not None and (given / MANIFEST).exists():
        source, given = str(given), None  # an export brings its own mapping
    mapping, readable, _ = cohort_at(
        branch_point, source, given, [outcome], vocabulary=vocabulary, var=var, keys=keys,
        trusted=trusted,
    )  # fmt: skip
    return load_cohort(mapping, readable, vocabulary)


def _tell(
    report: dict[str, Any], said: Sequence[str], tables: Sequence[Table], *, as_json: bool
) -> None:
    if as_json:
        print(json.dumps(report, ensure_ascii=False))
        return
    console = Console()
    for sentence in said:
        console.print(sentence, style="bold", highlight=False, markup=False)
    for table in tables:
        console.print(table)
    if not as_json and "evaluation" in report and report["cohort"]["inputs_missing"]:
        missing = ", ".join(report["cohort"]["inputs_missing"])
        tell.print(f"this cohort has no {missing}: missing in every row", style="yellow")
