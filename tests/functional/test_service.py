"""What operators and integrators see of a running service, and how it stands without its registry."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from models.registry import location
from models.vocabulary import Vocabulary
from tests.lib.service import Service, environment, free_port, running_service, script
from tests.lib.until import until
from tests.lib.xsd import Schema

CARD_SCHEMA = Path(__file__).parents[1] / "data" / "chai_model_card" / "schema.xsd"

POINTS = {
    "surgery-decision", "preoperative-clinic", "trauma-alert", "trauma-bay-exit", "end-of-surgery",
    "ward-round", "icu-review", "discharge", "recovery-follow-up",
}  # fmt: skip
ICU = "/v1/branch-points/icu-review/assessments"
# The gate refuses severe_disability_60d for its calibration slope on held-out rows.
PROMOTED = {
    "icu-review.death_in_hospital", "icu-review.death_60d", "icu-review.death_180d",
    "icu-review.prolonged_stay", "icu-review.length_of_stay_days",
}  # fmt: skip
STATUSES = ("answered", "fallback", "abstained")
# Without the registry: no retries, so that an outage is noticed within a test's patience.
QUICK = {
    "RISK_REGISTRY_POLL_S": "0.5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
}
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose registry holds nothing, and that nobody has asked anything yet."""
    folder = tmp_path_factory.mktemp("empty")
    with running_service(folder / "var", folder / "log", {"RISK_PORT": "1"}, until=503) as running:
        yield running


def samples(client: httpx.Client) -> Samples:
    """Every series of /metrics with its value."""
    response = client.get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def ready(url: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{url}/readyz").json()
    return found


def value(client: httpx.Client, name: str, **labels: str) -> float:
    return samples(client)[name, tuple(sorted(labels.items()))]


# ---------------------------------------------------------------- what is declared and served


def test_a_live_process_says_so(client: httpx.Client, empty: Service):
    assert client.get("/livez").json() == {"alive": True}
    assert httpx.get(f"{empty.url}/livez").status_code == 200


def test_readiness_names_every_champion_and_the_open_door(client: httpx.Client):
    until(lambda: client.get("/readyz").json()["registry"]["reachable"])
    response = client.get("/readyz")
    assert response.status_code == 200
    body = response.json()
    assert (body["ready"], body["reason"], body["refused"]) == (True, None, [])
    assert {model["name"] for model in body["models"]} == PROMOTED
    assert {model["alias"] for model in body["models"]} == {"champion"}
    assert all(re.fullmatch("sha256:[0-9a-f]{64}", m["digest"]) for m in body["models"])
    assert body["open"] is True
    assert "not authenticated" in body["note"]
    assert body["registry"]["reachable"] is True
    assert body["registry"]["serving_from_cache"] is False
    assert abs(body["registry"]["last_success"] - time.time()) < 60


def test_all_nine_branch_points_are_declared(client: httpx.Client):
    listed = client.get("/v1/branch-points").json()
    assert {point["id"] for point in listed} == POINTS
    assert [point["stage"] for point in listed] == sorted(point["stage"] for point in listed)
    for point in listed:
        assert client.get(f"/v1/branch-points/{point['id']}").json() == point
        assert point["required"]
        assert point["outcomes"]
        assert point["intended_purpose"]
        assert not set(point["required"]) & set(point["optional"])
    champions = {
        f"{point['id']}.{outcome['outcome']}"
        for point in listed
        for outcome in point["outcomes"]
        if outcome["champion"]
    }
    assert champions == PROMOTED


def test_the_dictionary_is_published_whole(client: httpx.Client, vocabulary: Vocabulary):
    listed = client.get("/v1/features").json()
    assert len(listed) >= 90
    assert [feature["name"] for feature in listed] == list(vocabulary.features)
    for feature in listed:
        assert (feature["unit"] is not None) == (feature["kind"] == "number")
        assert feature["source"]


def test_models_say_what_they_were_trained_on_and_how_they_did(client: httpx.Client):
    listed = client.get("/v1/models").json()
    assert {model["name"] for model in listed} == PROMOTED
    for model in listed:
        assert client.get(f"/v1/models/{model['name']}").json() == model
        assert model["training_data"] == "real"
        assert "SUPPORT" in model["trained_on"]["title"]
        assert model["evaluation"]
        assert set(model["required"]) <= set(model["features"])


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("application/json", "application/json"),
        ("application/json, text/html;q=0.5", "application/json"),
        ("text/html", "text/html; charset=utf-8"),
        ("application/json;q=0.5, text/html", "text/html; charset=utf-8"),
        ("application/xml", "application/xml"),
        ("text/xml, application/json;q=0.9", "application/xml"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
         "text/html; charset=utf-8"),
        ("application/json;q=0, text/html;q=nonsense", "text/html; charset=utf-8"),
        ("*/*", "text/html; charset=utf-8"),
    ],
)  # fmt: skip
def test_a_card_is_json_xml_or_a_page_as_accept_says(
    client: httpx.Client, accept: str, media_type: str
):
    response = client.get("/v1/models/icu-review.death_180d/card", headers={"accept": accept})
    assert response.status_code == 200
    assert response.headers["content-type"] == media_type
    if media_type == "application/json":
        assert response.json()["name"] == "icu-review.death_180d"
    elif media_type == "application/xml":
        Schema(CARD_SCHEMA).hold(response.content)
        assert "<ReleaseStage>champion</ReleaseStage>" in response.text
    else:
        assert response.text.startswith("<!doctype html>")
        assert "<h1>" in response.text


