"""The attack table: what a bearer token may not do, and what it is refused for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Problem
from app.identity import REASONS, Caller, InProcessReplayMemory, load_identity
from tests.lib import tokens
from tests.lib.properties import LAW
from tests.lib.tokens import (
    AUDIENCE,
    BASE_URL,
    ISSUER,
    NOW,
    base64url,
    forged,
    jwks,
    jwks_server,
    key_pair,
    signed_with_secret,
)

claims = partial(tokens.claims, NOW)
EC = key_pair()
RSA_384 = key_pair("rsa-384", "RS384")
RSA_256 = key_pair("rsa-256", "RS256")
EC_256 = key_pair("ec-256", "ES256")
STRANGER = key_pair("stranger")
SAME_NAME = key_pair("key-1", "ES384", 1)  # another key, which calls itself key-1

TENANTS = f"""
base_url = "{BASE_URL}/"
[[tenant]]
id = "north"
care_units = ["icu", "ward-31"]
branch_points = ["icu-review"]
rate_limit_per_s = 5
[[tenant.issuer]]
issuer = "{ISSUER}"
audiences = ["{AUDIENCE}", "other-name"]
jwks_file = "keys.json"
algorithms = ["ES384", "RS384", "RS256", "ES256"]
tokens = "reusable"
scopes = ["read", "assess"]
longest_life_s = 600
[[tenant.issuer]]
issuer = "https://cds.example.org"
audience_is_url = true
jwks_file = "keys.json"
algorithms = ["ES384"]
tokens = "single-use"
scopes = ["cds"]
scopes_without_claim = ["cds"]
jku = ["https://cds.example.org/jwks.json"]
[[tenant.issuer]]
issuer = "https://shared.example.org"
audiences = ["{AUDIENCE}"]
jwks_file = "keys.json"
algorithms = ["ES384"]
tokens = "reusable"
scopes = ["read"]
[[tenant]]
id = "south"
care_units = []
[[tenant.issuer]]
issuer = "https://shared.example.org"
audiences = ["{AUDIENCE}"]
jwks_file = "keys.json"
algorithms = ["ES384"]
tokens = "reusable"
scopes = ["read", "outcomes"]
"""
CDS = "https://cds.example.org"
CDS_PATH = "/cds-services/icu-review"


@pytest.fixture
def doors(open_doors: Callable[..., Any], tmp_path: Path) -> Any:
    (tmp_path / "keys.json").write_bytes(jwks(EC, RSA_384, RSA_256, EC_256))
    return open_doors(TENANTS)


def cds_claims(**changed: Any) -> dict[str, Any]:
    return claims(
        **{"iss": CDS, "aud": BASE_URL + CDS_PATH, "client_id": None, "scope": None, **changed}
    )


@pytest.mark.parametrize("key", [EC, RSA_384, RSA_256, EC_256], ids=lambda key: key.algorithm)
def test_a_good_token_of_each_algorithm_names_its_caller(doors: Any, key: Any):
    assert doors.caller(key.token(claims(sub="dr-k"))) == Caller(
        f"integration@{ISSUER}", "dr-k", "north", frozenset({"read", "assess"}),
        frozenset({"icu-review"}),
    )  # fmt: skip
    assert doors.identity.care_units("north") == {"icu", "ward-31"}
    assert doors.identity.rate_limit_per_s("north") == 5
    assert doors.identity.rate_limit_per_s("south") is None
    assert not doors.identity.is_open


LATER = claims()["iat"] + 3600
GOOD: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("a list of audiences", {"aud": ["someone-else", AUDIENCE]}, {}),
    ("the other audience", {"aud": "other-name"}, {}),
    ("a fraction of a second", {"exp": claims()["exp"] + 0.5}, {}),
    ("an nbf of now", {"nbf": claims()["iat"]}, {}),
    ("a clock ahead by less than the skew", {"iat": claims()["iat"] + 30}, {}),
    ("no typ", {}, {"typ": None}),
    ("typ of RFC 9068", {}, {"typ": "at+JWT"}),
    ("a key inside the header, never looked at", {}, {"jwk": STRANGER.jwk(), "x5u": "http://x"}),
    ("its tenant named", {"tenant": "north"}, {}),
    ("scopes we do not know", {"scope": "openid  read"}, {}),
    ("scopes as a list", {"scope": ["read", "assess"]}, {}),
    ("scopes as Entra has them", {"scope": None, "scp": "read"}, {}),
]


@pytest.mark.parametrize(("said", "header"), [g[1:] for g in GOOD], ids=[g[0] for g in GOOD])
def test_what_issuers_may_vary_is_accepted(
    doors: Any, said: dict[str, Any], header: dict[str, Any]
):
    caller = doors.caller(EC.token(claims(**said), **header))
    assert caller.scopes <= {"read", "assess"}
    assert "read" in caller.scopes


ATTACKS: list[tuple[str, str, str]] = [
    # signature and algorithm
    ("alg none", forged({"alg": "none", "kid": "key-1"}, claims()), "algorithm"),
    ("alg None", forged({"alg": "None", "kid": "key-1"}, claims(), b"x"), "algorithm"),
    ("no alg", EC.token(claims(), alg=None), "algorithm"),
    ("alg a number", EC.token(claims(), alg=1), "algorithm"),
    ("alg a list", EC.token(claims(), alg=["ES384"]), "algorithm"),
    ("HS256 with the public key", signed_with_secret(claims(), RSA_256.pem(), kid="rsa-256"), "algorithm"),
    ("HS256 with the JWKS", signed_with_secret(claims(), jwks(EC), kid="key-1"), "algorithm"),
    ("HS256 with nothing", signed_with_secret(claims(), b"", kid="key-1"), "algorithm"),
    ("an EC key under RS256", EC.token(claims(), alg="RS256"), "unknown_key"),
    ("an RS384 key under RS256", RSA_384.token(claims(), alg="RS256"), "unknown_key"),
    ("an algorithm nobody declared", forged({"alg": "PS256", "kid": "key-1"}, claims(), b"x"), "algorithm"),
    ("signed by a stranger of the same name", SAME_NAME.token(claims()), "bad_signature"),
    ("a signature of zeros", forged({"alg": "ES384", "kid": "key-1"}, claims(), bytes(96)), "bad_signature"),
    ("a signature too short", forged({"alg": "ES384", "kid": "key-1"}, claims(), b"x"), "bad_signature"),
    ("no signature", EC.token(claims()).rsplit(".", 1)[0] + ".", "bad_signature"),
    ("claims changed afterwards", ".".join([EC.token(claims()).split(".")[0], base64url(claims(scope="read assess outcomes")), EC.token(claims()).split(".")[2]]), "bad_signature"),
    # key
    ("unknown kid", STRANGER.token(claims()), "unknown_key"),
    ("no kid", EC.token(claims(), kid=None), "unknown_key"),
    ("kid a number", EC.token(claims(), kid=7), "malformed"),
    ("kid a path", EC.token(claims(), kid="../../etc/passwd"), "unknown_key"),
    ("kid of NULs", EC.token(claims(), kid="key-1\0"), "unknown_key"),
    ("a key inside the header", STRANGER.token(claims(), jwk=STRANGER.jwk()), "unknown_key"),
    ("its own key under our name", SAME_NAME.token(claims(), jwk=SAME_NAME.jwk()), "bad_signature"),
    ("jku where none is allowed", EC.token(claims(), jku="https://evil.example/keys"), "stranger_jku"),
    ("jku a number", EC.token(claims(), jku=1), "stranger_jku"),
    # header
    ("an extension we must understand", EC.token(claims(), crit=["exp"], exp=1), "malformed"),
    ("crit of b64", EC.token(claims(), crit=["b64"], b64=True), "header"),
    ("crit empty", EC.token(claims(), crit=[]), "malformed"),
    ("a detached payload", EC.token(claims(), crit=["b64"], b64=False), "malformed"),
    ("b64 on its own", EC.token(claims(), b64=True), "header"),
    ("typ of another kind", EC.token(claims(), typ="logout+jwt"), "header"),
    ("typ a list", EC.token(claims(), typ=["JWT"]), "header"),
    # issuer, audience, tenant
    ("wrong iss", EC.token(claims(iss="https://evil.example")), "unknown_issuer"),
    ("iss with a slash more", EC.token(claims(iss=ISSUER + "/")), "unknown_issuer"),
    ("no iss", EC.token(claims(iss=None)), "unknown_issuer"),
    ("iss a list", EC.token(claims(iss=[ISSUER])), "unknown_issuer"),
    ("wrong aud", EC.token(claims(aud="another-service")), "wrong_audience"),
    ("an aud that holds ours", EC.token(claims(aud=AUDIENCE + "-2")), "wrong_audience"),
    ("no aud", EC.token(claims(aud=None)), "claims"),
    ("aud empty", EC.token(claims(aud="")), "claims"),
    ("aud a number", EC.token(claims(aud=1)), "wrong_audience"),
    ("aud a list of numbers", EC.token(claims(aud=[1, AUDIENCE])), "wrong_audience"),
    ("aud an object", EC.token(claims(aud={AUDIENCE: 1})), "wrong_audience"),
    ("tenant a number", EC.token(claims(tenant=1)), "claims"),
    # time
    ("expired", EC.token(claims(iat=LATER - 7600, exp=LATER - 7400)), "expired"),
    ("not yet valid", EC.token(claims(nbf=claims()["iat"] + 200)), "not_yet_valid"),
    ("issued in the future", EC.token(claims(iat=LATER, exp=LATER + 60)), "not_yet_valid"),
    ("valid for too long", EC.token(claims(exp=claims()["iat"] + 601)), "too_long_lived"),
    ("valid for ever", EC.token(claims(exp=2**62)), "claims"),
    ("no exp", EC.token(claims(exp=None)), "claims"),
    ("no iat", EC.token(claims(iat=None)), "claims"),
    ("exp as text", EC.token(claims(exp=str(LATER))), "claims"),
    ("exp true", EC.token(claims(exp=True)), "claims"),
    ("exp a huge integer", EC.token(claims(exp=10**400)), "claims"),
    ("exp infinite", EC.token(claims(exp=float("inf"))), "claims"),
    ("exp no number", EC.token(claims(exp=float("nan"))), "claims"),
    ("exp below zero", EC.token(claims(exp=-1)), "claims"),
    ("exp a list", EC.token(claims(exp=[LATER])), "claims"),
    ("nbf as text", EC.token(claims(nbf="0")), "claims"),
    ("nbf no number", EC.token(claims(nbf=float("nan"))), "claims"),
    ("iat no number", EC.token(claims(iat=float("nan"))), "claims"),
    # names
    ("no jti", EC.token(claims(jti=None)), "claims"),
    ("jti a number", EC.token(claims(jti=1)), "claims"),
    ("jti empty", EC.token(claims(jti="")), "claims"),
    ("jti too long", EC.token(claims(jti="x" * 201)), "claims"),
    ("sub a number", EC.token(claims(sub=195009072553)), "claims"),
    ("sub with a line break", EC.token(claims(sub="a\nb")), "claims"),
    ("sub with a NUL", EC.token(claims(sub="a\0")), "claims"),
    ("sub half a surrogate pair", EC.token(claims(sub="\ud800")), "claims"),
    ("sub that turns the line around", EC.token(claims(sub="a\u202eb")), "claims"),
    ("sub too long", EC.token(claims(sub="x" * 201)), "claims"),
    ("client_id a list", EC.token(claims(client_id=["a"])), "claims"),
    ("client_id too long with its issuer", EC.token(claims(client_id="x" * 190)), "claims"),
    ("scope a number", EC.token(claims(scope=1)), "claims"),
    ("scope a list of lists", EC.token(claims(scope=[["read"]])), "claims"),
    # form
    ("nothing", "", "malformed"),
    ("one part", "abc", "malformed"),
    ("two parts", "abc.def", "malformed"),
    ("four parts", EC.token(claims()) + ".abc", "malformed"),
    ("five parts", EC.token(claims()) + ".abc.def", "malformed"),
    ("padding", EC.token(claims()) + "=", "malformed"),
    ("a space inside", EC.token(claims()).replace(".", " .", 1), "malformed"),
    ("a line break at the end", EC.token(claims()) + "\n", "malformed"),
    ("letters that look alike", EC.token(claims()).replace("e", "\u0435", 1), "malformed"),
    ("digits of another script", "\u0661.\u0661.\u0661", "malformed"),
    ("half a surrogate pair", "\ud800.a.b", "malformed"),
    ("NUL", "\0.\0.\0", "malformed"),
    ("a header that is no JSON", forged(b"{", claims()), "malformed"),
    ("a header that is a list", forged([], claims()), "malformed"),
    ("a header that is not UTF-8", forged(b"\xff\xfe", claims()), "malformed"),
    ("claims that are no JSON", forged({"alg": "ES384", "kid": "key-1"}, b"nope"), "malformed"),
    ("claims that are a list", EC.token([claims()]), "malformed"),  # type: ignore[arg-type]
    ("a header nested to death", forged(b"[" * 3000, claims()), "malformed"),
    ("claims nested to death", forged({"alg": "ES384"}, b'{"a":' * 1000), "malformed"),
    ("an integer too long to read", forged({"alg": "ES384"}, b'{"exp":' + b"9" * 5000 + b"}"), "malformed"),
    ("oversized", "a." + "b" * 8192 + ".c", "too_large"),
]  # fmt: skip


@pytest.mark.parametrize(("token", "reason"), [a[1:] for a in ATTACKS], ids=[a[0] for a in ATTACKS])
def test_a_token_that_breaks_a_rule_is_a_401_for_that_reason(doors: Any, token: str, reason: str):
    assert doors.refused(token) == reason
    with pytest.raises(Problem) as caught:
        doors.caller(token)
    assert caught.value.status == 401


def test_every_reason_is_a_declared_one(doors: Any):
    for _, token, reason in ATTACKS:
        assert doors.refused(token) == reason
        assert reason in REASONS


@given(st.one_of(st.text(), st.binary().map(lambda raw: raw.decode("latin-1"))))
@LAW
def test_no_header_whatever_fails(at_rest: Any, value: str):
    for sent in (
        {"authorization": value},
        {"authorization": f"Bearer {value}"},
        {"authorization": f"Bearer risk_{value}"},
        {"api_key": value},
        {"certificate": value},
        {"peer": value, "certificate": value},
    ):
        with pytest.raises(Problem) as caught:
            asyncio.run(at_rest.caller(path=value, **sent))
        assert caught.value.status == 401


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
CLAIMS = ("aud", "exp", "iat", "nbf", "jti", "sub", "client_id", "azp", "scope", "tenant", "iss")


@given(st.dictionaries(st.sampled_from(CLAIMS), JSON_VALUES, min_size=1, max_size=3))
@LAW
def test_any_json_in_the_claims_of_a_signed_token_is_accepted_or_refused(
    at_rest: Any, said: dict[str, Any]
):
    answer = answer_of(at_rest, EC.token({**claims(), **said}))
    if isinstance(answer, Caller):
        assert len(answer.client) <= 200
        assert answer.client.isprintable()
        assert answer.scopes <= {"read", "assess"}
    else:
        assert answer in (401, 403)


@given(st.dictionaries(st.sampled_from(("kid", "typ", "jku", "crit", "b64", "x5c")), JSON_VALUES))
@LAW
def test_any_json_in_the_header_of_a_signed_token_is_accepted_or_refused(
    at_rest: Any, said: dict[str, Any]
):
    answer = answer_of(at_rest, EC.token(claims(), **said))
    assert isinstance(answer, Caller) or answer == 401


def answer_of(identity: Any, token: str) -> Caller | int:
    try:
        return asyncio.run(identity.caller(path="/", authorization=f"Bearer {token}"))
    except Problem as problem:
        return problem.status


@pytest.fixture(scope="module")
def at_rest(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One identity for all examples of a property."""
    folder = tmp_path_factory.mktemp("identity")
    (folder / "keys.json").write_bytes(jwks(EC))
    (folder / "tenants.toml").write_text(TENANTS)
    return load_identity(
        host_is_loopback=False,
        tenants_file=folder / "tenants.toml",
        api_keys_file=folder / "api-keys.jsonl",
        care_units=(),
        branch_points=("icu-review",),
        clock=lambda: NOW,
    )


