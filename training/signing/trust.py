"""Whose signatures count: this installation's own, and those whose public key was put in place.

To train on somebody's rows and to take over somebody's models are two decisions, so each has a folder
of its own in the state folder. A key file holds one line, as `risk-train exporter` prints it:
`ed25519`, 64 hexadecimal digits and, if wanted, words about whose it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from monitoring.keyring import EXPORT, VARIABLE, Keyring, KeysInvalid, load_keyring
from training.signing.errors import ManifestRefused, SigningRefused
from training.signing.manifest import public_key

EXPORTERS, MODEL_MAKERS = "trusted-exporters", "trusted-model-makers"
KEY_LINE = re.compile(r"ed25519 ([0-9a-f]{64})(?: [^\n]*)?\n?")
LONGEST_KEY_FILE = 4096


def key_line(public: bytes, owner: str = "") -> str:
    """Write a public key as a key file holds it.

    Examples
    --------
    >>> key_line(bytes(32), "Halland")[:15]
    'ed25519 0000000'
    """
    return f"ed25519 {public.hex()} {owner}".rstrip()


def signing_keyring(path: Path) -> Keyring:
    """The keyring that signs what leaves, made when it is not there.

    Raises
    ------
    SigningRefused
        When the keys cannot be used.
    """
    try:
        return load_keyring(path, create=True)
    except (KeysInvalid, OSError) as error:
        raise SigningRefused(f"the keys that sign what leaves cannot be used: {error}") from None


def trusted_keys(
    keys_file: Path, var: Path, key_files: Sequence[Path] = (), *, folder: str = EXPORTERS
) -> frozenset[bytes]:
    """Every public key whose signature counts.

    Parameters
    ----------
    keys_file : Path
        This installation's keyring; every version of its export key counts.
    var : Path
        The `*.pub` of a folder in it count.
    key_files : sequence of Path
        Further key files.
    folder : str
        `EXPORTERS` for rows to train on, `MODEL_MAKERS` for models to take over.

    Raises
    ------
    ManifestRefused
        When a key file is not of the declared form, or the keyring cannot be used.
    """
    trusted = set()
    try:
        trusted |= {public_key(key) for key in load_keyring(keys_file).every(EXPORT)}
    except (KeysInvalid, OSError) as error:
        # No keyring, nothing of our own to trust; a broken one must be told.
        if keys_file.exists() or VARIABLE in os.environ:
            raise ManifestRefused(f"the keys cannot be used: {error}") from None
    for file in [*key_files, *sorted((var / folder).glob("*.pub"))]:
        trusted.add(_read(file))
    return frozenset(trusted)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            text = stream.read(LONGEST_KEY_FILE).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        raise ManifestRefused(f"the key file {file} cannot be read as text") from None
    found = KEY_LINE.fullmatch(text)
    if found is None:
        raise ManifestRefused(
            f"{file} is no public key; expected one line: `ed25519`, 64 hexadecimal digits, "
            "as `risk-train exporter` prints it"
        )
    return bytes.fromhex(found[1])
