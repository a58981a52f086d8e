"""The public keys of an issuer (JWKS, RFC 7517), reduced to those that may verify a token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import jwt

MOST_BYTES = 256 * 1024
MOST_KEYS = 100
SMALLEST_RSA_BITS = 2048
# Algorithm -> the key type, and the curve, that it needs (RFC 7518 section 3.1).
_NEEDS = {
    "ES384": ("EC", "P-384"),
    "ES256": ("EC", "P-256"),
    "RS384": ("RSA", None),
    "RS256": ("RSA", None),
}
# What makes a key the key it is (RFC 7638 section 3.2).
_IDENTIFYING = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}


class KeySetInvalid(Exception):
    """Not a JWKS, or none of its keys may verify a token."""


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key bound to one algorithm; the thumbprint (RFC 7638) tells keys apart."""

    key: jwt.PyJWK
    thumbprint: bytes


KeySet = Mapping[tuple[str, str], VerifyingKey]
"""Keys by `kid` and algorithm."""


def read_key_set(document: bytes) -> KeySet:
    """Take the usable keys out of a JWKS.

    A key is left out, as RFC 7517 section 5 asks for what is not understood, when it is symmetric
    or private, has no `kid`, is meant for another use or algorithm, or is too short. So is a `kid`'s
    second key for the same algorithm.

    Raises
    ------
    KeySetInvalid
        When nothing usable is left.

    Examples
    --------
    >>> read_key_set(b'{"keys": [{"kty": "oct", "kid": "1", "k": "c2VjcmV0"}]}')
    Traceback (most recent call last):
    app.identity.key_set.KeySetInvalid: no key in it may verify a token
    """
    if len(document) > MOST_BYTES:
        raise KeySetInvalid(f"it is larger than {MOST_BYTES} bytes")
    try:
        listed = json.loads(document)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise KeySetInvalid("it is not a JWKS") from None
    if not isinstance(listed, list) or len(listed) > MOST_KEYS:
        raise KeySetInvalid(f"`keys` must be a list of at most {MOST_KEYS}")
    keys: dict[tuple[str, str], VerifyingKey] = {}
    for jwk in listed:
        for algorithm in _algorithms(jwk):
            key = _verifying_key(jwk, algorithm)
            if key is not None:
                keys.setdefault((jwk["kid"], algorithm), key)
    if not keys:
        raise KeySetInvalid("no key in it may verify a token")
    return keys


def _algorithms(jwk: Any) -> list[str]:
    """The algorithms that a key declares itself for, of those we know."""
    if not isinstance(jwk, dict) or not isinstance(jwk.get("kid"), str) or "d" in jwk:
        return []
    if jwk.get("use", "sig") != "sig":
        return []
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return []
    return [
        algorithm
        for algorithm, (kind, curve) in _NEEDS.items()
        if jwk.get("kty") == kind
        and jwk.get("alg", algorithm) == algorithm
        and curve in (None, jwk.get("crv"))
    ]


def _verifying_key(jwk: dict[str, Any], algorithm: str) -> VerifyingKey | None:
    try:
        key = jwt.PyJWK(jwk, algorithm)
        identifying = {name: str(jwk[name]) for name in _IDENTIFYING[jwk["kty"]]}
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        return None
    if jwk["kty"] == "RSA" and key.key.key_size < SMALLEST_RSA_BITS:
        return None
    written = json.dumps(identifying, sort_keys=True, separators=(",", ":"))
    return VerifyingKey(key, sha256(written.encode()).digest())
