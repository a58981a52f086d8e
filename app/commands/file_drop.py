"""`risk-serve score-file`, `watch-folder` and `map`: files in, answers out."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from app.commands.access_log import Operator, this_operator
from app.errors import InputError
from app.identity.caller import DEFAULT_TENANT
from app.logs import configure_logging
from app.schemas.assessment_request import read_time
from app.settings import load_settings
from models.environment import one_thread
from models.vocabulary import load_vocabulary

if TYPE_CHECKING:
    from app.file_drop import Scored

NOT_ALL_ANSWERED = 2
SHOWN = {
    "already": "rows written by an earlier run",
    "resources_passed_over": "resources of no patient in the file",
}
tell = Console(stderr=True)

BranchPointName = Annotated[
    str, typer.Option("--branch-point", help="Where in the pathway it is asked.")
]
MappingFile = Annotated[
    Path | None,
    typer.Option("--mapping", help="Which column is what; drafted by `risk-serve map FILE`."),
]
Outcomes = Annotated[
    list[str] | None,
    typer.Option("--outcome", help="Answer only this one; repeatable. All when left out."),
]
Includes = Annotated[
    list[str] | None,
    typer.Option("--include", help="measure_next or reference; repeatable."),
]
IndexTime = Annotated[
    str | None,
    typer.Option(
        "--index-time",
        help="RFC 3339: of rows that name none; when left out, the moment they are scored.",
    ),
]
Tenant = Annotated[str, typer.Option(help="Whose patients these are.")]
Jobs = Annotated[
    int | None, typer.Option("--jobs", min=1, max=64, help="Processes that score; one per core.")
]
Var = Annotated[Path | None, typer.Option("--var", help="Folder for state.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]


def score(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="IN", help="CSV, Parquet, NDJSON, or a folder of FHIR Bulk Data NDJSON."
        ),
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Answers: a name in .ndjson, .csv or .parquet.")
    ],
    branch_point: BranchPointName,
    mapping: MappingFile = None,
    outcome: Outcomes = None,
    include: Includes = None,
    index_time: IndexTime = None,
    tenant: Tenant = DEFAULT_TENANT,
    jobs: Jobs = None,
    var: Var = None,
    as_json: AsJson = False,
) -> None:
    """Score every row of a file; run it again to go on where it was ended, nothing is scored twice.

    Exit code 0: every row has an answer, be it that the outcomes abstain. 2: some rows were refused,
    each has a line that says why. 1: nothing, or not all, could be scored; run it again.
    """
    one_thread()
    from app.file_drop import Wanted, open_installation, score_file
    from app.file_drop.worker import cores

    configure_logging("warning")
    settings = load_settings(var_dir=var)
    wanted = Wanted(branch_point, tuple(outcome or ()), tuple(include or ()), _moment(index_time))
    with _progress() as bars:
        task = bars.add_task("opening", total=None)
        installation = open_installation(settings, branch_point, tenant)
        bars.stop()  # no thread may be under way while processes are forked

        def show(written: int, total: int | None) -> None:
            bars.start()
            bars.update(task, description="rows", completed=written, total=total)

        scored = score_file(
            file,
            out,
            wanted=wanted,
            installation=installation,
            actor=operator_of(tenant),
            mapping_file=mapping,
            jobs=jobs or cores(),
            progress=show,
        )
    if as_json:
        print(json.dumps(scored.summary))
    else:
        tell.print(summary_table(scored.summary), highlight=False)
    if not scored.complete:
        raise typer.Exit(NOT_ALL_ANSWERED)


def watch(
    incoming: Annotated[Path, typer.Argument(metavar="IN_DIR", help="Where files are put in.")],
    outgoing: Annotated[
        Path, typer.Argument(metavar="OUT_DIR", help="Answers, reports, and the files after it.")
    ],
    branch_point: BranchPointName,
    mapping: MappingFile = None,
    outcome: Outcomes = None,
    include: Includes = None,
    tenant: Tenant = DEFAULT_TENANT,
    jobs: Jobs = None,
    answers: Annotated[
        str, typer.Option("--answers", help="Form of the answers: ndjson, csv or parquet.")
    ] = "ndjson",
    interval: Annotated[float, typer.Option(min=0.05, help="Seconds between two looks.")] = 5.0,
    once: Annotated[
        bool, typer.Option("--once", help="Score what is there and end, for a scheduler.")
    ] = False,
    var: Var = None,
) -> None:
    """Score every file that is put into a folder; write it as NAME.part and rename it when whole.

    One line of log for each file. It may be ended and started again at any moment: a file that was
    begun is gone on with, the same file handed in twice is answered once.
    """
    one_thread()
    from app.file_drop import FileRefused, Wanted, open_installation, score_file
    from app.file_drop.answers import check_form
    from app.file_drop.mapping import load_mapping
    from app.file_drop.opening import branch_point_of
    from app.file_drop.watching import Watch, watch_folder
    from app.file_drop.worker import cores

    settings = load_settings(var_dir=var)
    configure_logging(settings.log_level)
    if not incoming.is_dir():
        raise FileRefused("IN_DIR is no folder")
    outgoing.mkdir(parents=True, exist_ok=True)
    wanted = Wanted(branch_point, tuple(outcome or ()), tuple(include or ()))
    check_form(Path(f"answers.{answers}"))
    # What is wrong for every file is said at once, before one is taken.
    vocabulary = load_vocabulary(settings.content)
    branch_point_of(vocabulary, branch_point)
    if mapping is not None:
        load_mapping(mapping, vocabulary)

    def score_one(file: Path, out: Path) -> Scored:
        # Opened for each file: the champions may have changed since the last one.
        return score_file(
            file,
            out,
            wanted=wanted,
            installation=open_installation(settings, branch_point, tenant),
            actor=operator_of(tenant),
            mapping_file=mapping,
            jobs=jobs or cores(),
        )

    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.signal(signal.SIGINT, lambda *_: ended.set())
    watch_folder(
        Watch(incoming, outgoing, score_one, f".{answers}"),
        interval_s=interval,
        ended=ended,
        once=once,
    )


def draft(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet, with a header.")],
    branch_point: Annotated[
        str | None, typer.Option("--branch-point", help="Where it will be asked.")
    ] = None,
    var: Var = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Report as JSON, on standard error.")
    ] = False,
) -> None:
    """Draft the mapping of a file on standard output; what could not be placed stands in comments.

    Columns are matched by their names, units by what the names say and by which unit's plausible
    range holds the values. No value of a patient is printed. Read the draft before you use it.
    """
    from app.file_drop import draft_mapping
    from app.file_drop.opening import branch_point_of

    vocabulary = load_vocabulary(load_settings(var_dir=var).content)
    point = None if branch_point is None else branch_point_of(vocabulary, branch_point)
    made = draft_mapping(file, vocabulary, point)
    print(made.toml, end="")
    if as_json:
        print(json.dumps(made.report), file=sys.stderr)
        return
    table = Table("column", "is", "unit", "or why not", title="Columns")
    for item in made.report["placed"]:
        table.add_row(*map(Text, (item["column"], item["as"], item["unit"] or "", "")))
    for item in made.report["not_placed"]:
        table.add_row(*map(Text, (item["column"], "", "", item["why"])))
    tell.print(table)
    if made.report["zone_needed"]:
        tell.print("Its clocks have no offset: name their `zone` in [time].", highlight=False)


def operator_of(tenant: str) -> Operator:
    """Who is at the command line, for one tenant's patients."""
    return replace(this_operator(), tenant=tenant)


def summary_table(summary: Mapping[str, Any]) -> Table:
    """The counts of a file in a table."""
    table = Table("what", "count", title="File drop")
    for name, count in summary.items():
        if isinstance(count, int):
            table.add_row(SHOWN.get(name, name), str(count))
    for part in ("outcomes", "reasons"):
        for name, count in summary[part].items():
            table.add_row(f"{part}: {name}", str(count))
    return table


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=tell,
    )


def _moment(text: str | None) -> datetime | None:
    faults: list[InputError] = []
    moment = None if text is None else read_time(text, "", faults)
    if faults:
        from app.file_drop import FileRefused

        raise FileRefused(f"--index-time {faults[0].detail}")
    return moment