def test_an_issuer_of_several_tenants_must_name_one(doors: Any):
    shared = {"iss": "https://shared.example.org", "scope": "read outcomes"}
    north = doors.caller(EC.token(claims(**shared, tenant="north")))
    south = doors.caller(EC.token(claims(**shared, tenant="south")))
    assert (north.tenant, north.scopes) == ("north", {"read"})
    assert (south.tenant, south.scopes, south.branch_points) == (
        "south",
        {"read", "outcomes"},
        None,
    )
    assert doors.refused(EC.token(claims(**shared))) == "tenant_not_named"
    assert doors.refused(EC.token(claims(**shared, tenant="west"))) == "tenant_not_named"


def test_naming_a_tenant_that_the_issuer_does_not_serve_is_a_403(doors: Any):
    with pytest.raises(Problem) as caught:
        doors.caller(EC.token(claims(tenant="south")))
    assert (caught.value.status, doors.reasons) == (403, ["tenant"])


def test_a_forged_token_of_another_tenant_is_refused_before_it_is_told_about_tenants(doors: Any):
    assert doors.refused(SAME_NAME.token(claims(tenant="south"))) == "bad_signature"


def test_a_single_use_token_is_good_once(doors: Any):
    token = EC.token(cds_claims())
    assert doors.caller(token, CDS_PATH) == Caller(
        CDS, None, "north", frozenset({"cds"}), frozenset({"icu-review"})
    )
    assert doors.refused(token, CDS_PATH) == "replayed"
    resigned = EC.token(cds_claims(jti="again"))
    assert doors.caller(resigned, CDS_PATH).client == CDS
    assert doors.refused(EC.token(cds_claims(jti="again")), CDS_PATH) == "replayed"


