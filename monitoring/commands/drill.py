"""`risk-monitor drill`: a simulated year through a running service, and which alert fired when."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from models.vocabulary import load_vocabulary
from monitoring.drill.asked import AskedService, ServiceFailed
from monitoring.drill.catalogue import EVENTS, Chosen, EventImpossible, schedule
from monitoring.drill.patients import Patient, RowsInvalid, read_patients
from monitoring.drill.replay import Plan
from monitoring.drill.report import DrillReport, counted, event_rows
from monitoring.drill.run import drill as run_drill
from monitoring.drill.store import StoreFailed, program, running_store
from monitoring.drill.timeline import timeline
from monitoring.rules import ThresholdsInvalid

tell = Console(stderr=True)
DAY_S = 86400
LONGEST_HORIZON_DAYS = 400
PROMOTION_PATIENCE_S = 120.0
NOT_HELD = 2
"""The exit code when something that is promised did not hold."""


def drill(
    rows: Annotated[
        str,
        typer.Argument(
            help="A file of rows, - for standard input, or the name of a source, of which "
            "`risk-train rows SOURCE --held-out` is run."
        ),
    ],
    url: Annotated[str, typer.Option(help="The service under drill.")] = "http://127.0.0.1:8000",
    branch_point: Annotated[
        str | None,
        typer.Option(help="Patients of this branch point only; default: all that the rows have."),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(envvar="RISK_DRILL_API_KEY", show_envvar=True, help="Sent as X-API-Key."),
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(help=f"In this order; repeatable. There are: {', '.join(EVENTS)}."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No event at all.")] = False,
    days: Annotated[int, typer.Option(min=2, help="Simulated days.")] = 365,
    per_day: Annotated[int, typer.Option(min=1, help="Patients a day.")] = 240,
    outcome: Annotated[
        list[str] | None, typer.Option(help="Ask for this outcome only; repeatable.")
    ] = None,
    unit: Annotated[
        list[str] | None,
        typer.Option(
            help="Care units that patients are spread over; repeatable. They must be the service's."
        ),
    ] = None,
    at_unit: Annotated[
        str | None,
        typer.Option(help="Where the ward stops and complications rise; default: everywhere."),
    ] = None,
    lab: Annotated[
        str, typer.Option(help="The feature that a laboratory sends in another unit.")
    ] = Chosen().lab,
    stopped: Annotated[
        str, typer.Option(help="The feature that is no longer measured.")
    ] = Chosen().stopped,
    recoded: Annotated[
        str | None, typer.Option(help="FEATURE:CATEGORY:OTHER of the coding change.")
    ] = None,
    promote: Annotated[
        str | None, typer.Option(help="A command that promotes another version; run once.")
    ] = None,
    true_risks: Annotated[
        bool,
        typer.Option("--true-risks", help="Draw outcomes from the answers, not from the rows."),
    ] = False,
    feedback: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Share of the cards of which it is said what became of them; above 0 the key needs "
            "the scope `cds`.",
        ),
    ] = 0.25,
    years: Annotated[
        int, typer.Option(min=0, help="Quiet years of the control charts; 0: none.")
    ] = 20,
    seed: Annotated[int, typer.Option(help="The same seed, the same patients.")] = 2026,
    thresholds: Annotated[
        Path | None, typer.Option(help="A site's own thresholds, as for `risk-monitor rules`.")
    ] = None,
    prometheus: Annotated[
        str | None, typer.Option(help="The program; default: the one that is installed.")
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(help="A new folder in which the year's Prometheus data stay.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a picture of the year.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Replay a simulated year through a running service and show which alert fired when.

    A service of its own, please: everything is recorded in its ledger. Let it look for outcomes often
    and show new series at once: RISK_OUTCOMES_POLL_S=0.2 RISK_BORN_AT_ZERO_S=0. Exit 2 when an event was
    not found in time or quiet charts gave more false alarms than designed.
    """
    names = (
        [] if quiet else list(event or (name for name in EVENTS if name != "promotion" or promote))
    )
    try:
        program(prometheus)
        patients = _read(rows, branch_point)
        report, begin_s = _run(
            names, patients, url, api_key, Chosen(lab, stopped, at_unit, recoded, promote is not None),
            days, per_day, tuple(outcome or ()), tuple(unit or ()), promote,
            true_risks, feedback, years, seed, thresholds, prometheus, keep,
        )  # fmt: skip
    except EventImpossible as error:
        raise typer.BadParameter(str(error), param_hint="--event") from None
    except ThresholdsInvalid as error:
        raise typer.BadParameter(str(error), param_hint="--thresholds") from None
    except (RowsInvalid, ServiceFailed, StoreFailed) as error:
        tell.print(
            f"risk-monitor: {error}", style="red", highlight=False, soft_wrap=True, markup=False
        )
        sys.exit(1)
    if html is not None:
        html.write_text(timeline(report), encoding="utf-8")
    if as_json:
        begins = datetime.fromtimestamp(begin_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        print(json.dumps({"begins": begins, **report.document()}))
    else:
        _show(report)
    if not report.holds:
        sys.exit(NOT_HELD)


def _run(
    names: list[str], patients: list[Patient], url: str, api_key: str | None, chosen: Chosen,
    days: int, per_day: int, outcomes: tuple[str, ...], units: tuple[str, ...],
    promote: str | None, true_risks: bool, feedback: float, years: int, seed: int,
    thresholds: Path | None, prometheus: str | None, keep: Path | None,
) -> tuple[DrillReport, int]:  # fmt: skip
    begin_s = (int(time.time()) // DAY_S - days - LONGEST_HORIZON_DAYS) * DAY_S
    with tempfile.TemporaryDirectory() as folder, ExitStack() as parts:
        schedule(names, days, patients, chosen)  # what is impossible is said before anything starts
        service = parts.enter_context(closing(AskedService(url, api_key, outcomes)))
        declared = {
            f.name: f.categories for f in load_vocabulary().features.values() if f.categories
        }
        known = replace(chosen, read=service.features(), declared=declared)
        events = schedule(names, days, patients, known)
        plan = Plan(begin_s, days, per_day, events, true_risks, feedback, seed)
        store = parts.enter_context(running_store(keep or Path(folder), prometheus))
        done = run_drill(
            plan, patients, service, store, _bar, units=units, thresholds=thresholds, years=years,
            promote=None if promote is None else _promoter(promote, service),
        )  # fmt: skip
    return done, begin_s


def _read(rows: str, branch_point: str | None) -> list[Patient]:
    found = _rows(rows, branch_point)
    chosen = [one for one in found if branch_point in (None, one.branch_point)]
    if not chosen:
        raise RowsInvalid("no row is of the branch point that --branch-point names")
    return chosen


def _rows(rows: str, branch_point: str | None) -> list[Patient]:
    if rows == "-":
        return read_patients(sys.stdin)
    if Path(rows).is_file():
        with Path(rows).open("rb") as file:
            return read_patients(file)
    command = [str(Path(sys.executable).parent / "risk-train"), "rows", rows, "--held-out"]
    if branch_point is not None:
        command += ["--branch-point", branch_point]
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            lines: Iterable[bytes] = process.stdout or ()
            found = read_patients(lines)
    except OSError:
        raise RowsInvalid(f"{rows} is no file, and `risk-train` is not installed") from None
    if process.returncode:
        raise RowsInvalid(f"`risk-train rows {rows} --held-out` failed")
    return found


def _promoter(command: str, service: AskedService) -> Callable[[], None]:
    def promote() -> None:
        before = service.versions()
        done = subprocess.run(shlex.split(command), capture_output=True, check=False)
        if done.returncode:
            raise ServiceFailed(f"the command that promotes ended with {done.returncode}")
        deadline = time.monotonic() + PROMOTION_PATIENCE_S
        while service.versions() == before:
            if time.monotonic() > deadline:
                raise ServiceFailed("the service serves no other version after the promotion")
            time.sleep(0.1)

    return promote


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=tell, transient=True) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def _show(report: DrillReport) -> None:
    console = Console()
    events = Table(
        "event", "days", "found by", "delay, days", "patients", "promised", "holds", "fired as well",
        title=f"{report.patients} patients in {report.days} simulated days",
    )  # fmt: skip
    for row in event_rows(report):
        events.add_row(*row)
    console.print(events if report.found else events.title)
    if report.refused:
        console.print(f"{report.refused} patients were refused by the service")
    console.print(
        f"{len(report.false_alarms)} false alarms, {report.quiet_days:g} days without an event"
        + (f": {counted(report.false_alarms)}" if report.false_alarms else "")
    )
    console.print(
        f"CUSUM: {report.cusum_signals:g} signals in the drill; by design at most "
        f"{report.designed:.2f} false ones on days without an event"
    )
    if report.empty.panels:
        console.print(
            f"panels with nothing to show: {'; '.join(report.empty.panels)}", markup=False
        )
    if report.about_the_service:
        console.print(f"about the service itself: {counted(report.about_the_service)}")
    years = Table(
        "unit", "outcome", "years", "patients", "false: worse", "better", "designed, each",
        "patients to a signal, odds doubled", title="Quiet years of the control charts",
    )  # fmt: skip
    for one in report.quiet_years:
        years.add_row(
            one.unit[2], one.unit[1], str(one.years), str(one.patients), str(one.signals["worse"]),
            str(one.signals["better"]), f"{one.designed:.1f}",
            f"{one.patients_to_signal:.0f} (median {one.patients_to_signal_median:.0f})",
        )  # fmt: skip
    if report.quiet_years:
        console.print(years)
