"""Which keys of a JWKS may verify a token."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.identity.key_set import KeySetInvalid, read_key_set
from tests.lib.properties import LAW
from tests.lib.tokens import jwks, key_pair

EC, EC_256, RSA = key_pair(), key_pair("ec-256", "ES256"), key_pair("rsa-256", "RS256")
SHORT_RSA = key_pair("short", "RS256", 1024)


def test_keys_are_found_by_name_and_algorithm():
    assert set(read_key_set(jwks(EC, EC_256, RSA))) == {
        ("key-1", "ES384"), ("ec-256", "ES256"), ("rsa-256", "RS256"),
    }  # fmt: skip


def test_an_rsa_key_without_alg_serves_both_digests_and_an_ec_key_its_curve_only():
    found = read_key_set(jwks(RSA.jwk(alg=None), EC.jwk(alg=None)))
    assert set(found) == {("rsa-256", "RS256"), ("rsa-256", "RS384"), ("key-1", "ES384")}


LEFT_OUT: list[tuple[str, Any]] = [
    ("symmetric", {"kty": "oct", "kid": "a", "k": "c2VjcmV0", "alg": "HS256"}),
    ("symmetric that claims to be EC", {"kty": "oct", "kid": "a", "k": "c2Vj", "alg": "ES384"}),
    ("private", EC.private_jwk()),
    ("without kid", EC.jwk(kid=None)),
    ("kid a number", EC.jwk(kid=1)),
    ("for encryption", EC.jwk(use="enc")),
    ("for signing only", EC.jwk(key_ops=["sign"])),
    ("key_ops no list", EC.jwk(key_ops="verify")),
    ("for another algorithm", EC.jwk(alg="ECDH-ES")),
    ("alg of another key type", EC.jwk(alg="RS256")),
    ("alg of another curve", EC.jwk(alg="ES256")),
    ("on another curve", EC.jwk(crv="P-521", alg=None)),
    ("a point that is not on its curve", EC.jwk(x=EC.jwk()["y"])),
    ("without y", EC.jwk(y=None)),
    ("x a number", EC.jwk(x=1)),
    ("an RSA key too short", SHORT_RSA.jwk()),
    ("no modulus", RSA.jwk(n=None)),
    ("not an object", "key"),
    ("null", None),
]


@pytest.mark.parametrize("jwk", [item[1] for item in LEFT_OUT], ids=[i[0] for i in LEFT_OUT])
def test_a_key_that_must_not_verify_is_left_out_and_the_others_stay(jwk: Any):
    document = json.dumps({"keys": [jwk, EC_256.jwk()]}).encode()
    assert set(read_key_set(document)) == {("ec-256", "ES256")}


def test_of_two_keys_with_one_name_the_first_counts():
    other = key_pair("key-1", "ES384", 1)
    first = read_key_set(jwks(EC, other))[("key-1", "ES384")]
    assert first.thumbprint == read_key_set(jwks(EC))[("key-1", "ES384")].thumbprint
    assert first.thumbprint != read_key_set(jwks(other))[("key-1", "ES384")].thumbprint


def test_the_thumbprint_is_that_of_rfc_7638():
    """The example of section 3.1."""
    from base64 import urlsafe_b64encode

    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECP"
        "ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY"
        "368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0f"
        "M4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    jwk = {"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
    key = read_key_set(json.dumps({"keys": [jwk]}).encode())[("2011-04-29", "RS256")]
    written = urlsafe_b64encode(key.thumbprint).decode().rstrip("=")
    assert written == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize(
    "document",
    [b"", b"null", b"[]", b"{}", b'{"keys": 1}', b"\xff", b"[" * 50_000,
     json.dumps({"keys": [EC.jwk()] * 101}).encode()],
)  # fmt: skip
def test_what_is_no_key_set_is_refused(document: bytes):
    with pytest.raises(KeySetInvalid):
        read_key_set(document)


@given(st.one_of(st.binary(), st.lists(st.dictionaries(
    st.sampled_from(["kty", "kid", "crv", "x", "y", "n", "e", "alg", "use", "key_ops", "d"]),
    st.one_of(st.none(), st.integers(), st.text(), st.sampled_from(["EC", "RSA", "P-384", "sig"])),
), max_size=3).map(lambda keys: json.dumps({"keys": keys}).encode())))  # fmt: skip
@LAW
def test_no_document_whatever_fails_otherwise(document: bytes):
    with pytest.raises(KeySetInvalid):
        read_key_set(document)
