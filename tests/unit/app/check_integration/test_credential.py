"""Credentials and their forgeries; that forgeries are refused is tried against a real service."""

from __future__ import annotations

import json
from pathlib import Path

import jwt
import pytest

from app.check_integration.credential import (
    ApiKey,
    BearerToken,
    CredentialUnreadable,
    Nobody,
    SigningKey,
    read_secret,
    read_signing_key,
)
from tests.lib.tokens import claims, key_pair

KEY = key_pair("ehr-1")
JWK = {**KEY.private_jwk(), "alg": "ES384"}
URL = "https://risk.example.org/cds-services/icu-review"
ISSUER = "https://ehr.example.org"


def read(headers: dict[str, str], audience: str = URL) -> dict[str, object]:
    """The claims of a token, checked with the public half of the key."""
    token = headers["authorization"].removeprefix("Bearer ")
    public = KEY.private.public_key()
    return jwt.decode(token, public, algorithms=["ES384"], audience=audience, issuer=ISSUER)


def test_a_token_is_signed_for_the_url_and_used_once():
    credential = SigningKey(JWK, ISSUER)
    first, second = read(credential.headers(URL)), read(credential.headers(URL))
    assert first["jti"] != second["jti"]
    assert int(str(first["exp"])) - int(str(first["iat"])) == 240


def test_the_audience_can_be_fixed():
    assert read(SigningKey(JWK, ISSUER, "risk").headers(URL), "risk")["aud"] == "risk"


@pytest.mark.parametrize(
    "credential",
    [
        Nobody(),
        ApiKey("crk_0123456789abcdef"),
        BearerToken("opaque-0123456789"),
        BearerToken(KEY.token(claims())),
        SigningKey(JWK, ISSUER),
    ],
    ids=["nobody", "api key", "opaque token", "jwt", "signing key"],
)
def test_no_forgery_is_the_credential_itself(credential):
    forgeries = credential.forgeries(URL)
    own = credential.headers(URL)
    assert {} in forgeries.values()
    assert all(headers != own for headers in forgeries.values() if headers)


def test_a_forged_signature_is_one_that_does_not_hold():
    """The last characters of base64 can hold bits that mean nothing: those are not the ones changed."""
    for _ in range(20):
        forged = SigningKey(JWK, ISSUER).forgeries(URL)
        for name in ("signature altered", "signature left out", "alg none", "alg HS256"):
            with pytest.raises(jwt.PyJWTError):
                read(forged[name])
        with pytest.raises(jwt.ExpiredSignatureError):
            read(forged["expired"])
        with pytest.raises(jwt.InvalidAudienceError):
            read(forged["for another audience"])


def test_a_secret_is_one_word(tmp_path: Path):
    file = tmp_path / "secret"
    file.write_text("abc\n")
    assert read_secret(file) == "abc"
    for text in ("", "a b", "a\nb", "ö"):
        file.write_text(text)
        with pytest.raises(CredentialUnreadable) as refusal:
            read_secret(file)
        assert "ö" not in str(refusal.value)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", json.dumps({**JWK, "kid": None}), json.dumps(KEY.jwk())]
)
def test_a_key_to_sign_with_is_a_private_jwk(tmp_path: Path, text: str):
    file = tmp_path / "key.json"
    file.write_text(text)
    with pytest.raises(CredentialUnreadable, match="private key as JSON Web Key"):
        read_signing_key(file, ISSUER, None)


def test_nothing_secret_stands_in_a_representation():
    for credential in (ApiKey("secret-1"), BearerToken("secret-1"), SigningKey(JWK, ISSUER)):
        assert "secret-1" not in repr(credential)
        assert JWK["d"] not in repr(credential)
