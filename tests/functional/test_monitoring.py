"""The figures that people without Prometheus read over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from app.schemas.documents.monitoring import DriftDocument, PerformanceDocument
from models.registry import CHAMPION, Registry
from tests.lib.gated import good, registered, version_files
from tests.lib.risk_models import BRANCH_POINT
from tests.lib.service import Service, running_service
from tests.lib.until import until
from tests.lib.versions import patient

NAME, OUTCOME = "icu-review.death_180d", "death_180d"
ASK = f"/v1/branch-points/{BRANCH_POINT}/assessments"
LONG_AGO, KNOWN_AT = "2025-06-01T08:00:00Z", "2026-01-15T08:00:00Z"
N, KNOWN, EVENTS = 12, 8, 3


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, list[float]]]:
    """A service that answered twelve times, and what it answered; eight outcomes are known."""
    folder = tmp_path_factory.mktemp("monitoring")
    registered(Registry.at(folder / "var"), folder / "bundle", version_files(good()))
    Registry.at(folder / "var").set_alias(NAME, CHAMPION, "1")
    given = {
        "RISK_OUTCOMES_POLL_S": "0.2",
        "RISK_CARE_UNITS": orjson.dumps(["ward-31"]).decode(),
    }
    with running_service(folder / "var", folder / "log", given) as service:
        with service.client() as client:
            said = []
            for i in range(N):
                asked = {"measurements": {**patient(), "age": 40 + 3 * i}, "index_time": LONG_AGO,
                         "unit": "ward-31", "outcomes": [OUTCOME]}  # fmt: skip
                answer = client.post(ASK, json=asked).raise_for_status().json()
                said.append(answer["outcomes"][0]["probability"])
                if i < KNOWN:
                    report = {"assessment_id": answer["assessment_id"], "outcome": OUTCOME,
                              "value": i < EVENTS, "observed_at": KNOWN_AT}  # fmt: skip
                    client.post("/v1/outcomes", json=report).raise_for_status()
        yield service, said


def get(service: Service, path: str) -> httpx.Response:
    return httpx.get(f"{service.url}{path}", timeout=60)


def test_drift_tells_every_bin_of_what_was_asked(answered: tuple[Service, list[float]]):
    service, said = answered
    told = get(service, "/v1/monitoring/drift?window=1h").raise_for_status().json()
    DriftDocument.model_validate(told, strict=True)
    (model,) = told["models"]
    assert (told["assessments"], model["answered"], model["abstained"]) == (N, N, 0)
    assert model["mean_prediction"] == pytest.approx(sum(said) / N)
    assert model["brier_score_expected"] == pytest.approx(sum(p * (1 - p) for p in said) / N)
    assert sum(one["count"] for one in model["predictions"]) == N
    assert all(sum(b["count"] for b in one["bins"]) == N for one in model["features"])
    assert {one["psi"] for one in model["features"]} == {None}  # far too few to say


def test_performance_tells_what_became_of_them(answered: tuple[Service, list[float]]):
    service, said = answered

    def read() -> dict[str, Any] | None:
        reply = get(service, "/v1/monitoring/performance?window=1d")
        assert reply.status_code in (200, 503)
        return reply.json() if reply.status_code == 200 else None

    until(
        lambda: (told := read()) and told["models"] and told["models"][0]["figures"]["n"] == KNOWN
    )
    told = read()
    assert told is not None
    PerformanceDocument.model_validate(told, strict=True)
    (model,), (unit,) = told["models"], told["units"]
    figures, known = model["figures"], said[:KNOWN]
    assert (model["matured"], figures["n"], figures["observed"]) == (N, KNOWN, EVENTS)
    assert model["coverage"] == pytest.approx(KNOWN / N)
    assert figures["expected"] == pytest.approx(sum(known))
    brier = sum((p - (i < EVENTS)) ** 2 for i, p in enumerate(known)) / KNOWN
    assert figures["brier"] == pytest.approx(brier)
    assert (unit["unit"], unit["figures"]["observed"]) == ("ward-31", EVENTS)
    assert [chart["unit"] for chart in told["charts"]] == ["ward-31"]
    # What Prometheus is shown is of the same entries.
    text = get(service, "/metrics").text
    line = f'risk_vlad{{ledger="{told["ledger"]}",branch_point="{BRANCH_POINT}",'
    (vlad,) = [one for one in text.splitlines() if one.startswith(line)]
    assert float(vlad.rpartition(" ")[2]) == pytest.approx(sum(known) - EVENTS)


@pytest.mark.parametrize("path", ["drift?window=2w", "performance?window=1y", "drift?window="])
def test_a_window_that_there_is_not_is_refused(answered: tuple[Service, list[float]], path: str):
    reply = get(answered[0], f"/v1/monitoring/{path}")
    assert reply.status_code == 422
    assert "window" in reply.json()["errors"][0]["detail"]


def test_the_folder_of_the_group_holds_no_patient(answered: tuple[Service, list[float]]):
    """What the workers share beside the ledger: counts and figures, no assessment."""
    service, _ = answered
    var = Path(service.log).parent / "var"
    identifiers = [
        row["assessment_id"]
        for row in [httpx.post(f"{service.url}{ASK}", json={"measurements": patient()}).json()]
    ]
    for path in (var / "workers").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(one.encode() in content for one in identifiers)
            assert b"ward-31" not in content or path.name in ("performance.json", "outcomes.prom")
