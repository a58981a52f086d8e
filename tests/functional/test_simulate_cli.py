"""`risk-train simulate` from outside."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from pyarrow import parquet

from tests.lib.service import environment, run_command, script


def test_a_cohort_is_written_and_counted(tmp_path: Path):
    done = run_command(
        "risk-train", "simulate", "--episodes", "50", "--seed", "3", "--out", str(tmp_path / "a"),
        "--hospital", "west", "--scenario", "older-patients", "--json", var=tmp_path / "var",
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert len(told["rows"]) == 9
    for name, rows in told["rows"].items():
        table = parquet.read_table(tmp_path / "a" / f"{name}.parquet")
        assert table.num_rows == rows
        assert set(table["hospital"].to_pylist()) <= {"west"}
        assert table.schema.metadata[b"scenarios"] == b"older-patients"


def test_visits_are_printed_as_requests(tmp_path: Path):
    done = run_command("risk-train", "simulate", "--ndjson", "--episodes", "2", var=tmp_path)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line["episode"] for line in lines} == {0, 1}
    for line in lines:
        assert set(line) == {
            "episode", "visit", "branch_point", "hours", "request", "labels", "truth",
        }  # fmt: skip
        assert line["request"]["measurements"]["age"] >= 18
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_scenario_is_one_line_that_names_the_known_ones(tmp_path: Path):
    done = run_command("risk-train", "simulate", "--scenario", "volcano", var=tmp_path, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "no scenario volcano; known: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_enough_ends_it_without_a_word(tmp_path: Path):
    """`risk-train simulate --ndjson | head -1`."""
    process = subprocess.Popen(
        [script("risk-train"), "simulate", "--ndjson", "--episodes", "400"],
        env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith("{")
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)
    assert "Traceback" not in said
    assert "Broken" not in said