def test_the_style_of_a_card_is_allowed_and_no_other(client: httpx.Client):
    response = client.get("/v1/models/icu-review.death_180d/card", headers={"accept": "text/html"})
    [style] = re.findall(r"<style>(.*?)</style>", response.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = response.headers["content-security-policy"]
    assert f"style-src 'self' 'sha256-{digest}';" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("outcome", ["death_180d", "length_of_stay_days"])
def test_the_card_of_a_really_trained_model_has_its_pictures(client: httpx.Client, outcome: str):
    page = client.get(f"/v1/models/icu-review.{outcome}/card").text
    drawn = re.findall(r"<figcaption>([^.]+)\.", page)
    binary = {"Calibration", "Decision curve", "AUROC by subgroup"}
    assert set(drawn) >= (
        binary if outcome == "death_180d" else {"Observed and predicted"}
    )  # fmt: skip
    assert "Not for: deciding or ordering anything by itself" in page


class _Loaded(HTMLParser):
    """Collects what a page makes the browser fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "iframe", "object", "embed", "base", "form"):
            self.found.append((tag, str(attrs)))
        for name, content in attrs:
            if name in ("src", "srcset", "data", "poster") or (tag == "link" and name == "href"):
                self.found.append((tag, content or ""))
            if name.startswith("on") or (name == "style" and "url(" in (content or "")):
                self.found.append((tag, name))


@pytest.mark.parametrize("path", ["/docs", "/v1/models/icu-review.death_180d/card"])
def test_a_page_loads_and_runs_nothing(client: httpx.Client, path: str):
    page = _Loaded()
    page.feed(client.get(path, headers={"accept": "text/html"}).text)
    assert page.found == []


def test_the_page_of_documents_names_every_operation(client: httpx.Client):
    page = client.get("/docs").text
    for path in client.get("/openapi.json").json()["paths"]:
        assert path in page


@pytest.mark.parametrize(
    "path", ["/livez", "/docs", "/metrics", "/openapi.json", "/v1/features", "/nowhere", ICU]
)
def test_every_answer_carries_the_security_headers(client: httpx.Client, path: str):
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "server" not in headers


def test_what_is_not_there_and_what_is_not_offered_are_problems(client: httpx.Client):
    for method, path, status in [
        ("GET", "/nowhere", 404), ("GET", "/v1/models/icu-review.nothing", 404),
        ("GET", "/docs/", 404), ("DELETE", "/livez", 405), ("GET", ICU, 405),
    ]:  # fmt: skip
        response = client.request(method, path)
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        body = response.json()
        assert body["status"] == status
        assert {"type", "title", "detail"} <= body.keys()
    assert client.get(ICU).headers["allow"] == "POST"


# ---------------------------------------------------------------- metrics


def test_every_series_is_there_before_anything_happens(empty: Service, vocabulary: Vocabulary):
    with empty.client() as client:
        found = samples(client)
    assessments = {key[1]: n for key, n in found.items() if key[0] == "risk_assessments_total"}
    declared = {
        (("branch_point", point.id), ("outcome", outcome), ("status", status))
        for point in vocabulary.branch_points.values()
        for outcome in point.outcomes
        for status in STATUSES
    }
    assert assessments == dict.fromkeys(declared, 0.0)
    durations = {
        dict(key[1])["branch_point"]: n
        for key, n in found.items()
        if key[0] == "risk_assessment_duration_seconds_count"
    }
    assert durations == dict.fromkeys(POINTS, 0.0)
    assert found["risk_model_load_failures_total", ()] == 0
    assert found["risk_registry_serving_from_cache", ()] == 0
    assert ("risk_registry_last_success_timestamp_seconds", ()) in found


def test_every_metric_has_help_and_its_units_suffix(client: httpx.Client):
    for family in text_string_to_metric_families(client.get("/metrics").text):
        if family.name.endswith("_created"):
            continue  # Prometheus' own companion of a counter: when it was made
        assert family.name.startswith("risk_")
        assert family.documentation
        if "duration" in family.name:
            assert family.name.endswith("_seconds")


def test_counts_rise_by_exactly_what_was_asked(
    client: httpx.Client, patients: list[dict[str, Any]]
):
    before = samples(client)
    asked = 0
    statuses: dict[tuple[str, str], int] = {}
    for patient in patients[:7]:
        for outcome in client.post(ICU, json=patient["request"]).json()["outcomes"]:
            key = (outcome["outcome"], outcome["status"])
            statuses[key] = statuses.get(key, 0) + 1
        asked += 1
    lines = "\n".join(json.dumps(patient["request"]) for patient in patients[:5])
    for line in client.post(f"{ICU}:batch", content=lines + "\n[]\n").text.splitlines():
        for outcome in json.loads(line).get("outcomes", []):
            key = (outcome["outcome"], outcome["status"])
            statuses[key] = statuses.get(key, 0) + 1
    asked += 5
    client.post(ICU, content=b"not a request")
    after = samples(client)
    risen = {
        (dict(key[1])["outcome"], dict(key[1])["status"]): n - before[key]
        for key, n in after.items()
        if key[0] == "risk_assessments_total" and n != before[key]
    }
    assert risen == statuses
    key = ("risk_assessment_duration_seconds_count", (("branch_point", "icu-review"),))
    assert after[key] - before[key] == asked
    bins = [
        n - before[key]
        for key, n in after.items()
        if key[0] == "risk_assessment_duration_seconds_bucket"
        and dict(key[1])["branch_point"] == "icu-review"
    ]
    assert bins == sorted(bins)
    assert bins[-1] == asked


def test_the_metrics_name_the_models_that_are_served(client: httpx.Client):
    until(lambda: client.get("/readyz").json()["registry"]["reachable"])
    named = {
        (labels["model"], labels["version"], labels["alias"], labels["digest"])
        for (name, pairs) in samples(client)
        if name == "risk_model_info"
        for labels in [dict(pairs)]
    }
    served = client.get("/readyz").json()["models"]
    assert named == {(m["name"], m["version"], m["alias"], m["digest"]) for m in served}
    last = client.get("/readyz").json()["registry"]["last_success"]
    assert value(client, "risk_registry_last_success_timestamp_seconds") <= last


# ---------------------------------------------------------------- commands


def command(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    settings = environment(Path("unused"), COLUMNS="200", **more)
    settings.pop("RISK_VAR_DIR")
    return subprocess.run(
        [script("risk-serve"), *arguments], env=settings, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip


def is_one_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """An expected error: exit code 1 and one readable line."""
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("risk-serve: ")
    for word in words:
        assert word in line


def test_the_help_names_every_command():
    shown = command("--help").stdout
    for name in ("run", "settings", "openapi", "ask", "walk", "demo"):
        assert name in shown
        done = command(name, "--help")
        assert done.returncode == 0
        assert "Usage:" in done.stdout


def test_settings_lists_every_setting_with_its_default_and_meaning(tmp_path: Path):
    file = tmp_path / "risk.toml"
    file.write_text('port = 8123\nlog_level = "warning"\ncare_units = ["ward-31"]\n')
    done = command("settings", "--json", RISK_CONFIG=str(file), RISK_LOG_LEVEL="error")
    listed = {item["variable"]: item for item in json.loads(done.stdout)}
    assert listed["RISK_PORT"]["value"] == 8123
    assert listed["RISK_PORT"]["default"] == 8000
    assert listed["RISK_LOG_LEVEL"]["value"] == "error"  # the variable wins over the file
    assert listed["RISK_CARE_UNITS"]["value"] == ["ward-31"]
    assert all(item["description"] for item in listed.values())
    table = command("settings").stdout
    for name in (*listed, "RISK_CONFIG", "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        assert name in table


@pytest.mark.parametrize(
    ("arguments", "settings", "words"),
    [
        (["run", "--host", "0.0.0.0"], {}, ["authenticate", "risk-serve keys create"]),  # noqa: S104
        (["run"], {"RISK_HOST": "::"}, ["callers must authenticate"]),
        (["run"], {"RISK_HOST": "192.0.2.7"}, ["callers must authenticate"]),
        (["run"], {"RISK_HOST": "risk.example"}, ["callers must authenticate"]),
        (["run"], {"RISK_PORT": "65536"}, ["port"]),
        (["run"], {"RISK_PORT": "a"}, ["port"]),
        (["run"], {"RISK_LOG_LEVEL": "loud"}, ["log_level"]),
        (["run"], {"RISK_CARE_UNITS": "ward-31"}, ["care_units"]),
        (["run"], {"RISK_CONFIG": "/nowhere/risk.toml"}, ["RISK_CONFIG"]),
        (["run"], {"RISK_CONTENT": "/nowhere"}, ["nowhere"]),
        (["ask", "/nowhere/row.json"], {}, ["/nowhere/row.json", "cannot be read"]),
        (["ask", "--url", "http://127.0.0.1:9", __file__], {}, ["expected a line"]),
    ],
    ids=str,
)
def test_an_expected_error_is_one_line_and_exit_code_1(
    arguments: list[str], settings: dict[str, str], words: list[str]
):
    is_one_line(command(*arguments, **settings), *words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("port = \n", ["settings"]),
        ("portt = 8000\n", ["portt"]),
        ("port = 99999\n", ["port"]),
    ],
    ids=["not TOML", "an unknown key", "a value out of range"],
)
def test_a_settings_file_that_does_not_hold_stops_the_start(
    tmp_path: Path, text: str, words: list[str]
):
    file = tmp_path / "risk.toml"
    file.write_text(text)
    is_one_line(command("run", RISK_CONFIG=str(file)), *words)


def test_a_port_that_is_taken_stops_the_start(empty: Service):
    port = empty.url.rsplit(":", 1)[1]
    done = command("run", "--port", port, RISK_VAR_DIR="unused")
    assert done.returncode != 0
    assert "address already in use" in done.stderr.lower()
    assert "Traceback" not in done.stderr


def test_ask_prints_risks_and_reasons_of_one_patient(
    service: Service, patients: list[dict[str, Any]], tmp_path: Path
):
    file = tmp_path / "row.json"
    file.write_text(json.dumps(patients[0]))
    words = command("ask", "--url", service.url, "--reasons", "3", str(file))
    assert words.returncode == 0
    assert "death_180d" in words.stdout
    assert "Decision support only" in words.stdout
    answer = json.loads(command("ask", "--url", service.url, "--json", str(file)).stdout)
    assert answer["branch_point"] == "icu-review"
    is_one_line(command("ask", "--url", f"http://127.0.0.1:{free_port()}", str(file)), "answer")


# ---------------------------------------------------------------- with and without a registry


def test_an_empty_registry_makes_it_alive_and_not_ready(empty: Service):
    response = httpx.get(f"{empty.url}/readyz")
    assert response.status_code == 503
    until(lambda: ready(empty.url)["registry"]["reachable"])
    body = ready(empty.url)
    assert body["ready"] is False
    assert "no champion" in body["reason"]
    assert "risk-train promote" in body["reason"]
    assert body["models"] == []


def test_without_any_model_every_outcome_abstains(empty: Service):
    answer = httpx.post(f"{empty.url}{ICU}", json={"measurements": {"age": 71}})
    assert answer.status_code == 200
    assert answer.json()["status"] == "abstained"
    assert {o["reason"] for o in answer.json()["outcomes"]} == {"no_model"}


@contextmanager
def mlflow_server(var: Path, port: int, log: Path) -> Iterator[None]:
    """MLflow's own server over the registry of a state folder."""
    tracking, _, _ = location(var)
    more = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [script("mlflow"), "server", "--backend-store-uri", tracking, "--workers", "1",
             "--host", "127.0.0.1", "--port", str(port)],
            env=environment(var, **more), stdout=sink, stderr=sink, start_new_session=True,
        )  # fmt: skip
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=30)


