"""What a challenger beside every champion costs those who ask: the 99th percentile with and without.

    python -m tests.benchmarks.shadow [--var DIR] [--seconds 5] [--rounds 5] [--json]

Method: three services at once on copies of one state folder, one worker each, idle but for the one
under load: nobody asked beside (`RISK_SHADOW=false`), a challenger of every outcome of the branch
point asked, and the same with the process that asks them stopped in its tracks (SIGSTOP), as one that
hangs. Every round loads each in turn with eight connections that ask for everything, each round from
another service on; between its turns the process that asks is stopped, since work that is left over
would be charged to the next. Ratios are taken within a round.

When it misleads: everything shares two cores that the load takes whole. Percentiles of one turn scatter
by more than the effect: look at the median of many rounds, and at its range.
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import httpx
import psutil
import typer
from rich.console import Console
from rich.progress import Progress

from models.registry import CHALLENGER, Registry
from models.vocabulary import load_vocabulary
from tests.benchmarks.failure import BenchmarkFailed
from tests.benchmarks.load import Load, put_under_load, wrk
from tests.benchmarks.patient import ASSESSMENTS, BRANCH_POINT, MODEL, read_row
from tests.benchmarks.results import machine
from tests.benchmarks.servers import Server, candidates, running

CONNECTIONS = 8
AT_MOST = 1.10
WARM_UP_S = 1
BEGIN_S = 60.0
WITHOUT, WITH, HUNG = "nobody asked beside", "challengers asked", "the asking process hangs"


def main(
    var: Annotated[
        Path, typer.Option("--var", envvar="VAR_DIR", help="State folder with champions.")
    ] = Path("var"),
    seconds: Annotated[int, typer.Option(min=1, help="Length of one stretch of load.")] = 5,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds over all services.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Measure what shadow scoring costs."""
    try:
        wrk()
        found = measure(var, seconds, rounds)
    except BenchmarkFailed as error:
        Console(stderr=True).print(f"benchmark: {error}", style="red", highlight=False)
        sys.exit(1)
    if as_json:
        print(json.dumps(found))
        return
    for name, told in found["services"].items():
        ratio = told["p99_ratio"]
        print(
            f"{name:26} p50 {told['p50_ms']:6.1f} ms, p99 {told['p99_ms']:6.1f} ms, "
            f"{told['requests_per_s']:6.0f} /s; p99 to {WITHOUT}: "
            f"{ratio['least']:.2f}-{ratio['median']:.2f}-{ratio['most']:.2f}"
        )
    print(
        f"challengers were asked {found['asked_per_s']:.0f} times a second; "
        f"p99 at most {AT_MOST:g} times: {'yes' if found['holds'] else 'NO'}"
    )


def measure(var: Path, seconds: int, rounds: int) -> dict[str, Any]:
    """Load the services in turn and collect the figures.

    Raises
    ------
    BenchmarkFailed
        When an answer under load is not a 200, or the challengers are not asked in time.
    """
    body = json.dumps(read_row(var, None)["request"]).encode()
    loads: dict[str, list[Load]] = {WITHOUT: [], WITH: [], HUNG: []}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = {
            name: stack.enter_context(_server(name, var, folder / str(i)))
            for i, name in enumerate(loads)
        }
        for name in (WITH, HUNG):
            _wait_until_begun(servers[name])
        _scorer(servers[HUNG]).send_signal(signal.SIGSTOP)
        bars = stack.enter_context(Progress(console=Console(stderr=True)))
        bar = bars.add_task("loading", total=rounds * len(servers))
        for server in servers.values():
            put_under_load(server.url(ASSESSMENTS), body, CONNECTIONS, WARM_UP_S, folder)
        names = list(servers)
        asking = _scorer(servers[WITH])
        asking.suspend()
        before = _asked(servers[WITH])
        for turn in range(rounds):
            for name in (*names[turn % 3 :], *names[: turn % 3]):
                if name == WITH:
                    asking.resume()
                load = put_under_load(
                    servers[name].url(ASSESSMENTS), body, CONNECTIONS, seconds, folder
                )
                if name == WITH:
                    asking.suspend()
                if load.refused or load.broken:
                    raise BenchmarkFailed(f"{name}: {load.refused} refused, {load.broken} broken")
                loads[name].append(load)
                bars.advance(bar)
        asked = _asked(servers[WITH]) - before
        asking.resume()
        _scorer(servers[HUNG]).resume()
    told = {name: _told(found, loads[WITHOUT]) for name, found in loads.items()}
    return {
        "machine": machine(),
        "services": told,
        "asked_per_s": asked / (rounds * seconds),
        "holds": told[WITH]["p99_ratio"]["median"] <= AT_MOST,
    }


def _told(found: list[Load], base: list[Load]) -> dict[str, Any]:
    ratios = sorted(own.p99_ms / beside.p99_ms for own, beside in zip(found, base, strict=True))
    return {
        **{
            key: median(getattr(load, key) for load in found)
            for key in ("requests_per_s", "p50_ms", "p99_ms")
        },
        "p99_ratio": {"least": ratios[0], "median": median(ratios), "most": ratios[-1]},
    }


def _server(name: str, var: Path, folder: Path) -> Any:
    """A service on a copy of the state folder, with every champion its own challenger."""
    folder.mkdir()
    copy = folder / "var"
    shutil.copytree(var, copy, ignore=shutil.ignore_patterns("ledger.db*", "workers"))
    if name != WITHOUT:
        registry = Registry.at(copy)
        known = load_vocabulary().model_names()
        for version in registry.aliased([name for name in known if name.startswith(BRANCH_POINT)]):
            registry.set_alias(version.name, CHALLENGER, version.version)
    settings = (("RISK_SHADOW", str(name != WITHOUT).lower()), ("RISK_REGISTRY_POLL_S", "5"))
    ours = candidates(MODEL)[0]
    return running(replace(ours, settings=(*ours.settings, *settings)), copy, folder)


def _scorer(server: Server) -> psutil.Process:
    return next(
        child
        for child in server.process.children(recursive=True)
        if "app.serving.shadow.scoring" in child.cmdline()
    )


def _challengers(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(server.url("/readyz")).json()["challengers"]
    return found


def _asked(server: Server) -> int:
    return sum(one["answered"] + one["abstained"] for one in _challengers(server))


def _wait_until_begun(server: Server) -> None:
    deadline = time.monotonic() + BEGIN_S
    while not (found := _challengers(server)) or not all(one["begun"] for one in found):
        if time.monotonic() > deadline:
            raise BenchmarkFailed("the challengers are not asked")
        time.sleep(0.1)


if __name__ == "__main__":
    typer.run(main)
