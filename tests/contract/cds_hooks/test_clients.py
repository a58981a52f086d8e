"""Sections I and J: who may call, and pages in a browser.

`functional/test_authentication` holds the attack table of all ways in; here each row of the checklist
is asked of the CDS Hooks paths.
"""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from app.identity.key_sources import ASK_AT_MOST_EVERY_S
from tests.contract.cds_hooks.conftest import EAST, EAST_KEY, KEY, NORTH, PAGE
from tests.lib.hooks import ICU, Ehr, hook_call, report
from tests.lib.service import Service
from tests.lib.tokens import BASE_URL, claims, forged, key_pair, signed_with_secret

PATH = f"/cds-services/{ICU}"
STRANGER = key_pair("stranger-1")


def status(ehr: Ehr, token: str | None, path: str = PATH) -> int:
    """What a call with this token is answered."""
    client = Ehr(ehr.http)
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    return client.ask("POST", path, hook_call(), **headers).status_code


def said(**changed: object) -> dict:
    good = {"iss": NORTH, "aud": BASE_URL + PATH, "client_id": None, "scope": None}
    return claims(**{**good, **changed})


def test_i1_every_call_needs_a_bearer_token(ehr: Ehr, http: httpx.Client):
    nobody = Ehr(http)
    card = ehr.card(hook_call())
    for answer in (
        nobody.ask("GET", "/cds-services"),
        nobody.call(hook_call()),
        nobody.give_feedback(report(card)),
        nobody.call(hook_call(), authorization="Basic dXNlcjpwYXNz"),
    ):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("claim", ["iss", "aud", "exp", "iat", "jti"])
def test_i2_every_required_claim_must_be_there(ehr: Ehr, claim: str):
    assert status(ehr, KEY.token(said(**{claim: None}))) == 401


@pytest.mark.parametrize("header", ["alg", "kid", "typ"])
def test_i2_every_required_header_must_be_there(ehr: Ehr, header: str):
    answer = status(ehr, KEY.token(said(), **{header: None}))
    # `typ` is a hint in RFC 7519, and real clients leave it out.
    assert answer == (200 if header == "typ" else 401)


@pytest.mark.parametrize(
    ("audience", "expected"),
    [
        (BASE_URL + PATH, 200),
        ([BASE_URL + PATH, "https://elsewhere.example.org"], 200),
        (BASE_URL, 401),
        (BASE_URL + "/cds-services", 401),
        (BASE_URL + "/cds-services/ward-round", 401),
        (BASE_URL + PATH + "/", 401),
        ("https://elsewhere.example.org" + PATH, 401),
        ("http://127.0.0.1" + PATH, 401),
        ([], 401),
    ],
)
def test_i3_the_audience_is_the_exact_url(ehr: Ehr, audience: object, expected: int):
    assert status(ehr, KEY.token(said(aud=audience))) == expected


def test_i4_no_algorithm_and_symmetric_ones_are_refused(ehr: Ehr):
    assert status(ehr, forged({"alg": "none", "typ": "JWT", "kid": KEY.kid}, said())) == 401
    assert status(ehr, signed_with_secret(said(), KEY.pem(), kid=KEY.kid)) == 401
    assert status(ehr, signed_with_secret(said(), KEY.pem(), kid=KEY.kid, alg="HS384")) == 401


def test_i5_es384_and_rs384_are_accepted(ehr: Ehr):
    assert KEY.algorithm == "ES384"
    assert status(ehr, KEY.token(said())) == 200
    assert EAST_KEY.algorithm == "RS384"
    assert status(ehr, EAST_KEY.token(said(iss=EAST))) == 200


def test_i6_a_strange_issuer_or_jku_is_refused_and_never_fetched(ehr: Ehr):
    visited = []

    class Trap(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            visited.append(self.path)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Trap) as trap:
        thread = threading.Thread(target=trap.serve_forever, args=(0.02,))
        thread.start()
        jku = f"http://127.0.0.1:{trap.server_address[1]}/jwks.json"
        assert status(ehr, STRANGER.token(said(), jku=jku)) == 401
        assert status(ehr, EAST_KEY.token(said(iss=EAST), jku=jku)) == 401
        assert status(ehr, STRANGER.token(said(iss=jku))) == 401
        trap.shutdown()
        thread.join()
    assert visited == []


