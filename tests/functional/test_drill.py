"""A short drill against a real service and a real Prometheus: what is promised is found, quiet is quiet."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from monitoring.drill.panels import without_data
from monitoring.drill.store import running_store
from tests.lib.drilled import NAME, drilled_service, rows
from tests.lib.promtool import needed
from tests.lib.service import environment, free_port, script

DAYS, PER_DAY = 8, 216
PROMOTES = (
    "from pathlib import Path; from models.registry import CHAMPION, Registry; "
    "Registry.at(Path({var!r})).set_alias({name!r}, CHAMPION, '2')"
)
NOT_IN_A_DRILL = {
    "risk_shadow": "no challenger is asked",
    "risk:shadow": "no challenger is asked",
    "risk:override_ratio": "nobody sees a card",
    "risk:error_ratio:5m": "an hour lies between two scrapes",
    "risk:prediction_psi:1h": "nine patients an hour",
    "risk:explanation_drift:1h": "nine patients an hour",
    "risk:feature_unseen_ratio": "shows what is above 0, and nothing unseen came",
    "risk_calibration_slope": "worked out once a real minute",
    "risk_auroc": "worked out once a real minute",
}
"""Queries that may be empty, each with why."""


def drilled(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [script("risk-monitor"), "drill", *arguments],
        env=environment(folder), capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def test_a_short_drill_finds_what_is_promised_and_else_stays_quiet(tmp_path: Path):
    needed("prometheus")
    file, keep, page = tmp_path / "rows", tmp_path / "kept", tmp_path / "drill.html"
    file.write_bytes(b"\n".join(rows(4000)))
    promotes = PROMOTES.format(var=str(tmp_path / "var"), name=NAME)
    with drilled_service(tmp_path, "another") as service:
        done = drilled(
            tmp_path, str(file), "--url", service.url, "--json", "--days", str(DAYS),
            "--per-day", str(PER_DAY), "--event", "unit-change", "--event", "ward-stops",
            "--event", "promotion", "--stopped", "albumin", "--years", "1", "--keep", str(keep),
            "--html", str(page), "--promote", f'{sys.executable} -c "{promotes}"',
        )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    told = json.loads(done.stdout)
    unit, stops, promotion = told["events"]
    assert unit["delay_patients"] <= 200
    assert unit["found_by"]["labels"]["feature"] == "creatinine"
    assert stops["delay_patients"] <= 300
    assert stops["found_by"]["labels"]["feature"] == "albumin"
    assert promotion["also"] == []
    assert told["false_alarms"] == []
    assert (told["patients"], told["refused"]) == (DAYS * PER_DAY, 0)
    # Who is too unlike the patients of fitting gets no answer, and then nothing is reported.
    assert 0.95 < told["outcomes_reported"] / told["patients"] <= 1
    assert {one["unit"] for one in told["quiet_years"]} == {"ward-1", "ward-2"}
    hold_kept(keep, told)
    assert page.read_text().count("<rect") >= 5


def hold_kept(keep: Path, told: dict[str, Any]) -> None:
    """The year's Prometheus holds what was sent, and every dashboard shows something of it."""
    end_s = int(datetime.fromisoformat(told["begins"]).timestamp()) + DAYS * 86400
    with running_store(keep) as store:

        def number(expr: str) -> float:
            (found,) = store.query(expr, end_s)
            return float(found["value"][1])

        assert number('sum(risk_feature_observations_total{feature="age"})') == DAYS * PER_DAY
        assert number('sum(risk:feature_total:1d{feature="age"} > 0)') == PER_DAY
        assert number("sum(risk:outcomes:30d)") == told["outcomes_reported"]
        missing = [
            query
            for query in without_data(store, end_s)
            if not any(series in query for series in NOT_IN_A_DRILL)
        ]
        assert missing == []


def test_what_cannot_be_drilled_is_one_line(tmp_path: Path):
    file = tmp_path / "rows"
    file.write_bytes(b"\n".join(rows(5)))
    nobody = f"http://127.0.0.1:{free_port()}"
    cases = {
        "apt install prometheus": ["--prometheus", "prometheus-that-is-not-there"],
        "did not answer": ["--url", nobody, "--quiet", "--days", "2"],
    }
    for words, options in cases.items():
        done = drilled(tmp_path, str(file), *options)
        assert done.returncode == 1, done.stderr
        assert words in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (b"{", [], "line 1 of the rows is not what `risk-train rows` prints"),
        (b"", [], "there are no rows"),
        (b"\n".join(rows(3)), ["--event", "flood"], "no event is called that"),
    ],
)
def test_what_is_given_wrongly_is_said(tmp_path: Path, content: bytes, options: list, words: str):
    needed("prometheus")
    file = tmp_path / "rows"
    file.write_bytes(content)
    done = drilled(tmp_path, str(file), *options)
    assert done.returncode != 0
    assert words in " ".join(done.stderr.split())
