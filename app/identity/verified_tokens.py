"""Reusable tokens that were verified a moment ago, so that a repeated one costs microseconds."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from app.identity.caller import Caller
from app.identity.claims import Validity
from app.identity.key_sources import KeySource
from app.identity.refusal import Refused
from app.identity.tenants import Issuer

MOST_TOKENS = 4096


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """The outcome of one verification, and everything that can end its truth."""

    caller: Caller
    issuer: Issuer
    validity: Validity
    audiences: frozenset[str]
    keys: KeySource
    key_name: tuple[str, str]
    thumbprint: bytes


class VerifiedTokens:
    """Verified tokens by their SHA-256; the token itself is not kept.

    A hit still asks what can have changed since: the time, the issuer's keys (a token of a
    withdrawn key is refused as soon as the key is seen to be gone), and the path, where the
    audience is the URL. When it is full, the token that was used least recently goes.
    """

    def __init__(self, most: int = MOST_TOKENS) -> None:
        self._most = most
        self._held: dict[bytes, VerifiedToken] = {}

    def __len__(self) -> int:
        """How many tokens are held."""
        return len(self._held)

    def caller(self, token: str, path: str, now: float) -> Caller | None:
        """The caller of a token that was verified before; None when it must be verified.

        Raises
        ------
        Refused
            `expired`, `not_yet_valid` or `wrong_audience`.
        """
        digest = sha256(token.encode("ascii")).digest()
        found = self._held.pop(digest, None)
        if found is None:
            return None
        found.validity.check(now)
        key = found.keys.held().get(found.key_name)
        if key is None or key.thumbprint != found.thumbprint:
            return None
        # Put back at the end: the dictionary's order is that of use.
        self._held[digest] = found
        if found.audiences.isdisjoint(found.issuer.audiences_at(path)):
            raise Refused("wrong_audience")
        return found.caller

    def add(self, token: str, verified: VerifiedToken) -> None:
        """Remember a token."""
        self._held[sha256(token.encode("ascii")).digest()] = verified
        if len(self._held) > self._most:
            del self._held[next(iter(self._held))]
