"""What the console costs, and how soon its page of an assessment is painted.

    python -m tests.benchmarks.console [--var DIR] [--seconds 1] [--rounds 9] [--json]

Two services at once, one worker each: with the console, and without it (`RISK_CONSOLE=false`).

* Painting: Chromium opens the page of one assessment again and again in new tabs; the figure is the
  browser's own `first-contentful-paint`, from the beginning of the navigation. No tab finds anything kept
  by an earlier one; the first, which also warms the browser up, is told apart.
* Memory: the worker's resident megabytes once pages were shown, less those of the other.
* The way of an assessment: both are loaded in turn at eight connections; ratios within a round.

When it misleads: browser and services share two cores, and a headless browser paints sooner than one
with a screen. A ratio of requests per second wanders by some per cent between rounds.
"""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console

from tests.benchmarks.failure import BenchmarkFailed
from tests.benchmarks.load import put_under_load, wrk
from tests.benchmarks.patient import ASSESSMENTS, FIVE, MODEL, ask, read_row
from tests.benchmarks.servers import Server, candidates, running
from tests.lib.pages import chromium, watched

CONNECTIONS, WARM_UP_S, PAINTS = 8, 1, 15
PAINT_BELOW_MS, MEMORY_BELOW_MB, AT_LEAST = 300.0, 30.0, 0.97
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
PAGES = ("/console/pathway", "/console/models", "/console/patient", "/console/figures")
tell = Console(stderr=True)


def main(
    var: Annotated[
        Path, typer.Option("--var", envvar="VAR_DIR", help="State folder with champions.")
    ] = Path("var"),
    seconds: Annotated[int, typer.Option(min=1, help="Length of one stretch of load.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds over both services.")] = 9,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Measure painting, memory, and the way of an assessment."""
    try:
        wrk()
        found = measure(var, seconds, rounds)
    except (BenchmarkFailed, FileNotFoundError) as error:
        tell.print(f"benchmark: {error}", style="red", highlight=False, soft_wrap=True)
        sys.exit(1)
    if as_json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:32} {value}")


def measure(var: Path, seconds: int, rounds: int) -> dict[str, Any]:
    """Every figure, with whether it holds."""
    ours, *_ = candidates(MODEL)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as services:
        place, started = Path(folder), []
        for name, on in (("with", "true"), ("without", "false")):
            own = (
                ("RISK_CONSOLE", on),
                ("RISK_DATABASE_URL", f"sqlite:///{place / name}.db"),
                ("RISK_KEYS_FILE", str(place / f"{name}-keys.toml")),
                ("RISK_API_KEYS_FILE", str(place / f"{name}-api-keys.jsonl")),
            )
            candidate = replace(ours, name=name, settings=own)
            started.append(services.enter_context(running(candidate, var, place)))
        with_it, without = started
        _, five, _ = ask(with_it, read_row(var, None))
        for server in started:
            put_under_load(server.url(ASSESSMENTS), five, CONNECTIONS, WARM_UP_S, place)
        first, paints = _painted(with_it, five)
        added = with_it.memory().worker_mb - without.memory().worker_mb
        ratios = []
        for number in range(rounds):
            turn = started if number % 2 else started[::-1]
            found = {
                s.candidate.name: put_under_load(
                    s.url(ASSESSMENTS), five, CONNECTIONS, seconds, place
                ).requests_per_s
                for s in turn
            }
            ratios.append(found["with"] / found["without"])
    worst, middle = max(paints), median(ratios)
    return {
        "first_paint_cold_ms": round(first, 1),
        "first_paint_median_ms": round(median(paints), 1),
        "first_paint_worst_ms": round(worst, 1),
        f"below_{PAINT_BELOW_MS:g}_ms": worst < PAINT_BELOW_MS,
        "added_mb": round(added, 1),
        f"below_{MEMORY_BELOW_MB:g}_mb": added < MEMORY_BELOW_MB,
        f"requests_of_{FIVE}_outcomes_ratio": [
            round(r, 3) for r in (min(ratios), middle, max(ratios))
        ],
        f"at_least_{AT_LEAST:g}": middle >= AT_LEAST,
    }


def _painted(server: Server, body: bytes) -> tuple[float, list[float]]:
    """Milliseconds to the first paint: of a cold browser, and of every later tab."""
    told = httpx.post(server.url(ASSESSMENTS), content=body).json()
    path = f"/console/assessments/{told['assessment_id']}"
    found = []
    with chromium() as opened:
        for _ in range(PAINTS + 1):
            with watched(opened, server.url("")) as tab:
                page = tab.open(path)
                page.wait_for_function(f"({PAINTED}) !== null")
                found.append(float(page.evaluate(PAINTED)))
        with watched(opened, server.url("")) as tab:
            for other in PAGES:  # memory is looked at when every kind of page was shown
                tab.open(other)
    return found[0], found[1:]


if __name__ == "__main__":
    typer.run(main)
