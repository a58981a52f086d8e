"""Keys by address: rotation without a restart, one fetch for many, and nobody else is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from app.identity import Caller
from tests.lib import tokens
from tests.lib.tokens import AUDIENCE, ISSUER, NOW, JwksServer, jwks_server, key_pair

claims = partial(tokens.claims, NOW)
OLD, NEW, STRANGER = key_pair("old"), key_pair("new"), key_pair("stranger")


def tenants(url: str) -> str:
    return f"""
[[tenant]]
id = "north"
care_units = []
[[tenant.issuer]]
issuer = "{ISSUER}"
audiences = ["{AUDIENCE}"]
jwks_url = "{url}"
algorithms = ["ES384"]
tokens = "reusable"
scopes = ["read"]
"""


@pytest.fixture
def issuer() -> Iterator[JwksServer]:
    with jwks_server(OLD) as served:
        yield served


@pytest.fixture
def doors(open_doors: Callable[..., Any], issuer: JwksServer) -> Any:
    return open_doors(tenants(issuer.url))


def in_one_loop(scenario: Callable[[], Any]) -> Any:
    return asyncio.run(scenario())


def test_keys_are_fetched_once_and_then_kept(doors: Any, issuer: JwksServer):
    async def scenario() -> None:
        await doors.identity.begin()
        for _ in range(20):
            assert (await doors.ask(OLD.token(claims()))).tenant == "north"
        await doors.identity.end()

    in_one_loop(scenario)
    assert issuer.requests == ["/jwks.json"]


def test_without_begin_the_first_request_fetches(doors: Any, issuer: JwksServer):
    assert doors.caller(OLD.token(claims())).tenant == "north"
    assert len(issuer.requests) == 1


def test_many_requests_at_once_share_one_fetch(doors: Any, issuer: JwksServer):
    issuer.may_answer.clear()

    async def scenario() -> list[Any]:
        asks = [asyncio.create_task(doors.ask(OLD.token(claims()))) for _ in range(50)]
        await asyncio.to_thread(issuer.was_asked.wait, 30)
        issuer.may_answer.set()
        return await asyncio.gather(*asks)

    assert all(isinstance(answer, Caller) for answer in in_one_loop(scenario))
    assert len(issuer.requests) == 1


def test_one_who_hangs_up_does_not_end_the_fetch_for_the_others(doors: Any, issuer: JwksServer):
    issuer.may_answer.clear()

    async def scenario() -> Caller:
        first = asyncio.create_task(doors.ask(OLD.token(claims())))
        second = asyncio.create_task(doors.ask(OLD.token(claims())))
        await asyncio.to_thread(issuer.was_asked.wait, 30)
        first.cancel()
        await asyncio.wait([first])
        issuer.may_answer.set()
        return await second

    assert in_one_loop(scenario).tenant == "north"
    assert len(issuer.requests) == 1


def test_a_new_key_is_found_by_one_more_fetch(doors: Any, issuer: JwksServer):
    async def scenario() -> None:
        await doors.identity.begin()
        issuer.publish(NEW, OLD)
        assert await doors.refusal(NEW.token(claims())) == "unknown_key"  # asked a moment ago
        assert len(issuer.requests) == 1
        doors.clock.ahead_s = 31.0
        assert (await doors.ask(NEW.token(claims()))).tenant == "north"
        assert len(issuer.requests) == 2
        assert (await doors.ask(OLD.token(claims()))).tenant == "north"

    in_one_loop(scenario)


def test_unknown_keys_make_the_issuer_be_asked_every_thirty_seconds_at_most(
    doors: Any, issuer: JwksServer
):
    async def scenario() -> None:
        await doors.identity.begin()
        for second in range(91):
            doors.clock.ahead_s = float(second)
            for _ in range(3):
                assert await doors.refusal(STRANGER.token(claims())) == "unknown_key"

    in_one_loop(scenario)
    assert len(issuer.requests) == 4  # at 0, 30, 60 and 90 s


def test_a_withdrawn_key_is_let_go_within_minutes_also_for_a_remembered_token(
    doors: Any, issuer: JwksServer
):
    token = OLD.token(claims(exp=NOW + 3600))

    async def scenario() -> None:
        await doors.ask(token)
        issuer.publish(NEW)
        doors.clock.ahead_s = 299.0
        await doors.ask(token)
        doors.clock.ahead_s = 301.0
        await doors.ask(token)  # does not wait; starts the fetch
        await doors.identity.begin()  # waits for what is under way
        assert await doors.refusal(token) == "unknown_key"

    in_one_loop(scenario)
    assert len(issuer.requests) == 2


BROKEN: list[tuple[str, dict[str, Any]]] = [
    ("an error", {"status": 500}),
    ("not found", {"status": 404}),
    ("no JSON", {"body": b"<html>"}),
    ("no keys", {"body": b'{"keys": []}'}),
    ("keys that are no list", {"body": b'{"keys": {"a": 1}}'}),
    ("nested to death", {"body": b'{"keys": ' + b"[" * 200_000}),
    ("more than 256 KiB", {"body": b" " * (256 * 1024 + 1)}),
    ("compressed", {"headers": {"content-encoding": "gzip"}}),
]


@pytest.mark.parametrize("broken", [b[1] for b in BROKEN], ids=[b[0] for b in BROKEN])
def test_an_issuer_that_answers_nonsense_loses_no_keys(
    doors: Any, issuer: JwksServer, broken: dict[str, Any]
):
    async def scenario() -> None:
        await doors.identity.begin()
        good = dict(vars(issuer))
        issuer.publish(NEW)
        for name, value in broken.items():
            setattr(issuer, name, value)
        doors.clock.ahead_s = 31.0
        if "headers" in broken:  # not unpacked, so it is read as what it is: plain
            assert (await doors.ask(NEW.token(claims()))).tenant == "north"
            return
        assert await doors.refusal(NEW.token(claims())) == "unknown_key"
        assert (await doors.ask(OLD.token(claims()))).tenant == "north"
        issuer.publish(NEW)
        issuer.status = good["status"]
        doors.clock.ahead_s = 62.0
        assert (await doors.ask(NEW.token(claims()))).tenant == "north"

    in_one_loop(scenario)


def test_an_issuer_that_is_gone_loses_no_keys_and_is_asked_again(open_doors: Callable[..., Any]):
    async def scenario() -> None:
        with jwks_server(OLD) as issuer:
            doors = open_doors(tenants(issuer.url))
            await doors.identity.begin()
        for seconds in (301.0, 602.0, 903.0):
            doors.clock.ahead_s = seconds
            await doors.ask(OLD.token(claims(exp=NOW + 3600)))
            await doors.identity.begin()
        assert (await doors.ask(OLD.token(claims(exp=NOW + 3600)))).tenant == "north"

    in_one_loop(scenario)


def test_an_issuer_that_was_never_reached_is_no_reason_to_fail(open_doors: Callable[..., Any]):
    with jwks_server(OLD) as issuer:
        url = issuer.url
    doors = open_doors(tenants(url))
    in_one_loop(doors.identity.begin)
    assert doors.refused(OLD.token(claims())) == "keys_unavailable"


def test_an_answer_without_end_is_let_go_at_the_limit(doors: Any, issuer: JwksServer):
    issuer.endless = True
    issuer.body = b" " * 65_536
    assert doors.refused(OLD.token(claims())) == "keys_unavailable"
    # 256 KiB, and what the sockets between hold.
    assert issuer.written < 16 * 1024 * 1024


def test_while_a_fetch_hangs_no_second_one_is_started(doors: Any, issuer: JwksServer):
    issuer.may_answer.clear()

    async def scenario() -> None:
        first = asyncio.create_task(doors.ask(OLD.token(claims())))
        await asyncio.to_thread(issuer.was_asked.wait, 30)
        doors.clock.ahead_s = 31.0
        second = asyncio.create_task(doors.ask(OLD.token(claims())))
        await asyncio.wait([second], timeout=0.05)
        issuer.may_answer.set()
        assert [caller.tenant for caller in await asyncio.gather(first, second)] == ["north"] * 2

    in_one_loop(scenario)
    assert len(issuer.requests) == 1


def test_a_redirect_is_not_followed(doors: Any, issuer: JwksServer):
    with jwks_server(STRANGER, OLD) as stranger:
        issuer.status = 302
        issuer.headers = {"location": stranger.url}
        assert doors.refused(OLD.token(claims())) == "keys_unavailable"
        assert stranger.requests == []
        assert len(issuer.requests) == 1


def test_a_jku_of_a_stranger_is_refused_and_the_stranger_hears_nothing(
    doors: Any, issuer: JwksServer
):
    with jwks_server(STRANGER) as stranger:
        for jku in (stranger.url, stranger.url.replace("127.0.0.1", "localhost"), "file:///etc"):
            token = STRANGER.token(claims(), jku=jku)
            assert doors.refused(token) == "stranger_jku"
        assert stranger.requests == issuer.requests == []


def test_the_configured_address_is_an_accepted_jku(doors: Any, issuer: JwksServer):
    assert doors.caller(OLD.token(claims(), jku=issuer.url)).tenant == "north"


def test_two_tenants_of_one_issuer_cost_one_fetch(
    open_doors: Callable[..., Any], issuer: JwksServer
):
    second = tenants(issuer.url).replace('"north"', '"south"').replace('["read"]', '["assess"]')
    doors = open_doors(tenants(issuer.url) + second)

    async def scenario() -> None:
        for tenant in ("north", "south"):
            assert (await doors.ask(OLD.token(claims(tenant=tenant)))).tenant == tenant

    in_one_loop(scenario)
    assert len(issuer.requests) == 1


def test_end_stops_a_fetch_that_hangs(doors: Any, issuer: JwksServer):
    issuer.may_answer.clear()

    async def scenario() -> None:
        waiting = asyncio.create_task(doors.identity.begin())
        await asyncio.to_thread(issuer.was_asked.wait, 30)
        await doors.identity.end()
        await asyncio.wait([waiting], timeout=5)
        assert waiting.done()

    in_one_loop(scenario)