def test_without_the_registry_the_cache_serves_and_says_so_until_it_is_back(
    service: Service, trained: Path, patients: list[dict[str, Any]], tmp_path: Path
):
    """The whole outage: a start without the registry, its return, and its loss while serving."""
    var = tmp_path / "var"
    var.mkdir()
    shutil.copytree(trained / "model-cache", var / "model-cache")
    index = var / "model-cache" / "champions.json"
    index.write_text(index.read_text().replace(str(trained), str(var)))
    shutil.copy(trained / "mlflow.db", var / "mlflow.db")
    sent = {"index_time": "2026-11-21T12:00:00Z", **patients[0]["request"]}
    with service.client() as client:
        expected = client.post(ICU, json=sent).json()["outcomes"]
    port = free_port()
    settings = {**QUICK, "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"}
    with running_service(var, tmp_path / "log", settings) as running, running.client() as client:
        assert ready(running.url)["registry"] == {
            "reachable": False, "serving_from_cache": True, "last_success": None,
        }  # fmt: skip
        assert value(client, "risk_registry_serving_from_cache") == 1
        assert client.post(ICU, json=sent).json()["outcomes"] == expected

        with mlflow_server(var, port, tmp_path / "mlflow.log"):
            until(lambda: ready(running.url)["registry"]["reachable"])
            assert ready(running.url)["ready"] is True
            assert ready(running.url)["registry"]["serving_from_cache"] is False
            assert value(client, "risk_registry_serving_from_cache") == 0
            assert value(client, "risk_registry_last_success_timestamp_seconds") > 0
            assert client.post(ICU, json=sent).json()["outcomes"] == expected

        until(lambda: not ready(running.url)["registry"]["reachable"])
        assert ready(running.url)["ready"] is True
        assert ready(running.url)["registry"]["serving_from_cache"] is True
        assert value(client, "risk_registry_serving_from_cache") == 1
        assert client.post(ICU, json=sent).json()["outcomes"] == expected


