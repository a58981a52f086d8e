"""What counting costs a request, and what a scrape costs the requests beside it.

    python -m tests.benchmarks.counting [--var DIR] [--seconds 2] [--rounds 15] [--json]

Two servers at once, one worker each, idle but for the one under load: the service, and the same
service that counts nothing of its models (`uncounted.py`). The service is loaded twice a round, once
alone and once while it is scraped every 5 seconds, so in every other stretch of 2 seconds or oftener.
Two requests: every outcome of the branch point, and a single one. Ratios are taken within a round,
each round begins with another turn, every few rounds have servers of their own; the medians are
judged. The time of a scrape is measured alone.

Beside requests a second it tells requests a processor second of the process that answers: that is less
disturbed by whatever else the machine does.

When it misleads: a cost of 3 % is smaller than what a shared machine does between two stretches; only
the median of many rounds says something, and its spread is shown beside it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich.console import Console

from tests.benchmarks.failure import BenchmarkFailed
from tests.benchmarks.load import Load, put_under_load
from tests.benchmarks.patient import ASSESSMENTS, read_row
from tests.benchmarks.results import machine
from tests.benchmarks.servers import Candidate, Server, running
from tests.benchmarks.serving import WARM_UP_S, require
from tests.lib.service import script

CONNECTIONS = 16
SCRAPE_EVERY_S = 5.0
SAME_SERVERS = 4
"""Rounds with the same two processes: two of the very same server differ by 2 % as long as they live."""
AT_LEAST = 0.97
FULL, ONE = "full", "one outcome"
UNCOUNTED, COUNTED, SCRAPED = "uncounted", "counted", "counted and scraped"
TURNS = (UNCOUNTED, COUNTED, SCRAPED)
PER_SECOND, PER_PROCESSOR_SECOND = "requests/s", "requests/processor second"
Rates = dict[tuple[str, str], list[float]]
tell = Console(stderr=True)


def main(
    var: Annotated[
        Path, typer.Option("--var", envvar="VAR_DIR", help="State folder with a champion.")
    ] = Path("var"),
    seconds: Annotated[int, typer.Option(min=1, help="Length of one stretch of load.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds over all servers.")] = 15,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Measure what counting and scraping cost."""
    try:
        require(var)
        found = measure(var, seconds, rounds)
    except BenchmarkFailed as error:
        tell.print(f"benchmark: {error}", style="red", highlight=False, soft_wrap=True)
        sys.exit(1)
    if as_json:
        print(json.dumps(found))
        return
    for row in found["ratios"]:
        print(
            f"{row['measure']}: {row['request']:>11}, {row['turn']:<20} {row['min']:.3f} - {row['median']:.3f} - "
            f"{row['max']:.3f} of {row['of']}; at least {AT_LEAST:g}: {'yes' if row['held'] else 'NO'}"
        )
    print(f"a scrape of {found['series']} series: {found['scrape_ms']:.1f} ms")


def measure(var: Path, seconds: int, rounds: int) -> dict[str, Any]:
    """Load both servers in turn and collect the ratios.

    Raises
    ------
    BenchmarkFailed
        When an answer under load is not a 200.
    """
    request = read_row(var, None)["request"]
    bodies = {
        FULL: json.dumps(request).encode(),
        ONE: json.dumps({**request, "outcomes": ["death_180d"]}).encode(),
    }
    rates: Rates = defaultdict(list)
    efforts: Rates = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for first in range(0, rounds, SAME_SERVERS):
            with (
                running(_candidate(folder, f"{first}-{UNCOUNTED}"), var, folder) as without,
                running(_candidate(folder, f"{first}-{COUNTED}"), var, folder) as ours,
            ):
                servers = {UNCOUNTED: without, COUNTED: ours, SCRAPED: ours}
                for server in (without, ours):
                    _load(server, bodies[FULL], WARM_UP_S, folder)
                for number in range(first, min(rounds, first + SAME_SERVERS)):
                    for i in range(len(TURNS)):
                        turn = TURNS[(number + i) % len(TURNS)]
                        for shape, body in bodies.items():
                            before = _worked_s(servers[turn])
                            with _scraped(ours, number, often=turn == SCRAPED):
                                load = _load(servers[turn], body, seconds, folder)
                            rates[shape, turn].append(load.requests_per_s)
                            worked = _worked_s(servers[turn]) - before
                            efforts[shape, turn].append(load.requests / worked)
                scrapes = [_scrape(ours) for _ in range(20)]
    return {
        "machine": machine(),
        "ratios": [
            {"measure": measure, **_ratio(rows, shape, turn, of)}
            for measure, rows in ((PER_SECOND, rates), (PER_PROCESSOR_SECOND, efforts))
            for shape in bodies
            for turn, of in ((COUNTED, UNCOUNTED), (SCRAPED, COUNTED))
        ],
        "series": scrapes[-1][1],
        "scrape_ms": 1000 * median(elapsed for elapsed, _ in scrapes),
    }


def _worked_s(server: Server) -> float:
    """Processor seconds of the process that answers."""
    times = server.worker().cpu_times()
    return float(times.user + times.system)


def _ratio(rates: Rates, shape: str, turn: str, of: str) -> dict[str, Any]:
    shares = [a / b for a, b in zip(rates[shape, turn], rates[shape, of], strict=True)]
    return {
        "request": shape, "turn": turn, "of": of, "min": min(shares), "median": median(shares),
        "max": max(shares), "held": median(shares) >= AT_LEAST,
    }  # fmt: skip


def _candidate(folder: Path, name: str) -> Candidate:
    command = {
        COUNTED: (script("risk-serve"), "run", "--port", "{port}"),
        UNCOUNTED: (sys.executable, "-m", "tests.benchmarks.uncounted", "run", "--port", "{port}"),
    }[name.partition("-")[2]]
    settings = {
        "RISK_KEYS_FILE": str(folder / f"{name}-keys.toml"),
        "RISK_DATABASE_URL": f"sqlite:///{folder / name}.db",
    }
    return Candidate(name, command, "/readyz", settings=tuple(settings.items()))


def _load(server: Server, body: bytes, seconds: int, folder: Path) -> Load:
    load = put_under_load(server.url(ASSESSMENTS), body, CONNECTIONS, seconds, folder)
    if load.refused or load.broken:
        raise BenchmarkFailed(f"{load.refused} refused, {load.broken} broken")
    return load


@contextmanager
def _scraped(server: Server, number: int, *, often: bool) -> Iterator[None]:
    """Scrape a server every 5 s while it is under load, in every round at another moment first."""
    if not often:
        yield
        return
    stop = threading.Event()

    def scrape_on() -> None:
        wait_s = 0.1 + 0.2 * (number % 5)
        while not stop.wait(wait_s):
            _scrape(server)
            wait_s = SCRAPE_EVERY_S

    scraping = threading.Thread(target=scrape_on)
    scraping.start()
    try:
        yield
    finally:
        stop.set()
        scraping.join()


def _scrape(server: Server) -> tuple[float, int]:
    """Seconds, and how many series were told."""
    start = time.perf_counter()
    with urllib.request.urlopen(server.url("/metrics"), timeout=30) as reply:
        text = reply.read()
    elapsed = time.perf_counter() - start
    return elapsed, sum(not line.startswith(b"#") for line in text.splitlines())


if __name__ == "__main__":
    typer.run(main)
