"""The gate from outside: what `risk-train` decides, what a service then serves, shows and refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from models.errors import ModelNotFound
from models.gate_record import RECORD_TAG
from models.registry import CHAMPION, Registry, Version
from tests.lib.gated import flattened, good, registered, version_files
from tests.lib.service import Service, run_command, running_service
from tests.lib.until import until
from training.cli import app
from training.errors import PromotionRefused

NAME = "icu-review.death_180d"
REASON = "The board agreed <b>on</b> 3 November"
POLL = {"RISK_REGISTRY_POLL_S": "0.25"}


@dataclass(frozen=True)
class Site:
    """A registry, its keys, and a service that serves gated versions only."""

    registry: Registry
    var: Path
    service: Service

    def publish(self, note: str, *, flat: bool = False) -> Version:
        found = flattened(good()) if flat else good()
        return registered(self.registry, self.var / note, version_files(found, note))

    def train(self, *arguments: str) -> Any:
        """`risk-train` in this process: each of its own would begin with importing MLflow."""
        settings = {"RISK_VAR_DIR": str(self.var), "COLUMNS": "160"}
        return CliRunner().invoke(app, arguments, env=settings)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return httpx.get(f"{self.service.url}{path}", timeout=30, **more)

    def served(self) -> str | None:
        found = self.get(f"/v1/models/{NAME}")
        return found.json()["version"] if found.status_code == 200 else None

    def refused(self) -> dict[str, str]:
        """Version and reason of what is refused; empty when nothing is."""
        return next(iter(self.get("/readyz").json()["refused"]), {})

    def by_hand(self, version: str) -> None:
        """As in MLflow's own page: the alias alone."""
        self.registry.set_alias(NAME, CHAMPION, version)


def keys_of(var: Path) -> dict[str, str]:
    return {"RISK_KEYS_FILE": str(var / "keys.toml")}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("gate")
    var = folder / "var"
    registry = Registry.at(var)
    settings = {**POLL, **keys_of(var), "RISK_UNGATED": "refuse"}
    with running_service(var, folder / "log", settings, until=None) as service:
        yield Site(registry, var, service)


def metric(text: str, name: str) -> float:
    [found] = re.findall(rf"^{name} (.*)$", text, re.M)
    return float(found)


def test_who_is_served_is_decided_by_the_gate_and_not_by_the_alias(site: Site):
    """One story on one registry, because every step is a process or a version of its own."""
    # The alias alone serves nothing.
    first = site.publish("first")
    site.by_hand(first.version)
    until(lambda: site.refused().get("version") == "1")
    assert site.refused()["reason"] == "not gated: no decision of the gate is recorded for it"
    ready = site.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["reason"] == f"champions without a loaded model: {NAME}"
    assert metric(site.get("/metrics").text, "risk_model_load_failures_total") == 1

    # A dry run decides and writes nothing.
    dry = site.train("promote", NAME, "1", "--dry-run", "--json")
    said = json.loads(dry.stdout)
    assert (said["verdict"], said["champion"], said["dry_run"]) == ("passed", False, True)
    assert "nothing was written" in dry.stderr
    assert RECORD_TAG not in site.registry.version(NAME, "1").tags

    # What the gate decided serves, without a restart.
    done = site.train("promote", NAME, "newest")
    assert "no-subgroup-miscalibrated" in done.stderr
    assert f"{NAME} version 1 is champion (passed; before: version 1)" in done.stderr
    until(lambda: site.served() == "1")
    gate = site.get(f"/v1/models/{NAME}").json()["gate"]
    assert (gate["verdict"], gate["doubt"], gate["failed"]) == ("passed", None, [])
    assert gate["rules"].startswith("sha256:")
    assert site.get("/readyz").status_code == 200
    assert site.get("/readyz").json()["ungated"] == []

    # The record of one version says nothing about another.
    flat = site.publish("flat", flat=True)
    record = site.registry.version(NAME, "1").tags[RECORD_TAG]
    site.registry.tag(NAME, flat.version, {RECORD_TAG: record, "gate": "passed"})
    site.by_hand(flat.version)
    until(lambda: site.refused().get("version") == "2")
    assert site.refused()["reason"] == "not gated: its gate record is about another bundle"
    assert site.served() == "1"

    # A person answers for it: served, and shown with the reason and what failed.
    refused = site.train("promote", NAME, "2")
    assert refused.exit_code == 1
    assert isinstance(refused.exception, PromotionRefused)
    assert "calibration-slope" in str(refused.exception)
    assert site.served() == "1"
    taken = run_command(
        "risk-train", "promote", NAME, "2", "--override", REASON, "--json", var=site.var
    )
    assert json.loads(taken.stdout)["verdict"] == "overridden"
    until(lambda: site.served() == "2")
    page = site.get(f"/v1/models/{NAME}/card", headers={"accept": "text/html"}).text
    assert "Promoted against the gate" in page
    assert "The board agreed &lt;b&gt;on&lt;/b&gt; 3 November" in page
    assert "calibration-slope" in page
    card = site.get(f"/v1/models/{NAME}/card", headers={"accept": "application/json"}).json()
    assert (card["gate"]["verdict"], card["gate"]["reason"]) == ("overridden", REASON)
    assert "calibration-slope" in card["gate"]["failed"]

    # And back, in one line; the move by hand stands in the history as what it replaced.
    third = site.publish("third")
    site.train("promote", NAME, third.version, "--override", "rows are elsewhere today")
    until(lambda: site.served() == "3")
    back = site.train("rollback", NAME, "--reason", "too many alarms")
    assert back.stdout == f"{NAME}: champion is version 2 now, it was version 3 before\n"
    until(lambda: site.served() == "2")
    told = json.loads(site.train("history", NAME, "--json").stdout)
    assert (told["champion"], told["moved_by_hand"]) == ("2", False)
    last = told["moves"][-1]
    assert (last["before"], last["after"], last["how"]) == ("3", "2", "rolled back")
    assert last["reason"] == "too many alarms"
    table = site.train("history", NAME)
    assert "too many alarms" in table.stdout

    for arguments in (("rollback", NAME, "--to", "99"), ("rollback", "icu-review.sepsis"),
                      ("history", "icu-review.sepsis")):  # fmt: skip
        assert isinstance(site.train(*arguments).exception, ModelNotFound)


def test_a_service_with_other_keys_serves_and_says_so_unless_told_to_refuse(
    tmp_path: Path, site: Site
):
    """Default: what was served before this product knew of gates goes on serving, in plain sight."""
    if site.registry.aliases([NAME]).get(NAME) is None:  # this test alone
        site.by_hand(site.publish("alone").version)
    with running_service(site.var, tmp_path / "log", POLL) as service, service.client() as client:
        ready = client.get("/readyz").json()
        version = ready["models"][0]["version"]
        assert ready["ready"]
        assert [item["name"] for item in ready["ungated"]] == [NAME]
        assert metric(client.get("/metrics").text, "risk_models_ungated") == 1
        gate = client.get(f"/v1/models/{NAME}").json()["gate"]
        assert gate["verdict"] == "none"
        assert gate["reason"] is None
        page = client.get(f"/v1/models/{NAME}/card").text
        assert "Not gated" in page
        log = service.log.read_text()
    assert "model_ungated" in log
    assert f'"version": "{version}"' in log or f'"version":"{version}"' in log
