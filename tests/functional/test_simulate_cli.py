"""`risk-train simulate` from outside."""

from __future__ import annotations

import json
from pathlib import Path

from pyarrow import parquet

from tests.lib.service import run_command


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
