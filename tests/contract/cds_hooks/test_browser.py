"""Row J1 in a real browser: a page of another origin discovers, calls and gives feedback.

Its calls carry `Authorization`, so the browser asks first (preflight) and lets the page see an answer
only when the service has named its origin. Nothing here plays the browser's part.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.lib.chromium import MISSING, Page, browser, served, visit
from tests.lib.hooks import ICU, hook_call
from tests.lib.service import Service, run_command, running_service

Json = dict[str, Any]
pytestmark = pytest.mark.skipif(browser() is None, reason=MISSING)

SCRIPT = """
const seen = {};
async function ask(name, method, path, body, token) {
  try {
    const answer = await fetch(told.url + path, {method,
      headers: {"Authorization": "Bearer " + token, "Content-Type": "application/json"},
      body: body === null ? undefined : JSON.stringify(body)});
    seen[name] = {status: answer.status, body: await answer.json()};
  } catch (refused) { seen[name] = {refused: refused.name}; }
  return seen[name];
}
let told;
(async () => {
  told = await (await fetch("/told")).json();
  await ask("discovery", "GET", "/cds-services", null, told.key);
  const called = await ask("call", "POST", told.service, told.call, told.key);
  const card = called.body ? called.body.cards[0].uuid : told.call.hookInstance;
  const report = {card, outcome: "overridden", outcomeTimestamp: "2026-11-21T08:01:00Z"};
  await ask("feedback", "POST", told.service + "/feedback", {feedback: [report]}, told.key);
  await ask("wrong key", "POST", told.service, told.call, "wrong");
  await fetch("/seen", {method: "POST", body: JSON.stringify(seen)});
})();
"""


@pytest.fixture(scope="module")
def pages() -> Iterator[tuple[Page, Page]]:
    """A page of the origin that is allowed, and one of another."""
    with ExitStack() as open_until_the_end:
        yield tuple(open_until_the_end.enter_context(served(SCRIPT)) for _ in range(2))


@pytest.fixture(scope="module")
def called(
    pages: tuple[Page, Page], trained: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service that authenticates and lists the first page's origin."""
    folder = tmp_path_factory.mktemp("browser")
    settings = {
        "RISK_API_KEYS_FILE": str(folder / "api-keys.jsonl"),
        "RISK_CORS_ORIGINS": json.dumps([pages[0].origin]),
    }
    made = run_command(
        "risk-serve", "keys", "create", "--scope", "cds", "--name", "a page",
        var=folder, settings=settings,
    )  # fmt: skip
    with running_service(trained, folder / "log", settings) as service:
        for page in pages:
            page.told = {
                "url": service.url,
                "key": made.stdout.strip(),
                "service": f"/cds-services/{ICU}",
                "call": hook_call(),
            }
        yield service


@pytest.fixture(scope="module")
def allowed(
    pages: tuple[Page, Page], called: Service, tmp_path_factory: pytest.TempPathFactory
) -> Json:
    """What the page of the listed origin saw."""
    seen: Json = visit(pages[0], tmp_path_factory.mktemp("allowed"))
    return seen


def test_j1_a_page_of_a_listed_origin_discovers_calls_and_gives_feedback(allowed: Json):
    assert ICU in [service["id"] for service in allowed["discovery"]["body"]["services"]]
    assert allowed["call"]["status"] == 200
    assert len(allowed["call"]["body"]["cards"]) == 1
    assert allowed["feedback"]["body"] == {"recorded": 1, "already_recorded": 0, "unknown_cards": 0}


def test_j1_a_page_of_a_listed_origin_can_read_why_it_was_refused(allowed: Json):
    """Without the header on errors too, a developer would see only that something failed."""
    refused = allowed["wrong key"]
    assert refused["status"] == 401
    assert refused["body"]["resourceType"] == "OperationOutcome"


def test_j1_a_page_of_another_origin_sees_nothing_and_does_nothing(
    pages: tuple[Page, Page], called: Service, tmp_path: Path
):
    """Its calls are not even sent: the browser's preflight is refused."""
    before = answered(called)
    seen = visit(pages[1], tmp_path)
    assert seen.keys() == {"discovery", "call", "feedback", "wrong key"}
    assert all(result == {"refused": "TypeError"} for result in seen.values())
    assert answered(called) == before


def answered(service: Service) -> list[str]:
    """What the service has counted of cards and feedback."""
    with service.client() as client:
        lines = client.get("/metrics").text.splitlines()
    return [line for line in lines if line.startswith(("risk_cards_total", "risk_feedback_total"))]
