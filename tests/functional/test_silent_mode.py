"""Silent mode from outside: recorded in full, told to nobody, until `risk-train go-live`; and back.

Two workers, two tenants, one small model that was really fitted. North is silent at the ICU review by
declaration, south is not.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner

from app.commands.walk import walk
from app.demo import in_words
from app.identity.api_keys import create_api_key
from app.schemas.documents import (
    AssessmentAnswer,
    BranchPointDocument,
    EpisodeDocument,
    ReadinessDocument,
)
from app.services.silent_places import EVERY_S
from models.registry import CHAMPION, Registry
from monitoring.keyring import load_keyring
from monitoring.ledger.book import Book
from monitoring.ledger.silence import Change
from tests.lib import gated
from tests.lib.fhir import bundle
from tests.lib.hooks import CHART, ICU, INDEX_TIME, hook_call, report
from tests.lib.ledger import ask
from tests.lib.service import Service, run_command, running_service
from training.cli import app
from training.transport import find, validate

NAME = "icu-review.death_180d"
NORTH, SOUTH = "north", "south"
REST = f"/v1/branch-points/{ICU}/assessments"
POLL_S = 0.25
PATIENT = {
    "subject": "195009072553",
    "episode": "case-7731",
    "index_time": INDEX_TIME,
    "measurements": {
        "age": 71, "heart_rate": 104, "map": 72, "resp_rate": 24, "temperature": 38.1,
        "creatinine": 124, "albumin": 24,
    },
    "include": ["measure_next", "reference"],
}  # fmt: skip
TENANTS = """
[[tenant]]
id = "north"
care_units = []
silent = ["icu-review"]
[tenant.cds_hooks]
patient_references = true
system_actions = true
[[tenant]]
id = "south"
care_units = []
"""
TOLD_IN_SILENCE = {
    "assessment_id", "episode_id", "branch_point", "index_time", "status", "decision_support_only",
    "outcomes", "missing", "warnings", "suggestions", "deidentification",
}  # fmt: skip


@dataclass(frozen=True)
class Site:
    """A service of two workers, with its ledger, its registry and a key of each tenant."""

    service: Service
    registry: Registry
    var: Path
    keys: dict[str, str]
    report: Path

    @property
    def ledger(self) -> str:
        return self.service.settings["RISK_DATABASE_URL"]

    def ask(self, tenant: str, method: str, path: str, body: Any = None) -> httpx.Response:
        """A connection of its own each time, so that either worker may answer."""
        given = {"content": body} if isinstance(body, bytes) else {"json": body}
        headers = {"X-API-Key": self.keys[tenant]}
        return httpx.request(
            method, f"{self.service.url}{path}", headers=headers, timeout=30, **given
        )

    def stored(self, assessment_id: str) -> dict[str, Any]:
        """The answer as the ledger has it."""
        statement = "SELECT answer FROM assessments WHERE assessment_id = :id"
        ((answer,),) = ask(self.ledger, statement, id=assessment_id)
        return json.loads(answer)

    def newest(self, tenant: str) -> dict[str, Any]:
        statement = (
            "SELECT answer FROM assessments WHERE tenant = :tenant ORDER BY seq DESC LIMIT 1"
        )
        ((answer,),) = ask(self.ledger, statement, tenant=tenant)
        return json.loads(answer)

    def train(self, *arguments: str) -> Any:
        settings = {
            "RISK_VAR_DIR": str(self.var),
            "RISK_DATABASE_URL": self.ledger,
            "RISK_KEYS_FILE": self.service.settings["RISK_KEYS_FILE"],
            "COLUMNS": "160",
        }
        return CliRunner().invoke(app, arguments, env=settings)

    def statuses(self, tenant: str, times: int = 8) -> set[str]:
        return {self.ask(tenant, "POST", REST, PATIENT).json()["status"] for _ in range(times)}

    def ready(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ask(NORTH, "GET", "/readyz").json()
        return found

    def silent(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self.ready()["silent"]
        return found

    def every_worker(self, holds: Callable[[], bool]) -> float:
        """Wait until it holds 8 times on end; seconds since the call to the first of them."""
        began = since = time.monotonic()
        row = 0
        while row < 8:
            if holds():
                since = time.monotonic() if row == 0 else since
                row += 1
            else:
                row = 0
            assert time.monotonic() - began < 30, "the condition did not come to hold"
        return since - began


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("silent")
    var = folder / "var"
    registry = Registry.at(var)
    made = gated.registered(registry, folder / "bundle", gated.version_files(gated.good()))
    registry.set_alias(NAME, CHAMPION, made.version)
    words = gated.vocabulary()
    local = gated.cohort()
    local = replace(local, source=replace(local.source, title="Patients of North", groups={}))
    found = validate(find(registry, NAME, words), local, words, seed=1)
    (folder / "report.json").write_text(json.dumps(found))
    (folder / "tenants.toml").write_text(TENANTS)
    settings = {
        "RISK_TENANTS_FILE": str(folder / "tenants.toml"),
        "RISK_API_KEYS_FILE": str(folder / "api-keys.jsonl"),
        "RISK_REGISTRY_POLL_S": str(POLL_S),
        "RISK_WORKERS": "2",
    }
    keys = {
        tenant: create_api_key(
            folder / "api-keys.jsonl", name="a test", tenant=tenant,
            scopes=("read", "assess", "cds"), lasts=None, now=datetime.now(UTC),
        )[1]
        for tenant in (NORTH, SOUTH)
    }  # fmt: skip
    with running_service(var, folder / "log", settings) as service:
        made_site = Site(service, registry, var, keys, folder / "report.json")
        made_site.every_worker(
            lambda: [row["models"] for row in made_site.ready()["workers"]] == [{NAME: "1"}] * 2
        )
        yield made_site


def numbers_of(outcomes: list[dict[str, Any]]) -> set[str]:
    """Every number of the outcomes, as JSON has it, that is long enough to be nobody else's."""
    found: set[str] = set()

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            for inside in part.values():
                walk(inside)
        elif isinstance(part, list):
            for inside in part:
                walk(inside)
        elif isinstance(part, float) and len(json.dumps(part)) > 6:
            found.add(json.dumps(part))

    walk(outcomes)
    return found


