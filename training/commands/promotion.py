"""`risk-train promote`, `rollback` and `history`: who is champion, by which decision, and who was."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from models.registry import CHAMPION, Registry
from models.vocabulary import load_vocabulary
from monitoring.keyring import FILE_NAME, gate_keys
from training.commands.cohorts import cohort_at
from training.commands.options import (
    DEFAULT_VAR,
    AsJson,
    From,
    Keys,
    Site,
    Trusted,
    Var,
    progress,
    tell,
)
from training.errors import PromotionRefused, SourceInvalid
from training.promotion import Decision
from training.signing import signing_keyring

if TYPE_CHECKING:
    from training.promote import Promotion
    from training.rows import Cohort

Model = Annotated[str, typer.Argument(help="For example: icu-review.death_180d")]
STEPS = 3


def promote(
    name: Model,
    version: Annotated[str, typer.Argument(help="Version number, or `newest`.")],
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            help="Held-out rows to compare with the champion on; default: what it was trained on.",
        ),
    ] = None,
    file: From = None,
    override: Annotated[
        str | None,
        typer.Option("--override", help="Why to promote although a rule fails; it is shown."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide, and write nothing.")] = False,
    var: Var = DEFAULT_VAR,
    content: Site = None,
    keys: Keys = None,
    trusted: Trusted = None,
    as_json: AsJson = False,
) -> None:
    """Make a version the champion if the gate holds; otherwise say which rule failed."""
    from training.promote import promote_version

    registry, vocabulary = Registry.at(var), load_vocabulary(content)
    if version == "newest":
        known = registry.versions(name)
        if not known:
            raise SourceInvalid(f"no version of {name} is registered; see `risk-train models`")
        version = known[-1].version
    trained_on = registry.version(name, version).tags.get("source")

    @cache
    def cohort() -> Cohort:
        from training.cohort import load_cohort

        if source is None and trained_on is None:
            raise SourceInvalid("nobody knows what it was trained on; give --source")
        mapping, readable, _ = cohort_at(
            name.split(".", 1)[0], source or trained_on, file, None, vocabulary=vocabulary,
            var=var, keys=keys, trusted=trusted,
        )  # fmt: skip
        return load_cohort(mapping, readable, vocabulary)

    with progress() as bars:
        bar = bars.add_task("opening the registry", total=STEPS)

        def step(told: str) -> None:
            bars.update(bar, description=told, advance=1)

        made = promote_version(
            registry, name, version, vocabulary, sealing_keys(keys, var)[0],
            cohort=cohort, override=override, dry_run=dry_run, step=step,
        )  # fmt: skip
        bars.update(bar, completed=STEPS)
    if as_json:
        print(json.dumps(_document(made, dry_run=dry_run), ensure_ascii=False))
    else:
        tell.print(gate_table(name, version, made.decision))
    _tell_outcome(made, dry_run=dry_run)


def _tell_outcome(made: Promotion, *, dry_run: bool) -> None:
    which = f"{made.name} version {made.version}"
    if made.verdict == "failed":
        stays = " and stays champion on its earlier decision" if made.before == made.version else ""
        raise PromotionRefused(
            f"{which} was not promoted{stays}: the gate does not hold: "
            + ", ".join(finding.rule for finding in made.decision.failed)
        )
    was = f"before: {'none' if made.before is None else f'version {made.before}'}"
    if dry_run:
        tell.print(f"{which} would be champion ({made.verdict}; {was}); nothing was written")
    else:
        tell.print(f"{which} is champion ({made.verdict}; {was})")


def _document(made: Promotion, *, dry_run: bool) -> dict[str, Any]:
    return {
        "name": made.name,
        "version": made.version,
        "passed": made.decision.passed,
        "verdict": made.verdict,
        "champion": made.moved,
        "champion_before": made.before,
        "dry_run": dry_run,
        **{key: made.document[key] for key in ("digest", "rules", "code", "reason", "decided_at")},
        "findings": made.document["findings"],
    }


def rollback(
    name: Model,
    to: Annotated[
        str | None, typer.Option("--to", help="Version; default: the champion before this one.")
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Why; kept in the history.")
    ] = None,
    var: Var = DEFAULT_VAR,
    content: Site = None,
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """Give the alias back to the champion before, after proving its bundle; again goes further back."""
    from training.promote import roll_back

    registry, vocabulary = Registry.at(var), load_vocabulary(content)
    made = roll_back(registry, name, vocabulary, sealing_keys(keys, var), to=to, reason=reason)
    if as_json:
        print(json.dumps(asdict(made)))
        return
    print(f"{name}: champion is version {made.now} now, it was version {made.before} before")
    if made.doubt is not None:
        tell.print(
            f"a service set to RISK_UNGATED=refuse will not take it: {made.doubt}", style="yellow"
        )


def history(name: Model, var: Var = DEFAULT_VAR, as_json: AsJson = False) -> None:
    """Show who was champion when, by whose hand and why."""
    from models.alias_moves import champion_before, moves_of

    registry = Registry.at(var)
    moves = moves_of(registry.model_tags(name))
    present = registry.aliases([name], CHAMPION).get(name)
    back_to = champion_before(moves, present)
    by_hand = bool(moves) and moves[-1].after != present
    if as_json:
        print(json.dumps({
            "name": name, "champion": present, "rollback_to": back_to,
            "moved_by_hand": by_hand, "moves": [asdict(move) for move in moves],
        }))  # fmt: skip
        return
    table = Table("when", "from", "to", "how", "by", "reason", title=f"Champions of {name}")
    for move in moves:
        table.add_row(move.at, move.before or "-", move.after, move.how, move.by, move.reason or "")
    Console().print(table)
    told = "none" if present is None else f"version {present}"
    tell.print(f"champion: {told}; risk-train rollback would go to: {back_to or 'nothing'}")
    if by_hand:
        tell.print("the alias is not where the last move put it: moved by hand", style="yellow")


def gate_table(name: str, version: str, decision: Decision) -> Table:
    """What every rule of the gate found."""
    table = Table(
        "rule", "found", "expected", "holds", "about", title=f"Gate: {name} version {version}"
    )
    for finding in decision.findings:
        found = "-" if finding.passed else "missing"
        if finding.found is not None:
            large = abs(finding.found) >= 10_000
            found = f"{finding.found:.0f}" if large else f"{finding.found:.4g}"
        holds = "yes" if finding.passed else "NO"
        table.add_row(finding.rule, found, finding.expected, holds, finding.note)
    return table


def sealing_keys(keys: Path | None, var: Path) -> tuple[bytes, ...]:
    """Keys of this installation that seal gate decisions, newest first; made when there are none.

    Raises
    ------
    ExportRefused
        When the keyring cannot be used.
    """
    return gate_keys(signing_keyring(keys or var / FILE_NAME))
