"""`risk-train retrain`: a challenger candidate from what this site asked and was told."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from models.registry import CHAMPION, Registry
from models.vocabulary import Vocabulary, load_vocabulary
from training.commands.ledger import Database, ledger_at, one_tenant
from training.commands.options import DEFAULT_VAR, AsJson, Site, Var, progress, tell
from training.errors import SourceInvalid

if TYPE_CHECKING:
    from monitoring.ledger.matured import Matured


def retrain(
    name: Annotated[str, typer.Argument(help="For example: ward-round.sepsis")],
    real_patients: Annotated[
        bool,
        typer.Option(
            "--real-patients",
            help="The ledger's patients are real. Without it the version is marked as synthetic "
            "and can never replace one of real patients.",
        ),
    ] = False,
    tenant: Annotated[
        str | None, typer.Option(help="Whose assessments; needed when there are several.")
    ] = None,
    database: Database = None,
    seed: Annotated[int, typer.Option(help="Seed of folds, boosting and bootstrap.")] = 2026,
    var: Var = DEFAULT_VAR,
    content: Site = None,
    as_json: AsJson = False,
) -> None:
    """Fit a model anew on this site's own assessments whose outcome was reported.

    Only assessments whose horizon has passed are asked for, and what was not reported counts as
    unknown. The version is registered as a candidate; no alias is moved.
    """
    from training.evaluation import summary_table
    from training.transport.retrain import GOOD_COVERAGE, ledger_cohort
    from training.transport.retrain import retrain as fit_again

    vocabulary = load_vocabulary(content)
    branch_point, _, outcome = name.partition(".")
    if name not in vocabulary.model_names():
        raise SourceInvalid(f"`{name}` names no model; see `risk-train models`")
    with progress() as bars, tempfile.TemporaryDirectory() as folder:
        reading = bars.add_task("reading the ledger", total=1)
        rows = _rows(name, database, var, tenant, vocabulary)
        found = ledger_cohort(rows, branch_point, outcome, vocabulary, real=real_patients)
        registry = Registry.at(var)
        champion = registry.aliases([name], CHAMPION).get(name)
        bars.advance(reading)
        fitting = bars.add_task("fitting", total=1)
        prepared = fit_again(
            found, outcome, vocabulary, Path(folder), champion=champion, seed=seed,
            progress=lambda share: bars.advance(fitting, share),
        )  # fmt: skip
        version = registry.publish(name, prepared.bundle, prepared.run)
    told = (
        f"{len(found.cohort.X)} of {found.matured} assessments whose horizon has passed have an "
        f"outcome ({found.coverage:.0%})"
    )
    if as_json:
        document = {
            "name": name,
            "version": version.version,
            "digest": version.digest,
            "form": prepared.form,
            "matured": found.matured,
            "rows": len(found.cohort.X),
            "coverage": found.coverage,
            "evaluation": prepared.evaluation,
        }
        print(json.dumps(document))
    else:
        Console().print(summary_table(name, prepared.evaluation))
    tell.print(told)
    if found.coverage < GOOD_COVERAGE:
        tell.print(
            "those without a report may differ from those with one: look into it before promoting",
            style="yellow",
        )
    tell.print(
        f"{name} version {version.version}: {prepared.form}; a candidate, no alias was moved"
    )


def _rows(
    name: str, database: str | None, var: Path, tenant: str | None, vocabulary: Vocabulary
) -> list[Matured]:
    from monitoring.ledger import LedgerError
    from monitoring.ledger.matured import matured, tenants

    branch_point, _, outcome = name.partition(".")
    engine = ledger_at(database, var)
    try:
        whose = one_tenant(tenants(engine, branch_point), tenant, branch_point)
        found = matured(
            engine, branch_point, outcome, whose,
            horizon_days=vocabulary.outcomes[outcome].matures_after_days,
            is_number=vocabulary.outcomes[outcome].kind == "numeric",
            now_us=time.time_ns() // 1000,
        )  # fmt: skip
    except LedgerError as error:
        raise SourceInvalid(str(error)) from None
    engine.dispose()
    return found
