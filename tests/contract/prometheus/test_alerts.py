"""Real promtool evaluates every alert where it must fire and where it must be still."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from app.cli import app as serving
from app.settings import Settings
from monitoring.cli import app as own
from monitoring.dashboards import dashboards
from monitoring.rules import RUNBOOKS, Alert, alerts
from tests.lib.alert_cases import Case
from tests.lib.drift_alert_cases import DRIFT_CASES
from tests.lib.outcome_alert_cases import OUTCOME_CASES
from tests.lib.promtool import check_rules, needed, run_tests
from tests.lib.service_alert_cases import SERVICE_CASES
from training.cli import app as training

RULES = Path("monitoring/rules/alerts.yml").absolute()
CASES: list[Case] = [*DRIFT_CASES, *OUTCOME_CASES, *SERVICE_CASES]
ALERTS = [rule for group in alerts() for rule in group.rules if isinstance(rule, Alert)]
NAMES = sorted({alert.name for alert in ALERTS})


def written(name: str) -> list[dict[str, Any]]:
    """The rules of an alert as they stand in the file."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"] if rule["alert"] == name]


@pytest.fixture(scope="module")
def promtool() -> str:
    return needed("promtool")


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_fires_when_it_must_and_then_only(promtool: str, tmp_path: Path, name: str):
    """Its rules alone: promtool evaluates every rule of a file at every minute of a case."""
    rules = tmp_path / "rules.yml"
    rules.write_text(json.dumps({"groups": [{"name": name, "rules": written(name)}]}))
    mine = [case for case in CASES if case.alert == name]
    (every,) = {case.every for case in mine}
    tests = [case.as_test() for case in mine]
    run_tests(
        promtool,
        tmp_path,
        {"rule_files": [str(rules)], "evaluation_interval": every, "tests": tests},
    )


def test_every_alert_and_no_other_has_cases_of_both_kinds():
    assert {case.alert for case in CASES if case.fired} == set(NAMES)
    assert {case.alert for case in CASES if not case.fired} == set(NAMES)


def test_every_severity_and_window_of_an_alert_has_a_case():
    """An alert of several rules fires from each of them."""
    shown = {
        (case.alert, one.labels["severity"], one.labels.get("window"))
        for case in CASES
        for one in case.fired
    }
    assert shown == {(a.name, a.severity, dict(a.labels).get("window")) for a in ALERTS}


def test_promtool_takes_the_alerts(promtool: str):
    assert f"SUCCESS: {len(ALERTS)} rules found" in check_rules(promtool, RULES)


def test_every_alert_has_its_section_in_the_runbooks_and_the_other_way_round():
    page = Path(RUNBOOKS).read_text(encoding="utf-8")
    assert sorted(re.findall(r"^### (\w+)$", page, re.MULTILINE)) == NAMES
    for section in re.split(r"^### ", page, flags=re.MULTILINE)[1:]:
        for part in ("**Means.**", "**Look.**", "**Do.**"):
            assert part in section, section.splitlines()[0]


def test_every_alert_says_how_urgent_it_is_and_points_to_its_section():
    for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("critical", "warning", "info")
            assert rule["annotations"]["runbook_url"] == f"{RUNBOOKS}#{rule['alert'].lower()}"
            assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}


def test_the_runbooks_name_commands_settings_and_panels_that_exist():
    page = Path(RUNBOOKS).read_text(encoding="utf-8")
    commands = {
        f"{name} {command}"
        for name, app in (("risk-train", training), ("risk-serve", serving), ("risk-monitor", own))
        for command in typer.main.get_command(app).commands
    }
    told = set(re.findall(r"`(risk-(?:train|serve|monitor) [a-z-]+)", page))
    assert told
    assert told <= commands
    settings = {f"RISK_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"\bRISK_[A-Z_]+", page)) <= settings
    titles = {panel["title"] for one in dashboards() for panel in one["panels"]}
    quoted = set(re.findall(r'"([^"]+)"', page))
    assert quoted
    assert {name for name in quoted if not any(title.startswith(name) for title in titles)} == set()
    pages = {one["title"] for one in dashboards()}
    assert set(re.findall(r"\*(Risk: \w+)\*", page)) <= pages
