"""The models' pages: figures as stored, and a champion moved in the browser only as the gate lets it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page

from models.gate_record import FAILED, PASSED, RECORD_TAG, GateRecord
from models.registry import CHAMPION, Registry
from monitoring.keyring import gate_keys, load_keyring
from tests.lib import versions
from tests.lib.pages import LOOKS, PATIENCE_MS, Watched, watched
from tests.lib.service import Service, run_command, running_service
from tests.lib.until import until
from tests.lib.versions import NAME, Publisher, corrupt, without_trace

ADDRESS = f"/console/models/{NAME}"
UNGATED, FLUNKED, COPIED, SPOILED, SIMULATED = "3", "4", "5", "6", "7"


@dataclass(frozen=True)
class Site:
    """A service that knows its callers, over a registry of quick versions."""

    service: Service
    registry: Registry
    var: Path
    operator: str
    reader: str
    inspector: str

    def champion(self) -> str | None:
        return self.registry.aliases([NAME], CHAMPION).get(NAME)

    def served(self) -> str:
        answer = httpx.get(
            f"{self.service.url}/v1/models/{NAME}", headers={"X-API-Key": self.reader}, timeout=30
        )
        return str(answer.json()["version"])


def key(scopes: list[str], var: Path, settings: dict[str, str]) -> str:
    given = [word for scope in scopes for word in ("--scope", scope)]
    made = run_command(
        "risk-serve", "keys", "create", "--name", "a test", "--json", *given,
        var=var, settings=settings,
    )  # fmt: skip
    return str(json.loads(made.stdout)["key"])


def seal(registry: Registry, version: str, verdict: str, key: bytes, of: str | None = None) -> None:
    """Write the gate's record of a version's bundle, or of another one's."""
    digest = registry.version(NAME, of or version).digest
    assert digest is not None
    failed = () if verdict == PASSED else ("calibration-slope",)
    at = "2026-11-22T10:00:00.000000Z"
    record = GateRecord(NAME, digest, verdict, failed, None, "sha256:00", "tests", at, "anna")
    registry.tag(NAME, version, {RECORD_TAG: record.sealed(key), "training_data": "real"})


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("promoting")
    var = folder / "var"
    var.mkdir()
    settings = {
        "RISK_KEYS_FILE": str(folder / "keys.toml"),
        "RISK_API_KEYS_FILE": str(folder / "api-keys.jsonl"),
        "RISK_UNGATED": "refuse",
        "RISK_REGISTRY_POLL_S": "60",
        "RISK_REGISTRY_TIMEOUT_S": "20",
    }
    gate_key = gate_keys(load_keyring(folder / "keys.toml", create=True))[0]
    with without_trace():
        registry = Registry.at(var)
        publisher = Publisher(registry, var / "mlflow-artifacts", folder)
        for number in (1, 2, 3, 4, 5):
            publisher.publish(versions.good(number))
        publisher.publish(versions.good(6), corrupt)
        publisher.publish(versions.good(7))
        for version in ("1", "2", SPOILED, SIMULATED):
            seal(registry, version, PASSED, gate_key)
        seal(registry, FLUNKED, FAILED, gate_key)
        seal(registry, COPIED, PASSED, gate_key, of="2")
        registry.tag(NAME, SIMULATED, {"training_data": "synthetic"})
        registry.set_alias(NAME, CHAMPION, "1")
        reader = key(["read"], var, settings)
        operator = key(["read", "operate"], var, settings)
        inspector = key(["inspect"], var, settings)
        with running_service(var, folder / "log", settings, until=200) as service:
            wait_for_registry(f"{service.url}{ADDRESS}", operator)
            yield Site(service, registry, var, operator, reader, inspector)


def wait_for_registry(address: str, operator: str) -> None:
    """Until MLflow is loaded where the page asks it: until then the page says that it is away."""
    with httpx.Client(headers={"X-API-Key": operator}, timeout=30) as client:
        until(lambda: "data-version=" in client.get(address).text)


def sign_in(tab: Watched, credential: str) -> Page:
    page = tab.open("/console/sign-in")
    page.get_by_label("API key or access token").fill(credential)
    with page.expect_navigation():
        page.get_by_role("button", name="Sign in").click()
    return page


def serves(page: Page, version: str) -> None:
    """Wait as long as a registry that is slow under load may need twice, then a look that is owed."""
    standing = f"#standing[data-following=no] [data-served='{version}']"
    page.wait_for_selector(standing, timeout=3 * PATIENCE_MS)


def posted(page: Page, address: str, **fields: str) -> Any:
    """A form of this browser's session, sent past its page."""
    proof = page.locator("meta[name=console-form]").get_attribute("content")
    return page.context.request.post(
        address, form={"form": str(proof), **fields}, max_redirects=0
    )  # fmt: skip


