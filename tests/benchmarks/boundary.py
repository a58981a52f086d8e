"""What the trust boundary costs: the whole request beside the same request without it.

    python -m tests.benchmarks.boundary [--var DIR] [--seconds 1] [--rounds 15] [--json]

Two requests: `full`, every outcome that the branch point has a model for, as an EHR asks; and `one`,
a single outcome, where the boundary weighs most. The target is judged on the full request.

Five servers at once, one worker each, idle but for the one under load: the service with SQLite, the
service with PostgreSQL, the service with SQLite whose callers are not asked who they are (open), the
service without its boundary (`unguarded.py`: no authentication, no de-identification, no ledger, no
access log), by which it is judged, and what is left of it when the rest of the service is taken away
as well (`bare.py`: parsing, models and answer alone; no limits, headers, identifiers or counts), which
shows what the rest costs. Callers carry a reusable ES384 token. Every round loads every server with
every request at every number of connections, one server right after the other and each round in
another order; ratios are taken within a round. Many short rounds, because a shared machine changes its
speed within a minute: the servers of one round must meet the same machine.

When it misleads: everything shares the machine. With one connection every request waits for its own
flush to disk; with many, one flush serves several. On two cores the ledger's process and PostgreSQL
run on the core that the load generator uses.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from models.environment import THREADS
from tests.benchmarks.failure import BenchmarkFailed
from tests.benchmarks.load import Load, put_under_load
from tests.benchmarks.patient import ASSESSMENTS, read_row
from tests.benchmarks.results import machine
from tests.benchmarks.servers import Candidate, running
from tests.benchmarks.serving import WARM_UP_S, require
from tests.lib.postgres import running_postgres
from tests.lib.service import script
from tests.lib.tokens import key_pair

ISSUER, AUDIENCE = "https://ehr.example", "complication-risk"
CONNECTIONS = (1, 16)
AT_LEAST = 0.70
FULL, ONE = "full", "one outcome"
Turn = tuple[str, str, int]
"""Server, request, connections."""
UNGUARDED, BARE, OPEN = "unguarded", "bare", "ours, open, SQLite"
ON_SQLITE, ON_POSTGRESQL = "ours, token, SQLite", "ours, token, PostgreSQL"
TENANTS = f"""
[[tenant]]
id = "north"
care_units = ["ward-31"]
rate_limit_per_s = 1000000
[[tenant.issuer]]
issuer = "{ISSUER}"
audiences = ["{AUDIENCE}"]
jwks_file = "{{jwks}}"
algorithms = ["ES384"]
tokens = "reusable"
scopes = ["assess"]
longest_life_s = 86400
"""
tell = Console(stderr=True)


def main(
    var: Annotated[
        Path, typer.Option("--var", envvar="VAR_DIR", help="State folder with a champion.")
    ] = Path("var"),
    seconds: Annotated[int, typer.Option(min=1, help="Length of one stretch of load.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds over all servers.")] = 15,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Measure what authentication, de-identification and the ledger cost together."""
    try:
        require(var)
        where = machine()
        bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=tell
        )
        with tempfile.TemporaryDirectory() as folder, running_postgres() as postgres, bar:
            url = postgres.new_database()
            found = _load_in_turn(var, Path(folder), url, bar, seconds=seconds, rounds=rounds)
    except (BenchmarkFailed, FileNotFoundError) as error:
        tell.print(f"benchmark: {error}", style="red", highlight=False, soft_wrap=True)
        sys.exit(1)
    figures = _figures(where, found)
    if as_json:
        print(json.dumps(figures))
    else:
        _show(figures)


def _load_in_turn(
    var: Path, folder: Path, postgres: str, bar: Progress, *, seconds: int, rounds: int
) -> dict[Turn, list[Load]]:
    full = {
        **read_row(var, None)["request"],
        "subject": "195009072553", "episode": "case-7731", "unit": "ward-31",
    }  # fmt: skip
    bodies = {
        FULL: json.dumps(full).encode(),
        ONE: json.dumps({**full, "outcomes": ["death_180d"]}).encode(),
    }
    kinds, headers = _candidates(folder, postgres)
    found: dict[Turn, list[Load]] = defaultdict(list)
    with ExitStack() as servers:
        urls = {
            kind.name: servers.enter_context(running(kind, var, folder)).url(ASSESSMENTS)
            for kind in kinds
        }
        for name in bar.track(urls, description="warming up"):
            put_under_load(urls[name], bodies[FULL], max(CONNECTIONS), WARM_UP_S, folder, headers)
        total = rounds * len(urls) * len(bodies) * len(CONNECTIONS)
        task = bar.add_task("loading", total=total)
        for number in range(rounds):
            for name, shape, count in _order(urls, bodies, number):
                load = put_under_load(urls[name], bodies[shape], count, seconds, folder, headers)
                if load.refused or load.broken or not load.requests:
                    raise BenchmarkFailed(
                        f"{name}, {shape}, connections {count}: {load.refused} answers other than 200 and "
                        f"{load.broken} broken connections of {load.requests} requests"
                    )
                found[name, shape, count].append(load)
                bar.advance(task)
    return {
        (name, shape, count): found[name, shape, count]
        for shape in bodies
        for count in CONNECTIONS
        for name in urls
    }