def assert_tells_nothing(body: bytes, whole: dict[str, Any]) -> None:
    """No number, band, reason or suggestion of the whole answer stands in what was sent."""
    assert whole["silent"] is True
    answered = [outcome for outcome in whole["outcomes"] if outcome["status"] == "answered"]
    assert answered, "the ledger has nothing that could have been told"
    text = body.decode()
    probability = answered[0]["probability"]
    for number in (*numbers_of(whole["outcomes"]), f"{probability:.3f}", f"{probability:.1%}"):
        assert number not in text
    for word in ("probability", "log_odds", "contribution", "band", "prediction", "digest"):
        assert f'"{word}' not in text


def parameters() -> dict[str, Any]:
    return {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "branchPoint", "valueCode": ICU},
            {"name": "indexTime", "valueDateTime": INDEX_TIME},
            {"name": "bundle", "resource": bundle(*CHART)},
        ],
    }


def test_rest_and_batch_tell_that_it_was_recorded_and_nothing_of_the_risk(site: Site):
    single = site.ask(NORTH, "POST", REST, PATIENT)
    assert single.status_code == 200
    line = json.dumps(PATIENT).encode()
    batch = site.ask(
        NORTH, "POST", f"{REST}:batch", line + b'\n{"measurements": {}}\n' + line + b"\n"
    )
    lines = batch.content.splitlines()
    assert json.loads(lines[1])["status"] == "silent"  # abstained: told as little
    for body in (single.content, lines[0], lines[2]):
        answer = json.loads(body)
        assert set(answer) == TOLD_IN_SILENCE
        assert (answer["status"], answer["outcomes"], answer["suggestions"]) == ("silent", [], [])
        assert answer["episode_id"]
        assert "bilirubin" in answer["missing"]
        assert_tells_nothing(body, site.stored(answer["assessment_id"]))


def test_what_is_read_back_is_what_was_sent(site: Site):
    sent = site.ask(NORTH, "POST", REST, PATIENT)
    answer = sent.json()
    whole = site.stored(answer["assessment_id"])
    read = site.ask(NORTH, "GET", f"/v1/assessments/{answer['assessment_id']}")
    assert read.content == sent.content
    episode = site.ask(NORTH, "GET", f"/v1/episodes/{answer['episode_id']}")
    assert answer in episode.json()["assessments"]
    assert episode.json()["trajectory"] == {}
    assert_tells_nothing(episode.content, whole)
    found = site.ask(NORTH, "POST", "/v1/episodes:find", {"episode": PATIENT["episode"]})
    assert found.json() == episode.json()
    fhir = site.ask(NORTH, "GET", f"/fhir/RiskAssessment/{answer['assessment_id']}")
    assert fhir.json()["status"] == "registered"
    AssessmentAnswer.model_validate_json(sent.content)
    EpisodeDocument.model_validate_json(episode.content)
    assert_tells_nothing(fhir.content, whole)


def test_a_hook_gets_no_card_and_no_action_and_feedback_finds_nothing(site: Site):
    answer = site.ask(NORTH, "POST", f"/cds-services/{ICU}", hook_call())
    assert (answer.status_code, answer.json()) == (200, {"cards": []})
    whole = site.newest(NORTH)
    assert_tells_nothing(answer.content, whole)
    given = {"feedback": [report({"uuid": whole["assessment_id"]})]}
    told = site.ask(NORTH, "POST", f"/cds-services/{ICU}/feedback", given)
    assert told.json() == {"recorded": 0, "already_recorded": 0, "unknown_cards": 1}


