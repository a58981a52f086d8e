"""`risk-train`: what ML engineers run."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from models.errors import BundleRefused, ModelsError
from models.registry import CHAMPION, Registry
from models.vocabulary import load_vocabulary
from monitoring.keyring import EXPORT, FILE_NAME
from training.cohort import read_rows
from training.commands.adopt import adopt
from training.commands.card import card
from training.commands.challenge import challenge, compare
from training.commands.cohorts import (
    admitted,
    file_of,
    folder_of,
    no_source,
    opened_at,
    outcomes_of,
    several_of,
    source_of,
)
from training.commands.go_live import go_live, go_silent
from training.commands.options import (
    DEFAULT_VAR,
    AsJson,
    File,
    From,
    Keys,
    Site,
    SourceName,
    Trusted,
    Var,
    progress,
    tell,
)
from training.commands.promotion import gate_table, history, promote, rollback, sealing_keys
from training.commands.retrain import retrain
from training.commands.signal import signal
from training.commands.transport import recalibrate, validate
from training.commands.travel import inspect_pack, pack, unpack
from training.errors import CohortTooSmall, SourceInvalid, TrainingError
from training.export import (
    OWN_RULES,
    export_rows,
    load_rules,
    origin_of,
    refuse_taken,
    rows_of,
    write_export,
)
from training.signing import fingerprint, key_line, public_key, signing_keyring
from training.sources.fetch import fetch as fetch_cohort
from training.sources.pathway_source import TRUE_RISK, load_declared
from training.sources.source import every_source_name, load_source

if TYPE_CHECKING:
    from training.train import Trained
    from training.workers import Task

app = typer.Typer(
    name="risk-train",
    help="Train, evaluate and promote the risk models of a branch point.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in (
    adopt, card, signal, validate, recalibrate, retrain, challenge, compare, promote, rollback,
    history, go_live, go_silent, pack, unpack, inspect_pack,
):  # fmt: skip
    app.command(command.__name__.replace("_", "-"))(command)


def main() -> None:
    """Run the command; an expected error is one line and exit code 1."""
    try:
        app()
    except (TrainingError, ModelsError) as error:
        # The text can hold a name from somebody else's file: it is shown, never read as markup.
        tell.print(
            f"risk-train: {error}", style="red", highlight=False, soft_wrap=True, markup=False
        )
        sys.exit(1)


@app.command()
def sources(as_json: AsJson = False) -> None:
    """List the cohorts that can be trained on."""
    vocabulary = load_vocabulary()
    known: list[tuple[str, str, str, str]] = []
    for name in every_source_name():
        several = load_declared(name, vocabulary)
        if several is not None:
            known += [
                (name, point, ", ".join(outcomes), "simulated")
                for point, outcomes in several.outcomes.items()
            ]
            continue
        source = load_source(name, vocabulary)
        how = "risk-train fetch" if source.fetch else "--from FILE"
        labels = ", ".join(label.outcome for label in source.labels)
        known.append((name, source.branch_point, labels, how))
    if as_json:
        print(json.dumps([{"name": name, "branch_point": point} for name, point, *_ in known]))
        return
    table = Table("source", "branch point", "outcomes", "how it comes", title="Sources")
    for row in known:
        table.add_row(*row)
    Console().print(table)


@app.command()
def fetch(
    source: Annotated[str, typer.Argument(help="For example: support2")], var: Var = DEFAULT_VAR
) -> None:
    """Bring a public cohort here and check its SHA-256, or simulate the one that is simulated."""
    vocabulary = load_vocabulary()
    several = several_of(source, vocabulary)
    if several is not None:
        path = folder_of(several, None, var)
    else:
        with tell.status(f"Fetching {source}"):
            path = fetch_cohort(load_source(source, vocabulary), var / "cohorts")
    tell.print(f"{source}: {path}")


@app.command()
def rows(
    source: Annotated[str, typer.Argument(help="For example: support2")],
    branch_point: Annotated[
        str | None,
        typer.Option("--branch-point", help="Where a source feeds several; default: all of them."),
    ] = None,
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
    vocabulary = load_vocabulary(content)
    several = several_of(source, vocabulary)
    if several is not None:
        points = list(several.outcomes) if branch_point is None else [branch_point]
        opened = opened_at(several, points, file, vocabulary, var)
    else:
        mapping, readable = admitted(source, file, vocabulary, var, keys, trusted)
        if branch_point not in (None, mapping.branch_point):
            raise no_source(str(branch_point))
        opened = [(mapping, file_of(mapping, readable, var))]
    chosen = (
        (mapping, row)
        for mapping, readable in opened
        for row in read_rows(mapping, readable)
        if row.held_out or not held_out
    )
    for mapping, row in islice(chosen, limit):
        labels = {
            name: value
            if value is None or vocabulary.outcomes[name].kind == "numeric"
            else bool(value)
            for name, value in row.labels.items()
        }
        line = {
            "row": row.row,
            "branch_point": mapping.branch_point,
            "request": row.request,
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
        print_visits(parameters, seed, episodes, print)
        return
    folder = out or var / "cohorts" / "pathway"
    with progress() as bars:
        task = bars.add_task("simulating", total=episodes)
        written = write_cohort(parameters, seed, episodes, folder, partial(bars.advance, task))
    if as_json:
        print(json.dumps({"folder": str(folder), "rows": written}))
        return
    for name, count in written.items():
        tell.print(f"{folder / name}.parquet: {count} rows", highlight=False, soft_wrap=True)


@app.command()
def run(
    branch_point: Annotated[
        str | None, typer.Argument(help="For example: icu-review", show_default=False)
    ] = None,
    all_points: Annotated[
        bool, typer.Option("--all", help="Every branch point that the source feeds.")
    ] = False,
    source: SourceName = None,
    file: From = None,
    outcome: Annotated[
        list[str] | None, typer.Option(help="Only this outcome; may be repeated.")
    ] = None,
    promote_passed: Annotated[
        bool, typer.Option("--promote", help="Promote each version whose gate holds.")
    ] = False,
    again: Annotated[
        bool,
        typer.Option(help="Train also what is registered from the same cohort and code."),
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes.", show_default="number of cores")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of folds, boosting and bootstrap.")] = 2026,
    var: Var = DEFAULT_VAR,
    content: Site = None,
    keys: Keys = None,
    trusted: Trusted = None,
    as_json: AsJson = False,
) -> None:
    """Fit, evaluate on held-out rows and register every outcome of a branch point, or of all.

    A run that was stopped goes on where it was: what is registered already is left as it is.
    """
    from training.train import tasks_of, train

    if all_points == (branch_point is not None):
        raise SourceInvalid("name a branch point, or give --all with a --source")
    vocabulary = load_vocabulary(content)
    name = source_of(branch_point, source, vocabulary)
    several = several_of(name, vocabulary)
    if several is not None:
        points = list(several.outcomes) if branch_point is None else [branch_point]
        opened = opened_at(several, points, file, vocabulary, var)
    else:
        mapping, readable = admitted(name, file, vocabulary, var, keys, trusted)
        if branch_point is None:
            raise SourceInvalid(f"`{name}` feeds `{mapping.branch_point}` alone; --all is for more")
        if mapping.branch_point != branch_point:
            raise no_source(branch_point)
        outcomes_of(mapping, outcome, everywhere=all_points)  # refused before anything is fetched
        opened = [(mapping, file_of(mapping, readable, var))]
    tasks = []
    for mapping, readable in opened:
        wanted = outcomes_of(mapping, outcome, everywhere=all_points)
        tasks += tasks_of(mapping, readable, wanted, vocabulary, content, seed)
    if not tasks:
        raise SourceInvalid(f"`{name}` trains no outcome {', '.join(outcome or ())}")
    with progress() as bars:
        begun = bars.add_task("opening the registry", total=1)
        registry = Registry.at(var)
        bars.remove_task(begun)
        bar = _Bars(bars, tasks)
        trained = list(
            train(
                tasks, registry, vocabulary, jobs=jobs or os.cpu_count() or 1, again=again,
                seal_key=sealing_keys(keys, var)[0] if promote_passed else None,
                advance=bar.advance,
            )
        )  # fmt: skip
    _tell_trained(trained, several=len(opened) > 1, as_json=as_json)
    lacking = [one for one in trained if one.version is None]
    for one in lacking:
        if one.refused:
            raise BundleRefused(f"{one.task.name}: {one.reason}")
    # What was named must be trained; of a whole list, what the cohort can carry.
    if lacking and (outcome or len(lacking) == len(trained)):
        raise CohortTooSmall("; ".join(sorted(str(one.reason) for one in lacking)))


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
    mapping, readable = admitted(source, file, vocabulary, var, keys, trusted)
    with progress() as bars:
        task = bars.add_task(f"exporting {mapping.name}", total=2)
        advance = partial(bars.advance, task)
        made = export_rows(
            rows_of(mapping, file_of(mapping, readable, var), vocabulary),
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
    """Print the public key that signs what leaves, for another site's trusted-… folder."""
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


