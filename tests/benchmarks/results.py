"""What a run found, as figures, and as tables that people read."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from tests.benchmarks.load import Load
from tests.benchmarks.servers import Memory

ONE, FIVE, CONSTANT, MLFLOW = "one outcome", "five outcomes", "constant answer", "mlflow serve"
SPARSE, SPARSE_NEXT = "twenty missing", "twenty missing, measure_next and reference"
RATIOS = ((ONE, MLFLOW), (ONE, CONSTANT), (FIVE, CONSTANT), (SPARSE_NEXT, SPARSE))
LIBRARIES = ("fastapi", "uvicorn", "uvloop", "httptools", "orjson", "pydantic", "numpy", "mlflow")
AT_LEAST_TIMES_MLFLOW = 8.0
FIVE_OF_CONSTANT = 0.08
NEXT_OF_PLAIN = 1 / 20
COLD_START_BELOW_S = 5.0
WORKER_BELOW_MB = 300.0

Loads = Mapping[tuple[str, int], Sequence[Load]]


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    wrk = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False, timeout=10)
    return {
        "kernel": f"{platform.system()} {platform.release()}",
        "cpu": _cpu(),
        "cores": psutil.cpu_count(),
        "load_average": round(psutil.getloadavg()[0], 2),
        "python": platform.python_version(),
        "wrk": (wrk.stdout or wrk.stderr).split(" [", 1)[0].removeprefix("wrk ").strip(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((s.split(":", 1)[1].strip() for s in lines if s.startswith("model name")), "?")


def figures(
    where: Mapping[str, Any],
    loads: Loads,
    memory: Mapping[str, Memory],
    starts: Mapping[str, Sequence[float]],
) -> dict[str, Any]:
    """Everything that is printed, for a script."""
    connections = sorted({count for _, count in loads})
    ratios = [
        {
            "ours": over,
            "baseline": under,
            "connections": count,
            **_spread(
                [
                    a.requests_per_s / b.requests_per_s
                    for a, b in zip(loads[over, count], loads[under, count], strict=True)
                ]
            ),
        }
        for over, under in RATIOS
        for count in connections
    ]
    return {
        "machine": dict(where),
        "load": [
            {
                "server": name,
                "connections": count,
                "requests": sum(load.requests for load in found),
                "requests_per_s": median(load.requests_per_s for load in found),
                "p50_ms": median(load.p50_ms for load in found),
                "p99_ms": median(load.p99_ms for load in found),
                "rounds": [round(load.requests_per_s, 1) for load in found],
                "other_than_200": sum(load.refused for load in found),
                "broken_connections": sum(load.broken for load in found),
            }
            for (name, count), found in loads.items()
        ],
        "processes": [
            {
                "server": name,
                "worker_mb": memory[name].worker_mb,
                "all_mb": memory[name].all_mb,
                "cold_start_s": _spread(starts[name]),
            }
            for name in memory
        ],
        "ratios": ratios,
        "targets": _targets(ratios, memory["ours"], starts["ours"]),
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"min": min(values), "median": median(values), "max": max(values)}


def _targets(
    ratios: Sequence[Mapping[str, Any]], memory: Memory, starts: Sequence[float]
) -> list[dict[str, Any]]:
    times = {
        f"{AT_LEAST_TIMES_MLFLOW:g} times mlflow or more, one outcome, "
        f"connections {ratio['connections']}": (
            ratio["median"],
            ratio["median"] >= AT_LEAST_TIMES_MLFLOW,
        )
        for ratio in ratios
        if (ratio["ours"], ratio["baseline"]) == (ONE, MLFLOW)
    }
    times |= {
        f"{ours} at least {least:.0%} of {baseline}, connections {ratio['connections']}": (
            ratio["median"],
            ratio["median"] >= least,
        )
        for ours, baseline, least in (
            (FIVE, CONSTANT, FIVE_OF_CONSTANT),
            (SPARSE_NEXT, SPARSE, NEXT_OF_PLAIN),
        )
        for ratio in ratios
        if (ratio["ours"], ratio["baseline"]) == (ours, baseline) and ratio["connections"] > 1
    }
    others = {
        f"cold start below {COLD_START_BELOW_S:g} s": (
            median(starts),
            median(starts) < COLD_START_BELOW_S,
        ),
        f"a worker below {WORKER_BELOW_MB:g} MB": (
            memory.worker_mb,
            memory.worker_mb < WORKER_BELOW_MB,
        ),
    }
    return [
        {"target": target, "found": found, "held": held}
        for target, (found, held) in {**times, **others}.items()
    ]


def show(found: Mapping[str, Any], console: Console) -> None:
    """Print the figures as tables."""
    where = found["machine"]
    console.print(
        f"{where['kernel']}, {where['cpu']}, {where['cores']} cores, load average "
        f"{where['load_average']} at the start",
        highlight=False,
    )
    libraries = ", ".join(f"{name} {number}" for name, number in where["libraries"].items())
    console.print(f"Python {where['python']}, {libraries}, wrk {where['wrk']}\n", highlight=False)
    table = _table("Load (medians over the rounds)", "server", "connections")
    for column in ("requests/s", "p50 ms", "p99 ms"):
        table.add_column(column, justify="right")
    for load in found["load"]:
        table.add_row(
            load["server"],
            str(load["connections"]),
            f"{load['requests_per_s']:,.0f}",
            f"{load['p50_ms']:.2f}",
            f"{load['p99_ms']:.2f}",
        )
    console.print(table)
    table = _table("Processes (one worker each; memory after the load)", "server")
    for column in ("worker MB", "with helpers MB", "cold start s (min to max)"):
        table.add_column(column, justify="right")
    for process in found["processes"]:
        start = process["cold_start_s"]
        table.add_row(
            process["server"],
            f"{process['worker_mb']:.0f}",
            f"{process['all_mb']:.0f}",
            f"{start['median']:.2f} ({start['min']:.2f} to {start['max']:.2f})",
        )
    console.print(table)
    table = _table("Ratio of requests/s, round by round", "ours", "baseline", "connections")
    for column in ("min", "median", "max"):
        table.add_column(column, justify="right")
    for ratio in found["ratios"]:
        table.add_row(
            ratio["ours"],
            ratio["baseline"],
            str(ratio["connections"]),
            *(f"{ratio[column]:.2f}" for column in ("min", "median", "max")),
        )
    console.print(table)
    for target in found["targets"]:
        word = "held" if target["held"] else "not held"
        console.print(
            f"Target {target['target']}: {word} ({target['found']:.2f})",
            style="green" if target["held"] else "red",
            highlight=False,
        )


def _table(title: str, *words: str) -> Table:
    return Table(*words, title=title, title_justify="left")