def test_fhir_gets_a_registered_risk_assessment_and_is_told_why(site: Site):
    answer = site.ask(NORTH, "POST", "/fhir/$assess", parameters())
    assessment, outcome = (entry["resource"] for entry in answer.json()["entry"])
    assert assessment["status"] == "registered"
    assert not {"prediction", "basis", "mitigation"} & set(assessment)
    first = outcome["issue"][0]
    assert (first["severity"], first["code"]) == ("information", "suppressed")
    assert_tells_nothing(answer.content, site.stored(assessment["id"]))


def test_a_file_is_answered_in_silence_whatever_its_form(site: Site, tmp_path: Path):
    rows = tmp_path / "rows.ndjson"
    rows.write_text(json.dumps(PATIENT) + "\n")
    for form in ("ndjson", "csv"):
        out = tmp_path / f"out.{form}"
        done = run_command(
            "risk-serve", "score-file", str(rows), str(out), "--branch-point", ICU, "--tenant",
            NORTH, "--jobs", "1", "--json", var=site.var, settings=site.service.settings,
        )  # fmt: skip
        summary = json.loads(done.stdout)
        assert (summary["rows"], summary["silent"], summary["outcomes"]) == (1, 1, {})
        assert_tells_nothing(out.read_bytes(), site.newest(NORTH))
    (row,) = csv.DictReader((tmp_path / "out.csv").read_text().splitlines())
    assert (row["row"], row["status"], row["outcome"]) == ("1", "silent", "")


def test_people_at_a_terminal_read_that_it_is_silent(site: Site):
    visit = {"visit": 0, "hours": 1.0, "branch_point": ICU, "request": PATIENT, "labels": {}}
    for tenant, silent in ((NORTH, True), (SOUTH, False)):
        shown = Console(file=StringIO(), width=160)
        walk(site.service.url, [visit], shown, site.keys[tenant])
        said = shown.file.getvalue()
        assert ("silent mode: it was recorded" in said) is silent
        assert ("death_180d" in said) is not silent
    answer = site.ask(NORTH, "POST", REST, PATIENT).json()
    shown = Console(file=StringIO(), width=160)
    in_words(answer, {}, {"row": "7"}, 5, shown)
    assert "Silent mode: it was recorded, and nothing of the risk is told." in shown.file.getvalue()


def test_another_tenant_and_another_branch_point_are_told(site: Site):
    answer = site.ask(SOUTH, "POST", REST, PATIENT).json()
    (death,) = (o for o in answer["outcomes"] if o["outcome"] == "death_180d")
    assert death["status"] == "answered"
    assert "silent" not in site.stored(answer["assessment_id"])
    other = site.ask(
        NORTH, "POST", "/v1/branch-points/ward-round/assessments", {"measurements": {"age": 71}}
    )
    assert other.json()["status"] == "abstained"  # no model; and it says so


def test_operators_and_callers_see_what_is_silent(site: Site):
    assert site.silent() == [{"tenant": NORTH, "branch_point": ICU}]
    ReadinessDocument.model_validate(site.ready())
    for tenant, silent in ((NORTH, True), (SOUTH, False)):
        one = site.ask(tenant, "GET", f"/v1/branch-points/{ICU}").json()
        assert BranchPointDocument.model_validate(one).silent is silent
        listed = site.ask(tenant, "GET", "/v1/branch-points").json()
        assert {row["id"] for row in listed if row["silent"]} == ({ICU} if silent else set())
    text = site.ask(NORTH, "GET", "/metrics").text
    assert 'risk_silent_assessments_total{branch_point="ward-round"} 0.0' in text
    assert "risk_silence_current 1.0" in text


