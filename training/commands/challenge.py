"""`risk-train challenge` and `compare`: a version beside the champion, unseen, and what came of it."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from models.registry import CHALLENGER, CHAMPION, Registry
from models.vocabulary import load_vocabulary
from training.commands.ledger import Database, ledger_at, one_tenant
from training.commands.options import DEFAULT_VAR, AsJson, Site, Var, progress, tell
from training.errors import SourceInvalid

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from monitoring.shadow import Matched, Pair

Model = Annotated[str, typer.Argument(help="For example: icu-review.death_180d")]


def challenge(
    name: Model,
    version: Annotated[
        str | None, typer.Argument(help="Version number, or `newest`.", show_default=False)
    ] = None,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="No version is the challenger any more.")
    ] = False,
    var: Var = DEFAULT_VAR,
    content: Site = None,
    as_json: AsJson = False,
) -> None:
    """Have a version asked beside the champion: recorded, shown to nobody who asks.

    It is proven first. Services follow within their interval; `risk-train compare` tells what came
    of it. The gate decides nothing here, and no patient's answer changes.
    """
    from models.bundle import prove, read_bundle

    if withdraw == (version is not None):
        raise SourceInvalid("name a version, or --withdraw")
    registry, vocabulary = Registry.at(var), load_vocabulary(content)
    if name not in vocabulary.model_names():
        raise SourceInvalid(f"`{name}` names no model; see `risk-train models`")
    before = registry.aliases([name], CHALLENGER).get(name)
    if version is None:
        if before is None:
            raise SourceInvalid(f"{name} has no challenger")
        registry.remove_alias(name, CHALLENGER)
    else:
        if version == "newest":
            known = registry.versions(name)
            if not known:
                raise SourceInvalid(f"no version of {name} is registered; see `risk-train models`")
            version = known[-1].version
        with tempfile.TemporaryDirectory() as folder:
            bundle = Path(folder) / "bundle"
            registry.download(name, version, bundle)
            prove(read_bundle(bundle, registry.version(name, version).digest), name, vocabulary)
        registry.set_alias(name, CHALLENGER, version)
    if as_json:
        print(json.dumps({"name": name, "challenger": version, "before": before}))
    elif version is None:
        tell.print(f"{name}: version {before} is not asked any more")
    else:
        was = "none" if before is None else f"version {before}"
        tell.print(f"{name}: version {version} is the challenger (before: {was})")


def compare(
    name: Model,
    tenant: Annotated[
        str | None, typer.Option(help="Whose assessments; needed when there are several.")
    ] = None,
    version: Annotated[
        str | None, typer.Option("--version", help="Default: the present challenger.")
    ] = None,
    database: Database = None,
    var: Var = DEFAULT_VAR,
    content: Site = None,
    as_json: AsJson = False,
) -> None:
    """Compare the challenger with the champion on the patients that the service was asked about.

    Disagreement at once, AUROC, Brier score and net benefit as outcomes arrive: paired, with
    intervals, challenger minus champion.
    """
    from training.compare import disagreement, on_outcomes

    vocabulary = load_vocabulary(content)
    if name not in vocabulary.model_names():
        raise SourceInvalid(f"`{name}` names no model; see `risk-train models`")
    branch_point, outcome = name.split(".", 1)
    point, declared = vocabulary.branch_points[branch_point], vocabulary.outcomes[outcome]
    with progress() as bars:
        bar = bars.add_task("asking the registry", total=3)
        registry = Registry.at(var)
        version = version or registry.aliases([name], CHALLENGER).get(name)
        if version is None:
            raise SourceInvalid(
                f"{name} has no challenger; `risk-train challenge {name} VERSION` has one asked"
            )
        digest = registry.version(name, version).digest
        champion = registry.aliases([name], CHAMPION).get(name)
        bars.update(bar, description="reading the ledger", advance=1)
        engine = ledger_at(database, var)
        found, known = _read(
            engine, branch_point, outcome, str(digest), tenant,
            horizon_days=declared.matures_after_days, is_number=declared.kind == "numeric",
        )  # fmt: skip
        engine.dispose()
        bars.update(bar, description="comparing", advance=1)
        told: dict[str, Any] = {
            "name": name,
            "champion": champion,
            "challenger": version,
            "digest": digest,
            **disagreement(found, point, outcome),
            "outcomes": on_outcomes(known, declared.kind, point.decision_thresholds(outcome)),
        }
        bars.update(bar, completed=3)
    if as_json:
        print(json.dumps(told))
        return
    _show(told)


def _read(
    engine: Engine,
    branch_point: str,
    outcome: str,
    digest: str,
    tenant: str | None,
    *,
    horizon_days: float,
    is_number: bool,
) -> tuple[list[Pair], Matched]:
    from monitoring.ledger import LedgerError
    from monitoring.ledger.matured import tenants
    from monitoring.shadow import matched, of_newest_champion, pairs

    try:
        whose = one_tenant(tenants(engine, branch_point), tenant, branch_point)
        found = pairs(engine, branch_point, outcome, digest, whose)
        known = matched(
            engine, branch_point, outcome, of_newest_champion(found), horizon_days=horizon_days,
            is_number=is_number, now_us=time.time_ns() // 1000, tenant=whose,
        )  # fmt: skip
    except LedgerError as error:
        raise SourceInvalid(str(error)) from None
    return found, known


def _show(told: Mapping[str, Any]) -> None:
    title = f"{told['name']}: challenger {told['challenger']} beside champion {told['champion']}"
    table = Table("assessments", "count", title=title)
    for label, key in (
        ("the challenger was asked about", "asked"),
        ("both gave a number", "both"),
        ("only the champion did", "champion_only"),
        ("only the challenger did", "challenger_only"),
        ("answered by an earlier champion, left out", "another_champion"),
    ):
        table.add_row(label, str(told[key]))
    console = Console()
    console.print(table)
    if not told["both"]:
        tell.print("nothing to compare yet: the service asks the challenger as patients come")
        return
    apart = f"mean difference {told['mean_difference']:+.4f}, "
    apart += f"mean absolute difference {told['mean_absolute_difference']:.4f}"
    if told["other_band"] is not None:
        apart += f", {told['other_band']:.1%} in another band"
    console.print(apart, highlight=False)
    if told["bands"]:
        _show_bands(console, told["bands"])
    known = told["outcomes"]
    if "where" in known:
        tell.print(f"outcomes: {known['rows']}; {known['where']}", style="yellow")
        return
    events = f", {known['events']} events" if "events" in known else ""
    figures = Table(
        "figure", "champion", "challenger", "difference", "95 % interval",
        title=f"On {known['rows']} assessments of {known['patients']} patients{events}",
    )  # fmt: skip
    for figure, difference in known["difference"].items():
        figures.add_row(
            figure.replace("_", " "),
            f"{known['champion'][figure]['value']:.4f}",
            f"{known['challenger'][figure]['value']:.4f}",
            f"{difference['value']:+.4f}",
            f"{difference['lower']:+.4f} to {difference['upper']:+.4f}",
        )
    console.print(figures)
    tell.print(
        "outcomes came about under care that saw the champion's answers, not the challenger's"
    )


def _show_bands(console: Console, bands: Mapping[str, Mapping[str, int]]) -> None:
    names = sorted({*bands, *(to for moved in bands.values() for to in moved)})
    table = Table("champion's band", *names, title="Challenger's band")
    for name in names:
        if name in bands:
            table.add_row(name, *(str(bands[name].get(to, 0)) for to in names))
    console.print(table)
