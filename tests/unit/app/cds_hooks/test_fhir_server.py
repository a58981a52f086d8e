"""Reading from a caller's server, without the service around it: budget, pages, size, cookies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection

import pytest

from app.cds_hooks.fhir_server import MOST_PAGES, FhirServers, Limits, within
from app.cds_hooks.hook_request import FhirAccess
from app.cds_hooks.prefetched import Prefetched
from tests.lib.fhir import observation
from tests.lib.fhir_server import TOKEN, FhirServer, fhir_server

SEARCH = "Observation?patient=1&_sort=-date&_count=250"


def read(
    server: FhirServer,
    agreed: Collection[str] | None = None,
    token: str | None = TOKEN,
    limits: Limits | None = None,
    **questions: str,
) -> dict[str, list[Prefetched]]:
    async def ask() -> dict[str, list[Prefetched]]:
        servers = FhirServers(limits or Limits(budget_s=1.0))
        try:
            access = FhirAccess(server.base + "/", token)
            return await servers.read(
                access, [server.base] if agreed is None else agreed, questions or {"o": SEARCH}
            )
        finally:
            await servers.close()

    return asyncio.run(ask())


def many(count: int) -> list:
    return [observation("2160-0", 100 + i, "umol/L", id=f"o{i}") for i in range(count)]


def test_one_key_that_hangs_does_not_take_the_others_with_it():
    with fhir_server(many(3)) as server:
        quick = read(server, o=SEARCH)
        assert quick["o"][0].answered
        server.fault = "hang"
        start = time.monotonic()
        slow = read(server, limits=Limits(budget_s=0.2), o=SEARCH, p="Patient/1")
        assert time.monotonic() - start < 1.0
    assert [pages[-1].answered for pages in slow.values()] == [False, False]


def test_pages_end_somewhere():
    with fhir_server(many(MOST_PAGES + 5)) as server:
        server.page_size = 1
        pages = read(server, limits=Limits(budget_s=5.0))["o"]
    assert len(pages) == MOST_PAGES
    assert not pages[-1].complete


def test_an_answer_that_is_too_large_is_none():
    with fhir_server(many(50)) as server:
        pages = read(server, limits=Limits(largest_bytes=2000))["o"]
    assert [page.answered for page in pages] == [False]


def test_no_cookie_is_sent_back():
    """The server of the tests sets one with every answer: it would join two patients' readings."""
    with fhir_server(many(3)) as server:
        server.page_size = 1
        assert len(read(server)["o"]) == 3
        assert not server.cookies


@pytest.mark.parametrize(("agreed", "token"), [([], TOKEN), (None, None)])
def test_without_agreement_or_token_nothing_is_asked(agreed, token):
    with fhir_server(many(1)) as server:
        assert not read(server, agreed, token)["o"][0].answered
        assert server.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "https://fhir.example.org.evil.example.org/r4/Patient",
        "https://fhir.example.org@evil.example.org/r4/Patient",
        "https://fhir.example.org:8443/r4/Patient",
        "http://fhir.example.org/r4/Patient",
        "https://fhir.example.org/r4x/Patient",
        "/admin",
        "../admin",
        "https://[broken/r4",
        "javascript:alert(1)",
    ],
)
def test_nothing_beside_the_base_is_within_it(address: str):
    assert within("https://fhir.example.org/r4", address) is None