def test_of_many_at_once_with_one_single_use_token_one_gets_in(doors: Any):
    token = EC.token(cds_claims())

    async def all_at_once() -> list[Any]:
        asks = [doors.ask(token, CDS_PATH) for _ in range(20)]
        return await asyncio.gather(*asks, return_exceptions=True)

    answers = asyncio.run(all_at_once())
    assert sum(isinstance(answer, Caller) for answer in answers) == 1
    assert doors.reasons == ["replayed"] * 19


def test_a_refused_single_use_token_is_not_used_up(doors: Any):
    token = EC.token(cds_claims())
    assert doors.refused(token, "/cds-services/other") == "wrong_audience"
    assert doors.caller(token, CDS_PATH).client == CDS


def test_where_the_audience_is_the_url_only_the_url_called_is_right(doors: Any):
    for audience in (CDS_PATH, "https://evil.example" + CDS_PATH, BASE_URL, BASE_URL + "/"):
        token = EC.token(cds_claims(aud=audience))
        assert doors.refused(token, CDS_PATH) == "wrong_audience"


def test_feedback_may_be_signed_for_its_own_url_or_its_service(doors: Any):
    feedback = CDS_PATH + "/feedback"
    for audience in (BASE_URL + feedback, BASE_URL + CDS_PATH):
        assert doors.caller(EC.token(cds_claims(aud=audience)), feedback).client == CDS
    assert doors.refused(EC.token(cds_claims(aud=BASE_URL + feedback)), CDS_PATH) == (
        "wrong_audience"
    )


