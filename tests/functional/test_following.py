"""Workers follow a real MLflow server, over SQLite and over PostgreSQL, and outlive it."""

from __future__ import annotations

import base64
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil
import pytest

from app.identity.signed_deliveries import signature_of
from models.registry import CHAMPION, Registry
from tests.lib import versions
from tests.lib.mlflow_server import MlflowServer, running_mlflow
from tests.lib.postgres import Postgres, needed_postgres
from tests.lib.service import Service, running_service
from tests.lib.until import until
from tests.lib.versions import NAME, Publisher, without_trace

ICU = "/v1/branch-points/icu-review/assessments"
NOON = "2026-11-21T12:00:00Z"
INTERVAL_S = 2.0
BUSY_S = 30.0
"""What a busy machine may add to a wait before a test gives up."""
KEY = "a secret of the tests alone"


@dataclass(frozen=True)
class Stage:
    """A registry server, what can be registered there, and a service of two workers."""

    server: MlflowServer
    publisher: Publisher
    service: Service
    var: Path

    def ready(self) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.service.url}/readyz", timeout=30).json()
        return found

    def promote(self, version: str) -> None:
        self.publisher.registry.set_alias(NAME, CHAMPION, version)

    def served(self) -> list[str | None]:
        """What each worker serves."""
        return [worker["models"].get(NAME) for worker in self.ready()["workers"]]

    def refused(self) -> list[str | None]:
        return [worker["refused"].get(NAME) for worker in self.ready()["workers"]]

    def confirmed(self) -> bool:
        """Both workers live and have the registry's word for what they serve."""
        found = self.ready()["workers"]
        return len(found) == 2 and all(
            worker["last_success"] and not worker["serving_from_cache"] for worker in found
        )

    def metric(self, name: str) -> dict[str, float]:
        """Every sample of a metric, by its labels as written."""
        text = httpx.get(f"{self.service.url}/metrics", timeout=30).text
        lines = [line for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        return {
            line.rpartition(" ")[0].removeprefix(name): float(line.rpartition(" ")[2])
            for line in lines
        }

    def ask(self) -> dict[str, Any]:
        sent = {"index_time": NOON, "outcomes": ["death_180d"], "measurements": versions.patient()}
        response = httpx.post(f"{self.service.url}{ICU}", json=sent, timeout=30)
        assert response.status_code == 200
        [outcome] = response.json()["outcomes"]
        return dict(outcome)


def settings(server: MlflowServer, folder: Path, **more: str) -> dict[str, str]:
    (folder / "secret").write_text(KEY)
    return {
        "MLFLOW_TRACKING_URI": server.url,
        "RISK_WORKERS": "2",
        "RISK_REGISTRY_POLL_S": str(INTERVAL_S),
        "RISK_REGISTRY_TIMEOUT_S": "20",
        "RISK_ANSWER_BUDGET_MS": versions.telling_budget_ms(),
        "RISK_WEBHOOK_SECRET_FILE": str(folder / "secret"),
        **more,
    }


@contextmanager
def staged(
    publisher: Publisher, server: MlflowServer, folder: Path, **more: str
) -> Iterator[Stage]:
    """A service of two workers over a registry that has a champion."""
    var = folder / "var"
    given = settings(server, folder, **more)
    with running_service(var, folder / "log", given, until=None) as service:
        stage = Stage(server, publisher, service, var)
        until(stage.confirmed, 180)
        yield stage


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    with without_trace(), running_mlflow(tmp_path_factory.mktemp("mlflow")) as found:
        yield found


@pytest.fixture(scope="module")
def publisher(server: MlflowServer, tmp_path_factory: pytest.TempPathFactory) -> Publisher:
    found = Publisher(Registry(server.url), server.artifacts, tmp_path_factory.mktemp("bundles"))
    found.registry.set_alias(NAME, CHAMPION, found.publish(versions.good(1)))
    return found


@pytest.fixture(scope="module")
def stage(
    publisher: Publisher, server: MlflowServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    with staged(publisher, server, tmp_path_factory.mktemp("following")) as found:
        yield found


def test_every_worker_follows_within_an_interval(stage: Stage):
    version = stage.publisher.publish(versions.good(2))
    stage.promote(version)
    took_s = until(lambda: stage.served() == [version, version])
    assert took_s <= INTERVAL_S + BUSY_S
    answer = stage.ask()
    assert answer["model"]["version"] == version
    assert answer["probability"] == pytest.approx(versions.probability_of(2), abs=1e-9)
    info = stage.metric("risk_model_info")
    assert [workers for labels, workers in info.items() if f'version="{version}"' in labels] == [2]
    assert stage.metric("risk_workers") == {"": 2}


BAD = {
    "a byte changed": (lambda p: p.publish(versions.good(3), versions.corrupt), "SHA-256"),
    "a file lost": (lambda p: p.publish(versions.good(3), versions.lose_a_file), "different files"),
    "an unknown input": (lambda p: p.publish(versions.wrong_feature(3)), "not in the dictionary"),
    "too slow": (lambda p: p.publish(versions.slow(3)), "processor time"),
}


@pytest.mark.parametrize(("publish", "reason"), BAD.values(), ids=BAD)
def test_a_bad_version_changes_nothing_in_any_worker(
    stage: Stage, publish: Callable[[Publisher], str], reason: str
):
    before, failures = stage.served(), stage.metric("risk_model_load_failures_total")[""]
    expected = stage.ask()
    version = publish(stage.publisher)
    stage.promote(version)
    until(lambda: stage.refused() == [version, version])
    assert stage.served() == before
    assert stage.ask() == expected
    body = stage.ready()
    assert body["ready"] is True
    [named] = body["refused"]
    assert (named["name"], named["version"]) == (NAME, version)
    assert reason in named["reason"]
    assert stage.metric("risk_model_load_failures_total")[""] == failures + 2
    logged = [json.loads(line) for line in stage.service.log.read_text().splitlines()]
    told = [e for e in logged if e["event"] == "model_refused" and e["version"] == version]
    assert len(told) == 2
    stage.promote(before[0] or "")
    until(lambda: stage.refused() == [None, None])
    assert stage.served() == before


def test_a_killed_worker_serves_the_last_good_models_before_it_asks_anybody(stage: Stage):
    """Its registry process takes seconds to start; no patient waits for that."""
    [one, other] = stage.service.workers()
    # The registry hangs: whatever the new worker serves, it has from the cache.
    stage.server.freeze()
    try:
        expected = stage.ask()
        for worker in (one, other):
            os.kill(worker.pid, signal.SIGKILL)
            until(lambda pid=worker.pid: not psutil.pid_exists(pid))
            until(lambda: _answers(stage))
            assert stage.ask() == expected
        until(lambda: len(stage.ready()["workers"]) == 2)
        body = stage.ready()
        assert body["ready"] is True
        assert body["registry"]["serving_from_cache"] is True
        assert stage.metric("risk_registry_last_success_timestamp_seconds") == {"": 0.0}
        # A worker that is there may not have told yet what it serves.
        until(lambda: stage.metric("risk_registry_serving_from_cache") == {"": 2.0})
    finally:
        stage.server.thaw()
    until(stage.confirmed)
    assert stage.ask() == expected


def _answers(stage: Stage) -> bool:
    try:
        return httpx.get(f"{stage.service.url}/livez", timeout=30).status_code == 200
    except httpx.HTTPError:
        return False


def test_the_registry_can_go_and_come_back(stage: Stage):
    expected = stage.ask()
    last = stage.metric("risk_registry_last_success_timestamp_seconds")[""]
    assert abs(time.time() - last) < INTERVAL_S + BUSY_S
    stage.server.kill()
    until(lambda: all(w["serving_from_cache"] for w in stage.ready()["workers"]))
    assert stage.ready()["ready"] is True
    assert stage.ask() == expected
    stage.server.start()
    until(stage.confirmed)
    version = stage.publisher.publish(versions.good(5))
    stage.promote(version)
    until(lambda: stage.served() == [version, version])
    assert stage.metric("risk_registry_last_success_timestamp_seconds")[""] > last


# ---------------------------------------------------------------- looking at once


@pytest.fixture(scope="module")
def patient_stage(
    publisher: Publisher, server: MlflowServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """A service that looks by itself once an hour: what it finds sooner it was asked to find."""
    folder = tmp_path_factory.mktemp("asked")
    with staged(publisher, server, folder, RISK_REGISTRY_POLL_S="3600") as found:
        yield found


def deliver(stage: Stage, key: str = KEY, **changed: str) -> httpx.Response:
    """A delivery with the headers that MLflow sends."""
    body = b'{"entity": "model_version_alias", "action": "created", "data": {}}'
    delivery_id, now = str(uuid4()), str(int(time.time()))
    headers = {
        "X-MLflow-Delivery-Id": delivery_id,
        "X-MLflow-Timestamp": now,
        "X-MLflow-Signature": signature_of(key.encode(), delivery_id, now, body),
        **changed,
    }
    return httpx.post(f"{stage.service.url}/v1/models:webhook", content=body, headers=headers)


@pytest.mark.parametrize("number", [7, 8])
def test_a_refresh_reaches_every_worker(patient_stage: Stage, number: int):
    version = patient_stage.publisher.publish(versions.good(number))
    patient_stage.promote(version)
    response = httpx.post(f"{patient_stage.service.url}/v1/models:refresh")
    assert response.status_code == 202
    assert response.json() == {
        "status": "looking", "workers": 2, "begins_within_s": 1.2, "interval_s": 3600.0,
    }  # fmt: skip
    until(lambda: patient_stage.served() == [version, version])


def test_a_signed_delivery_reaches_every_worker(patient_stage: Stage):
    version = patient_stage.publisher.publish(versions.good(9))
    patient_stage.promote(version)
    response = deliver(patient_stage)
    assert (response.status_code, response.json()["status"]) == (202, "looking")
    until(lambda: patient_stage.served() == [version, version])


@pytest.mark.parametrize(
    ("key", "changed", "status"),
    [
        ("another secret, not the one", {}, 401),
        (KEY, {"X-MLflow-Timestamp": "1795000000"}, 401),
        (KEY, {"X-MLflow-Signature": "v1," + base64.b64encode(b"0" * 32).decode()}, 401),
    ],
)
def test_an_unsigned_delivery_moves_nobody(
    patient_stage: Stage, key: str, changed: dict[str, str], status: int
):
    asked = next((patient_stage.var / "workers").glob("*/look-now"), None)
    before = None if asked is None else asked.stat().st_mtime_ns
    response = deliver(patient_stage, key, **changed)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert KEY not in response.text
    asked = next((patient_stage.var / "workers").glob("*/look-now"), None)
    assert (None if asked is None else asked.stat().st_mtime_ns) == before


# ---------------------------------------------------------------- PostgreSQL, and MLflow's own hand


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    yield from needed_postgres()


def test_workers_follow_a_registry_on_postgresql_that_tells_them_itself(
    postgres: Postgres, tmp_path: Path
):
    """MLflow moves the alias, signs its webhook and delivers it; nobody else asks for the look."""
    store = postgres.new_database().replace("postgresql://", "postgresql+psycopg://")
    with without_trace(), running_mlflow(
        tmp_path / "mlflow", store,
        # Outside of tests MLflow delivers by https and to public addresses only, and it looks for
        # new webhooks once a minute.
        MLFLOW_WEBHOOK_CACHE_TTL="0",
        MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS="true",
        MLFLOW_WEBHOOK_ALLOWED_SCHEMES="http", MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY=(
            base64.urlsafe_b64encode(b"k" * 32).decode()
        ),
    ) as server:  # fmt: skip
        import mlflow
        from mlflow.entities.webhook import WebhookEvent

        publisher = Publisher(Registry(server.url), server.artifacts, tmp_path)
        one, two = (publisher.publish(versions.good(number)) for number in (1, 2))
        publisher.registry.set_alias(NAME, CHAMPION, one)
        with staged(publisher, server, tmp_path, RISK_REGISTRY_POLL_S="3600") as stage:
            mlflow.MlflowClient(server.url, server.url).create_webhook(
                name="complication-risk",
                url=f"{stage.service.url}/v1/models:webhook",
                events=[WebhookEvent.from_str("model_version_alias.created")],
                secret=KEY,
            )
            stage.promote(two)
            until(lambda: stage.served() == [two, two])
