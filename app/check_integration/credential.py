"""What an integrator was given to call with, and forgeries of it that must not be let in.

A key to sign with makes a token for each URL, as CDS Hooks clients do, and so forgeries that only a
holder of the key can make: expired, for another audience, under another algorithm. Of a token or an
API key there are only spoilt copies.
"""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from app.errors import AppError

Headers = dict[str, str]
LIFE_S = 240
RUBBISH = "this-is-no-token"


class CredentialUnreadable(AppError):
    """A file that should hold a credential does not; what it holds is not repeated."""


class Credential(Protocol):
    """Headers for a URL, and headers that must be refused there."""

    def headers(self, url: str) -> Headers:
        """What is sent with a request."""
        ...

    def forgeries(self, url: str) -> Mapping[str, Headers]:
        """By name, what must be answered 401."""
        ...


@dataclass(frozen=True, slots=True)
class Nobody:
    """No credential: for a service in open development mode."""

    def headers(self, url: str) -> Headers:
        return {}

    def forgeries(self, url: str) -> Mapping[str, Headers]:
        return anybodys(url)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key."""

    key: str = field(repr=False)

    def headers(self, url: str) -> Headers:
        return {"x-api-key": self.key}

    def forgeries(self, url: str) -> Mapping[str, Headers]:
        return {
            **anybodys(url),
            "key with another end": {"x-api-key": _spoilt(self.key)},
            "key cut short": {"x-api-key": self.key[: len(self.key) // 2] or "x"},
        }


@dataclass(frozen=True, slots=True)
class BearerToken:
    """A token that somebody else made."""

    token: str = field(repr=False)

    def headers(self, url: str) -> Headers:
        return _bearer(self.token)

    def forgeries(self, url: str) -> Mapping[str, Headers]:
        return {**anybodys(url), **_tampered(self.token)}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key that signs a token for each request, as CDS Hooks 2.0 has it.

    Attributes
    ----------
    jwk : mapping
        The private key as a JWK with `kid` and `alg`.
    audience : str or None
        Of the tokens; None takes the URL that is called.
    """

    jwk: Mapping[str, Any] = field(repr=False)
    issuer: str
    audience: str | None = None

    def headers(self, url: str) -> Headers:
        return _bearer(self._token(url))

    def forgeries(self, url: str) -> Mapping[str, Headers]:
        now = int(time.time())
        elsewhere = "https://elsewhere.invalid/cds-services"
        made = {
            "expired": self._token(url, iat=now - 3600, exp=now - 3300),
            "issued in the future": self._token(url, iat=now + 3600, exp=now + 3900),
            "for another audience": self._token(url, aud=elsewhere),
            "without an expiry": self._token(url, exp=None),
            "of another issuer": self._token(url, iss="https://issuer.invalid"),
        }
        return {
            **anybodys(url),
            **{name: _bearer(token) for name, token in made.items()},
            **_tampered(self._token(url)),
        }

    def _token(self, url: str, **changed: Any) -> str:
        import jwt

        now = int(time.time())
        whole = {
            "iss": self.issuer,
            "aud": self.audience or url,
            "iat": now,
            "exp": now + LIFE_S,
            "jti": str(uuid4()),
            **changed,
        }
        said = {name: value for name, value in whole.items() if value is not None}
        key = jwt.PyJWK(dict(self.jwk))
        header = {"kid": str(self.jwk["kid"])}
        return jwt.encode(said, key.key, algorithm=str(self.jwk["alg"]), headers=header)


def anybodys(url: str) -> Mapping[str, Headers]:
    """Forgeries for which nothing needs to be known."""
    now = int(time.time())
    said = {"iss": "https://issuer.invalid", "aud": url, "iat": now, "exp": now + LIFE_S}
    unsigned = _token({"alg": "none", "typ": "JWT"}, {**said, "jti": str(uuid4())}, "")
    return {
        "nothing at all": {},
        "rubbish": _bearer(RUBBISH),
        "another scheme": {"authorization": "Basic dGVzdDp0ZXN0"},
        "a made-up token without signature": _bearer(unsigned),
        "a made-up API key": {"x-api-key": RUBBISH},
    }


def read_secret(file: Path) -> str:
    """The one line of a file.

    Raises
    ------
    CredentialUnreadable
        When it cannot be read, or holds more than a line.
    """
    try:
        text = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise CredentialUnreadable(f"{file} cannot be read") from None
    if not text or any(character.isspace() for character in text):
        raise CredentialUnreadable(f"{file} must hold one token or key, and nothing else")
    return text


def read_signing_key(file: Path, issuer: str, audience: str | None) -> SigningKey:
    """A private key in JWK form.

    Raises
    ------
    CredentialUnreadable
        When the file is not a private JWK with `kid` and `alg`.
    """
    import jwt

    jwk: Any = None
    try:
        jwk = json.loads(file.read_bytes())
        whole = isinstance(jwk, dict) and all(jwk.get(name) for name in ("kid", "alg", "d"))
        if whole:
            jwt.PyJWK(jwk)
    except (OSError, ValueError, jwt.PyJWTError):
        whole = False
    if not whole:
        raise CredentialUnreadable(
            f"{file} must be a private key as JSON Web Key with `kid` and `alg`"
        )
    return SigningKey(jwk, issuer, audience)


def _bearer(token: str) -> Headers:
    return {"authorization": f"Bearer {token}"}


def _tampered(token: str) -> dict[str, Headers]:
    """Copies of a token that its signature does not cover; of what is no JWT only a spoilt one."""
    parts = token.split(".")
    header = _decoded(parts[0])
    if len(parts) != 3 or header is None:
        return {"token with another end": _bearer(_spoilt(token))}
    head, said, signature = parts
    middle = len(signature) // 2
    other = signature[:middle] + _spoilt(signature[middle:-2]) + signature[-2:]
    return {
        "signature altered": _bearer(f"{head}.{said}.{other}"),
        "signature left out": _bearer(f"{head}.{said}."),
        "alg none": _bearer(f"{_encoded({**header, 'alg': 'none'})}.{said}."),
        "header altered": _bearer(f"{_encoded({**header, 'kid': RUBBISH})}.{said}.{signature}"),
        "alg HS256": _bearer(f"{_encoded({**header, 'alg': 'HS256'})}.{said}.{signature}"),
    }


def _spoilt(text: str) -> str:
    """The same text with its last character changed."""
    return text[:-1] + ("A" if not text.endswith("A") else "B")


def _token(header: Any, said: Any, signature: str) -> str:
    return f"{_encoded(header)}.{_encoded(said)}.{signature}"


def _encoded(part: Any) -> str:
    return urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def _decoded(part: str) -> dict[str, Any] | None:
    try:
        found = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