class _Bars:
    """A bar per outcome, or per branch point where there are many outcomes."""

    MOST = 12

    def __init__(self, bars: Progress, tasks: Sequence[Task]) -> None:
        self._bars = bars
        self._by_point = len(tasks) > self.MOST
        names = [self._name(task) for task in tasks]
        self._ids = {
            name: bars.add_task(name, total=names.count(name), start=False)
            for name in dict.fromkeys(names)
        }

    def advance(self, task: Task, share: float) -> None:
        number = self._ids[self._name(task)]
        self._bars.start_task(number)
        self._bars.advance(number, share)

    def _name(self, task: Task) -> str:
        return task.source.branch_point if self._by_point else task.outcome


def _tell_trained(trained: Sequence[Trained], *, several: bool, as_json: bool) -> None:
    from training.evaluation import summary_table

    if as_json:
        print(json.dumps([_document(one) for one in trained if one.version is not None]))
    elif several:
        Console().print(_overview(trained))
    for one in trained:
        if one.version is None:
            tell.print(f"{one.task.name} was not trained: {one.reason}", style="yellow")
            continue
        if one.decision is not None and not several:
            tell.print(gate_table(one.task.name, one.version.version, one.decision))
        if one.evaluation is None:
            tell.print(
                f"{one.task.name} version {one.version.version} is there already, from the same "
                "cohort and code; --again trains it again"
            )
        elif not as_json and not several:
            Console().print(summary_table(one.task.name, one.evaluation))
            tell.print(
                f"{one.task.name} version {one.version.version}: {one.form}"
                + ("" if one.promoted is None else f"; champion: {'yes' if one.promoted else 'no'}")
            )
    told = {one.task.source.branch_point: one.set_aside for one in trained if one.set_aside}
    for point, set_aside in told.items():
        for (feature, reason), count in sorted(set_aside.items()):
            where = f"{point}, " if several else ""
            tell.print(f"set aside: {where}{feature} ({reason}) in {count} rows", style="dim")


def _document(one: Trained) -> dict[str, Any]:
    version = one.version
    return {
        "name": one.task.name,
        "version": None if version is None else version.version,
        "digest": None if version is None else version.digest,
        "form": one.form,
        "evaluation": one.evaluation,
        "promoted": one.promoted,
    }


def _overview(trained: Sequence[Trained]) -> Table:
    table = Table(box=None, title="Trained")
    table.add_column("model", no_wrap=True)
    for heading in ("inputs", "AUROC or rank", "true risk", "champion"):
        table.add_column(heading, justify="right")
    for one in trained:
        if one.evaluation is None:
            state = "not trained" if one.version is None else "there already"
            figures = ["-", state, "-"]
        else:
            main = one.evaluation.get("auroc") or one.evaluation["spearman"]
            truth = one.evaluation.get("comparators", {}).get(TRUE_RISK, {}).get("comparator")
            figures = [
                str(one.inputs),
                f"{main['value']:.3f}",
                "-" if truth is None else f"{truth['auroc']['value']:.3f}",
            ]
        champion = {None: "-", True: "yes", False: "no"}[one.promoted]
        table.add_row(one.task.name, *figures, champion)
    return table
