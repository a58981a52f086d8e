"""The page for who connects a record system: what it shows is what the service offers and answers."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from tests.lib.pages import LOOKS, watched
from tests.lib.service import Service

PAGE = "/console/integration"


def test_every_service_of_the_discovery_document_is_listed(
    opened: Browser, service: Service, client: httpx.Client
):
    offered = {one["id"] for one in client.get("/cds-services").json()["services"]}
    with watched(opened, service.url) as tab:
        page = tab.open(PAGE)
        rows = page.locator("tr[data-service]").all()
        assert {row.get_attribute("data-service") for row in rows} == offered


@pytest.mark.parametrize("way", ["rest", "cds-hooks", "fhir"])
def test_the_call_that_is_shown_works_as_it_stands(
    opened: Browser, service: Service, tmp_path: Path, way: str
):
    with watched(opened, service.url) as tab:
        page = tab.open(f"{PAGE}?point=icu-review&way={way}")
        call = page.locator("[data-curl]").inner_text()
        (tmp_path / "request.json").write_text(page.locator("[data-request]").inner_text())
    done = subprocess.run(
        [*shlex.split(call), "--fail"], cwd=tmp_path, capture_output=True, check=True, timeout=60
    )
    told = json.loads(done.stdout)
    assert told.keys() & {"outcomes", "cards", "resourceType"}


def test_an_example_is_answered_by_the_served_models_and_recorded_nowhere(
    opened: Browser, service: Service, client: httpx.Client
):
    with watched(opened, service.url) as tab:
        page = tab.open(f"{PAGE}?point=icu-review")
        asked = json.loads(page.locator("[data-request]").inner_text())
        page.get_by_role("button", name="Answer it with the models").click()
        live = json.loads(page.locator("[data-live]").inner_text())
    told = client.post("/v1/branch-points/icu-review/assessments", json=asked).json()
    assert [o.get("probability") for o in live["outcomes"]] == [
        o.get("probability") for o in told["outcomes"]
    ]
    assert live["assessment_id"] == ""


@pytest.mark.parametrize(("language", "theme"), LOOKS)
def test_nothing_grave_and_nothing_wider_than_a_telephone(
    opened: Browser, service: Service, language: str, theme: str
):
    with watched(opened, service.url, language=language, theme=theme, width=360) as tab:
        page = tab.open(PAGE)
        assert tab.grave_violations() == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_an_address_that_somebody_made_up_is_not_repeated(service: Service):
    told = httpx.get(service.url + PAGE, headers={"Host": "elsewhere.example"})
    assert told.status_code == 200
    assert "elsewhere.example" not in told.text
    for asked in ("point=nowhere", "way=pigeon"):
        assert httpx.get(f"{service.url}{PAGE}?{asked}").status_code == 404
