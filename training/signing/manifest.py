"""The signed statement that travels with what leaves: what is in it, how it was made, who says so.

The signature is Ed25519 over the manifest's canonical JSON (sorted keys, no spaces, UTF-8) without
the signature itself. It covers the SHA-256 of every other file, so no byte can change unseen.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from monitoring.keyring import Key
from training.signing.errors import ManifestRefused

FORMAT = 1
LARGEST_MANIFEST_BYTES = 4 * 1024 * 1024
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


def read_manifest(content: bytes, name: str, kind: str) -> dict[str, Any]:
    """Parse a manifest that must be in exactly the form in which it was written.

    Parameters
    ----------
    content : bytes
    name : str
        Of its file, for messages.
    kind : str
        What it is a manifest of, in words.

    Returns
    -------
    dict
        With who signed it, and a size and SHA-256 for each file; the signature is not yet held
        against anything.

    Raises
    ------
    ManifestRefused
    """
    if len(content) > LARGEST_MANIFEST_BYTES:
        raise ManifestRefused(f"{name} is too long to be one")
    try:
        document = json.loads(content, object_pairs_hook=_each_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ManifestRefused(f"{name} is not JSON, or has a key twice") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ManifestRefused(f"{name} is not {kind}'s of format {FORMAT}")
    try:
        in_form = written(document) == content
    except (ValueError, RecursionError):
        in_form = False
    if not in_form:  # spaces are not signed, and yet no byte of what was handed over may change
        raise ManifestRefused(f"{name} is not in the form in which it was signed; not used")
    files, signer = document.get("files"), document.get("signed_by")
    if not isinstance(signer, dict) or not isinstance(signer.get("public_key"), str):
        raise ManifestRefused(f"{name} does not say who signed it")
    if not isinstance(files, dict) or not all(_is_entry(entry) for entry in files.values()):
        raise ManifestRefused(f"{name} does not say which files were signed")
    return document


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and type(entry.get("bytes")) is int
        and entry["bytes"] >= 0
        and isinstance(entry.get("sha256"), str)
    )


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError
    return document


def _no_constant(_: str) -> None:
    raise ValueError


def signer_of(document: Mapping[str, Any], name: str) -> bytes:
    """The public key that a manifest names: only a name until it is found among the trusted ones.

    Raises
    ------
    ManifestRefused
        When it names none.
    """
    try:
        return bytes.fromhex(document["signed_by"]["public_key"])
    except ValueError:
        raise ManifestRefused(f"{name} does not say who signed it") from None


def hold_signature(
    document: Mapping[str, Any], trusted: Collection[bytes], name: str, to_trust: str
) -> None:
    """Hold a manifest against its signer, and the signer against those who are trusted.

    Parameters
    ----------
    document : mapping
        From `read_manifest`.
    trusted : collection of bytes
        Public keys, 32 bytes each.
    to_trust : str
        What to do to trust the signer, for the message.

    Raises
    ------
    ManifestRefused
    """
    public = signer_of(document, name)
    if public not in trusted:
        raise ManifestRefused(
            f"{name} was signed by {fingerprint(public)}, whom nobody here trusts; {to_trust}"
        )
    if not is_signed(document, public):
        raise ManifestRefused(f"{name} was changed after it was signed; not used")
