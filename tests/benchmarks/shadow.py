"""What a challenger beside every champion costs those who ask: the 99th percentile with and without.

    python -m tests.benchmarks.shadow [--var DIR] [--seconds 5] [--rounds 5] [--json]

Method: three services at once on copies of one state folder, one worker each, idle but for the one
under load: nobody asked beside (`RISK_SHADOW=false`), a challenger of every outcome of the branch
point asked, and the same with the process that asks them stopped in its tracks (SIGSTOP), as one that
hangs. Every round loads each in turn with eight connections that ask for everything, each round from
another service on, and waits in between until the challengers have been asked about all that was
answered: work that is left over would be charged to the next. Ratios are taken within a round.

When it misleads: everything shares two cores that the load takes whole, so the challengers, at the
lowest priority, are asked mostly between the turns; `caught up` says how long that took. Percentiles
of one turn scatter by more than the effect: look at the median of many rounds, and at its range.
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
from tests.benchmarks.failure import BenchmarkFailed
from tests.benchmarks.load import Load, put_under_load, wrk
from tests.benchmarks.patient import ASSESSMENTS, MODEL, read_row
from tests.benchmarks.results import machine
from tests.benchmarks.servers import Server, candidates, running

CONNECTIONS = 8
AT_MOST = 1.10
WARM_UP_S = 1
CATCH_UP_S = 300.0
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
        f"asked {found['asked']} times, caught up after {found['caught_up_s']:.1f} s (median); "
        f"p99 at most {AT_MOST:g} times: {'yes' if found['holds'] else 'NO'}"
    )


def measure(var: Path, seconds: int, rounds: int) -> dict[str, Any]:
    """Load the services in turn and collect the figures.

    Raises
    ------
    BenchmarkFailed
        When an answer under load is not a 200, or the challengers are not asked in time.
    """
    body = json.dumps(read_row(var)["request"]).encode()
    loads: dict[str, list[Load]] = {WITHOUT: [], WITH: [], HUNG: []}
    caught_up: list[float] = []
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
        for turn in range(rounds):
            for name in (*names[turn % 3 :], *names[: turn % 3]):
                _catch_up(servers[WITH])
                load = put_under_load(
                    servers[name].url(ASSESSMENTS), body, CONNECTIONS, seconds, folder
                )
                if load.refused or load.broken:
                    raise BenchmarkFailed(f"{name}: {load.refused} refused, {load.broken} broken")
                loads[name].append(load)
                if name == WITH:
                    caught_up.append(_catch_up(servers[WITH]))
                bars.advance(bar)
        asked = _asked(servers[WITH])
    told = {name: _told(found, loads[WITHOUT]) for name, found in loads.items()}
    return {
        "machine": machine(),
        "services": told,
        "asked": asked,
        "caught_up_s": median(caught_up),
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
        point = MODEL.split(".", 1)[0]
        names = [path.name for path in (copy / "model-cache").glob(f"{point}.*")]
        for version in registry.aliased(names):
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
    deadline = time.monotonic() + CATCH_UP_S
    while not (found := _challengers(server)) or not all(one["begun"] for one in found):
        if time.monotonic() > deadline:
            raise BenchmarkFailed("the challengers are not asked")
        time.sleep(0.1)


def _catch_up(server: Server) -> float:
    """Wait until everything that was answered has been asked about; the seconds it took."""
    start = time.monotonic()
    answered = _answered(server)
    while _asked(server) < answered:
        if time.monotonic() > start + CATCH_UP_S:
            raise BenchmarkFailed("the challengers do not catch up")
        time.sleep(0.1)
    return time.monotonic() - start


def _answered(server: Server) -> int:
    """Outcomes answered so far at the branch point, as the service counts them."""
    text = httpx.get(server.url("/metrics")).text
    point = MODEL.split(".", 1)[0]
    outcomes = {one["name"].split(".", 1)[1] for one in _challengers(server)}
    return sum(
        int(float(line.rsplit(" ", 1)[1]))
        for line in text.splitlines()
        if line.startswith(f'risk_assessments_total{{branch_point="{point}"')
        and any(f'outcome="{outcome}"' in line for outcome in outcomes)
    )


if __name__ == "__main__":
    typer.run(main)
