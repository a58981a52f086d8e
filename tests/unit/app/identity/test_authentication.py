"""When a service is open, when it refuses to start, and which way in counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.errors import Problem, StartRefused
from app.identity import REASONS, SCOPES, Caller, Identity
from app.identity.api_keys import create_api_key
from app.identity.refusal import Refused
from tests.lib.tokens import AUDIENCE, ISSUER, NOW, claims, jwks, key_pair

TENANTS = f"""
[[tenant]]
id = "north"
care_units = ["icu"]
branch_points = ["icu-review"]
[[tenant.issuer]]
issuer = "{ISSUER}"
audiences = ["{AUDIENCE}"]
jwks_file = "keys.json"
algorithms = ["ES384"]
tokens = "reusable"
scopes = ["read"]
[[tenant.client_certificate]]
subject = "CN=integration,O=Example"
client = "integration"
scopes = ["assess"]
"""
SUBJECT = "CN=integration,O=Example"
PROXY = {"trusted_proxies": ("10.0.0.0/8", "fd00::1")}


@pytest.fixture
def doors(open_doors: Callable[..., Any], tmp_path: Path) -> Any:
    (tmp_path / "keys.json").write_bytes(jwks(key_pair()))
    return open_doors(TENANTS, **PROXY)


def make_key(tmp_path: Path) -> str:
    return create_api_key(
        tmp_path / "api-keys.jsonl",
        name="x",
        tenant="default",
        scopes=["read"],
        lasts=None,
        now=datetime.now(UTC),
    )[1]


def test_an_open_service_lets_everybody_in_whatever_they_send():
    identity = Identity.open(["ward-31"])
    assert identity.is_open
    for sent in ({}, {"authorization": "Bearer x"}, {"api_key": "x" * 10_000}):
        caller = asyncio.run(identity.caller(path="/", **sent))
        assert caller == Caller("open", None, "default", frozenset(SCOPES), None)
    assert identity.care_units("default") == {"ward-31"}
    asyncio.run(identity.begin())
    asyncio.run(identity.end())


@pytest.mark.parametrize("authentication", ["auto", "open"])
def test_loopback_with_nothing_declared_is_open(
    open_doors: Callable[..., Any], authentication: str
):
    doors = open_doors(None, host_is_loopback=True, authentication=authentication)
    assert doors.identity.is_open


def test_loopback_with_something_declared_is_not_open(
    open_doors: Callable[..., Any], tmp_path: Path
):
    make_key(tmp_path)
    assert not open_doors(None, host_is_loopback=True).identity.is_open
    assert open_doors(None, host_is_loopback=True, authentication="open").identity.is_open


def test_open_on_any_other_host_does_not_start(open_doors: Callable[..., Any], tmp_path: Path):
    make_key(tmp_path)
    with pytest.raises(StartRefused, match="loopback address only") as caught:
        open_doors(None, authentication="open")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {"authentication": "auto"},
        {"authentication": "required"},
        {"authentication": "required", "host_is_loopback": True},
    ],
)
def test_required_without_any_way_in_does_not_start(
    open_doors: Callable[..., Any], given: dict[str, Any]
):
    with pytest.raises(StartRefused, match="nobody could"):
        open_doors(None, **given)


def test_tenants_without_any_way_in_do_not_start(open_doors: Callable[..., Any]):
    with pytest.raises(StartRefused, match="nobody could"):
        open_doors('[[tenant]]\nid = "north"\ncare_units = []')


def test_a_broken_tenants_file_does_not_start(open_doors: Callable[..., Any]):
    with pytest.raises(StartRefused, match=r"tenants\.toml: file: unknown key `tenants`"):
        open_doors("tenants = 1")


@pytest.mark.parametrize("content", [None, b"{}", jwks({"kty": "oct", "kid": "1", "k": "c2Vj"})])
def test_a_key_file_that_cannot_be_used_does_not_start(
    open_doors: Callable[..., Any], tmp_path: Path, content: bytes | None
):
    if content is not None:
        (tmp_path / "keys.json").write_bytes(content)
    with pytest.raises(StartRefused, match=r"keys\.json: cannot be"):
        open_doors(TENANTS, **PROXY)


def test_certificates_without_a_trusted_proxy_do_not_start(
    open_doors: Callable[..., Any], tmp_path: Path
):
    (tmp_path / "keys.json").write_bytes(jwks(key_pair()))
    with pytest.raises(StartRefused, match="no proxy is trusted"):
        open_doors(TENANTS)
    with pytest.raises(StartRefused, match="must be an address"):
        open_doors(TENANTS, trusted_proxies=("proxy.example",))


@pytest.mark.parametrize("peer", ["10.0.0.5", "10.255.1.1", "::ffff:10.0.0.5", "fd00::1"])
def test_a_certificate_counts_from_a_trusted_proxy(doors: Any, peer: str):
    assert doors.caller(certificate=SUBJECT, peer=peer) == Caller(
        "certificate:integration", None, "north", frozenset({"assess"}), frozenset({"icu-review"})
    )


@pytest.mark.parametrize("peer", ["192.0.2.1", "11.0.0.1", "fd00::2", "", None, "10.0.0.5, x"])
def test_from_anywhere_else_it_is_as_if_it_were_not_there(doors: Any, peer: str | None):
    assert doors.refused(certificate=SUBJECT, peer=peer) == "missing"


@pytest.mark.parametrize(
    "subject", ["CN=integration", "cn=integration,o=example", "O=Example,CN=integration", "x"]
)
def test_another_subject_is_unknown(doors: Any, subject: str):
    assert doors.refused(certificate=subject, peer="10.0.0.5") == "certificate_unknown"


def test_a_token_counts_before_a_certificate_and_two_credentials_are_one_too_many(doors: Any):
    token = key_pair().token(claims(NOW))
    asked = {"certificate": SUBJECT, "peer": "10.0.0.5"}
    assert doors.caller(token, **asked).client == f"integration@{ISSUER}"
    assert doors.refused("wrong", **asked) == "malformed"
    assert doors.refused(token, api_key="x") == "ambiguous"


@pytest.mark.parametrize("value", ["", "Basic YTpi", "Bearer", "Token abc", "bearerabc", "\0"])
def test_another_scheme_is_told_what_to_send(doors: Any, value: str):
    assert doors.refused(authorization=value) in ("scheme", "malformed")


def test_nothing_at_all_is_told_what_to_send(doors: Any):
    with pytest.raises(Problem, match="Bearer") as caught:
        doors.caller()
    assert (caught.value.status, doors.reasons) == (401, ["missing"])


@pytest.mark.parametrize("header", ["authorization", "api_key", "certificate"])
def test_a_header_over_8_kib_is_refused_unread(doors: Any, header: str):
    assert doors.refused(**{header: "Bearer " + "a" * 8192}) == "too_large"


def test_permission_is_scope_and_branch_point(doors: Any):
    caller = doors.caller(key_pair().token(claims(NOW)))
    doors.identity.permit(caller, "read")
    doors.identity.permit(caller, "read", "icu-review")
    for asked, reason in ((("assess",), "scope"), (("read", "ward-round"), "branch_point")):
        with pytest.raises(Problem) as caught:
            doors.identity.permit(caller, *asked)
        assert (caught.value.status, doors.reasons[-1]) == (403, reason)
        assert "WWW-Authenticate" not in caught.value.headers


def test_the_certificate_header_can_be_named(open_doors: Callable[..., Any], tmp_path: Path):
    (tmp_path / "keys.json").write_bytes(jwks(key_pair()))
    doors = open_doors(TENANTS, certificate_header="X-SSL-Client-S-DN", **PROXY)
    assert doors.identity.certificate_header == "x-ssl-client-s-dn"


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_has_an_answer_that_does_not_repeat_it(reason: str):
    problem = Refused(reason).problem()
    assert problem.status in (401, 403, 503)
    assert problem.detail
    assert "_" not in problem.detail
    assert ("WWW-Authenticate" in problem.headers) == (problem.status == 401)


TWO = """
[[tenant]]
id = "north"
care_units = []
silent = ["icu-review"]
[[tenant.client_certificate]]
subject = "CN=north"
client = "north"
scopes = ["assess"]
[[tenant]]
id = "south"
care_units = []
"""


def test_who_is_silent_is_declared_for_each_tenant_or_for_the_only_one(open_doors):
    proxy = {"trusted_proxies": ("127.0.0.1",)}
    assert open_doors(TWO, **proxy).identity.declared_silent() == {("north", "icu-review")}
    alone = open_doors(None, host_is_loopback=True, silent=("icu-review",)).identity
    assert alone.is_open
    assert alone.declared_silent() == {("default", "icu-review")}


def test_a_silence_that_would_not_be_kept_stops_the_start(open_doors):
    """One line each: an unknown name, and a setting that a tenants file would set aside."""
    with pytest.raises(StartRefused, match=r"RISK_SILENT: no such branch point: icu-reviews; decl"):
        open_doors(None, host_is_loopback=True, silent=("icu-reviews",))
    with pytest.raises(StartRefused, match=r"write `silent` in each \[\[tenant\]\]"):
        open_doors(TWO, silent=("icu-review",))
    opened = open_doors(TWO, host_is_loopback=True, authentication="open", silent=("icu-review",))
    assert opened.identity.declared_silent() == {("default", "icu-review")}
