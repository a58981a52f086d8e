"""A challenger is asked beside the champion, unseen: over HTTP, with a real registry and ledger."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from models.registry import Registry
from tests.lib.service import Service, run_command, running_service
from tests.lib.until import until

NAME, POINT = "icu-review.death_180d", "icu-review"
ASK = f"/v1/branch-points/{POINT}/assessments"
INTERVAL_S = 0.5


@dataclass(frozen=True)
class Site:
    """A service of two workers, its registry, and the patients it is asked about."""

    service: Service
    registry: Registry
    var: Path
    patients: list[dict[str, Any]]

    def train(self, *arguments: str, check: bool = True) -> Any:
        settings = {key: self.service.settings[key] for key in ("RISK_DATABASE_URL",)}
        return run_command(
            "risk-train", *arguments, "--var", str(self.var), var=self.var, settings=settings,
            check=check,
        )  # fmt: skip

    def get(self, path: str) -> Any:
        return httpx.get(f"{self.service.url}{path}", timeout=30)

    def challengers(self) -> dict[str, dict[str, Any]]:
        return {one["name"]: one for one in self.get("/readyz").json()["challengers"]}

    def asked(self) -> int:
        own = self.challengers().get(NAME)
        return 0 if own is None else own["answered"] + own["abstained"]

    def ask(self) -> list[dict[str, Any]]:
        with self.service.client() as client:
            return [client.post(ASK, json=row["request"]).json() for row in self.patients]

    def scorers(self) -> list[psutil.Process]:
        """Processes that ask challengers, of this service."""
        return [
            child
            for child in psutil.Process(self.service.process.pid).children(recursive=True)
            if "app.serving.shadow.scoring" in child.cmdline()
        ]


def metric(text: str, name: str, labels: dict[str, str]) -> float:
    [found] = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if (sample.name, sample.labels) == (name, labels)
    ]
    return found


@pytest.fixture(scope="module")
def site(
    trained: Path, patients: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("shadow")
    var = folder / "var"
    shutil.copytree(trained, var)
    registry = Registry.at(var)
    settings = {"RISK_REGISTRY_POLL_S": str(INTERVAL_S), "RISK_WORKERS": "2"}
    with running_service(var, folder / "log", settings) as service:
        yield Site(service, registry, var, patients)


def test_a_challenger_is_asked_about_live_patients_and_nobody_sees_it(site: Site):
    """The champion as its own challenger: whatever differs would be a fault of the shadow."""
    before = site.ask()
    assert site.scorers() == []  # without a challenger there is no process for it
    told = json.loads(site.train("challenge", NAME, "newest", "--json").stdout)
    assert told["challenger"] == "1"
    until(lambda: NAME in site.challengers() and site.challengers()[NAME]["begun"])
    assert len(site.scorers()) == 1
    answers = site.ask()
    until(lambda: site.asked() == len(answers))
    assert [a["outcomes"] for a in answers] == [a["outcomes"] for a in before]
    stated = json.loads(site.train("compare", NAME, "--json").stdout)
    # Those of before nobody was asked about.
    assert (stated["asked"], stated["another_champion"]) == (len(answers), 0)
    own = [o for a in answers for o in a["outcomes"] if o["outcome"] == "death_180d"]
    answered = sum(outcome["status"] == "answered" for outcome in own)
    assert (stated["both"], stated["champion_only"]) == (answered, 0)
    assert (stated["mean_absolute_difference"], stated["other_band"]) == (0.0, 0.0)
    assert "fewer than 20" in stated["outcomes"]["where"]


def test_every_worker_tells_the_same_of_it(site: Site):
    asked = site.asked()
    labels = {"model": NAME, "version": "1"}
    for _ in range(8):  # the kernel chooses the worker
        text = site.get("/metrics").text
        counts = [
            metric(text, "risk_shadow_assessments_total", {**labels, "status": status})
            for status in ("answered", "abstained")
        ]
        assert sum(counts) == asked
        assert metric(text, "risk_shadow_apart_total", labels) == 0
        assert metric(text, "risk_shadow_set_aside", labels) == 0


def test_a_scorer_that_hangs_or_dies_is_replaced_and_asks_everything_once(site: Site):
    asked = site.asked()
    [first] = site.scorers()
    first.send_signal(signal.SIGSTOP)
    answers = site.ask()  # nobody waits for it
    first.kill()
    until(lambda: [child.pid for child in site.scorers()] not in ([], [first.pid]))
    until(lambda: site.asked() == asked + len(answers))
    stated = json.loads(site.train("compare", NAME, "--json").stdout)
    assert stated["asked"] == asked + len(answers)


def test_outcomes_that_arrive_are_compared_in_pairs(site: Site):
    """Everybody's outcome is reported when the horizon has passed; the two are the same model."""
    long_ago = (datetime.now(UTC) - timedelta(days=200)).strftime("%Y-%m-%dT%H:%M:%SZ")
    asked = site.asked()
    with site.service.client() as client:
        for row in site.patients:
            request = {**row["request"], "index_time": long_ago}
            request["measurements"] = {
                name: value["value"] if isinstance(value, dict) else value
                for name, value in request["measurements"].items()
            }
            answer = client.post(ASK, json=request).json()
            value = row["labels"]["death_180d"]
            if value is None:
                continue
            report = {
                "assessment_id": answer["assessment_id"], "outcome": "death_180d",
                "value": bool(value), "observed_at": "2026-11-01T00:00:00Z",
            }  # fmt: skip
            assert client.post("/v1/outcomes", json=report).status_code == 201
    until(lambda: site.asked() == asked + len(site.patients))
    stated = json.loads(site.train("compare", NAME, "--json").stdout)
    known = stated["outcomes"]
    assert known["rows"] >= 20
    assert known["events"] > 5
    assert known["champion"] == known["challenger"]
    for figure in ("auroc", "brier", "log_loss"):
        assert known["difference"][figure] == {"value": 0.0, "lower": 0.0, "upper": 0.0}
    # Prometheus is told the same by a scorer that has just begun, and every quarter of an hour.
    site.scorers()[0].kill()
    labels = {"model": NAME, "version": "1"}
    until(lambda: metric(site.get("/metrics").text, "risk_shadow_outcomes", labels) > 0)
    text = site.get("/metrics").text
    assert metric(text, "risk_shadow_outcomes", labels) == known["rows"]
    for alias in ("champion", "challenger"):
        for series, figure in (("auroc", "auroc"), ("brier_score", "brier")):
            told = metric(text, f"risk_shadow_{series}", {**labels, "alias": alias})
            assert told == pytest.approx(known[alias][figure]["value"], abs=1e-12)
        assert metric(text, "risk_shadow_net_benefit", {**labels, "alias": alias}) > 0
    shown = site.train("compare", NAME)
    assert "auroc" in shown.stdout
    assert "under care that saw the champion's answers" in shown.stderr


def test_withdrawn_it_is_asked_no_more(site: Site):
    site.train("challenge", NAME, "--withdraw")
    until(lambda: site.challengers() == {} and site.scorers() == [])
    assert "has no challenger" in site.train("compare", NAME, check=False).stderr
    assert "has no challenger" in site.train("challenge", NAME, "--withdraw", check=False).stderr


def test_what_cannot_be_proven_is_no_challenger(site: Site):
    done = site.train("challenge", NAME, "77", check=False)
    assert done.returncode == 1
    assert done.stderr.count("risk-train: ") == 1
    assert site.challengers() == {}


def test_the_chain_holds_over_answers_and_shadows(site: Site):
    done = run_command("risk-monitor", "verify", "--json", var=site.var, settings={
        key: site.service.settings[key] for key in ("RISK_DATABASE_URL", "RISK_KEYS_FILE")
    })  # fmt: skip
    assert json.loads(done.stdout)["holds"]
