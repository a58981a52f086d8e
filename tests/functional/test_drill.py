"""The drill as an SRE runs it: a real service, a real Prometheus, its own rules and alerts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.registry import CHALLENGER, CHAMPION, Registry
from tests.lib.drilled import rows
from tests.lib.promtool import needed
from tests.lib.service import run_command, running_service

DAYS, PER_DAY = 8, 120
SETTINGS = {
    "RISK_OUTCOMES_POLL_S": "0.1",
    "RISK_BORN_AT_ZERO_S": "0",
    "RISK_CARE_UNITS": '["ward-1","ward-2"]',
}

POINT = "icu-review"
SOURCE = f"""\
name = "pathway"
title = "A simulated cohort for one branch point"
citation = "none"
licence = "none"
training_data = "synthetic"
divisible_by = 4
[simulate]
episodes = 16000
seed = 2026
[fit]
rows = 3000
folds = 2
smoothings = [100]
leaves = []
rounds = []
inputs = [99]
resamples = 20
[outcomes]
{POINT} = ["death_60d"]
"""


@pytest.fixture(scope="module")
def intensive_care(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with a small model of simulated patients that reads both laboratory values.

    It is the champion past the gate: it is there for its counts, not for how good it is.
    """
    var = tmp_path_factory.mktemp("drilled")
    source = var / "drilled.toml"
    source.write_text(SOURCE, encoding="utf-8")
    run_command(
        "risk-train", "run", POINT, "--source", str(source), "--jobs", "1", "--json", var=var
    )
    registry = Registry.at(var)
    for alias in (CHAMPION, CHALLENGER):
        registry.set_alias(f"{POINT}.death_60d", alias, "1")
    return var


def test_a_ward_that_stops_measuring_lactate_is_found_within_300_simulated_patients(
    intensive_care: Path, tmp_path: Path
):
    """And a laboratory that changes its unit within 200, as `monitoring/README.md` promises.

    The dashboards have something to show of it.
    """
    needed("prometheus")
    held_out = run_command(
        "risk-train", "rows", str(intensive_care / "drilled.toml"), "--held-out", var=intensive_care
    )
    file = tmp_path / "rows.ndjson"
    file.write_text(held_out.stdout, encoding="utf-8")
    with running_service(intensive_care, tmp_path / "log", SETTINGS) as service:
        done = run_command(
            "risk-monitor", "drill", str(file), "--branch-point", POINT, "--url", service.url,
            "--days", str(DAYS), "--per-day", str(PER_DAY), "--event", "ward-stops",
            "--event", "unit-change", "--unit", "ward-1", "--unit", "ward-2",
            "--at-unit", "ward-1", "--years", "0", "--json", "--html", str(tmp_path / "drill.html"),
            var=intensive_care,
        )  # fmt: skip
    found = json.loads(done.stdout)
    assert (found["patients"], found["refused"]) == (DAYS * PER_DAY, 0)
    assert found["outcomes_reported"] > 0
    stopped, changed = found["events"]
    assert stopped["found_by"]["alert"] == "RiskMissingSurge"
    assert stopped["found_by"]["labels"]["feature"] == "lactate"
    assert 0 < stopped["delay_patients_of_unit"] < stopped["delay_patients"] <= 300
    assert changed["found_by"]["labels"]["feature"] == "creatinine"
    assert 0 < changed["delay_patients"] <= 200
    assert found["holds"]
    assert found["empty_panels"] == []
    # In no day came the 200 patients that an index needs.
    assert all(":1h" in query or ":1d" in query for query in found["empty_queries"])
    picture = (tmp_path / "drill.html").read_text(encoding="utf-8")
    assert all(name in picture for name in ("lactate", "creatinine"))


def test_rows_of_no_patient_at_the_branch_point_are_refused_in_one_line(tmp_path: Path):
    needed("prometheus")
    file = tmp_path / "rows.ndjson"
    file.write_bytes(rows(1)[0] + b"\n")
    done = run_command(
        "risk-monitor", "drill", str(file), "--branch-point", "discharge", var=tmp_path, check=False
    )
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "risk-monitor: no row is of the branch point that --branch-point names"
    )


def test_events_and_units_that_do_not_exist_are_refused_in_one_line(trained: Path):
    for options, word in ((("--event", "flood"), "unit-change"), (("--days", "1"), "2")):
        done = run_command("risk-monitor", "drill", "support2", *options, var=trained, check=False)
        assert done.returncode == 2
        assert word in done.stderr
        assert "Traceback" not in done.stderr