def test_a_jku_on_the_list_is_accepted_and_one_that_resembles_it_is_not(doors: Any):
    listed = CDS + "/jwks.json"
    assert doors.caller(EC.token(cds_claims(), jku=listed), CDS_PATH).client == CDS
    for stranger in (listed + "?", listed.upper(), "http" + listed[5:], listed + "@evil.example"):
        assert doors.refused(EC.token(cds_claims(), jku=stranger), CDS_PATH) == "stranger_jku"


def test_nobody_is_asked_at_an_address_that_a_token_names(doors: Any):
    with jwks_server(STRANGER) as stranger:
        token = STRANGER.token(claims(), jku=stranger.url, x5u=stranger.url)
        assert doors.refused(token) == "stranger_jku"
        assert doors.refused(STRANGER.token(claims(iss=stranger.url))) == "unknown_issuer"
        assert doors.refused(STRANGER.token(claims(), kid=stranger.url)) == "unknown_key"
        assert stranger.requests == []


def test_scopes_are_what_the_token_claims_of_what_its_issuer_may_grant(doors: Any):
    assert doors.caller(EC.token(claims(scope="read outcomes"))).scopes == {"read"}
    assert doors.caller(EC.token(claims(scope=""))).scopes == frozenset()
    assert doors.caller(EC.token(claims(scope=None))).scopes == frozenset()
    assert doors.caller(EC.token(cds_claims(scope="")), CDS_PATH).scopes == frozenset()


