"""Who sits at a browser: their credential, sealed into a cookie, and the proof that a form is ours.

The session is no second identity. What a person signed in with (an API key or a reusable token) is
checked again for every page, by the same code as for every call: a key that was withdrawn or a token
that has expired ends the session at once. The cookie holds it sealed (AES-256-GCM) with a key derived
from the ledger's, so every worker and replica of an installation can open it and nobody else can.

A form carries a keyed digest of a random cookie (double submit): another site can make a browser send
the cookie, and can neither read it nor work out the digest.
"""

from __future__ import annotations

import base64
import hmac
import os
import time
from binascii import Error as NotBase64
from dataclasses import dataclass
from typing import Literal

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from monitoring.keyring import LEDGER, Keyring

COOKIE, FORM_COOKIE = "risk_console", "risk_console_form"
NONCE_BYTES, FORM_BYTES = 12, 24
LONGEST_S = 8 * 3600
"""A working shift: then one signs in again."""
LONGEST_COOKIE = 3800
"""Browsers keep 4,096 bytes of a cookie, its name and attributes included."""
Means = Literal["authorization", "x-api-key"]
MEANS: tuple[Means, ...] = ("authorization", "x-api-key")
BEARER = "Bearer "
SEALED_FOR = b"risk console session"


@dataclass(frozen=True, slots=True)
class Credential:
    """What somebody signed in with, as a header of a call would carry it."""

    header: Means
    value: str


class SessionTooLarge(Exception):
    """A credential does not fit into a cookie."""


class Sessions:
    """Seals credentials into cookies and opens them, and proves that forms are ours.

    Examples
    --------
    >>> from monitoring.keyring import Key, Keyring
    >>> sessions = Sessions(Keyring({"ledger": (Key("ledger", 1, bytes(32)),)}))
    >>> cookie = sessions.seal(Credential("x-api-key", "rk_1"), now_s=1000)
    >>> sessions.open(cookie, now_s=1001)
    Credential(header='x-api-key', value='rk_1')
    >>> sessions.open(cookie, now_s=1000 + LONGEST_S + 1) is None
    True
    >>> form = sessions.new_form()
    >>> sessions.is_ours(form, sessions.proof(form)), sessions.is_ours(form, "guessed")
    (True, False)
    """

    def __init__(self, keyring: Keyring) -> None:
        secrets = [key.secret for key in keyring.every(LEDGER)]
        derived = [hmac.digest(secret, SEALED_FOR, "sha256") for secret in secrets]
        self._newest, self._ciphers = AESGCM(derived[0]), [AESGCM(key) for key in derived]
        self._form_key = hmac.digest(derived[0], b"forms", "sha256")

    def seal(self, credential: Credential, now_s: float | None = None) -> str:
        """A cookie's value.

        Raises
        ------
        SessionTooLarge
            When no browser would keep it.
        """
        now_s = time.time() if now_s is None else now_s
        text = orjson.dumps([MEANS.index(credential.header), credential.value, int(now_s)])
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + self._newest.encrypt(nonce, text, SEALED_FOR)
        cookie = base64.urlsafe_b64encode(sealed).decode()
        if len(cookie) > LONGEST_COOKIE:
            raise SessionTooLarge
        return cookie

    def open(self, cookie: str, now_s: float | None = None) -> Credential | None:
        """The credential again; None when the cookie is not ours or older than a working shift."""
        now_s = time.time() if now_s is None else now_s
        try:
            sealed = base64.urlsafe_b64decode(cookie.encode())
        except (NotBase64, ValueError):
            return None
        for cipher in self._ciphers:
            try:
                text = cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], SEALED_FOR)
            except (InvalidTag, ValueError):
                continue
            means, value, began_s = orjson.loads(text)
            if began_s + LONGEST_S < now_s:
                return None
            return Credential(MEANS[means], value)
        return None

    def new_form(self) -> str:
        """A random value for the form cookie."""
        return base64.urlsafe_b64encode(os.urandom(FORM_BYTES)).decode()

    def proof(self, form_cookie: str) -> str:
        """What a form of ours carries beside the cookie."""
        return hmac.digest(self._form_key, form_cookie.encode(), "sha256").hex()

    def is_ours(self, form_cookie: str | None, proof: str | None) -> bool:
        """Whether a form that was sent is one of ours; compared in constant time."""
        if not form_cookie or not proof:
            return False
        return hmac.compare_digest(self.proof(form_cookie).encode(), proof.encode())


def credential_of(typed: str) -> Credential:
    """What somebody pasted: a token has two dots, an API key has none.

    Examples
    --------
    >>> credential_of(" eyJ.eyJ.sig ").header, credential_of("rk_1_abc").header
    ('authorization', 'x-api-key')
    """
    typed = typed.strip().removeprefix(BEARER).strip()
    if typed.count(".") == 2:
        return Credential("authorization", BEARER + typed)
    return Credential("x-api-key", typed)
