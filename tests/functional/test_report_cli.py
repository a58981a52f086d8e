"""`risk-monitor report` tells what the service answers, from the same ledger, without the service."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import pytest

from models.registry import CHAMPION, Registry
from monitoring.ledger.matured import DAY_US
from tests.lib.gated import good, registered, version_files
from tests.lib.ledger import NOW_US, ask, assessment, keyring_at, written
from tests.lib.postgres import Postgres, needed_postgres
from tests.lib.risk_models import BRANCH_POINT, FEATURES, REQUIRED, synthetic_rows
from tests.lib.service import Service, environment, running_service, script

NAME, OUTCOME = "icu-review.death_180d", "death_180d"
UNITS = ("ward-1", "ward-2")
ASKED = 260
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
def site(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("report")
    registry = Registry.at(folder / "var")
    registered(registry, folder / "bundle", version_files(good()))
    registry.set_alias(NAME, CHAMPION, "1")
    given = {
        "RISK_DATABASE_URL": postgres.new_database(),
        "RISK_OUTCOMES_POLL_S": "0.2",
        "RISK_CARE_UNITS": orjson.dumps(UNITS).decode(),
    }
    with running_service(folder / "var", folder / "log", given) as service:
        told = _ask_and_report(service)
        _until(lambda: _performance(service, "1d")["models"][0]["figures"]["n"] == told)
        yield Site(service, folder / "var")


def _ask_and_report(service: Service) -> int:
    """Older patients than in fitting; of every second one it is told whether he died."""
    rng = np.random.default_rng(11)
    X, log_odds = synthetic_rows(rng, ASKED)
    X[:, FEATURES.index("age")] += 15
    happened = rng.random(ASKED) < 1 / (1 + np.exp(-log_odds))
    told = 0
    with service.client() as client:
        for i, row in enumerate(X):
            measured = {name: float(row[FEATURES.index(name)]) for name in REQUIRED}
            body = {"measurements": measured, "index_time": "2025-06-01T08:00:00Z",
                    "unit": UNITS[i % 3 == 0], "outcomes": [OUTCOME]}  # fmt: skip
            reply = client.post(f"/v1/branch-points/{BRANCH_POINT}/assessments", json=body)
            answer = reply.raise_for_status().json()
            if i % 2:
                sent = {"assessment_id": answer["assessment_id"], "outcome": OUTCOME,
                        "value": bool(happened[i]), "observed_at": "2026-01-15T08:00:00Z"}  # fmt: skip
                client.post("/v1/outcomes", json=sent).raise_for_status()
                told += answer["outcomes"][0]["status"] == "answered"
    return told


def _performance(service: Service, window: str) -> dict[str, Any]:
    reply = httpx.get(f"{service.url}/v1/monitoring/performance?window={window}", timeout=30)
    found: dict[str, Any] = reply.json()
    return found if reply.status_code == 200 and found["models"] else NOBODY


NOBODY: dict[str, Any] = {"models": [{"figures": {"n": None}}]}


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "the condition did not come to hold"
        time.sleep(0.1)


@pytest.mark.parametrize("window", ["1d", "30d"])
def test_the_report_is_what_the_service_answers(site: Site, window: str) -> None:
    told = json.loads(site.report("--window", window, "--json").stdout)
    drift = httpx.get(f"{site.service.url}/v1/monitoring/drift?window={window}", timeout=30).json()
    performance = _performance(site.service, window)
    # Both read up to their own now, at which nothing happened any more.
    for document in (told["drift"], drift):
        assert document.pop("until_us") - document.pop("since_us") == _us(window)
    assert told["window"] == drift.pop("window") == performance.pop("window") == window
    assert told["drift"] == drift
    assert drift["assessments"] == ASKED
    (age,) = (one for one in drift["models"][0]["features"] if one["feature"] == "age")
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


def test_the_tables_and_the_page_tell_the_same_figures(site: Site, tmp_path: Path) -> None:
    told = json.loads(site.report("--json", "--model", NAME).stdout)
    figures = told["performance"]["models"][0]["figures"]
    ratio = f"{figures['ratio']:.2f} ({figures['lower']:.2f} to {figures['upper']:.2f})"
    shown = site.report().stdout
    page = tmp_path / "page.html"
    assert site.report("--html", str(page)).stdout == ""
    for text in (shown, page.read_text(encoding="utf-8")):
        assert ratio in text
        assert "patients differ clearly from those the model was fitted on" in text
        assert all(unit in text for unit in UNITS)
    assert "icu-review.death_180d version 1: answered" in shown


def test_a_ledger_is_only_read(site: Site) -> None:
    count = "SELECT (SELECT count(*) FROM assessments) + (SELECT count(*) FROM events)"
    before = ask(site.ledger, count)
    site.report("--for-outside")
    assert ask(site.ledger, count) == before


def test_what_cannot_be_told_is_one_line_with_what_to_do(site: Site, tmp_path: Path) -> None:
    (tmp_path / "empty" / "model-cache" / NAME / "1").mkdir(parents=True)
    cases = (
        (["--window", "2d"], "found the window `2d`, expected one of 1h"),
        (["--since", "yesterday"], "found --since `yesterday`, expected a day as YYYY-MM-DD"),
        (["--since", "2020-01-01", "--until", "2020-02-01"],
         "nothing from 2020-01-01 00:00 UTC to 2020-02-02 00:00 UTC: the ledger holds assessments"),
        (["--model", "icu-review.deth"], f"found no model `icu-review.deth`, expected one of {NAME}"),
        (["--var", str(tmp_path)], "give the service's folder as --var"),
        (["--var", str(tmp_path / "empty")], f"no usable bundle in {tmp_path / 'empty'}"),
        (["--content", str(tmp_path / "nowhere")], "content must be a folder"),
        (["--html", str(tmp_path / "nowhere" / "page.html")], "No such file or directory"),
    )  # fmt: skip
    for arguments, said in cases:
        where = [] if "--var" in arguments else ["--var", str(site.var)]
        done = report("--database", site.ledger, *where, *arguments, expected=1)
        (line,) = [one for one in done.stderr.splitlines() if one.startswith("risk-monitor: ")]
        assert said in line, arguments
        assert "Traceback" not in done.stderr


def test_a_ledger_that_is_not_there_or_holds_nothing(site: Site, tmp_path: Path) -> None:
    done = report("--var", str(tmp_path), expected=1)
    assert f"no ledger at {tmp_path / 'ledger.db'}: give --database" in done.stderr
    url = f"sqlite:///{tmp_path / 'new.db'}"
    written(url, keyring_at(tmp_path), [])
    done = report("--database", url, "--var", str(site.var), expected=1)
    assert "the ledger holds no assessment" in done.stderr


def test_answers_of_a_version_whose_bundle_is_gone_are_named(site: Site, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'other.db'}"
    answer = {"branch_point": BRANCH_POINT, "warnings": [], "outcomes": [
        {"outcome": OUTCOME, "kind": "binary", "status": "answered", "probability": 0.5,
         "model": {"name": NAME, "version": "9", "digest": "sha256:09"}, "attributions": []}]}  # fmt: skip
    entry = assessment(NOW_US, inputs='{"age": {"value": 71.0}}', answer=orjson.dumps(answer),
                       models=json.dumps({NAME: "sha256:09"}))  # fmt: skip
    written(url, keyring_at(tmp_path), [entry])
    done = report("--database", url, "--var", str(site.var), "--since", "2026-11-01")
    assert f"{NAME}: answers of a version whose bundle is not at hand are left out" in done.stdout
