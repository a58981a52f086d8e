"""The secrets of one installation: by purpose, versioned, in a file or a variable, never in a store.

The file is TOML with one table per purpose, version to 64 hexadecimal digits:

    [pseudonym]
    1 = "…"
    2 = "…"

The highest version makes new values; all versions are kept, because what was made with an older one
must still be found and checked. `export` holds Ed25519 seeds, the others 256-bit keys.
"""

from __future__ import annotations

import hmac
import os
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

PSEUDONYM, ACCESS_LOG, LEDGER, EXPORT = "pseudonym", "access_log", "ledger", "export"
PURPOSES = (PSEUDONYM, ACCESS_LOG, LEDGER, EXPORT)
SECRET_BYTES = 32
VARIABLE = "RISK_KEYS"
FILE_NAME = "keys.toml"


class KeysInvalid(Exception):
    """The keys cannot be used; the message names file, purpose and rule, never a key."""


@dataclass(frozen=True, slots=True)
class Key:
    """One version of one purpose's secret."""

    purpose: str
    version: int
    secret: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that tell two keys apart and give neither away.

        Examples
        --------
        >>> Key("ledger", 1, bytes(32)).fingerprint == Key("ledger", 2, bytes(32)).fingerprint
        True
        """
        return sha256(b"fingerprint" + self.secret).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Keyring:
    """Every key of an installation, by purpose, newest version first."""

    keys: Mapping[str, tuple[Key, ...]]

    def newest(self, purpose: str) -> Key:
        """The key that makes new values."""
        return self.keys[purpose][0]

    def every(self, purpose: str) -> tuple[Key, ...]:
        """All versions, newest first."""
        return self.keys[purpose]

    def version(self, purpose: str, version: int) -> Key:
        """One version.

        Raises
        ------
        KeysInvalid
            When it is not in the keyring.
        """
        for key in self.keys[purpose]:
            if key.version == version:
                return key
        raise KeysInvalid(f"the keyring has no version {version} of `{purpose}`")


def load_keyring(path: Path, *, create: bool = False) -> Keyring:
    """Read the keyring from `RISK_KEYS` (the TOML itself), or from a file.

    Parameters
    ----------
    create : bool
        Make the file, readable by its owner only, when neither is there.

    Raises
    ------
    KeysInvalid
        Missing, readable by others, or not what was declared.
    """
    if given := os.environ.get(VARIABLE):
        return _parse(given, VARIABLE)
    if not path.exists():
        if not create:
            raise KeysInvalid(f"{path} is not there; `risk-serve keys init` makes it")
        _write(path, {purpose: {1: secrets.token_bytes(SECRET_BYTES)} for purpose in PURPOSES})
    if path.stat().st_mode & 0o077:
        raise KeysInvalid(f"{path} can be read by others than its owner; chmod 600")
    return _parse(path.read_text(encoding="utf-8"), str(path))


def gate_keys(keyring: Keyring) -> tuple[bytes, ...]:
    """Keys that seal the gate's decisions, newest first: made of those that sign exports.

    Both say "this installation vouches for it". A label of their own keeps one from being taken for
    the other.

    Examples
    --------
    >>> one = Keyring({EXPORT: (Key(EXPORT, 1, bytes(32)),)})
    >>> [len(key) for key in gate_keys(one)], gate_keys(one)[0] == bytes(32)
    ([32], False)
    """
    return tuple(hmac.digest(k.secret, b"gate record", "sha256") for k in keyring.every(EXPORT))


def throwaway_keyring() -> Keyring:
    """Keys that nobody keeps: for describing the service, never for serving."""
    return Keyring(
        {purpose: (Key(purpose, 1, secrets.token_bytes(SECRET_BYTES)),) for purpose in PURPOSES}
    )


def rotate(path: Path, purpose: str) -> Key:
    """Add a version to a purpose and write the file anew; older versions stay.

    Raises
    ------
    KeysInvalid
        When the keys come from a variable, or there is no such purpose.
    """
    if os.environ.get(VARIABLE):
        raise KeysInvalid(f"the keys come from {VARIABLE}: add the new version there")
    if purpose not in PURPOSES:
        raise KeysInvalid(f"no purpose `{purpose}`; known: {', '.join(PURPOSES)}")
    keyring = load_keyring(path)
    version = keyring.newest(purpose).version + 1
    secret = secrets.token_bytes(SECRET_BYTES)
    held = {p: {key.version: key.secret for key in keyring.every(p)} for p in PURPOSES}
    held[purpose][version] = secret
    _write(path, held)
    return Key(purpose, version, secret)


def _parse(text: str, where: str) -> Keyring:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise KeysInvalid(f"{where} is not TOML") from None
    if set(document) != set(PURPOSES):
        raise KeysInvalid(f"{where} must hold exactly the tables: {', '.join(PURPOSES)}")
    return Keyring({purpose: _versions(document[purpose], purpose, where) for purpose in PURPOSES})


def _versions(table: Any, purpose: str, where: str) -> tuple[Key, ...]:
    found = []
    for version, secret in table.items() if isinstance(table, dict) else ():
        try:
            key = Key(purpose, int(version), bytes.fromhex(secret))
        except (ValueError, TypeError):
            raise KeysInvalid(f"{where}: `{purpose}` must map versions to keys in hex") from None
        if len(key.secret) != SECRET_BYTES or key.version < 1:
            raise KeysInvalid(f"{where}: a key of `{purpose}` must have {SECRET_BYTES} bytes")
        found.append(key)
    if not found:
        raise KeysInvalid(f"{where}: `{purpose}` has no key")
    return tuple(sorted(found, key=lambda key: -key.version))


def _write(path: Path, held: Mapping[str, Mapping[int, bytes]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["# Secrets of this installation: back them up apart from the database.\n"]
    for purpose, versions in held.items():
        lines.append(f"\n[{purpose}]\n")
        lines += [f'{version} = "{secret.hex()}"\n' for version, secret in sorted(versions.items())]
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as sink:
        sink.writelines(lines)
        sink.flush()
        os.fsync(sink.fileno())
    partial.replace(path)