@pytest.mark.parametrize(
    ("said", "client", "user"),
    [
        ({"client_id": "a", "sub": "a"}, f"a@{ISSUER}", None),
        ({"client_id": "a", "sub": "u"}, f"a@{ISSUER}", "u"),
        ({"client_id": None, "azp": "b", "sub": "u"}, f"b@{ISSUER}", "u"),
        ({"client_id": None, "sub": "c"}, f"c@{ISSUER}", None),
        ({"client_id": None}, ISSUER, None),
        ({"client_id": None, "sub": ISSUER}, f"{ISSUER}@{ISSUER}", None),
    ],
)
def test_client_and_user_are_told_apart(
    doors: Any, said: dict[str, Any], client: str, user: str | None
):
    caller = doors.caller(EC.token(claims(**said)))
    assert (caller.client, caller.user) == (client, user)


def test_the_user_of_a_cds_token_is_its_subject(doors: Any):
    caller = doors.caller(EC.token(cds_claims(sub="Practitioner/7")), CDS_PATH)
    assert (caller.client, caller.user) == (CDS, "Practitioner/7")


def test_a_caller_does_not_show_who_they_are_by_accident(doors: Any):
    caller = doors.caller(EC.token(claims(client_id=None, sub="195009072553")))
    assert "195009072553" in caller.client
    assert "195009072553" not in repr(caller)


