"""What a scrape tells of the models is what the ledger holds, whichever worker counted it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.serving.slot import load_served_model
from models.bundle import read_bundle
from models.vocabulary import Vocabulary
from monitoring.counting.model_series import ModelSeries
from monitoring.counting.profile import ModelProfile
from monitoring.recounted import recount
from tests.lib.counted import Series, expected, profiles_of, series, told, with_short_bins
from tests.lib.ledger import ask, reading
from tests.lib.service import Service, running_service
from tests.lib.until import until

POINT = "icu-review"
ASK = f"/v1/branch-points/{POINT}/assessments"
FAMILIES = (
    "risk_feature_observations_total", "risk_model_assessments_total",
    "risk_predicted_probability_total", "risk_predicted_probability_sum_total",
    "risk_predicted_variance_total", "risk_predicted_value_total", "risk_predicted_value_sum_total",
    "risk_contribution_absolute_total",
)  # fmt: skip


@dataclass(frozen=True)
class Site:
    """A service of two workers, and what its models were fitted on."""

    service: Service
    profiles: dict[str, dict[str, Any]]
    vocabulary: Vocabulary
    counted_in: list[ModelProfile]

    @property
    def ledger(self) -> str:
        return self.service.settings["RISK_DATABASE_URL"]

    def scrape(self) -> str:
        # A new connection each time: the kernel chooses the worker.
        return httpx.get(f"{self.service.url}/metrics", timeout=30).text

    def counted(self) -> dict[Series, float]:
        return {key: n for key, n in with_short_bins(told(self.scrape(), *FAMILIES)).items() if n}

    def holds(self) -> dict[Series, float]:
        return dict(expected(self.ledger, self.profiles, self.vocabulary))

    def rows(self) -> int:
        [(count,)] = ask(self.ledger, "SELECT count(*) FROM assessments")
        return int(count)


@pytest.fixture
def site(trained: Path, vocabulary: Vocabulary, tmp_path: Path) -> Iterator[Site]:
    outcomes = vocabulary.branch_points[POINT].outcomes
    profiles = profiles_of(trained, tmp_path, [f"{POINT}.{outcome}" for outcome in outcomes])
    with running_service(trained, tmp_path / "log", {"RISK_WORKERS": "2"}) as service:
        served = [
            load_served_model(
                read_bundle(tmp_path / f"{name}-{own['version']}"), name, own["version"], "champion",
                vocabulary,
            )
            for name, own in profiles.items()
        ]  # fmt: skip
        yield Site(service, profiles, vocabulary, [model.profile for model in served])


def recounted(site: Site) -> str:
    """The series as whoever has no Prometheus counts them from the ledger."""
    engine = reading(site.ledger)
    try:
        found = recount(engine, site.counted_in, site.vocabulary, 0, time.time_ns() // 1000)
    finally:
        engine.dispose()
    assert found.assessments == site.rows()
    assert found.strangers == ()
    models = dict(found.models)
    assert set(models) == set(site.counted_in)
    series = ModelSeries(site.counted_in)
    return b"".join(series.filled([models[one] for one in site.counted_in])).decode()


def test_every_worker_tells_all_that_was_counted_by_all_living_or_killed(
    site: Site, patients: list[dict[str, Any]]
):
    requests = [row["request"] for row in patients]
    spoiled = [
        {**request, "measurements": {**request["measurements"], "heart_rate": 900.0}}
        for request in requests[:5]
    ]
    some = [{**request, "outcomes": ["death_180d"]} for request in requests[:7]]
    until(lambda: len(site.service.workers()) == 2)
    assert set(site.counted()) == set()
    zeros = told(site.scrape(), *FAMILIES)
    features = {
        (dict(labels)["model"], dict(labels)["feature"])
        for name, labels in zeros
        if name == "risk_feature_observations_total"
    }
    assert features == {(m, f) for m, own in site.profiles.items() for f in own["features"]}
    for request in [*requests, *spoiled, *some]:
        httpx.post(f"{site.service.url}{ASK}", json=request).raise_for_status()
    holds = {key: pytest.approx(n, rel=1e-12) for key, n in site.holds().items() if n}
    for _ in range(6):
        counted = site.counted()
        assert {key: n for key, n in counted.items() if holds.get(key) != n} == {}
        assert set(holds) == set(counted)
    assert told(recounted(site), *FAMILIES) == {
        key: pytest.approx(n, rel=1e-12) for key, n in told(site.scrape(), *FAMILIES).items()
    }
    # One that is killed while it answers: whatever was answered counts, and nothing that was not recorded.
    answered: list[int] = []
    stop = threading.Event()

    def go_on_asking() -> None:
        while not stop.is_set():
            try:
                reply = httpx.post(f"{site.service.url}{ASK}", json=requests[0], timeout=10)
            except httpx.HTTPError:
                continue
            answered.append(reply.status_code)

    asking = [threading.Thread(target=go_on_asking) for _ in range(4)]
    before = site.rows()
    for thread in asking:
        thread.start()
    until(lambda: len(answered) > 20)
    victim = site.service.workers()[0]
    victim.kill()
    seen = len(answered)
    until(lambda: len(answered) > seen + 20)
    stop.set()
    for thread in asking:
        thread.join()
    until(lambda: len({worker.pid for worker in site.service.workers()} - {victim.pid}) == 2)
    until(lambda: told(site.scrape(), "risk_workers") == {series("risk_workers"): 2.0})
    who = {
        "model": "icu-review.death_180d",
        "version": site.profiles["icu-review.death_180d"]["version"],
    }
    asked = sum(
        site.counted()[series("risk_model_assessments_total", **who, status=status)]
        for status in ("answered", "abstained")
        if series("risk_model_assessments_total", **who, status=status) in site.counted()
    )
    assert before + answered.count(200) <= asked <= site.rows()
    # Every series was there at 0 from the start, and none was added by what was asked.
    assert set(told(site.scrape(), *FAMILIES)) == set(zeros)