def test_a_champion_is_promoted_and_rolled_back_in_the_browser(opened: Browser, site: Site):
    with watched(opened, site.service.url) as tab:
        sign_in(tab, site.operator)
        page = tab.open(ADDRESS)
        assert page.locator("[data-served]").get_attribute("data-served") == "1"
        assert "calibration slope" in str(page.locator("[data-checks]").text_content())
        page.get_by_role("link", name="Promote version 2").click()
        assert page.locator("[data-gate=passed]").count() == 1
        assert tab.grave_violations() == []
        page.get_by_role("button", name="Promote version 2").click()
        serves(page, "2")
        assert page.url.endswith(ADDRESS)
        assert (site.champion(), site.served()) == ("2", "2")

        page.get_by_role("link", name="Roll back to version 1").click()
        page.get_by_role("button", name="Roll back to version 1").click()
        serves(page, "1")
        assert (site.champion(), site.served()) == ("1", "1")
        assert page.locator("tr[data-move]").count() == 2
        assert tab.grave_violations() == []
    told = json.loads(run_command("risk-train", "history", NAME, "--json", var=site.var).stdout)
    assert [(m["before"], m["after"], m["how"]) for m in told["moves"]] == [
        ("1", "2", "promoted"),
        ("2", "1", "rolled back"),
    ]
    assert all(re.fullmatch("console api-key:[^ ]+", move["by"]) for move in told["moves"])
    assert not told["moved_by_hand"]
    logged = [json.loads(line) for line in site.service.log.read_text().splitlines()]
    moves = [line for line in logged if line.get("event") == "champion_moved"]
    assert [(line["before"], line["after"]) for line in moves] == [("1", "2"), ("2", "1")]


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        (UNGATED, "no decision of the gate is recorded for it"),
        (FLUNKED, "calibration-slope"),
        (COPIED, "its gate record is about another bundle"),
        (SIMULATED, "simulated patients never take the place of real ones"),
    ],
)
def test_a_version_that_may_not_has_no_button_and_a_forged_form_is_refused(
    opened: Browser, site: Site, version: str, reason: str
):
    before = site.champion()
    with watched(opened, site.service.url) as tab:
        sign_in(tab, site.operator)
        page = tab.open(ADDRESS)
        row = page.locator(f"tr[data-version='{version}']")
        assert "cannot be promoted" in row.inner_text()
        assert reason in row.inner_text()
        assert row.locator("a.button").count() == 0
        address = f"{site.service.url}{ADDRESS}/versions/{version}/promote"
        page = tab.open(f"{ADDRESS}/versions/{version}/promote")
        assert page.get_by_role("button", name="Promote").count() == 0
        refused = posted(page, address, champion=str(before), version=version)
        assert refused.status == 409
        assert reason in refused.text()
    assert site.champion() == before


def test_a_swedish_page_says_in_swedish_why_the_gate_did_not_let_a_version_pass(
    opened: Browser, site: Site
):
    with watched(opened, site.service.url) as tab:
        sign_in(tab, site.operator)
        tab.open("/console/preferences?language=sv&next=/console")
        page = tab.open(ADDRESS)
        flunked = page.locator(f"tr[data-version='{FLUNKED}']").inner_text()
        assert "Regler som inte uppfylldes: kalibreringslutning" in flunked
        copied = page.locator(f"tr[data-version='{COPIED}']").inner_text()
        assert "gäller ett annat modellpaket" in copied


def test_a_spoiled_version_and_an_outdated_page_move_nothing(opened: Browser, site: Site):
    before = str(site.champion())
    with watched(opened, site.service.url) as tab:
        page = sign_in(tab, site.operator)
        spoiled = f"{site.service.url}{ADDRESS}/versions/{SPOILED}/promote"
        refused = posted(page, spoiled, champion=before)
        assert (refused.status, "does not prove itself" in refused.text()) == (409, True)
        good = f"{site.service.url}{ADDRESS}/versions/2/promote"
        refused = posted(page, good, champion="4")
        assert (refused.status, "another one by now" in refused.text()) == (409, True)
    assert site.champion() == before


def test_who_may_not_operate_sees_no_button_and_is_refused(opened: Browser, site: Site):
    before = site.champion()
    promote, back = f"{ADDRESS}/versions/2/promote", f"{ADDRESS}/rollback"
    with watched(opened, site.service.url) as tab:
        page = sign_in(tab, site.reader)
        tab.open(ADDRESS)
        assert page.locator("tr[data-version]").count() == 7
        assert page.locator("a.button").count() == 0
        for address in (promote, back):
            refused = posted(page, site.service.url + address, champion="1", version="2")
            assert refused.status == 403
            assert refused.headers["content-type"].startswith("text/html")
    own = {"X-API-Key": site.operator}
    for headers, status in ((own, 403), ({}, 401)):
        answer = httpx.post(site.service.url + promote, headers=headers, data={"champion": "1"})
        assert answer.status_code == status, "a form without its proof is nobody's"
    assert site.champion() == before