def test_a_refusal_shows_nothing_of_the_token(doors: Any):
    token = EC.token(claims(iss="https://marker.example", sub="195009072553"))
    with pytest.raises(Problem) as caught:
        doors.caller(token)
    shown = json.dumps(caught.value.document()) + repr(caught.value)
    assert not any(part in shown for part in (*token.split("."), "marker", "195009072553"))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_reusable_token_stays_good_until_it_expires_and_not_longer(doors: Any):
    token = EC.token(claims())
    first = doors.caller(token)
    doors.clock.ahead_s = 350.0  # exp is in 300 s, the skew is 60 s
    assert doors.caller(token) is first
    doors.clock.ahead_s = 361.0
    assert doors.refused(token) == "expired"
    doors.clock.ahead_s = 0.0
    assert doors.caller(token) is not first


def test_a_remembered_token_is_refused_before_its_time_too(doors: Any):
    token = EC.token(claims(nbf=claims()["iat"] + 30))
    doors.caller(token)
    doors.clock.ahead_s = -100.0
    assert doors.refused(token) == "not_yet_valid"


def test_a_remembered_token_is_still_bound_to_its_url(
    open_doors: Callable[..., Any], tmp_path: Path
):
    (tmp_path / "keys.json").write_bytes(jwks(EC))
    doors = open_doors(TENANTS.replace('"single-use"', '"reusable"'))
    token = EC.token(cds_claims())
    first = doors.caller(token, CDS_PATH)
    assert doors.caller(token, CDS_PATH) is first
    assert doors.refused(token, "/cds-services/other") == "wrong_audience"


