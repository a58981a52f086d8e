"""The map of the branch points: what it shows is what the API and the ledger say."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser

from tests.lib.pages import LOOKS, watched
from tests.lib.service import Service

ASSESSMENTS = "/v1/branch-points/icu-review/assessments"


@pytest.fixture(scope="module")
def points(client: httpx.Client) -> dict[str, dict[str, Any]]:
    return {point["id"]: point for point in client.get("/v1/branch-points").json()}


def test_the_console_begins_with_the_map(opened: Browser, service: Service):
    for address in ("/console", "/console/"):
        answer = httpx.get(service.url + address)
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/pathway")


def test_the_map_shows_every_branch_point_and_its_champions(
    opened: Browser, service: Service, points: dict[str, dict[str, Any]]
):
    with watched(opened, service.url) as tab:
        page = tab.open("/console/pathway")
        cards = page.locator("article[data-point]")
        assert {card.get_attribute("data-point") for card in cards.all()} == set(points)
        surgery = page.get_by_role("region", name="Surgery", exact=True).locator("article")
        assert [card.get_attribute("data-point") for card in surgery.all()] == [
            "surgery-decision", "preoperative-clinic", "end-of-surgery",
        ]  # fmt: skip
        served = [one for one in points["icu-review"]["outcomes"] if one["champion"]]
        assert served
        for one in served:
            row = page.locator(f"#icu-review li[data-outcome={one['outcome']}]").inner_text()
            assert one["label"]["en"] in row
            assert f"version {one['champion']['version']}" in row
        with page.expect_navigation():
            page.locator("#icu-review").get_by_role("link", name="Intensive care review").click()
        assert page.url.endswith("/console/pathway/icu-review")


def test_the_start_says_where_a_model_answers_and_leads_there(
    opened: Browser, service: Service, points: dict[str, dict[str, Any]]
):
    answered = [
        name for name, point in points.items() if any(one["champion"] for one in point["outcomes"])
    ]
    assert 0 < len(answered) < len(points)
    with watched(opened, service.url) as tab:
        page = tab.open("/console/pathway")
        told = page.locator("[data-answered]")
        assert [one.get_attribute("data-answered") for one in told.all()] == answered
        assert f"without a model: {len(points) - len(answered)}." in page.inner_text("main")
        for name in points:
            said = page.locator(f"#{name} > p .tag").all_inner_texts()
            assert ("no model" in said) == (name not in answered)
        with page.expect_navigation():
            told.first.get_by_role("link", name="Try a patient").click()
        assert page.url.endswith(f"/console/patient/{answered[0]}")


def test_an_assessment_opens_by_its_number(
    opened: Browser, service: Service, client: httpx.Client, patients: list[dict[str, Any]]
):
    made = client.post(ASSESSMENTS, json=patients[0]["request"]).json()["assessment_id"]
    with watched(opened, service.url) as tab:
        page = tab.open("/console/pathway")
        page.get_by_label("Number of the assessment").fill(f" {made.upper()} ")
        with page.expect_navigation():
            page.get_by_role("button", name="Open").click()
        assert page.url.endswith(f"/console/assessments/{made}")


@pytest.mark.parametrize("typed", ["Anna", "19500907-2553", "../models", "0192d0a0"])
def test_what_is_no_number_of_an_assessment_is_not_repeated(service: Service, typed: str):
    with httpx.Client(base_url=service.url) as browser:
        proof = re.search('name="form" value="([^"]+)"', browser.get("/console/pathway").text)
        assert proof is not None
        form = {"form": proof[1], "number": typed}
        answer = browser.post("/console/assessments", data=form)
    assert answer.status_code == 422
    assert "36 signs were expected" in answer.text
    assert typed not in answer.text + str(answer.headers)


def test_a_card_leads_back_to_the_console(opened: Browser, service: Service):
    with watched(opened, service.url) as tab:
        page = tab.open("/v1/models/icu-review.death_180d/card")
        with page.expect_navigation():
            page.get_by_role("link", name="This model in the console").click()
        assert page.url.endswith("/console/models/icu-review.death_180d")


def test_the_traffic_of_the_last_day_is_the_ledgers(
    opened: Browser, service: Service, client: httpx.Client, patients: list[dict[str, Any]]
):
    def told() -> str:
        page = tab.open("/console/pathway/icu-review")
        return page.locator("[data-traffic]").inner_text()

    with watched(opened, service.url) as tab:
        before = int(told().split()[0].replace(",", ""))
        client.post(ASSESSMENTS, json=patients[0]["request"]).raise_for_status()
        nothing = {"index_time": "2026-11-21T12:00:00Z", "measurements": {"age": 70}}
        unanswered = client.post(ASSESSMENTS, json=nothing).json()
        assert unanswered["status"] == "abstained"
        after = told()
        assert int(after.split()[0].replace(",", "")) == before + 2
        assert "no model answered in " in after


def test_a_branch_point_tells_its_inputs_outcomes_and_actions(
    opened: Browser, service: Service, points: dict[str, dict[str, Any]]
):
    declared = points["icu-review"]
    with watched(opened, service.url) as tab:
        page = tab.open("/console/pathway/icu-review")
        # Those that a model answers come first, else in the order of the vocabulary.
        outcomes = sorted(declared["outcomes"], key=lambda one: one["champion"] is None)
        for kind, names in (
            ("input", [*declared["required"], *declared["optional"]]),
            ("outcome", [one["outcome"] for one in outcomes]),
            ("action", [one["id"] for one in declared["actions"]]),
        ):
            shown = page.locator(f"[data-{kind}]").all()
            assert [one.get_attribute(f"data-{kind}") for one in shown] == names
        age = page.locator("tr[data-input=age]").inner_text()
        assert "required" in age
        assert "0–120" in age


def test_a_swedish_branch_point_tells_its_purpose_definitions_and_categories_in_swedish(
    opened: Browser, service: Service
):
    with watched(opened, service.url, language="sv") as tab:
        page = tab.open("/console/pathway/icu-review")
        told = page.locator("[data-purpose], [data-definition]").all()
        assert len(told) > 2
        assert {one.get_attribute("lang") for one in told} == {"sv"}
        assert "KOL" in page.locator("tr[data-input=disease_group]").inner_text()
        assert "mosf_malignancy" not in page.content()


@pytest.mark.parametrize(("language", "theme"), LOOKS)
def test_nothing_grave_for_who_cannot_see_or_point(
    opened: Browser, service: Service, language: str, theme: str
):
    with watched(opened, service.url, language=language, theme=theme) as tab:
        for address in ("/console/pathway", "/console/pathway/trauma-bay-exit"):
            page = tab.open(address)
            assert page.locator("html").get_attribute("lang") == language
            assert tab.grave_violations() == []


def test_nothing_sticks_out_of_a_telephone(opened: Browser, service: Service):
    with watched(opened, service.url, width=360, language="sv") as tab:
        for address in ("/console/pathway", "/console/pathway/icu-review"):
            page = tab.open(address)
            assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_an_unknown_branch_point_is_a_page_that_says_so(service: Service):
    found = httpx.get(f"{service.url}/console/pathway/nowhere")
    assert found.status_code == 404
    assert found.headers["content-type"].startswith("text/html")