def test_going_live_and_silent_again_reaches_every_worker_and_leaves_the_past_alone(site: Site):
    before = site.ask(NORTH, "POST", REST, PATIENT)
    number = before.json()["assessment_id"]

    # Without a report of the champion nothing is written, and a dry run writes nothing either.
    refused = run_command(
        "risk-train", "go-live", ICU, "--tenant", NORTH, "--reason", "the board agreed",
        var=site.var, settings=site.service.settings, check=False,
    )  # fmt: skip
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert "no report for death_180d: `icu-review` has a champion of each; make one with" in line
    arguments = (
        "go-live", ICU, "--tenant", NORTH, "--reason", "the board agreed",
        "--report", str(site.report), "--json",
    )  # fmt: skip
    assert site.train(*arguments, "--dry-run").exit_code == 0
    assert ask(site.ledger, "SELECT count(*) FROM events WHERE kind LIKE 'go%'") == [(0,)]
    assert site.statuses(NORTH) == {"silent"}

    done = site.train(*arguments)
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["kind"], said["reason"], said["without_report"]) == (
        "go_live", "the board agreed", [],
    )  # fmt: skip
    (attached,) = said["reports"]
    assert (attached["model"], attached["version"]) == (NAME, "1")
    took_s = site.every_worker(lambda: site.statuses(NORTH, 1) != {"silent"})
    assert took_s < EVERY_S + 2.0  # a look, and the answers in between on a loaded machine
    assert site.silent() == []

    # What was answered in silence stays so, on every way to it.
    assert site.ask(NORTH, "GET", f"/v1/assessments/{number}").content == before.content
    fhir = site.ask(NORTH, "GET", f"/fhir/RiskAssessment/{number}")
    assert_tells_nothing(fhir.content, site.stored(number))
    episode = site.ask(NORTH, "GET", f"/v1/episodes/{before.json()['episode_id']}").json()
    assert {answer["status"] for answer in episode["assessments"]} >= {"silent", "partial"}

    # The report is kept beside the version, byte for byte the figures that were validated.
    tag = site.registry.version(NAME, "1").tags["local_validation"]
    assert tag.startswith("north: ")
    kept = list((site.var / "mlflow-artifacts").rglob("validation/*.json"))
    assert [json.loads(file.read_text()) for file in kept] == [json.loads(site.report.read_text())]

    done = site.train("go-silent", ICU, "--tenant", NORTH, "--reason", "calibration drifted")
    assert done.exit_code == 0, done.output
    site.every_worker(lambda: site.statuses(NORTH, 1) == {"silent"})
    assert site.silent() == [{"tenant": NORTH, "branch_point": ICU}]
    done = run_command(
        "risk-monitor", "verify", "--json", var=site.var, settings=site.service.settings
    )
    assert json.loads(done.stdout)["holds"] is True
    log = site.service.log.read_text()
    assert log.count("branch_point_live") == log.count("branch_point_silent") - 2 == 2


def test_an_emergency_stop_needs_no_declaration_and_survives_a_restart(site: Site, tmp_path: Path):
    """A tenant that never declared silence is silenced by hand; a new service knows it at once.

    It does not wait for the next look at the registry, which the services take every ten minutes.
    """
    settings = {**site.service.settings, "RISK_WORKERS": "1", "RISK_REGISTRY_POLL_S": "600"}
    with running_service(site.var, tmp_path / "before", settings) as other:
        headers = {"X-API-Key": site.keys[SOUTH]}

        def told_there() -> str:
            answer = httpx.post(f"{other.url}{REST}", json=PATIENT, headers=headers, timeout=30)
            return str(answer.json()["status"])

        assert told_there() != "silent"
        done = site.train("go-silent", ICU, "--tenant", SOUTH, "--reason", "an alarm at 03:10")
        assert done.exit_code == 0, done.output
        site.every_worker(lambda: told_there() == "silent")
    site.every_worker(lambda: site.statuses(SOUTH, 1) == {"silent"})
    with running_service(site.var, tmp_path / "log", settings) as again:
        headers = {"X-API-Key": site.keys[SOUTH]}
        answer = httpx.post(f"{again.url}{REST}", json=PATIENT, headers=headers, timeout=30)
        assert answer.json()["status"] == "silent"
        text = httpx.get(f"{again.url}/metrics", headers=headers).text
    assert f'risk_silent_assessments_total{{branch_point="{ICU}"}} 1.0' in text


def test_nothing_is_answered_while_nobody_knows_who_is_silent(site: Site, tmp_path: Path):
    """An event that does not say whose place it is about: what was silenced cannot be known."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    keyring = load_keyring(tmp_path / "keys.toml", create=True)
    book = Book(url, keyring)
    book.prepare()
    event = Change(5, False, SOUTH, ICU, "anna", "why").event()
    book.write([type(event)(event.recorded_at_us, event.what, "{}")])
    book.close()
    settings = {
        **site.service.settings, "RISK_WORKERS": "1", "RISK_DATABASE_URL": url,
        "RISK_KEYS_FILE": str(tmp_path / "keys.toml"),
    }  # fmt: skip
    with running_service(site.var, tmp_path / "log", settings, until=503) as service:
        headers = {"X-API-Key": site.keys[SOUTH]}
        answer = httpx.post(f"{service.url}{REST}", json=PATIENT, headers=headers, timeout=30)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        ready = httpx.get(f"{service.url}/readyz").json()
    assert ready["reason"] == "the ledger has not been read yet: who is silent is not known"
    assert "silence_unread" in (tmp_path / "log").read_text()
