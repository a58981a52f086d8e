"""The inspector: every identifier that comes is accounted for, and in nothing that leaves."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page

from app.cds_hooks.discovery import CdsService
from app.cds_hooks.hooks import load_hooks
from app.console.inspector.example import REMARK
from app.examples.patients import TAKEN_AT, load_patients
from app.examples.requests import fhir_request, hook_request
from models.vocabulary import load_vocabulary
from tests.lib.pages import LOOKS, watched
from tests.lib.service import Service
from tests.lib.two_keys import two_keys

HERE = "/console/inspector"
PLANTED = ("Svensson", "19500907-2553", "070-123 45 67", "Storgatan 12", "ring dottern Eva")


def bundle() -> dict[str, Any]:
    """The invented patient's chart, with everything in it that identifies a person."""
    text = json.dumps(fhir_request(load_patients()["icu-review"], load_vocabulary()))
    an_hour_ago = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    asked = json.loads(text.replace(f"{TAKEN_AT:%Y-%m-%dT%H:%M:%SZ}", an_hour_ago))
    found: dict[str, Any] = asked["parameter"][-1]["resource"]
    patient = found["entry"][0]["resource"]
    patient["name"] = [{"family": "Svensson", "given": ["Anna"]}]
    patient["identifier"] = [
        {"system": "urn:oid:1.2.752.129.2.1.3.1", "value": "19500907-2553"},
    ]
    patient["telecom"] = [{"system": "phone", "value": "070-123 45 67"}]
    patient["address"] = [{"line": ["Storgatan 12"]}]
    mine = found["entry"][1]["resource"]["subject"]
    found["entry"].append(
        {
            "resource": {
                "resourceType": "Observation",
                "id": "note",
                "status": "final",
                "code": {"text": "Svensson"},
                "subject": mine,
                "valueString": "ring dottern Eva, 070-123 45 67",
                "note": [{"text": "ring dottern Eva"}],
            }
        }
    )
    return found


def inspect(page: Page, sent: Any) -> None:
    page.locator("#sent").fill(sent if isinstance(sent, str) else json.dumps(sent))
    with page.expect_navigation():
        page.get_by_role("button", name=re.compile("^(Inspect|Granska)$")).click()


def test_of_a_bundle_only_measurements_and_pseudonyms_leave(opened: Browser, service: Service):
    sent = bundle()
    with watched(opened, service.url) as tab:
        page = tab.open(HERE)
        inspect(page, sent)
        result = page.locator("#result")
        assert "it would be answered" in result.inner_text()
        for row in page.locator("details summary").all():
            row.click()
        told = result.inner_text()
        for name in ("name", "identifier", "telecom", "address"):
            row = page.locator("tr", has_text=f"/entry/0/resource/{name}").inner_text()
            expected = "pseudonym" if name == "identifier" else "nothing of it leaves"
            assert expected in row
        note = page.locator(f"[data-resource='/entry/{len(sent['entry']) - 1}/resource']")
        assert "nothing" in note.locator("[data-leaves]").inner_text()
        assert "stands for no input" in note.inner_text()
        leaves = " ".join(result.locator("[data-leaves]").all_inner_texts())
        for taken in ("Age: 71 years", "Heart rate: 118", "Creatinine: 168 µmol/L, 6"):
            assert taken in leaves
        for planted in PLANTED:
            assert planted not in told
        resources = page.locator("article[data-resource]")
        assert resources.count() == len(sent["entry"])
        assert tab.grave_violations() == []


def test_a_request_shows_what_the_api_shows(
    opened: Browser, service: Service, client: httpx.Client
):
    sent = {
        "subject": "19500907-2553",
        "measurements": {"age": 94, "creatinine": {"value": 1.2, "unit": "mg/dL"}},
        "note": "ring dottern Eva",
    }
    by_api = client.post("/v1/deidentification/inspect", json=sent).json()
    with watched(opened, service.url) as tab:
        page = tab.open(HERE)
        inspect(page, sent)
        rows = page.locator("#result table tbody tr")
        assert rows.count() == len(by_api["fields"])
        for row, field in zip(rows.all(), by_api["fields"], strict=True):
            told = row.inner_text()
            assert field["pointer"] in told
            assert field["came"] in told
            assert field["rule"] in told
        assert "would be refused (422)" in page.locator("#result").inner_text()
        assert "19500907" not in page.locator("#result").inner_text()