def test_without_registry_and_cache_it_is_not_ready_and_says_why(tmp_path: Path):
    settings = {**QUICK, "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{free_port()}"}
    with running_service(tmp_path / "var", tmp_path / "log", settings, until=503) as running:
        until(lambda: "not been asked" not in ready(running.url)["reason"])
        body = ready(running.url)
        assert body["ready"] is False
        assert body["registry"]["reachable"] is False
        assert "did not answer" in body["reason"]


def test_it_ends_quickly_and_takes_the_registrys_process_along(tmp_path: Path):
    with running_service(tmp_path / "var", tmp_path / "log", until=503) as running:
        until(lambda: ready(running.url)["registry"]["reachable"])
        children = psutil.Process(running.process.pid).children(recursive=True)
        assert children
        running.process.terminate()
        running.process.wait(timeout=15)
    until(lambda: not any(child.is_running() for child in children), 10)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(running.url.rsplit(":", 1)[1]))) != 0


def test_workers_keep_their_state_where_the_command_line_says(tmp_path: Path):
    """Not where the environment or the working folder would have it: that is another ledger."""
    var, elsewhere, port = tmp_path / "state", tmp_path / "elsewhere", free_port()
    elsewhere.mkdir()
    command = [
        script("risk-serve"),
        "run",
        "--var",
        str(var),
        "--port",
        str(port),
        "--workers",
        "2",
    ]
    with (tmp_path / "log").open("wb") as sink:
        process = subprocess.Popen(
            command, env=environment(elsewhere / "wrong"), cwd=elsewhere, stdout=sink, stderr=sink
        )
    try:
        deadline = time.monotonic() + 60
        status = None
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5) as client:
            while status != 200:
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                with suppress(httpx.HTTPError):
                    answer = client.post(
                        "/v1/branch-points/icu-review/assessments", json={"measurements": {}}
                    )
                    status = answer.status_code
                time.sleep(0.05)
        assessment_id = answer.json()["assessment_id"]
    finally:
        process.terminate()
        process.wait(timeout=30)
    with closing(sqlite3.connect(var / "ledger.db")) as ledger:
        assert (assessment_id,) in ledger.execute(
            "SELECT assessment_id FROM assessments"
        ).fetchall()
    assert list(elsewhere.iterdir()) == []
