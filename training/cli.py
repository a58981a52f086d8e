"""`risk-train`: what ML engineers run."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from models.errors import ModelsError
from models.registry import CHAMPION, Registry
from models.vocabulary import Vocabulary, load_vocabulary
from monitoring.keyring import EXPORT, FILE_NAME
from training.cohort import Readable, load_cohort, read_rows
from training.errors import PromotionRefused, SourceInvalid, TrainingError
from training.export import (
    OWN_RULES,
    admit,
    export_rows,
    fingerprint,
    key_line,
    load_rules,
    origin_of,
    public_key,
    refuse_taken,
    rows_of,
    signing_keyring,
    trusted_keys,
    write_export,
)
from training.sources.fetch import fetch as fetch_cohort
from training.sources.source import Source, load_source, source_names

app = typer.Typer(
    name="risk-train",
    help="Train, evaluate and promote the risk models of a branch point.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
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


def main() -> None:
    """Run the command; an expected error is one line and exit code 1."""
    try:
        app()
    except (TrainingError, ModelsError) as error:
        tell.print(f"risk-train: {error}", style="red", highlight=False, soft_wrap=True)
        sys.exit(1)


@app.command()
def sources(as_json: AsJson = False) -> None:
    """List the cohorts that can be trained on."""
    vocabulary = load_vocabulary()
    known = [load_source(name, vocabulary) for name in source_names()]
    if as_json:
        print(json.dumps([{"name": s.name, "branch_point": s.branch_point} for s in known]))
        return
    table = Table("source", "branch point", "outcomes", "how it comes", title="Sources")
    for source in known:
        how = "risk-train fetch" if source.fetch else "--from FILE"
        outcomes = ", ".join(label.outcome for label in source.labels)
        table.add_row(source.name, source.branch_point, outcomes, how)
    Console().print(table)


@app.command()
def fetch(
    source: Annotated[str, typer.Argument(help="For example: support2")], var: Var = DEFAULT_VAR
) -> None:
    """Bring a public cohort here and check its SHA-256."""
    with tell.status(f"Fetching {source}"):
        path = fetch_cohort(load_source(source, load_vocabulary()), var / "cohorts")
    tell.print(f"{source}: {path}")


@app.command()
def rows(
    source: Annotated[str, typer.Argument(help="For example: support2")],
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Only rows never used for fitting.")
    ] = False,
    file: File = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many rows.")] = None,
    var: Var = DEFAULT_VAR,
    content: Site = None,
    keys: Keys = None,
    trusted: Trusted = None,
) -> None:
    """Print patients as NDJSON: the request the service would be sent, labels, comparators."""
    _end_as_cat_does()
    vocabulary = load_vocabulary(content)
    mapping, readable = _admit(source, file, vocabulary, var, keys, trusted)
    chosen = (
        row
        for row in read_rows(mapping, _file(mapping, readable, var))
        if row.held_out or not held_out
    )
    for row in islice(chosen, limit):
        labels = {
            name: value
            if value is None or vocabulary.outcomes[name].kind == "numeric"
            else bool(value)
            for name, value in row.labels.items()
        }
        line = {
            "row": row.row,
            "branch_point": mapping.branch_point,
            "request": {"measurements": row.measurements},
            "labels": labels,
            "comparators": row.comparators,
        }
        print(json.dumps(line, ensure_ascii=False))


@app.command()
def simulate(
    episodes: Annotated[int, typer.Option(min=1, help="How many episodes.")] = 20_000,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same episodes.")] = 2026,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder; default: cohorts/pathway in --var.")
    ] = None,
    scenario: Annotated[
        list[str] | None, typer.Option(help="Switch on a named change; may be repeated.")
    ] = None,
    hospital: Annotated[
        list[str] | None, typer.Option(help="Only this hospital; may be repeated.")
    ] = None,
    ndjson: Annotated[
        bool, typer.Option("--ndjson", help="Print each visit as a request, and write nothing.")
    ] = False,
    var: Var = DEFAULT_VAR,
    as_json: AsJson = False,
) -> None:
    """Simulate episodes through the nine branch points, with the true risk of every outcome.

    It exercises the machinery; it proves nothing about patients.
    """
    from training.pathway import write_cohort
    from training.pathway.command import chosen_parameters, print_visits

    parameters = chosen_parameters(scenario or (), hospital or ())
    if ndjson:
        _end_as_cat_does()
        print_visits(parameters, seed, episodes, print)
        return
    folder = out or var / "cohorts" / "pathway"
    with _progress() as bars:
        task = bars.add_task("simulating", total=episodes)
        written = write_cohort(parameters, seed, episodes, folder, partial(bars.advance, task))
    if as_json:
        print(json.dumps({"folder": str(folder), "rows": written}))
        return
    for name, count in written.items():
        tell.print(f"{folder / name}.parquet: {count} rows", highlight=False, soft_wrap=True)


@app.command()
def run(
    branch_point: Annotated[str, typer.Argument(help="For example: icu-review")],
    source: Annotated[
        str | None,
        typer.Option(help="Source name or .toml; default: the one for the branch point."),
    ] = None,
    file: File = None,
    outcome: Annotated[
        list[str] | None, typer.Option(help="Only this outcome; may be repeated.")
    ] = None,
    promote_passed: Annotated[
        bool, typer.Option("--promote", help="Promote each version whose gate holds.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of folds, boosting and bootstrap.")] = 2026,
    var: Var = DEFAULT_VAR,
    content: Site = None,
    keys: Keys = None,
    trusted: Trusted = None,
    as_json: AsJson = False,
) -> None:
    """Fit, evaluate on held-out rows and register every outcome of a branch point."""
    from training.evaluation import summary_table
    from training.pipeline import train_outcome

    vocabulary = load_vocabulary(content)
    name = _source_of(branch_point, source, vocabulary)
    mapping, readable = _admit(name, file, vocabulary, var, keys, trusted)
    if mapping.branch_point != branch_point:
        raise _no_source(branch_point)
    outcomes = [label.outcome for label in mapping.labels]
    if unknown := set(outcome or ()) - set(outcomes):
        raise SourceInvalid(
            f"{mapping.name} has no outcome {', '.join(sorted(unknown))}; "
            f"it has {', '.join(outcomes)}"
        )
    outcomes = [name for name in outcomes if not outcome or name in outcome]
    results = []
    with _progress() as bars:
        reading = bars.add_task(f"reading {mapping.name}", total=1)
        cohort = load_cohort(mapping, _file(mapping, readable, var), vocabulary)
        registry = Registry.at(var)
        bars.advance(reading, 1)
        tasks = {name: bars.add_task(name, total=1, start=False) for name in outcomes}
        for name, task in tasks.items():
            bars.start_task(task)
            advance = partial(bars.advance, task)
            result = train_outcome(cohort, name, vocabulary, registry, seed=seed, progress=advance)
            results.append(result)
    printed = []
    for result in results:
        decision = None
        if promote_passed:
            decision = _promote(registry, result.version.name, result.version.version, vocabulary)
        printed.append(
            {
                "name": result.version.name,
                "version": result.version.version,
                "digest": result.version.digest,
                "form": result.form,
                "evaluation": result.evaluation,
                "promoted": decision,
            }
        )
        if not as_json:
            Console().print(summary_table(result.version.name, result.evaluation))
            tell.print(
                f"{result.version.name} version {result.version.version}: {result.form}"
                + ("" if decision is None else f"; champion: {'yes' if decision else 'no'}")
            )
    if as_json:
        print(json.dumps(printed))
    for (feature, reason), count in sorted(cohort.set_aside.items()):
        tell.print(f"set aside: {feature} ({reason}) in {count} rows", style="dim")


@app.command()
def export(
    source: Annotated[str, typer.Argument(help="For example: support2")],
    out: Annotated[Path, typer.Option("--out", help="The folder to make.")],
    file: File = None,
    held_out: Annotated[
        bool, typer.Option(help="Whether rows that are never used for fitting leave as well.")
    ] = True,
    rules: Annotated[
        Path, typer.Option("--rules", help="A site's own disclosure.toml.", show_default=False)
    ] = OWN_RULES,
    reviewer: Annotated[str | None, typer.Option(help="Who looked at it.")] = None,
    var: Var = DEFAULT_VAR,
    content: Site = None,
    keys: Keys = None,
    trusted: Trusted = None,
    as_json: AsJson = False,
) -> None:
    """Write training data that may be handed over under an agreement: coarsened, attacked, signed.

    The rows stay personal data (GDPR, recital 26); report.md in the folder says why, on one page.
    """
    refuse_taken(out)
    vocabulary = load_vocabulary(content)
    declared = load_rules(vocabulary, rules)
    mapping, readable = _admit(source, file, vocabulary, var, keys, trusted)
    with _progress() as bars:
        task = bars.add_task(f"exporting {mapping.name}", total=2)
        advance = partial(bars.advance, task)
        made = export_rows(
            rows_of(mapping, _file(mapping, readable, var), vocabulary),
            origin=origin_of(mapping),
            features=[mapped.feature for mapped in mapping.measurements],
            outcomes=[label.outcome for label in mapping.labels],
            vocabulary=vocabulary,
            rules=declared,
            with_held_out=held_out,
            progress=advance,
        )
        written = write_export(
            made,
            out,
            rules=declared,
            key=signing_keyring(keys or var / FILE_NAME).newest(EXPORT),
            made_on=datetime.now(UTC).date(),
            reviewer=reviewer,
            site=content,
            progress=advance,
        )
    if as_json:
        print(json.dumps({"folder": str(out), **written.statement}, ensure_ascii=False))
        return
    table = Table("attack", "verdict", "found", title=f"Attacks on {out}")
    for tried in written.attacks:
        table.add_row(tried.name, tried.verdict, tried.found)
    Console().print(table)
    for feature, told in made.generalised().items():
        tell.print(f"{feature}: {told}")
    tell.print(f"{out}: {len(made.numbers)} rows, k = {made.k}; read report.md before it leaves")


@app.command()
def exporter(var: Var = DEFAULT_VAR, keys: Keys = None, as_json: AsJson = False) -> None:
    """Print this installation's public export key, for another site's trusted-exporters folder."""
    public = public_key(signing_keyring(keys or var / FILE_NAME).newest(EXPORT))
    if as_json:
        print(json.dumps({"public_key": public.hex(), "fingerprint": fingerprint(public)}))
        return
    print(key_line(public))
    tell.print(f"fingerprint, to compare by telephone: {fingerprint(public)}")


@app.command()
def models(var: Var = DEFAULT_VAR, content: Site = None, as_json: AsJson = False) -> None:
    """List the registered models, their newest version and their champion."""
    registry = Registry.at(var)
    names = load_vocabulary(content).model_names()
    champions = registry.aliases(names, CHAMPION)
    found = []
    for name in names:
        if versions := registry.versions(name):
            newest = versions[-1]
            found.append(
                {
                    "name": name,
                    "newest": newest.version,
                    "champion": champions.get(name),
                    "training_data": newest.tags.get("training_data"),
                }
            )
    if as_json:
        print(json.dumps(found))
        return
    table = Table("model", "newest version", "champion", "training data", title="Models")
    for item in found:
        table.add_row(item["name"], item["newest"], item["champion"] or "-", item["training_data"])
    Console().print(table)


@app.command()
def promote(
    name: Annotated[str, typer.Argument(help="For example: icu-review.death_180d")],
    version: Annotated[str, typer.Argument(help="Version number, or `newest`.")],
    var: Var = DEFAULT_VAR,
    content: Site = None,
    as_json: AsJson = False,
) -> None:
    """Make a version the champion if the gate holds; otherwise say which rule failed."""
    registry, vocabulary = Registry.at(var), load_vocabulary(content)
    if version == "newest":
        known = registry.versions(name)
        if not known:
            raise SourceInvalid(f"no version of {name} is registered; see `risk-train models`")
        version = known[-1].version
    passed = _promote(registry, name, version, vocabulary, as_json=as_json)
    if not passed:
        raise PromotionRefused(f"{name} version {version} was not promoted: the gate does not hold")


def _promote(
    registry: Registry,
    name: str,
    version: str,
    vocabulary: Vocabulary,
    *,
    as_json: bool = False,
) -> bool:
    from training.promote import promote_version

    decision = promote_version(registry, name, version, vocabulary)
    if as_json:
        findings = [asdict(finding) for finding in decision.findings]
        print(json.dumps({"name": name, "version": version, "passed": decision.passed,
                          "findings": findings}))  # fmt: skip
        return decision.passed
    table = Table("rule", "found", "expected", "holds", title=f"Gate: {name} version {version}")
    for finding in decision.findings:
        found = "missing" if finding.found is None else f"{finding.found:.4g}"
        table.add_row(finding.rule, found, finding.expected, "yes" if finding.passed else "NO")
    tell.print(table)
    return decision.passed


def _source_of(branch_point: str, source: str | None, vocabulary: Vocabulary) -> str:
    if branch_point not in vocabulary.branch_points:
        known = ", ".join(vocabulary.branch_points)
        raise SourceInvalid(f"no branch point `{branch_point}`; known: {known}")
    if source is not None:
        return source
    for name in source_names():
        if load_source(name, vocabulary).branch_point == branch_point:
            return name
    raise _no_source(branch_point)


def _no_source(branch_point: str) -> SourceInvalid:
    return SourceInvalid(
        f"no source feeds `{branch_point}`; see `risk-train sources`, or give --source FILE.toml"
    )


def _admit(
    name: str,
    file: Path | None,
    vocabulary: Vocabulary,
    var: Path,
    keys: Path | None,
    trusted: list[Path] | None,
) -> tuple[Source, Readable | None]:
    return admit(
        name, file, vocabulary, lambda: trusted_keys(keys or var / FILE_NAME, var, trusted or ())
    )


def _file(source: Source, given: Readable | None, var: Path) -> Readable:
    return given if given is not None else fetch_cohort(source, var / "cohorts")


def _end_as_cat_does() -> None:
    if hasattr(signal, "SIGPIPE"):  # `risk-train rows … | head` closes the pipe
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)


@contextmanager
def _progress() -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=tell) as bars:
        yield bars
