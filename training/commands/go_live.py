"""`risk-train go-live` and `go-silent`: when a branch point's risks are told to a tenant."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.registry import CHAMPION, Registry, Version
from models.vocabulary import BranchPoint, load_vocabulary
from training.commands.ledger import Database
from training.commands.options import DEFAULT_VAR, AsJson, Keys, Site, Var, tell
from training.errors import GoLiveRefused

if TYPE_CHECKING:
    from monitoring.ledger.silence import Change
    from training.go_live import Evidence

SOON = "running services follow within about a second; their /readyz lists what is silent"

Point = Annotated[str, typer.Argument(metavar="BRANCH_POINT", help="For example: icu-review")]
Tenant = Annotated[
    str | None,
    typer.Option(
        help="Whose callers; needed when the ledger has assessments of several.",
        show_default="the one the ledger has, or `default`",
    ),
]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the ledger for good.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything, and write nothing.")]


def go_live(
    branch_point: Point,
    reason: Reason,
    report: Annotated[
        list[Path] | None,
        typer.Option(
            "--report",
            help="A local validation report, from `validate --out`; one for each champion.",
        ),
    ] = None,
    without_report: Annotated[
        list[str] | None,
        typer.Option(
            "--without-report",
            help="An outcome that goes live without one; recorded with the reason. Repeatable.",
        ),
    ] = None,
    tenant: Tenant = None,
    database: Database = None,
    dry_run: DryRun = False,
    var: Var = DEFAULT_VAR,
    content: Site = None,
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """End a branch point's silence: from now on its risks are told, not only recorded.

    Every champion of the branch point needs a validation report on local patients. The reports are
    kept beside the versions in MLflow, and the ledger records who let it go live, why, and by which
    reports. What was answered in silence before stays silent for good.
    """
    from monitoring.ledger.silence import Change
    from training.go_live import hold_reports, read_report
    from training.place_ledger import open_ledger
    from training.promote import account_name, refuse_reason

    point = _declared(branch_point, content)
    refuse_reason(reason)
    reports = [read_report(path) for path in report or ()]
    registry = Registry.at(var)
    names = [f"{point.id}.{outcome}" for outcome in point.outcomes]
    champions = registry.aliased(names, CHAMPION)
    left_out = tuple(dict.fromkeys(without_report or ()))
    hold_reports(point.id, list(point.outcomes), champions, reports, left_out)
    with open_ledger(database, var, keys) as book:
        whose = book.whose(point.id, tenant)
        change = Change(
            time.time_ns() // 1000, True, whose, point.id, account_name(), reason.strip(),
            tuple(one.attached for one in reports), left_out,
        )  # fmt: skip
        if not dry_run:
            # The reports before the event, which must not name what is not there to be read.
            book.prepare()
            for one in reports:
                _attach(registry, one, whose)
            book.write(change)
    for one in reports:
        if one.own:
            tell.print(
                f"{one.file}: held-out rows of the cohort that the model was fitted on, not other "
                "patients",
                style="yellow",
            )
    _tell(change, champions, book.told(whose), dry_run=dry_run, as_json=as_json)


def go_silent(
    branch_point: Point,
    reason: Reason,
    tenant: Tenant = None,
    database: Database = None,
    dry_run: DryRun = False,
    var: Var = DEFAULT_VAR,
    content: Site = None,
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """Silence a branch point: risks are worked out and recorded, and callers are told none.

    It holds whatever the site's configuration says, until `go-live`.
    """
    from monitoring.ledger.silence import Change
    from training.place_ledger import open_ledger
    from training.promote import account_name, refuse_reason

    point = _declared(branch_point, content)
    refuse_reason(reason)
    with open_ledger(database, var, keys) as book:
        whose = book.whose(point.id, tenant)
        change = Change(
            time.time_ns() // 1000, False, whose, point.id, account_name(), reason.strip()
        )  # fmt: skip
        if not dry_run:
            book.prepare()
            book.write(change)
    _tell(change, [], book.told(whose), dry_run=dry_run, as_json=as_json)


def _declared(branch_point: str, content: Path | None) -> BranchPoint:
    points = load_vocabulary(content).branch_points
    if branch_point not in points:
        raise GoLiveRefused(f"no such branch point: {branch_point}; declared: {', '.join(points)}")
    return points[branch_point]


def _attach(registry: Registry, report: Evidence, tenant: str) -> None:
    about = report.attached
    file = f"validation/{about.sha256[:16]}.json"
    registry.keep_document(about.model, about.version, file, report.document)
    said = f"{tenant}: {about.cohort} ({file})"
    registry.tag(about.model, about.version, {"local_validation": said})


def _tell(
    change: Change,
    champions: list[Version],
    doubt: str | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    event = change.event()
    if as_json:
        print(json.dumps({
            "kind": event.what, **json.loads(event.detail), "dry_run": dry_run, "doubt": doubt,
            "champions": {one.name: one.version for one in champions},
        }, ensure_ascii=False))  # fmt: skip
    place = f"`{change.branch_point}` of tenant `{change.tenant}`"
    if doubt is not None:
        tell.print(doubt, style="yellow", highlight=False, soft_wrap=True)
    if change.without_report:
        left_out = ", ".join(change.without_report)
        tell.print(f"without a report of their own: {left_out}", style="yellow")
    does = "goes live" if change.live else "goes silent"
    if dry_run:
        tell.print(f"{place} would be recorded: {does}; nothing was written", soft_wrap=True)
        return
    for report in change.reports:
        tell.print(
            f"kept: {report.model} version {report.version}, {report.cohort}", highlight=False
        )
    tell.print(f"{place} {does}: recorded; {SOON}", highlight=False, soft_wrap=True)
