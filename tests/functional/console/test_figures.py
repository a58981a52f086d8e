"""Drift and outcomes as pages: what moved is named first, and figures are the API's."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser

from app.deid import stored_inputs
from app.schemas.assessment_request import parse_assessment_request
from models.vocabulary import Vocabulary, settle
from monitoring.ledger import Assessment
from tests.lib.ledger import assessment, keyring_at, written
from tests.lib.pages import LOOKS, watched
from tests.lib.service import Service, run_command, running_service
from tests.lib.until import until

ASK = "/v1/branch-points/icu-review/assessments"
LONG_AGO, KNOWN_AT = "2025-06-01T08:00:00Z", "2026-01-15T08:00:00Z"
N, OUTCOME = 300, "death_180d"
# Alike in size, so that they lie close together in the funnel; one name is too long for a telephone.
UNITS = ["ward-31", "ward-32", "icu-2", "trauma-intermediate-care-unit-north"]
HOUR_US = 3600 * 1_000_000
WEEK = "/console/figures?window=7d&model=icu-review.death_180d"
DRIFT, OUTCOMES = "/console/figures?window=1d", "/console/figures/outcomes?window=1d"


def days_before(
    client: httpx.Client, patient: dict[str, Any], vocabulary: Vocabulary
) -> list[Assessment]:
    """One patient again and again, from six days ago to yesterday; albumin stops in the middle."""
    whole = patient["request"]["measurements"]
    found, now_us = [], time.time_ns() // 1000
    for hours in range(150, 30, -2):
        values = {name: value for name, value in whole.items() if hours >= 90 or name != "albumin"}
        answer = client.post(ASK, json={"measurements": values}).raise_for_status()
        point = vocabulary.branch_points["icu-review"]
        asked = parse_assessment_request(
            json.dumps({"measurements": values}).encode(), point, vocabulary
        )
        inputs = stored_inputs(settle(asked.measurements, point, vocabulary.features).used)
        at = now_us - hours * HOUR_US
        found += [assessment(at, inputs=inputs, answer=answer.content) for _ in range(4)]
    return found


@pytest.fixture(scope="module")
def shifted(
    trained: Path,
    client: httpx.Client,
    patients: list[dict[str, Any]],
    vocabulary: Vocabulary,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """A service that was told creatinine in µmol/L under the name of mg/dL, and of outcomes.

    Its ledger has days before it in which a ward stopped measuring albumin.
    """
    told = run_command(
        "risk-train", "rows", "support2", "--held-out", "--limit", str(N), var=trained
    )
    given = {"RISK_OUTCOMES_POLL_S": "0.2", "RISK_CARE_UNITS": json.dumps(UNITS)}
    log = tmp_path_factory.mktemp("figures") / "log"
    given |= {
        "RISK_DATABASE_URL": f"sqlite:///{log.parent / 'ledger.db'}",
        "RISK_KEYS_FILE": str(log.parent / "keys.toml"),
    }
    measured = next(row for row in patients if "albumin" in row["request"]["measurements"])
    before = days_before(client, measured, vocabulary)
    written(given["RISK_DATABASE_URL"], keyring_at(log.parent), before)
    with running_service(trained, log, given) as service:
        with service.client() as client:
            for i, line in enumerate(told.stdout.splitlines()):
                row = json.loads(line)
                values = row["request"]["measurements"]
                if "creatinine" in values:
                    values["creatinine"]["value"] *= 88
                asked = {
                    "measurements": values,
                    "index_time": LONG_AGO,
                    "unit": UNITS[i % len(UNITS)],
                }
                answer = client.post(ASK, json=asked).raise_for_status().json()
                report = {"assessment_id": answer["assessment_id"], "outcome": OUTCOME,
                          "value": row["labels"][OUTCOME], "observed_at": KNOWN_AT}  # fmt: skip
                client.post("/v1/outcomes", json=report).raise_for_status()
            until(lambda: of_outcome(client))
        yield service


def of_outcome(client: httpx.Client) -> dict[str, Any] | None:
    """The figures of the API once every outcome is counted."""
    reply = client.get("/v1/monitoring/performance?window=1d")
    if reply.status_code != 200:
        return None
    for one in reply.json()["models"]:
        if one["model"].endswith(OUTCOME) and one["figures"]["n"] > 0.9 * N:
            return one
    return None


def test_the_input_in_the_wrong_unit_is_named_first(opened: Browser, shifted: Service):
    with shifted.client() as client, watched(opened, shifted.url) as tab:
        page = tab.open(DRIFT, pictures=True)
        told = client.get("/v1/monitoring/drift?window=1d").json()["models"][0]
        (psi,) = [one["psi"] for one in told["features"] if one["feature"] == "creatinine"]
        first = page.locator("[data-ranking] tbody tr").first
        assert first.locator("th").text_content() == "Creatinine"
        assert first.locator("td").first.text_content() == f"{psi:.2f}"
        assert "Asks for attention: Creatinine" in page.locator("[data-ranking]").inner_text()


def test_what_a_ward_stops_measuring_is_seen_over_time(opened: Browser, shifted: Service):
    with shifted.client() as client, watched(opened, shifted.url) as tab:
        page = tab.open(WEEK, pictures=True)
        (model,) = [
            one
            for one in client.get("/v1/monitoring/drift?window=7d").json()["models"]
            if one["model"].endswith(OUTCOME)
        ]
        (albumin,) = [one for one in model["features"] if one["feature"] == "albumin"]
        course = albumin["missing_over_time"]
        # Six days ago nobody lacked it; four days later everybody did; today some do.
        assert course[2:4] == [0.0, 0.0]
        assert course[7:9] == [1.0, 1.0]
        assert course[0] is None
        assert 0 < course[11] < 1
        first = page.locator("[data-course] tbody tr").first
        assert first.locator("th").text_content() == "Albumin"
        cells = [cell.text_content() for cell in first.locator("td").all()[1:]]
        assert cells[2:4] == ["0\u202f%"] * 2
        assert cells[7:9] == ["100\u202f%"] * 2
        assert cells[0] == "–"


def test_ratios_are_those_of_the_api(opened: Browser, shifted: Service):
    with shifted.client() as client, watched(opened, shifted.url) as tab:
        page = tab.open(OUTCOMES, pictures=True)
        told = of_outcome(client)
        assert told is not None
        row = page.locator(f"tr[data-model='{told['model']}']")
        figures = told["figures"]
        assert row.locator("[data-ratio]").inner_text() == f"{figures['ratio']:.2f}"
        between = f"{figures['lower']:.2f}–{figures['upper']:.2f}"
        assert row.locator("[data-interval]").inner_text() == between


@pytest.mark.parametrize(("language", "theme"), LOOKS)
@pytest.mark.parametrize("path", [WEEK, OUTCOMES])
def test_nothing_grave_and_nothing_sticks_out_of_a_telephone(
    opened: Browser, shifted: Service, path: str, language: str, theme: str
):
    with watched(opened, shifted.url, language=language, theme=theme, width=360) as tab:
        page = tab.open(path, pictures=True)
        assert tab.grave_violations() == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("width", [360, 1280, 3840])
@pytest.mark.parametrize("path", [WEEK, OUTCOMES])
def test_no_word_of_a_picture_is_cut_off_or_covered(
    opened: Browser, shifted: Service, path: str, width: int
):
    for language in ("en", "sv"):
        with watched(opened, shifted.url, language=language, width=width) as tab:
            tab.open(path, pictures=True)
            assert tab.ill_drawn() == []


def test_too_little_is_said_instead_of_drawn(
    opened: Browser, trained: Path, patients: list[dict[str, Any]], tmp_path: Path
):
    """Of a service of its own: others have been asked by other tests."""
    with (
        running_service(trained, tmp_path / "log") as service,
        service.client() as client,
        watched(opened, service.url) as tab,
    ):
        client.post(ASK, json=patients[0]["request"]).raise_for_status()
        page = tab.open("/console/figures?window=1h")
        assert "at least 200" in page.locator("[data-too-few]").inner_text()
        assert page.locator("[data-ranking]").count() == 0


def test_a_window_that_there_is_not_is_a_page_that_says_so(service: Service):
    found = httpx.get(f"{service.url}/console/figures?window=2w")
    assert found.status_code == 422
    assert found.headers["content-type"].startswith("text/html")
