"""The page for who connects a record system: what it shows is what the service offers and answers."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser
from prometheus_client.parser import text_string_to_metric_families

from tests.lib.pages import LOOKS, watched
from tests.lib.service import Service, run_command

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


@pytest.mark.parametrize("way", ["rest", "cds-hooks", "fhir"])
def test_an_example_is_answered_by_the_served_models_and_recorded_nowhere(
    opened: Browser, service: Service, client: httpx.Client, way: str
):
    with watched(opened, service.url) as tab:
        page = tab.open(f"{PAGE}?point=icu-review&way={way}")
        asked = json.loads(page.locator("[data-request]").inner_text())
        call = shlex.split(page.locator("[data-curl]").inner_text())
        before = recorded(client)
        page.get_by_role("button", name="Answer it with the models").click()
        live = json.loads(page.locator("[data-live]").inner_text())
        assert recorded(client) == before
    kind = call[call.index("-H") + 1].partition(": ")[2]
    told = client.post(call[2], json=asked, headers={"content-type": kind}).json()
    assert recorded(client) == before + 1
    assert risks(live) == risks(told) != []


def risks(document: Any) -> list[Any]:
    """Every risk that an answer tells, whichever way it went."""
    if isinstance(document, dict):
        own = [
            document[k] for k in ("probability", "probabilityDecimal", "summary") if k in document
        ]
        return own + [one for value in document.values() for one in risks(value)]
    return [one for item in document for one in risks(item)] if isinstance(document, list) else []


def recorded(client: httpx.Client) -> float:
    """How many assessments were recorded."""
    text = client.get("/metrics").text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "risk_ledger_entries_total" and sample.labels["kind"] == "assessment"
    )


def test_the_whole_connection_is_checked_at_a_press(opened: Browser, service: Service):
    with watched(opened, service.url) as tab:
        page = tab.open(PAGE)
        page.get_by_role("button", name="Check now").click()
        told = page.locator("[data-report]").inner_text()
        done = run_command("risk-serve", "check-integration", service.url, "--json", "--calls", "20",
                           var=service.log.parent)  # fmt: skip
        report = json.loads(done.stdout)
        assert report["failed"] == 0
        assert told == (
            f"{report['passed']} held, 0 failed, {report['skipped']} could not be tried."
        )
        for verdict in ("PASSED", "FAILED", "SKIPPED"):
            rows = page.locator(f'tr[data-verdict="{verdict}"]')
            assert rows.count() == report[verdict.lower()]
        assert tab.grave_violations() == []


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
