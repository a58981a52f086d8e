"""Who may see a page: the same credentials and scopes as for every call, and forms that are ours alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from tests.lib.pages import LOOKS, watched
from tests.lib.service import Service, run_command, running_service

UNKNOWN = "/console/assessments/0192d0a0-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Settings of a service with three API keys, and the keys themselves."""
    folder = tmp_path_factory.mktemp("site")
    settings = {"RISK_API_KEYS_FILE": str(folder / "api-keys.jsonl")}
    holders = {"reader": ("read",), "sender": ("outcomes",), "ehr": ("read", "assess", "cds")}
    for name, scopes in holders.items():
        allowed = [part for scope in scopes for part in ("--scope", scope)]
        done = run_command(
            "risk-serve", "keys", "create", "--name", name, *allowed, var=folder, settings=settings
        )
        settings[name] = done.stdout.strip().splitlines()[-1].split()[-1]
    return settings


@pytest.fixture(scope="module")
def guarded(
    trained: Path, site: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    log = tmp_path_factory.mktemp("guarded") / "log"
    own = {"RISK_API_KEYS_FILE": site["RISK_API_KEYS_FILE"]}
    with running_service(trained, log, own) as service:
        yield service


@pytest.mark.parametrize(("language", "theme"), LOOKS)
def test_nothing_grave_where_one_signs_in_and_where_nothing_is(
    opened: Browser, guarded: Service, site: dict[str, str], language: str, theme: str
):
    with watched(opened, guarded.url, language=language, theme=theme, width=360) as tab:
        page = tab.open("/console/sign-in")
        assert page.locator("html").get_attribute("lang") == language
        assert tab.grave_violations() == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.set_extra_http_headers({"X-API-Key": site["reader"]})
        page.goto(guarded.url + UNKNOWN)
        assert page.locator("h1").count() == 1
        assert tab.grave_violations() == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        # The browser itself says of a page that is not there that it is not; anything else is a fault.
        tab.faults[:] = [one for one in tab.faults if "status of 404" not in one]


def test_the_connection_is_checked_as_who_signed_in(
    opened: Browser, guarded: Service, site: dict[str, str]
):
    """Tokens are tried as well, then; and no page shows the key."""
    with watched(opened, guarded.url) as tab:
        page = tab.open("/console/integration")
        page.get_by_label("API key or access token").fill(site["ehr"])
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Check now").click()
        told = page.locator("[data-report]").inner_text()
        assert " 0 failed" in told, page.locator('tr[data-verdict="FAILED"]').all_inner_texts()
        assert page.locator('tr[data-verdict="PASSED"]', has_text="key cut short").count() == 1
        assert site["ehr"] not in page.content()


def test_a_key_opens_pages_until_one_signs_out(
    opened: Browser, guarded: Service, site: dict[str, str]
):
    with watched(opened, guarded.url) as tab:
        page = tab.open(UNKNOWN)  # led to the form
        assert page.url.startswith(f"{guarded.url}/console/sign-in")
        assert tab.grave_violations() == []
        page.get_by_label("API key or access token").fill(site["reader"])
        with page.expect_response(lambda r: r.url == guarded.url + UNKNOWN) as led_back:
            page.get_by_role("button", name="Sign in").click()
        assert led_back.value.status == 404
        cookies = {c["name"]: c for c in page.context.cookies()}
        session = cookies["risk_console"]
        assert session["httpOnly"]
        assert session["sameSite"] == "Lax"
        assert site["reader"] not in session["value"]
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/console/sign-in")
        assert "risk_console" not in {c["name"] for c in page.context.cookies()}
        tab.faults.clear()  # the browser calls the page that was not found an error


def test_a_wrong_key_is_refused_on_the_page(opened: Browser, guarded: Service):
    with watched(opened, guarded.url) as tab:
        page = tab.open("/console/sign-in")
        page.get_by_label("API key or access token").fill("risk_nothing_at_all")
        page.get_by_role("button", name="Sign in").click()
        assert "not accepted" in page.get_by_role("alert").inner_text()
        assert "nothing_at_all" not in page.content()
        tab.faults.clear()  # the 401


def test_a_key_without_the_scope_is_told_so_on_a_page(guarded: Service, site: dict[str, str]):
    found = httpx.get(guarded.url + UNKNOWN, headers={"X-API-Key": site["sender"]})
    assert found.status_code == 403
    assert found.headers["content-type"].startswith("text/html")
    assert "You may not see this" in found.text


def test_a_form_of_another_site_is_refused(guarded: Service, site: dict[str, str]):
    with httpx.Client(base_url=guarded.url) as client:
        client.get("/console/sign-in")
        forged = {"credential": site["reader"], "form": "0" * 64}
        for sent in (forged, {"credential": site["reader"]}):
            told = client.post("/console/sign-in", data=sent)
            assert told.status_code == 403
            assert "risk_console=" not in told.headers.get("set-cookie", "")


@pytest.mark.parametrize("wanted", ["https://ehr.example", "//ehr.example/console", "/v1/models"])
def test_nobody_is_led_elsewhere(guarded: Service, wanted: str):
    told = httpx.get(f"{guarded.url}/console/preferences", params={"next": wanted, "theme": "dark"})
    assert told.status_code == 303
    assert told.headers["location"] == "/console"


def test_a_session_of_another_installation_opens_nothing(guarded: Service):
    told = httpx.get(guarded.url + UNKNOWN, cookies={"risk_console": "A" * 120})
    assert told.status_code == 303
    assert told.headers["location"].startswith("/console/sign-in")


def test_pages_say_that_they_load_nothing_from_elsewhere(guarded: Service):
    told = httpx.get(f"{guarded.url}/console/sign-in")
    policy = told.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "<script>" not in told.text
    assert "style=" not in told.text
