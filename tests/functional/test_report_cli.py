"""`risk-monitor report` tells what the service answers, from the same ledger, without the service."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from monitoring.ledger.matured import DAY_US
from tests.lib.ledger import ask
from tests.lib.postgres import Postgres, needed_postgres
from tests.lib.risk_models import BRANCH_POINT
from tests.lib.service import Service, environment, running_service, script
from tests.lib.until import until

NAME, OUTCOME = "icu-review.death_180d", "death_180d"
UNITS = ("ward-1", "ward-2")
LONG_AGO, KNOWN_AT = "2025-06-01T08:00:00Z", "2026-01-15T08:00:00Z"
ASKED = 240
"""Enough for an index, which needs 200."""


@dataclass(frozen=True)
class Site:
    """A service with assessments and outcomes, and where a report reads."""

    service: Service
    var: Path

    @property
    def ledger(self) -> str:
        return self.service.settings["RISK_DATABASE_URL"]

    def report(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return report(*arguments, "--database", self.ledger, "--var", str(self.var))


def report(*arguments: str, expected: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [script("risk-monitor"), "report", *arguments],
        env=environment(Path("var"), COLUMNS="120"),
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == expected, done.stderr[-2000:] + done.stdout[-500:]
    return done


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    yield from needed_postgres()


@pytest.fixture(scope="module")
def site(
    postgres: Postgres,
    trained: Path,
    patients: list[dict[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    given = {
        "RISK_DATABASE_URL": postgres.new_database(),
        "RISK_OUTCOMES_POLL_S": "0.2",
        "RISK_CARE_UNITS": orjson.dumps(UNITS).decode(),
    }
    log = tmp_path_factory.mktemp("report") / "log"
    with running_service(trained, log, given) as service:
        told = _ask_and_report(service, patients)
        until(lambda: _counted(service) == told)
        yield Site(service, trained)


def _ask_and_report(service: Service, patients: list[dict[str, Any]]) -> int:
    """Patients older than in fitting; of every second one it is told whether he died."""
    told = 0
    with service.client() as client:
        for i in range(ASKED):
            patient = patients[i % len(patients)]
            measured = patient["request"]["measurements"]
            older = {**measured, "age": min(100.0, measured["age"] + 20)}
            body = {"measurements": older, "index_time": LONG_AGO, "unit": UNITS[i % 3 == 0]}
            reply = client.post(f"/v1/branch-points/{BRANCH_POINT}/assessments", json=body)
            answer = reply.raise_for_status().json()
            if i % 2:
                sent = {"assessment_id": answer["assessment_id"], "outcome": OUTCOME,
                        "value": patient["labels"][OUTCOME], "observed_at": KNOWN_AT}  # fmt: skip
                client.post("/v1/outcomes", json=sent).raise_for_status()
                told += any(
                    one["outcome"] == OUTCOME and one["status"] == "answered"
                    for one in answer["outcomes"]
                )
    return told


def _counted(service: Service) -> int:
    models = _performance(service, "1d")["models"]
    return sum(one["figures"]["n"] for one in models if one["model"] == NAME)


def _performance(service: Service, window: str) -> dict[str, Any]:
    """What is answered; at first nothing has been read."""
    reply = httpx.get(f"{service.url}/v1/monitoring/performance?window={window}", timeout=180)
    found: dict[str, Any] = reply.json()
    return {"models": []} if reply.status_code == 503 else found


def test_the_report_is_what_the_service_answers(site: Site) -> None:
    window = "7d"
    told = json.loads(site.report("--window", window, "--json").stdout)
    drift = httpx.get(f"{site.service.url}/v1/monitoring/drift?window={window}", timeout=180).json()
    performance = _performance(site.service, window)
    # Both read up to their own now, at which nothing happened any more.
    for document in (told["drift"], drift):
        assert document.pop("until_us") - document.pop("since_us") == _us(window)
    assert told["window"] == drift.pop("window") == performance.pop("window") == window
    assert told["drift"] == drift
    assert drift["assessments"] == ASKED
    assert len(drift["models"]) > 1
    (one,) = (one for one in drift["models"] if one["model"] == NAME)
    (age,) = (feature for feature in one["features"] if feature["feature"] == "age")
    assert age["psi"] > 0.25
    performance.pop("read")
    for document in (told["performance"], performance):
        document.pop("since")
        document.pop("until")
    assert told["performance"] == performance
    assert [row["unit"] for row in performance["units"]] == list(UNITS)
    assert [len(one["points"]) for one in performance["charts"]] == [
        row["figures"]["n"] for row in performance["units"]
    ]


def _us(window: str) -> int:
    return int(window.removesuffix("d")) * DAY_US


def test_tables_and_page_tell_the_same_figures_and_nothing_is_written_to_the_ledger(
    site: Site, tmp_path: Path
) -> None:
    before = ask(site.ledger, "SELECT seq, chain FROM head")
    page = tmp_path / "page.html"
    told = json.loads(site.report("--json", "--html", str(page), "--model", NAME).stdout)
    assert {one["model"] for part in ("drift", "performance") for one in told[part]["models"]} == {
        NAME
    }
    figures = told["performance"]["models"][0]["figures"]
    ratio = f"{figures['ratio']:.2f} ({figures['lower']:.2f} to {figures['upper']:.2f})"
    shown = site.report().stdout
    for text in (shown, page.read_text(encoding="utf-8")):
        assert ratio in text
        assert "patients differ clearly from those the model was fitted on" in text
        assert all(unit in text for unit in UNITS)
    assert f"{NAME} version" in shown
    assert ask(site.ledger, "SELECT seq, chain FROM head") == before


def test_a_ledger_that_is_not_there_is_one_line_with_what_to_do(tmp_path: Path) -> None:
    (line,) = report("--var", str(tmp_path), expected=1).stderr.splitlines()
    assert line == (
        f"risk-monitor: no ledger at {tmp_path / 'ledger.db'}: give --database, or the service's "
        "folder as --var"
    )
