"""What a clinician does: a card in the record, its link, and behind it the same figures as on the card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Browser

from tests.lib.hooks import ICU, INDEX_TIME, PERSONNUMMER, hook_call
from tests.lib.pages import watched
from tests.lib.service import run_command, running_service

SITE = "https://risk.example.org"
TENANTS = f"""
base_url = "{SITE}"
[[tenant]]
id = "north"
care_units = []
"""
SPACE = "\u202f"
SMALL, DECIMALS_OF_SMALL = 0.1, 1
"""A card has less room: it tells a decimal of small risks only."""


def key(settings: dict[str, str], var: Path, *scopes: str) -> str:
    given = [word for scope in scopes for word in ("--scope", scope)]
    made = run_command(
        "risk-serve", "keys", "create", "--name", "a test", "--tenant", "north", "--json", *given,
        var=var, settings=settings,
    )  # fmt: skip
    return str(json.loads(made.stdout)["key"])


def test_a_cards_link_leads_to_the_same_probabilities(
    opened: Browser, trained: Path, tmp_path: Path
):
    tenants = tmp_path / "tenants.toml"
    tenants.write_text(TENANTS, encoding="utf-8")
    settings = {
        "RISK_TENANTS_FILE": str(tenants),
        "RISK_API_KEYS_FILE": str(tmp_path / "api-keys.jsonl"),
    }
    ehr, clinician = key(settings, tmp_path, "cds"), key(settings, tmp_path, "read")
    with (
        running_service(trained, tmp_path / "log", settings) as service,
        watched(opened, service.url) as tab,
    ):
        asked = httpx.post(
            f"{service.url}/cds-services/{ICU}", json=hook_call(), headers={"X-API-Key": ehr}
        )
        [card] = asked.raise_for_status().json()["cards"]
        link = next(one["url"] for one in card["links"] if "/console/" in one["url"])
        assert link.startswith(SITE)
        # The site's own name leads to this machine only within its own walls.
        page = tab.open(urlsplit(link).path)
        assert page.url.startswith(f"{service.url}/console/sign-in")
        page.get_by_label("API key or access token").fill(clinician)
        with page.expect_navigation():
            page.get_by_role("button", name="Sign in").click()
        assert urlsplit(page.url).path == urlsplit(link).path
        tab.wait_for_pictures()
        told = httpx.get(
            f"{service.url}/v1/assessments/{card['uuid']}", headers={"X-API-Key": clinician}
        ).json()
        answered: list[dict[str, Any]] = [o for o in told["outcomes"] if "probability" in o]
        assert answered
        assert told["index_time"].startswith(INDEX_TIME[:16])
        for one in answered:
            risk = page.locator(f"article[data-outcome={one['outcome']}] [data-risk]").inner_text()
            assert risk.strip() == f"{100 * one['probability']:.1f}{SPACE}%"
            on_card = f"{100 * one['probability']:.{DECIMALS_OF_SMALL if one['probability'] < SMALL else 0}f}"
            assert f"| {on_card} % |" in card["detail"]
        assert PERSONNUMMER not in page.content()
