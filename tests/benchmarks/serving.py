"""How fast, how big and how soon ready the service is, beside what else could serve the model.

    python -m tests.benchmarks.serving [--var DIR] [--seconds 5] [--rounds 3] [--json]

Method: all servers run at once, one worker process each, and idle but for the one under load. Every
round loads every server at every number of connections, and each round starts at another server;
a ratio is taken within a round, so that a machine that speeds up or slows down moves both sides.
Cold starts are measured after that, on a machine without the other servers, in turn. One start of
each is thrown away (the one for the load), so that compiled modules are there, as in an image.

When it misleads: load generator and server share the machine, so absolute figures belong to it;
ratios travel better. MLflow's server gets the same bundle, the same patient and the same values,
and is proven to answer the same probability and reasons before anything is timed. The constant
answer says what the web framework itself costs; no service on it can be faster.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tests.benchmarks.failure import NOTHING_TRAINED, BenchmarkFailed
from tests.benchmarks.load import Load, put_under_load, wrk
from tests.benchmarks.patient import (
    ASSESSMENTS,
    INVOCATIONS,
    MODEL,
    ask,
    ask_sparsely,
    frame_for_mlflow,
    read_row,
)
from tests.benchmarks.results import (
    CONSTANT,
    FIVE,
    MLFLOW,
    ONE,
    SPARSE,
    SPARSE_NEXT,
    figures,
    machine,
    show,
)
from tests.benchmarks.servers import Candidate, Memory, candidates, running

CONNECTIONS = (1, 16)
WARM_UP_S = 1
STARTS = 3
tell = Console(stderr=True)


@dataclass(frozen=True, slots=True)
class Question:
    """One column of the comparison: a server and what it is asked."""

    name: str
    url: str
    body: bytes


def main(
    var: Annotated[
        Path, typer.Option("--var", envvar="VAR_DIR", help="State folder with a champion.")
    ] = Path("var"),
    seconds: Annotated[int, typer.Option(min=1, help="Length of one stretch of load.")] = 5,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds over all servers.")] = 3,
    row: Annotated[
        Path | None,
        typer.Option(
            help="A line of `risk-train rows`; default: the first held-out patient.", exists=True
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Measure the service against named baselines on this machine."""
    try:
        require(var)
        patient = read_row(var, row)
        where = machine()
        kinds = candidates(MODEL)
        bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=tell
        )
        with tempfile.TemporaryDirectory() as folder, bar:
            loads, memory = load_in_turn(
                kinds, patient, var, Path(folder), bar, seconds=seconds, rounds=rounds
            )
            starts = start_in_turn(kinds, var, Path(folder), bar, max(STARTS, rounds))
    except BenchmarkFailed as error:
        tell.print(f"benchmark: {error}", style="red", highlight=False, soft_wrap=True)
        sys.exit(1)
    found = figures(where, loads, memory, starts)
    if as_json:
        print(json.dumps(found))
    else:
        show(found, Console())


def require(var: Path) -> None:
    """See before anything starts that wrk and a registry are there.

    Raises
    ------
    BenchmarkFailed
        Naming what is missing.
    """
    wrk()
    if not (var / "mlflow.db").is_file():
        raise BenchmarkFailed(NOTHING_TRAINED)


def load_in_turn(
    kinds: Sequence[Candidate],
    patient: Mapping[str, Any],
    var: Path,
    folder: Path,
    bar: Progress,
    *,
    seconds: int,
    rounds: int,
) -> tuple[dict[tuple[str, int], list[Load]], dict[str, Memory]]:
    """Start every server, load each in turn, see what they hold after.

    Raises
    ------
    BenchmarkFailed
        When any answer under load is not a 200, or a connection breaks.
    """
    with ExitStack() as servers:
        ours = servers.enter_context(running(kinds[0], var, folder))
        one, five, answer = ask(ours, patient)
        sparse, sparse_next = ask_sparsely(ours, patient)
        constant, mlflow = (servers.enter_context(running(kind, var, folder)) for kind in kinds[1:])
        questions = (
            Question(ONE, ours.url(ASSESSMENTS), one),
            Question(FIVE, ours.url(ASSESSMENTS), five),
            Question(SPARSE, ours.url(ASSESSMENTS), sparse),
            Question(SPARSE_NEXT, ours.url(ASSESSMENTS), sparse_next),
            Question(CONSTANT, constant.url("/"), one),
            Question(MLFLOW, mlflow.url(INVOCATIONS), frame_for_mlflow(mlflow, answer)),
        )
        for question in bar.track(questions, description="warming up"):
            put_under_load(question.url, question.body, max(CONNECTIONS), WARM_UP_S, folder)
        found: dict[tuple[str, int], list[Load]] = defaultdict(list)
        turns = [(question, count) for count in CONNECTIONS for question in questions]
        task = bar.add_task("loading", total=rounds * len(turns))
        for number in range(rounds):
            first = number % len(turns)
            for question, count in turns[first:] + turns[:first]:
                load = put_under_load(question.url, question.body, count, seconds, folder)
                if load.refused or load.broken or not load.requests:
                    raise BenchmarkFailed(
                        f"{question.name}, connections {count}: {load.refused} answers other than "
                        f"200 and {load.broken} broken connections of {load.requests} requests"
                    )
                found[question.name, count].append(load)
                bar.advance(task)
        order = {(question.name, count): None for question in questions for count in CONNECTIONS}
        memory = {server.candidate.name: server.memory() for server in (ours, constant, mlflow)}
        return {key: found[key] for key in order}, memory


def start_in_turn(
    kinds: Sequence[Candidate], var: Path, folder: Path, bar: Progress, times: int
) -> dict[str, list[float]]:
    """Seconds from the start of the process to the first 200, each candidate in turn."""
    found: dict[str, list[float]] = {kind.name: [] for kind in kinds}
    for kind in bar.track([*kinds] * times, description="starting"):
        with running(kind, var, folder) as server:
            found[kind.name].append(server.cold_start_s)
    return found


if __name__ == "__main__":
    typer.run(main)