def test_i7_keys_are_known_with_and_without_a_jku(ehr: Ehr, house):
    assert status(ehr, KEY.token(said())) == 200  # keys from a file
    assert status(ehr, EAST_KEY.token(said(iss=EAST))) == 200
    assert status(ehr, EAST_KEY.token(said(iss=EAST), jku=house.keys.url)) == 200


def test_i8_an_unknown_kid_is_looked_up_and_then_refused(ehr: Ehr, house):
    """A key that the issuer has published since is taken without a restart."""
    new = key_pair("east-2", "RS384")
    house.keys.publish(EAST_KEY, new)
    deadline = time.monotonic() + 2 * ASK_AT_MOST_EVERY_S
    while (answer := status(ehr, new.token(said(iss=EAST)))) != 200:
        assert answer == 401
        assert time.monotonic() < deadline
        time.sleep(0.2)  # between looks at the condition
    asked = len(house.keys.requests)
    for _ in range(5):
        assert status(ehr, key_pair("east-9", "RS384").token(said(iss=EAST))) == 401
    assert len(house.keys.requests) <= asked + 1  # rate limited
    assert status(ehr, EAST_KEY.token(said(iss=EAST))) == 200


def test_i9_a_token_is_good_once_and_not_for_long(ehr: Ehr):
    token = KEY.token(said())
    assert [status(ehr, token) for _ in range(2)] == [200, 401]
    now = int(time.time())
    assert status(ehr, KEY.token(said(iat=now - 400, exp=now - 100))) == 401
    assert status(ehr, KEY.token(said(iat=now - 200, exp=now - 30))) == 200  # the clocks differ
    assert status(ehr, KEY.token(said(iat=now, exp=now + 3600))) == 401  # longer than agreed
    assert status(ehr, KEY.token(said(iat=now + 200, exp=now + 300))) == 401


def test_i11_open_mode_shouts_in_the_log_and_in_readiness(service: Service):
    """The service of the other tests has neither tenants nor keys: loopback, open, and said so."""
    assert '"open_development_mode"' in service.log.read_text()
    with service.client() as client:
        assert client.get("/readyz").json()["open"] is True
        assert Ehr(client).card(hook_call())


# ---------------------------------------------------------------- J. browsers


@pytest.mark.parametrize(
    ("path", "method"),
    [("/cds-services", "GET"), (PATH, "POST"), (f"{PATH}/feedback", "POST")],
)
def test_j1_pages_of_listed_origins_may_ask(http: httpx.Client, path: str, method: str):
    wanted = {
        "origin": PAGE,
        "access-control-request-method": method,
        "access-control-request-headers": "authorization,content-type",
    }
    answer = http.options(path, headers=wanted)
    assert answer.is_success
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert method in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert {"authorization", "content-type"} <= {name.strip() for name in allowed.split(",")}
    stranger = http.options(path, headers={**wanted, "origin": "https://stranger.example.org"})
    assert "access-control-allow-origin" not in stranger.headers


def test_j1_the_answer_itself_names_the_origin(ehr: Ehr):
    assert ehr.call(hook_call(), origin=PAGE).headers["access-control-allow-origin"] == PAGE
    stranger = ehr.call(hook_call(), origin="https://stranger.example.org")
    assert "access-control-allow-origin" not in stranger.headers


def test_an_exchange_as_the_reference_client_has_it(ehr: Ehr):
    """Preflight, discovery, a call that accepts FHIR's old media type, feedback without a display."""
    headers = {"origin": PAGE, "accept": "application/json+fhir"}
    (service,) = (
        s for s in ehr.ask("GET", "/cds-services", **headers).json()["services"] if s["id"] == ICU
    )
    assert service["hook"] == "patient-view"
    call = {**hook_call(), "extension": {**hook_call()["extension"], "com.example.test": {"a": 1}}}
    (card,) = ehr.call(call, **headers).json()["cards"]
    answer = ehr.ask(
        "POST",
        f"{PATH}/feedback",
        {
            "feedback": [
                report(
                    card,
                    outcomeTimestamp="2026-11-21T08:01:00.123Z",
                    overrideReason={"reason": {"code": card["overrideReasons"][0]["code"]}},
                )
            ]
        },
        **headers,
    )
    assert answer.json()["recorded"] == 1
