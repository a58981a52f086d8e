"""The signed statement that travels with an export: what is in it, how it was made, who says so.

The signature is Ed25519 over the manifest's canonical JSON (sorted keys, no spaces, UTF-8) without
the signature itself. It covers the SHA-256 of every other file, so no byte can change unseen.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from monitoring.keyring import Key

FORMAT = 1
MANIFEST, ROWS, SOURCE, REPORT = "manifest.json", "rows.csv", "source.toml", "report.md"
FILES = (ROWS, SOURCE, REPORT)
ALGORITHM = "Ed25519"
FINGERPRINT_DIGITS = 32
SIGNATURE = re.compile("[0-9a-f]{128}")


def canonical(document: Mapping[str, Any]) -> bytes:
    """Write a document in the one form that is signed.

    Examples
    --------
    >>> canonical({"b": 1, "a": "å"}).decode()
    '{"a":"å","b":1}'
    """
    text = json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode("utf-8")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def public_key(key: Key) -> bytes:
    """The 32 bytes that others need to check what this key signed."""
    return Ed25519PrivateKey.from_private_bytes(key.secret).public_key().public_bytes_raw()


def fingerprint(public: bytes) -> str:
    """Thirty-two hexadecimal digits by which two people compare a public key over the telephone.

    Examples
    --------
    The SHA-256 of 32 zero bytes begins with 66687aad:

    >>> fingerprint(bytes(32))
    '66687aadf862bd776c8fc18b8e9f8e20'
    """
    return sha256(public)[:FINGERPRINT_DIGITS]


def sign(statement: Mapping[str, Any], key: Key) -> bytes:
    """Add who signs, sign, and return the manifest's bytes.

    Parameters
    ----------
    statement : mapping
        Everything but `format`, `signed_by` and `signature`.
    key : Key
        Its secret is the Ed25519 seed.
    """
    public = public_key(key)
    document = {
        **statement,
        "format": FORMAT,
        "signed_by": {
            "algorithm": ALGORITHM,
            "public_key": public.hex(),
            "fingerprint": fingerprint(public),
            "key_version": key.version,
        },
    }
    signature = Ed25519PrivateKey.from_private_bytes(key.secret).sign(canonical(document))
    document["signature"] = signature.hex()
    return written(document)


def written(document: Mapping[str, Any]) -> bytes:
    """The one form in which a manifest lies in a folder, for people to read."""
    return (json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def is_signed(document: Mapping[str, Any], public: bytes) -> bool:
    """Whether this public key's owner signed exactly this document."""
    signature = document.get("signature")
    if not isinstance(signature, str) or not SIGNATURE.fullmatch(signature):
        return False
    unsigned = {name: value for name, value in document.items() if name != "signature"}
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(
            bytes.fromhex(signature), canonical(unsigned)
        )
    except (InvalidSignature, ValueError):
        return False
    return True
