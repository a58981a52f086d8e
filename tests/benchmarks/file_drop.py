"""How many outcomes a second a dropped file gets explained, from the command to the last answer.

    python -m tests.benchmarks.file_drop [--var DIR] [--rows 20000] [--jobs 2] [--json]

Method: real held-out patients, repeated to the number of rows, each asked for five outcomes, through
`risk-serve score-file` as a user runs it, with a ledger of its own on this disk. The wall clock counts
from the first row written to the last, the start of the process apart; what counts is outcomes that a
model answered with its reasons, not abstentions. Processor time is that of all processes. The largest
resident set of the parent and of each worker is taken from the kernel while they run.

When it misleads: on a busy machine the wall clock tells of the others; the load is printed beside it,
and outcomes per processor second are what travels.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import psutil
import typer

from tests.benchmarks.failure import NOTHING_TRAINED, BenchmarkFailed
from tests.lib.service import environment, run_command, script

SOURCE, POINT = "support2", "icu-review"
OUTCOMES = (
    "death_in_hospital", "death_60d", "death_180d", "prolonged_stay", "length_of_stay_days",
)  # fmt: skip
PATIENTS = 300
LOOK_EVERY_S = 0.5


def main(
    var: Annotated[
        Path, typer.Option("--var", envvar="VAR_DIR", help="State folder with champions.")
    ] = Path("var"),
    rows: Annotated[int, typer.Option(min=1000, help="Rows of the file.")] = 20_000,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that score.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure one run."""
    if not (var / "mlflow.db").exists():
        raise BenchmarkFailed(NOTHING_TRAINED)
    held_out = run_command(
        "risk-train", "rows", SOURCE, "--held-out", "--limit", str(PATIENTS), var=var
    )
    asked = [json.dumps(json.loads(line)["request"]) for line in held_out.stdout.splitlines()]
    with tempfile.TemporaryDirectory(prefix="file-drop-", dir=var) as folder:
        found = measure(var, Path(folder), asked, rows, jobs)
    found |= {"rows": rows, "jobs": jobs, "load_1min_5min": os.getloadavg()[:2]}
    if as_json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:32} {value}")


def measure(var: Path, folder: Path, asked: list[str], rows: int, jobs: int) -> dict[str, object]:
    file, out = folder / "in.ndjson", folder / "out.ndjson"
    with file.open("w") as text:
        for row in range(rows):
            text.write(asked[row % len(asked)] + "\n")
    settings = {
        "RISK_DATABASE_URL": f"sqlite:///{folder / 'ledger.db'}",
        "RISK_KEYS_FILE": str(folder / "keys.toml"),
    }
    wanted = (part for name in OUTCOMES for part in ("--outcome", name))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(
        [script("risk-serve"), "score-file", str(file), str(out), "--branch-point", POINT,
         "--jobs", str(jobs), "--json", *wanted],
        env=environment(var, **settings), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    part, began, largest = out.with_name("out.ndjson.part"), 0.0, {"parent": 0, "child": 0}
    while process.poll() is None:
        if not began and part.exists() and part.stat().st_size:
            began = time.perf_counter()
        _look(process.pid, largest)
        time.sleep(LOOK_EVERY_S if began else 0.01)
    took = time.perf_counter() - began
    said = process.stdout.read() if process.stdout else b""
    if process.returncode not in (0, 2) or not said:
        raise BenchmarkFailed(f"score-file ended with {process.returncode}")
    answered = json.loads(said)["outcomes"]["answered"]
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return {
        "explained_outcomes": answered,
        "seconds": round(took, 1),
        "explained_outcomes_per_s": round(answered / took),
        "processor_seconds": round(cpu_s, 1),
        "outcomes_per_processor_second": round(answered / cpu_s),
        "largest_parent_mb": largest["parent"] // 2**20,
        "largest_child_mb": largest["child"] // 2**20,
    }


def _look(pid: int, largest: dict[str, int]) -> None:
    try:
        parent = psutil.Process(pid)
        largest["parent"] = max(largest["parent"], parent.memory_info().rss)
        for child in parent.children(recursive=True):
            largest["child"] = max(largest["child"], child.memory_info().rss)
    except psutil.Error:
        return  # it has ended meanwhile


if __name__ == "__main__":
    try:
        typer.run(main)
    except BenchmarkFailed as failure:
        sys.exit(str(failure))
