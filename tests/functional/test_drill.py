"""The drill as an SRE runs it: a real service, a real Prometheus, its own rules and alerts."""

from __future__ import annotations

import json
from pathlib import Path

from tests.lib.promtool import needed
from tests.lib.service import run_command, running_service

DAYS, PER_DAY = 8, 120
SETTINGS = {
    "RISK_OUTCOMES_POLL_S": "0.1",
    "RISK_BORN_AT_ZERO_S": "0",
    "RISK_CARE_UNITS": '["ward-1","ward-2"]',
}


def test_a_laboratory_that_changes_its_unit_is_found_within_200_patients(
    trained: Path, tmp_path: Path
):
    needed("prometheus")
    with running_service(trained, tmp_path / "log", SETTINGS) as service:
        done = run_command(
            "risk-monitor", "drill", "support2", "--url", service.url, "--days", str(DAYS),
            "--per-day", str(PER_DAY), "--event", "unit-change", "--outcome", "death_60d",
            "--unit", "ward-1", "--unit", "ward-2", "--years", "0", "--json",
            "--html", str(tmp_path / "drill.html"),
            var=trained,
        )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["patients"] == DAYS * PER_DAY
    assert found["refused"] == 0
    assert found["outcomes_reported"] > 0
    (event,) = found["events"]
    assert event["found_by"]["labels"]["feature"] == "creatinine"
    assert 0 < event["delay_patients"] <= 200
    assert found["holds"]
    assert "creatinine" in (tmp_path / "drill.html").read_text(encoding="utf-8")


def test_events_and_units_that_do_not_exist_are_refused_in_one_line(trained: Path):
    for options, word in ((("--event", "flood"), "unit-change"), (("--days", "1"), "2")):
        done = run_command("risk-monitor", "drill", "support2", *options, var=trained, check=False)
        assert done.returncode == 2
        assert word in done.stderr
        assert "Traceback" not in done.stderr
