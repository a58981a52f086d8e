"""Tokens of every kind, good and forged, and an issuer's key server that counts who asks."""

from __future__ import annotations

import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from hmac import new as hmac
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER = "https://ehr.example.org"
AUDIENCE = "complication-risk"
BASE_URL = "https://risk.example.org"
NOW = 1_800_000_000.0
"""A moment for tests that hand in the clock: tokens made for it do not age."""
_NUMBER = count(1)


@dataclass(frozen=True)
class KeyPair:
    """A private key with its `kid` and the algorithm it signs with."""

    kid: str
    algorithm: str
    private: Any

    def jwk(self, **changed: Any) -> dict[str, Any]:
        """The public half as a JWK; a member that is given as None is left out."""
        kind = RSAAlgorithm if self.algorithm.startswith("RS") else ECAlgorithm
        public = kind.to_jwk(self.private.public_key(), as_dict=True)
        public.pop("key_ops", None)
        whole = {**public, "kid": self.kid, "alg": self.algorithm, "use": "sig", **changed}
        return {name: value for name, value in whole.items() if value is not None}

    def private_jwk(self) -> dict[str, Any]:
        kind = RSAAlgorithm if self.algorithm.startswith("RS") else ECAlgorithm
        return {**kind.to_jwk(self.private, as_dict=True), "kid": self.kid}

    def pem(self) -> bytes:
        """The public half as PEM: the "secret" of the key-confusion attack."""
        return self.private.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )

    def token(self, claims: Mapping[str, Any], **header: Any) -> str:
        """A token signed with this key, whatever it says."""
        said = {"kid": self.kid, "typ": "JWT", "alg": self.algorithm, **header}
        written = {name: value for name, value in said.items() if value is not None}
        signing_input = f"{base64url(written)}.{base64url(claims)}".encode()
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        return f"{signing_input.decode()}.{base64url(algorithm.sign(signing_input, self.private))}"


@cache
def key_pair(kid: str = "key-1", algorithm: str = "ES384", rsa_bits: int = 2048) -> KeyPair:
    """A key pair, the same one for the same arguments within a test run."""
    private: Any
    if algorithm.startswith("RS"):
        private = rsa.generate_private_key(public_exponent=65537, key_size=rsa_bits)
    else:
        private = ec.generate_private_key(
            ec.SECP384R1() if algorithm == "ES384" else ec.SECP256R1()
        )
    return KeyPair(kid, algorithm, private)


def jwks(*keys: KeyPair | dict[str, Any]) -> bytes:
    """A key set of public keys, or of JWKs as they are given."""
    listed = [key.jwk() if isinstance(key, KeyPair) else key for key in keys]
    return json.dumps({"keys": listed}).encode()


def claims(now: float | None = None, **changed: Any) -> dict[str, Any]:
    """The claims of a good token, with a `jti` of its own; one given as None is left out."""
    issued_at = int(time.time() if now is None else now)
    whole = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": issued_at,
        "exp": issued_at + 300,
        "jti": f"jti-{next(_NUMBER)}",
        "client_id": "integration",
        "scope": "read assess",
        **changed,
    }
    return {name: value for name, value in whole.items() if value is not None}


def base64url(part: Any) -> str:
    """Base64url without padding; what is not bytes is written as JSON first."""
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def forged(header: Any, said: Any, signature: bytes = b"") -> str:
    """A token put together from any parts."""
    return f"{base64url(header)}.{base64url(said)}.{base64url(signature)}"


def signed_with_secret(said: Mapping[str, Any], secret: bytes, **header: Any) -> str:
    """A token under HS256, signed with any bytes, a public key among them."""
    unsigned = f"{base64url({'alg': 'HS256', 'typ': 'JWT', **header})}.{base64url(said)}"
    return f"{unsigned}.{base64url(hmac(secret, unsigned.encode(), sha256).digest())}"


@dataclass
class JwksServer:
    """A running key server: what it answers can be changed, what it was asked is kept."""

    url: str
    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    endless: bool = False
    written: int = 0
    requests: list[str] = field(default_factory=list)
    was_asked: threading.Event = field(default_factory=threading.Event)
    may_answer: threading.Event = field(default_factory=threading.Event)

    def publish(self, *keys: KeyPair | dict[str, Any]) -> None:
        self.body = jwks(*keys)


@contextmanager
def jwks_server(*keys: KeyPair | dict[str, Any]) -> Iterator[JwksServer]:
    """Serve a key set on a free loopback port; clear `may_answer` to keep askers waiting."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.requests.append(self.path)
            served.was_asked.set()
            served.may_answer.wait(timeout=30)
            try:
                self.send_response(served.status)
                for name, value in served.headers.items():
                    self.send_header(name, value)
                if not served.endless:
                    self.send_header("content-length", str(len(served.body)))
                self.end_headers()
                while True:
                    self.wfile.write(served.body)
                    served.written += len(served.body)
                    if not served.endless:
                        break
            except (BrokenPipeError, ConnectionResetError):
                pass  # the asker had enough

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = JwksServer(f"http://127.0.0.1:{server.server_address[1]}/jwks.json", jwks(*keys))
    served.may_answer.set()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield served
    finally:
        served.may_answer.set()
        server.shutdown()
        thread.join()
        server.server_close()