def test_a_remembered_token_ends_with_its_key(doors: Any, tmp_path: Path):
    token, kept = EC.token(claims()), RSA_256.token(claims())
    first, second = doors.caller(token), doors.caller(kept)
    (tmp_path / "keys.json").write_bytes(jwks(RSA_256))
    assert doors.caller(token) is first  # looked at within the last second
    doors.clock.ahead_s = 1.1
    assert doors.refused(token) == "unknown_key"
    assert doors.caller(kept) is second


def test_a_remembered_token_ends_when_another_key_takes_the_name_of_its_own(
    doors: Any, tmp_path: Path
):
    token = EC.token(claims())
    doors.caller(token)
    (tmp_path / "keys.json").write_bytes(jwks(SAME_NAME))
    doors.clock.ahead_s = 1.1
    assert doors.refused(token) == "bad_signature"
    assert doors.caller(SAME_NAME.token(claims())).tenant == "north"


def test_a_key_file_that_breaks_leaves_the_keys_as_they_were(doors: Any, tmp_path: Path):
    file = tmp_path / "keys.json"
    for broken in (b"", b"{", b'{"keys": []}', b"[" * 100_000, b" " * 300_000):
        file.write_bytes(broken)
        doors.clock.ahead_s += 1.1
        assert doors.caller(EC.token(claims())).tenant == "north"
    file.unlink()
    doors.clock.ahead_s += 1.1
    assert doors.caller(EC.token(claims())).tenant == "north"


def test_the_memory_of_used_tokens_is_told_issuer_jti_and_when_to_forget(
    open_doors: Callable[..., Any], tmp_path: Path
):
    (tmp_path / "keys.json").write_bytes(jwks(EC))
    told: list[tuple[str, str, float]] = []

    async def remember(issuer: str, jti: str, expires_at: float) -> bool:
        told.append((issuer, jti, expires_at))
        return len(told) == 1

    doors = open_doors(TENANTS, remember_jti=remember)
    said = cds_claims(jti="one")
    doors.caller(EC.token(said), CDS_PATH)
    assert told == [(CDS, "one", said["exp"] + 60.0)]
    assert doors.refused(EC.token(cds_claims()), CDS_PATH) == "replayed"


def test_a_full_memory_refuses_with_503_and_says_when_to_come_again(
    open_doors: Callable[..., Any], tmp_path: Path
):
    (tmp_path / "keys.json").write_bytes(jwks(EC))
    doors = open_doors(TENANTS, remember_jti=InProcessReplayMemory(capacity=1))
    doors.caller(EC.token(cds_claims()), CDS_PATH)
    with pytest.raises(Problem) as caught:
        doors.caller(EC.token(cds_claims()), CDS_PATH)
    assert (caught.value.status, caught.value.headers["Retry-After"]) == (503, "30")
