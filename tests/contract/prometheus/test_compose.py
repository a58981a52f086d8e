"""The compose file fits the image, the settings, the lock, and Prometheus's own checks.

No container is started: what can be said without an engine is said here.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import Settings
from monitoring.dashboards import DATASOURCE
from monitoring.keyring import VARIABLE
from monitoring.rules import Alert, alerts
from tests.lib.promtool import needed

HERE = Path("monitoring")


def read(name: str) -> Any:
    return yaml.safe_load((HERE / name).read_text(encoding="utf-8"))


COMPOSE = read("compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: one for name, one in SERVICES.items() if "build" in one}
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|KEYS|CREDENTIALS")


def listens(name: str) -> set[int]:
    """The ports on which a service answers inside."""
    return {int(port.rsplit(":", 1)[1]) for port in SERVICES[name]["ports"]}


def test_promtool_takes_prometheus_configuration_with_its_rules():
    done = subprocess.run(
        [needed("promtool"), "check", "config", HERE / "prometheus.yml"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 rule files found" in done.stdout


def test_two_replicas_share_everything_but_their_state():
    assert len(OURS) == 2
    one, two = OURS.values()
    assert one["environment"] == two["environment"]
    assert one["image"] == two["image"]
    assert not {v.split(":")[0] for v in one["volumes"]} & {
        v.split(":")[0] for v in two["volumes"] if not v.startswith("$")
    }


def test_every_image_is_of_one_version():
    for name, one in SERVICES.items():
        assert re.search(r":v?\d+(\.\d+)+$", one["image"]), name
    lock = Path("requirements.lock").read_text(encoding="utf-8")
    (version,) = re.findall(r"^mlflow==(\S+)", lock, re.MULTILINE)
    assert SERVICES["mlflow"]["image"].endswith(f":v{version}")
    project = Path("pyproject.toml").read_text(encoding="utf-8")
    (own,) = re.findall(r'^version = "(.+)"$', project, re.MULTILINE)
    assert {one["image"] for one in OURS.values()} == {f"complication-risk:{own}"}


def test_every_port_is_published_on_loopback_and_none_twice():
    published = [port for one in SERVICES.values() for port in one.get("ports", ())]
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in published)
    outside = [port.split(":")[1] for port in published]
    assert len(set(outside)) == len(outside)
    told = (HERE / "compose.yaml").read_text(encoding="utf-8").split("\nname:")[0]
    assert all(re.search(rf"\b{port}\b", told) for port in outside)


def test_a_secret_comes_from_the_environment_and_nothing_starts_without_it():
    text = (HERE / "compose.yaml").read_text(encoding="utf-8")
    secrets = [
        str(value)
        for one in SERVICES.values()
        for name, value in one.get("environment", {}).items()
        if SECRET.search(name)
    ]
    assert secrets
    assert all(re.fullmatch(r"\$\{[A-Z_]+:\?\}", value) for value in secrets)
    needed_ones = set(re.findall(r"\$\{([A-Z_]+):\?\}", text))
    assert set(re.findall(r"\$\{?([A-Z_]+)", text)) == needed_ones
    told = text.split("\nname:")[0]
    assert all(re.search(rf"^#   {name} ", told, re.MULTILINE) for name in needed_ones)
    assert ".env" in Path(".gitignore").read_text(encoding="utf-8").split()


def test_every_setting_of_the_service_exists():
    known = {f"RISK_{name.upper()}" for name in Settings.model_fields} | {VARIABLE}
    for one in OURS.values():
        given = {name for name in one["environment"] if name.startswith("RISK_")}
        assert given <= known


@pytest.mark.parametrize("name", SERVICES)
def test_every_mounted_file_and_volume_is_there(name: str):
    for mount in SERVICES[name].get("volumes", ()):
        source = mount.split(":")[0]
        if source.startswith("."):
            assert (HERE / source).exists(), mount
            assert mount.endswith(":ro"), mount
        elif not source.startswith("$"):
            assert source in COMPOSE["volumes"], mount


def test_whatever_is_named_across_files_is_a_service_on_its_port():
    prometheus = read("prometheus.yml")
    (job,) = prometheus["scrape_configs"]
    targets = job["static_configs"][0]["targets"]
    assert targets == [f"{name}:8000" for name in OURS]
    (managers,) = prometheus["alerting"]["alertmanagers"]
    (source,) = read("grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert source["name"] == DATASOURCE
    environment = OURS["risk-1"]["environment"]
    named = [
        *targets,
        *managers["static_configs"][0]["targets"],
        source["url"].removeprefix("http://"),
        environment["MLFLOW_TRACKING_URI"].removeprefix("http://"),
    ]
    for host, port in (address.split(":") for address in named):
        assert int(port) in listens(host)
    assert "@postgres:5432/risk" in environment["RISK_DATABASE_URL"]


def test_grafana_reads_the_dashboards_where_they_are_mounted():
    (provider,) = read("grafana/provisioning/dashboards/risk.yml")["providers"]
    mounts = dict(reversed(v.split(":")[:2]) for v in SERVICES["grafana"]["volumes"])
    folder = HERE / mounts[provider["options"]["path"]]
    assert len(list(folder.glob("*.json"))) == 3


def test_prometheus_keeps_more_than_the_longest_window():
    (kept,) = [c for c in SERVICES["prometheus"]["command"] if "retention.time" in c]
    assert int(re.findall(r"=(\d+)d$", kept)[0]) > 31


def test_alertmanager_knows_the_alerts_and_labels_that_it_names():
    manager = read("alertmanager.yml")
    receivers = {one["name"] for one in manager["receivers"]}
    route = manager["route"]
    assert {route["receiver"], *(one["receiver"] for one in route["routes"])} <= receivers
    names = {rule.name for group in alerts() for rule in group.rules if isinstance(rule, Alert)}
    text = (HERE / "alertmanager.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"Risk[A-Z]\w+", text)) <= names
