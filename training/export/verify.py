"""Holding a data set against its manifest: files are read once, checked, and used as read."""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.export.errors import ManifestRefused
from training.export.manifest import (
    FILES,
    FORMAT,
    MANIFEST,
    fingerprint,
    is_signed,
    sha256,
    written,
)

LARGEST_MANIFEST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file as it was when it was checked; whatever happens to it on disk later is not read.

    Attributes
    ----------
    name : str
    content : bytes
    """

    name: str
    content: bytes = field(repr=False)

    def open(self, *, newline: str | None, encoding: str) -> io.TextIOWrapper:
        """Open it for reading as `Path.open` would."""
        return io.TextIOWrapper(io.BytesIO(self.content), encoding=encoding, newline=newline)


@dataclass(frozen=True, slots=True)
class DataSet:
    """A folder whose every byte was signed by somebody trusted."""

    manifest: Mapping[str, Any]
    files: Mapping[str, CheckedFile]


def verify(folder: Path, trusted: Collection[bytes]) -> DataSet:
    """Hold a folder against its manifest and the manifest against its signer.

    Parameters
    ----------
    folder : Path
        Must hold the files of an export and nothing else.
    trusted : collection of bytes
        Public keys, 32 bytes each.

    Raises
    ------
    ManifestRefused
        A file is missing, foreign or changed; the manifest is malformed or was changed; or nobody
        trusted signed it.
    """
    found = _names(folder)
    if MANIFEST not in found:
        raise ManifestRefused(f"{folder} has no {MANIFEST}; ask the exporter for the whole folder")
    document = _document(_read(folder, MANIFEST, LARGEST_MANIFEST_BYTES))
    _hold_signature(document, trusted)
    declared = document["files"]
    if set(declared) != set(FILES):
        raise ManifestRefused(f"{MANIFEST} must name exactly {', '.join(FILES)}")
    expected = {MANIFEST, *declared}
    if missing := expected - found:
        raise ManifestRefused(f"{folder} lacks {', '.join(sorted(missing))}, which was signed")
    if more := len(found - expected):
        raise ManifestRefused(
            f"{folder} holds {more} more than what was signed; "
            f"leave only {', '.join(sorted(expected))} in it"
        )
    files = {}
    for name in FILES:
        size = declared[name]["bytes"]
        content = _read(folder, name, size)
        if len(content) != size or sha256(content) != declared[name]["sha256"]:
            raise ManifestRefused(f"{folder / name} is not the file that was signed; not used")
        files[name] = CheckedFile(name, content)
    return DataSet(document, files)


def _names(folder: Path) -> set[str]:
    try:
        return {entry.name for entry in folder.iterdir()}
    except OSError as error:
        raise ManifestRefused(f"{folder} cannot be read: {error.strerror}") from None


def _read(folder: Path, name: str, largest: int) -> bytes:
    try:
        # A link or a device may answer differently the next time, or never.
        if not stat.S_ISREG((folder / name).lstat().st_mode):
            raise ManifestRefused(f"{folder / name} is not a plain file")
        with (folder / name).open("rb") as stream:
            return stream.read(largest + 1)
    except OSError as error:
        raise ManifestRefused(f"{folder / name} cannot be read: {error.strerror}") from None


def _document(content: bytes) -> dict[str, Any]:
    if len(content) > LARGEST_MANIFEST_BYTES:
        raise ManifestRefused(f"{MANIFEST} is too long to be one")
    try:
        document = json.loads(content, object_pairs_hook=_each_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ManifestRefused(f"{MANIFEST} is not JSON, or has a key twice") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ManifestRefused(f"{MANIFEST} is not an export's of format {FORMAT}")
    try:
        in_form = written(document) == content
    except ValueError:
        in_form = False
    if not in_form:  # spaces are not signed, and yet no byte of what was handed over may change
        raise ManifestRefused(f"{MANIFEST} is not in the form in which it was signed; not used")
    files, signer = document.get("files"), document.get("signed_by")
    if not isinstance(signer, dict) or not isinstance(signer.get("public_key"), str):
        raise ManifestRefused(f"{MANIFEST} does not say who signed it")
    if not isinstance(files, dict) or not all(_is_entry(entry) for entry in files.values()):
        raise ManifestRefused(f"{MANIFEST} does not say which files were signed")
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


def _hold_signature(document: Mapping[str, Any], trusted: Collection[bytes]) -> None:
    try:
        public = bytes.fromhex(document["signed_by"]["public_key"])
    except ValueError:
        raise ManifestRefused(f"{MANIFEST} does not say who signed it") from None
    # The key that the manifest names is only a name until it is found among the trusted ones.
    if public not in trusted:
        raise ManifestRefused(
            f"{MANIFEST} was signed by {fingerprint(public)}, whom nobody here trusts; put the "
            "exporter's public key into trusted-exporters, or give it with --trusted-exporter"
        )
    if not is_signed(document, public):
        raise ManifestRefused(f"{MANIFEST} was changed after it was signed; not used")