def _order(servers: Iterable[str], shapes: Iterable[str], number: int) -> Iterator[Turn]:
    """A round's turns: what is compared stands side by side, in another order each round.

    What a server leaves behind (pages to write, a cold cache) must not always meet the same one.
    """
    chance = random.Random(number)  # noqa: S311 - an order, no secret
    loads = [(shape, count) for shape in shapes for count in CONNECTIONS]
    for shape, count in chance.sample(loads, len(loads)):
        own = list(servers)
        for name in chance.sample(own, len(own)):
            yield name, shape, count


def _candidates(folder: Path, postgres: str) -> tuple[list[Candidate], dict[str, str]]:
    """The servers, and the header that lets a caller in."""
    pair = key_pair("bench", "ES384")
    jwks = folder / "jwks.json"
    jwks.write_text(json.dumps({"keys": [pair.jwk()]}), encoding="utf-8")
    tenants = folder / "tenants.toml"
    tenants.write_text(TENANTS.format(jwks=jwks), encoding="utf-8")
    now = int(time.time())
    token = pair.token(
        {"iss": ISSUER, "aud": AUDIENCE, "sub": "integration", "scope": "assess",
         "iat": now, "exp": now + 7200, "jti": "bench"}
    )  # fmt: skip

    def ours(name: str, **more: str) -> Candidate:
        place = folder / name.replace(", ", "-")
        settings = {
            "RISK_KEYS_FILE": f"{place}-keys.toml",
            "RISK_API_KEYS_FILE": f"{place}-api-keys.jsonl",
            "RISK_DATABASE_URL": f"sqlite:///{place}.db",
            "RISK_CARE_UNITS": '["ward-31"]',
            **more,
        }
        command = (script("risk-serve"), "run", "--port", "{port}")
        return Candidate(name, command, "/readyz", settings=tuple(settings.items()))

    bare = Candidate(
        BARE,
        (
            *(sys.executable, "-m", "uvicorn", "tests.benchmarks.bare:app"),
            *("--host", "127.0.0.1", "--port", "{port}", "--log-level", "warning"),
            *("--no-access-log", "--no-server-header", "--no-date-header"),
        ),
        "/readyz",
        settings=tuple(dict.fromkeys(THREADS, "1").items()),  # as the service has it
    )
    unguarded = replace(
        ours(UNGUARDED),
        command=(sys.executable, "-m", "tests.benchmarks.unguarded", "run", "--port", "{port}"),
    )
    guarded = {"RISK_TENANTS_FILE": str(tenants)}
    kinds = [
        ours(ON_SQLITE, **guarded),
        ours(ON_POSTGRESQL, **guarded, RISK_DATABASE_URL=postgres),
        ours(OPEN),
        unguarded,
        bare,
    ]
    return kinds, {"Authorization": f"Bearer {token}"}


def _figures(where: dict[str, Any], found: dict[Turn, list[Load]]) -> dict[str, Any]:
    ratios = []
    for name, shape, count in found:
        if name != UNGUARDED:
            pairs = zip(found[name, shape, count], found[UNGUARDED, shape, count], strict=True)
            shares = [a.requests_per_s / b.requests_per_s for a, b in pairs]
            ratios.append(
                {"server": name, "request": shape, "connections": count, "min": min(shares),
                 "median": median(shares), "max": max(shares)}
            )  # fmt: skip
    return {
        "machine": where,
        "load": [
            {
                "server": name,
                "request": shape,
                "connections": count,
                "requests_per_s": median(load.requests_per_s for load in loads),
                "p50_ms": median(load.p50_ms for load in loads),
                "p99_ms": median(load.p99_ms for load in loads),
            }
            for (name, shape, count), loads in found.items()
        ],
        "share_of_unguarded": ratios,
        "targets": [
            {
                "target": f"{r['server']}, full request: at least {AT_LEAST:.0%} of unguarded at 16 connections",
                "found": r["median"],
                "held": r["median"] >= AT_LEAST,
            }
            for r in ratios
            if (r["request"], r["connections"]) == (FULL, max(CONNECTIONS))
            and r["server"] in (ON_SQLITE, ON_POSTGRESQL)
        ],
    }


def _show(figures: dict[str, Any]) -> None:
    console = Console()
    table = Table("server", "request", "connections", "requests/s", "p50 ms", "p99 ms",
                  title="Load (medians over the rounds)", title_justify="left")  # fmt: skip
    for load in figures["load"]:
        table.add_row(load["server"], load["request"], str(load["connections"]), f"{load['requests_per_s']:,.0f}",
                      f"{load['p50_ms']:.2f}", f"{load['p99_ms']:.2f}")  # fmt: skip
    console.print(table)
    table = Table("server", "request", "connections", "min", "median", "max",
                  title="Share of the unguarded throughput, round by round", title_justify="left")  # fmt: skip
    for ratio in figures["share_of_unguarded"]:
        table.add_row(ratio["server"], ratio["request"], str(ratio["connections"]),
                      *(f"{ratio[c]:.2f}" for c in ("min", "median", "max")))  # fmt: skip
    console.print(table)
    for target in figures["targets"]:
        word = "held" if target["held"] else "not held"
        console.print(f"Target {target['target']}: {word} ({target['found']:.2f})",
                      style="green" if target["held"] else "red", highlight=False)  # fmt: skip


if __name__ == "__main__":
    typer.run(main)
