"""Holding a data set against its manifest: files are read once, checked, and used as read."""

from __future__ import annotations

import io
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.export.manifest import FILES, MANIFEST
from training.signing import ManifestRefused, hold_signature, read_manifest, sha256
from training.signing.manifest import LARGEST_MANIFEST_BYTES

TO_TRUST = (
    "put the exporter's public key into trusted-exporters, or give it with --trusted-exporter"
)


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
    document = read_manifest(_read(folder, MANIFEST, LARGEST_MANIFEST_BYTES), MANIFEST, "an export")
    hold_signature(document, trusted, MANIFEST, TO_TRUST)
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