def test_a_hook_call_is_looked_at_as_well(opened: Browser, service: Service, client: httpx.Client):
    services = client.get("/cds-services").json()["services"]
    offered = next(one for one in services if one["id"] == "icu-review")
    call = _call(offered)
    call["context"]["userId"] = "Practitioner/Svensson"
    with watched(opened, service.url) as tab:
        page = tab.open(HERE)
        inspect(page, call)
        told = page.locator("#result").inner_text()
        assert "CDS Hooks call: it would be answered" in told
        assert "/context/userId" in told
        assert "Svensson" not in told
        assert page.locator("article[data-resource^='/prefetch/']").count() > 5


def _call(offered: dict[str, Any]) -> dict[str, Any]:
    vocabulary = load_vocabulary()
    hook = load_hooks().get(offered["hook"])
    assert hook is not None
    point = vocabulary.branch_points["icu-review"]
    made = CdsService(point, hook, offered["prefetch"])
    return hook_request(load_patients()["icu-review"], vocabulary, made)


def test_an_invented_patient_is_at_hand_and_nothing_of_the_person_leaves(
    opened: Browser, service: Service
):
    with watched(opened, service.url) as tab:
        page = tab.open(HERE)
        page.get_by_label("Branch point").select_option("ward-round")
        with page.expect_navigation():
            page.get_by_role("button", name="Inspect an invented patient").click()
        assert page.locator("#branch-point").input_value() == "ward-round"
        pasted = page.locator("#sent").input_value()
        assert page.get_by_role("status").inner_text().endswith("it would be answered")
        leaving = " ".join(page.locator("[data-leaves]").all_inner_texts())
        assert "Systolic blood pressure" in leaving
        for identifying in ("Tolvansson", "19121212-1212", "070-174 06 05", "Storgatan", REMARK):
            assert identifying in pasted
            assert identifying not in leaving


def test_no_attack_succeeds(opened: Browser, service: Service):
    with watched(opened, service.url) as tab:
        page = tab.open(HERE)
        page.locator("#branch-point").select_option("trauma-alert")
        page.set_default_timeout(60_000)
        with page.expect_navigation():
            page.get_by_role("button", name="Test the protection").click()
        summary = page.locator("[data-allowed]").inner_text()
        assert re.search(r"✓ \d{3,} attacks: \d{3,} BLOCKED, 0 ALLOWED", summary)
        assert "ALLOWED" not in page.locator("#result table").inner_text()
        assert tab.grave_violations() == []


@pytest.mark.parametrize(("language", "theme"), LOOKS)
def test_nothing_grave_and_nothing_sticks_out(
    opened: Browser, service: Service, language: str, theme: str
):
    with watched(opened, service.url, language=language, theme=theme, width=360) as tab:
        page = tab.open(HERE)
        inspect(page, bundle())
        assert page.locator("article[data-resource]").count() > 5
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert tab.grave_violations() == []


def test_a_file_is_read_into_the_field_and_who_may_not_is_refused(
    trained: Path, tmp_path: Path, opened: Browser
):
    (tmp_path / "sent.json").write_text('{"measurements": {"age": 71}}')
    with two_keys(trained, tmp_path) as (service, keys):
        reading = {"X-API-Key": keys["reading"], "Accept": "text/html"}
        refused = httpx.get(service.url + HERE, headers=reading)
        assert refused.status_code == 403
        assert refused.headers["content-type"].startswith("text/html")
        with watched(opened, service.url, extra_http_headers={"X-API-Key": keys["all"]}) as tab:
            page = tab.open(HERE)
            page.locator("#file").set_input_files(tmp_path / "sent.json")
            page.wait_for_function("document.getElementById('sent').value.includes('71')")
        log = service.log.read_text()
        assert "19500907" not in log
