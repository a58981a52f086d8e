"""Trying a patient: the API's answer to the same values, nothing stored, what is set aside named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from app.examples.patients import load_patients
from tests.lib.pages import LOOKS, Watched, watched
from tests.lib.service import Service
from tests.lib.two_keys import two_keys

POINT = "icu-review"
HERE = f"/console/patient/{POINT}"
ASSESSMENTS = f"/v1/branch-points/{POINT}/assessments"
SPACE = "\u202f"


def example() -> dict[str, Any]:
    patient = load_patients()[POINT]
    return {"age": patient.age, "sex": patient.sex, **patient.values}


def recorded(client: httpx.Client) -> int:
    """How many rows the ledger has."""
    seq: int = client.get("/readyz").json()["ledger"]["head"]["seq"]
    return seq


def counted(client: httpx.Client) -> list[str]:
    """What the metrics count of assessments."""
    lines = client.get("/metrics").text.splitlines()
    return [line for line in lines if line.startswith("risk_assessments_total")]


def told(client: httpx.Client, values: dict[str, Any]) -> dict[str, str]:
    answer = client.post(ASSESSMENTS, json={"measurements": values}).json()
    return {
        one["outcome"]: f"{100 * one['probability']:.1f}{SPACE}%"
        for one in answer["outcomes"]
        if "probability" in one
    }


def risks(page: Page) -> dict[str, str]:
    return {
        str(card.get_attribute("data-outcome")): card.locator("[data-risk]").inner_text().strip()
        for card in page.locator("article[data-outcome]").all()
        if card.locator("[data-risk]").count()
    }


def answered(page: Page) -> None:
    expect(page.locator("form#patient")).to_have_attribute("data-state", "answered")


def fill(page: Page, name: str, text: str) -> None:
    """Type a value, and wait for the answer to it."""
    page.locator(f"[id='v-{name}']").fill(text)
    answered(page)


def with_example(tab: Watched, point: str = POINT) -> Page:
    return tab.open(f"/console/patient/{point}?example=1", pictures=True)


def test_the_answer_is_that_of_the_api_and_nothing_is_stored(
    opened: Browser, service: Service, client: httpx.Client
):
    values = example()
    by_api, otherwise = told(client, values), told(client, {**values, "creatinine": 400})
    assert by_api
    assert by_api != otherwise
    before = recorded(client), counted(client)
    with watched(opened, service.url) as tab:
        page = with_example(tab)
        assert risks(page).items() >= by_api.items()
        fill(page, "creatinine", "400")
        assert risks(page).items() >= otherwise.items()
        tab.wait_for_pictures()
        page.get_by_role("button", name="Show the answer").click()
        page.wait_for_load_state()
        assert risks(page).items() >= otherwise.items()
    assert (recorded(client), counted(client)) == before


def test_a_value_in_another_unit_gives_the_same_risk(opened: Browser, service: Service):
    with watched(opened, service.url) as tab:
        page = with_example(tab)
        fill(page, "creatinine", "176.8")
        first = risks(page)
        page.locator("select[name='u.creatinine']").select_option("mg/dL")
        answered(page)
        assert risks(page) != first
        fill(page, "creatinine", "2")
        assert risks(page) == first


def test_an_implausible_value_and_a_text_are_named_and_not_used(
    opened: Browser, service: Service, client: httpx.Client
):
    values = example()
    values.pop("creatinine", None)
    without = told(client, values)
    with watched(opened, service.url) as tab:
        page = with_example(tab)
        fill(page, "creatinine", "99999999")
        field = page.locator("[data-field=creatinine]")
        assert "implausible" in field.locator(".aside").inner_text()
        assert field.locator("input").get_attribute("aria-invalid") == "true"
        assert risks(page).items() >= without.items()
        fill(page, "creatinine", "about 100")
        assert "cannot be read" in field.locator(".aside").inner_text()
        fill(page, "creatinine", "100")
        assert field.locator(".aside").inner_text() == ""


def test_what_if_stands_beside_the_answer(opened: Browser, service: Service, client: httpx.Client):
    values = example()
    otherwise = told(client, {**values, "creatinine": 500})
    with watched(opened, service.url) as tab:
        page = with_example(tab)
        page.locator("#if-feature").select_option("creatinine")
        answered(page)
        page.locator("#if-value").fill("500")
        answered(page)
        for name, risk in otherwise.items():
            shown = page.locator(f"article[data-outcome={name}] [data-what-if]").inner_text()
            assert risk in shown
            assert re.search(r"difference [+−]?\d+\.\d percentage points", shown)
        tab.wait_for_pictures()
        assert page.locator("#answer .beside > article").count() == 2
        assert page.locator("#if-slider").is_visible()
        assert tab.grave_violations() == []


def test_one_row_is_written_when_it_is_asked_for(
    opened: Browser, service: Service, client: httpx.Client
):
    before = recorded(client)
    with watched(opened, service.url) as tab:
        page = with_example(tab)
        shown = risks(page)
        with page.expect_navigation():
            page.get_by_role("button", name="Ask and record").click()
        assert re.search(r"/console/assessments/[0-9a-f-]{36}$", page.url)
        assert risks(page) == shown
        made = page.url.rpartition("/")[2]
    assert recorded(client) > before
    found = client.get(f"/v1/assessments/{made}")
    assert found.status_code == 200
    assert found.json()["episode_id"] is None


def test_it_works_without_scripts(opened: Browser, service: Service, client: httpx.Client):
    by_api = told(client, {**example(), "creatinine": 400})
    with watched(opened, service.url, java_script_enabled=False) as tab:
        page = tab.open(f"{HERE}?example=1")
        page.locator("[id='v-creatinine']").fill("400")
        page.get_by_role("button", name="Show the answer").click()
        page.wait_for_load_state()
        assert risks(page).items() >= by_api.items()


@pytest.mark.parametrize(("language", "theme"), LOOKS)
def test_nothing_grave_and_nothing_sticks_out(
    opened: Browser, service: Service, language: str, theme: str
):
    with watched(opened, service.url, language=language, theme=theme, width=360) as tab:
        page = with_example(tab)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert tab.grave_violations() == []
        tab.open("/console/patient")
        assert tab.grave_violations() == []


def test_silent_is_silent_here_too_and_who_may_not_ask_is_refused(
    trained: Path, tmp_path: Path, opened: Browser
):
    with two_keys(trained, tmp_path) as (service, keys):
        for path in ("/console/patient", HERE):
            reading = {"X-API-Key": keys["reading"], "Accept": "text/html"}
            refused = httpx.get(service.url + path, headers=reading)
            assert refused.status_code == 403
            assert refused.headers["content-type"].startswith("text/html")
        with watched(opened, service.url, extra_http_headers={"X-API-Key": keys["all"]}) as tab:
            page = tab.open(f"{HERE}?example=1")
            fill(page, "creatinine", "400")
            assert "no risk is told" in page.locator("#answer").inner_text()
            assert page.locator("article[data-outcome]").count() == 0
            assert "%" not in page.locator("#answer").inner_text()
            assert page.locator("#care-unit option").all_inner_texts() == ["none", "ward-1"]
        sent = {"X-API-Key": keys["all"], "X-Console-Form": "guessed"}
        foreign = httpx.post(f"{service.url}{HERE}/answer", headers=sent, data={"v.age": "71"})
        assert foreign.status_code == 403