def test_the_start_is_the_first_page_that_one_may_see(site: Site):
    def leads_to(address: str, **headers: str) -> tuple[int, str | None]:
        answer = httpx.get(site.service.url + address, headers=headers)
        return answer.status_code, answer.headers.get("location")

    own = {"X-API-Key": site.inspector}
    assert leads_to("/console", **own) == (303, "/console/inspector")
    assert leads_to("/console/", **{"X-API-Key": site.reader}) == (303, "/console/pathway")
    assert leads_to("/console") == (303, "/console/sign-in?next=%2Fconsole")
    for address in ("/console/pathway", "/console/pathway/icu-review", "/console/models", ADDRESS):
        refused = httpx.get(site.service.url + address, headers=own)
        assert refused.status_code == 403
        assert refused.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("width", [360, 1280, 3840])
@pytest.mark.parametrize("name", [NAME, "icu-review.length_of_stay_days"])
def test_no_word_of_a_picture_is_cut_off_or_covered(
    opened: Browser, service: Service, name: str, width: int
):
    for language in ("en", "sv"):
        with watched(opened, service.url, language=language, width=width) as tab:
            tab.open(f"/console/models/{name}", pictures=True)
            assert tab.ill_drawn() == []


@pytest.mark.parametrize(("language", "theme"), LOOKS)
def test_nothing_grave_where_a_champion_is_moved(
    opened: Browser, site: Site, language: str, theme: str
):
    with watched(opened, site.service.url, language=language, theme=theme) as tab:
        tab.page.set_extra_http_headers({"X-API-Key": site.operator})
        for address in (
            ADDRESS,
            f"{ADDRESS}/versions/2/promote",
            f"{ADDRESS}/versions/{FLUNKED}/promote",
        ):
            page = tab.open(address)
            assert page.locator("html").get_attribute("lang") == language
            assert tab.grave_violations() == []


def test_without_the_registry_the_page_says_so_and_shows_what_is_served(
    opened: Browser, trained: Path, tmp_path: Path
):
    away = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "RISK_REGISTRY_TIMEOUT_S": "4"}
    with (
        running_service(trained, tmp_path / "log", away, until=200) as service,
        watched(opened, service.url) as tab,
    ):
        page = tab.open(ADDRESS, pictures=True)
        assert "has not answered" in page.locator("[data-away]").inner_text()
        assert page.locator("[data-served]").get_attribute("data-served") == "1"
        assert page.locator("tr[data-figure=auroc]").count() == 1
        assert tab.grave_violations() == []
        refused = httpx.get(f"{service.url}{ADDRESS}/versions/1/promote", timeout=30)
        assert (refused.status_code, "does not answer now" in refused.text) == (503, True)


def test_the_list_and_the_figures_are_the_apis(
    opened: Browser, service: Service, client: httpx.Client
):
    told = client.get("/v1/models").json()
    with watched(opened, service.url) as tab:
        page = tab.open("/console/models?branch_point=icu-review")
        rows = page.locator("tr[data-model]")
        assert {row.get_attribute("data-model") for row in rows.all()} == {m["name"] for m in told}
        page = tab.open("/console/models?branch_point=discharge")
        assert page.locator("tr[data-model]").count() == 0
        [model] = [one for one in told if one["name"] == NAME]
        page = tab.open(ADDRESS, pictures=True)
        area = model["evaluation"]["auroc"]["value"]
        assert f"{area:.3f}" in page.locator("tr[data-figure=auroc]").inner_text()
        assert page.locator("figure").count() == 5
        assert page.locator("[data-lacking]").count() == 0


@pytest.mark.parametrize(("language", "theme"), LOOKS)
def test_nothing_grave_for_who_cannot_see_or_point(
    opened: Browser, service: Service, language: str, theme: str
):
    with watched(opened, service.url, language=language, theme=theme) as tab:
        for address in ("/console/models", ADDRESS):
            page = tab.open(address, pictures=address == ADDRESS)
            assert page.locator("html").get_attribute("lang") == language
            assert tab.grave_violations() == []


def test_nothing_sticks_out_of_a_telephone(opened: Browser, service: Service):
    with watched(opened, service.url, width=360, language="sv") as tab:
        for address in ("/console/models", ADDRESS):
            page = tab.open(address, pictures=address == ADDRESS)
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
