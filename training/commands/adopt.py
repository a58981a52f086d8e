"""`risk-train adopt`: somebody else's model becomes the next version of ours."""

from __future__ import annotations

import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from models.registry import Registry
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
from training.commands.promotion import gate_table, sealing_keys

STEPS = 4


def adopt(
    model: Annotated[str, typer.Argument(help="models:/NAME/VERSION or models:/NAME@ALIAS")],
    source: SourceName = None,
    file: From = None,
    branch_point: Annotated[
        str | None,
        typer.Option("--branch-point", help="Instead of the model's tag `branch_point`."),
    ] = None,
    outcome: Annotated[
        str | None, typer.Option("--outcome", help="Instead of the model's tag `outcome`.")
    ] = None,
    promote: Annotated[
        bool, typer.Option("--promote", help="Promote the version if its gate holds.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 2026,
    var: Var = DEFAULT_VAR,
    content: Site = None,
    keys: Keys = None,
    trusted: Trusted = None,
    as_json: AsJson = False,
) -> None:
    """Take a plain LightGBM or scikit-learn model: audit, calibrate, evaluate, register it.

    The cohort's fitting rows calibrate, its held-out rows judge. Nothing is unpickled.
    """
    from training.adopt import admit, prepare_adopted
    from training.cohort import load_cohort
    from training.evaluation import summary_table
    from training.promote import promote_version

    vocabulary = load_vocabulary(content)
    with progress() as bars, tempfile.TemporaryDirectory() as folder:
        advance = partial(bars.advance, bars.add_task("adopting", total=STEPS))
        registry = Registry.at(var)
        foreign = registry.foreign(model, Path(folder))
        admitted = admit(foreign, vocabulary, branch_point, outcome)
        advance()
        mapping, readable, _ = cohort_at(
            admitted.branch_point, source, file, [admitted.outcome], vocabulary=vocabulary,
            var=var, keys=keys, trusted=trusted,
        )  # fmt: skip
        cohort = load_cohort(mapping, readable, vocabulary)
        advance()
        prepared, notes = prepare_adopted(
            admitted, cohort, vocabulary, Path(folder) / "bundle", seed=seed
        )
        advance()
        version = registry.publish(prepared.name, prepared.bundle, prepared.run)
        advance()
    decision = None
    if promote:
        # The version is judged beside the champion on the rows that judged it alone.
        decision = promote_version(
            registry, prepared.name, version.version, vocabulary, sealing_keys(keys, var)[0],
            cohort=lambda: cohort,
        ).decision  # fmt: skip
    for note in notes:
        tell.print(note, style="yellow", soft_wrap=True, markup=False)
    promoted = None if decision is None else decision.passed
    if as_json:
        print(
            json.dumps(
                {
                    "name": prepared.name,
                    "version": version.version,
                    "digest": version.digest,
                    "form": prepared.form,
                    "adopted_from": prepared.run.tags["adopted_from"],
                    "adopted_digest": prepared.run.tags["adopted_digest"],
                    "evaluation": prepared.evaluation,
                    "promoted": promoted,
                    "notes": list(notes),
                }
            )
        )
        return
    if decision is not None:
        tell.print(gate_table(prepared.name, version.version, decision))
    Console().print(summary_table(prepared.name, prepared.evaluation))
    champion = "" if promoted is None else f"; champion: {'yes' if promoted else 'no'}"
    tell.print(
        f"{prepared.name} version {version.version}: {prepared.form}{champion}",
        soft_wrap=True, highlight=False,
    )  # fmt: skip
