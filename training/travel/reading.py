"""A pack read back: every check that needs no disk, before anything is written."""

from __future__ import annotations

import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.bundle import MANIFEST as BUNDLE_MANIFEST
from models.bundle import NEEDED, OPTIONAL, digest_of
from training.signing import (
    ManifestRefused,
    fingerprint,
    hold_signature,
    read_manifest,
    sha256,
    signer_of,
)
from training.travel.archive import LARGEST_ARCHIVE_BYTES, read_archive
from training.travel.errors import PackRefused

KIND = "model pack"
PRODUCT = "complication-risk"
MANIFEST, FOLDER = "pack.json", "bundle/"
TO_TRUST = (
    "compare the fingerprint with its owner, then put the public key into trusted-model-makers, "
    "or give it with --trusted-model-maker"
)
SAID = (
    ("name",), ("packed_by",), ("origin", "name"), ("origin", "version"), ("origin", "digest"),
    ("lineage", "source"), ("lineage", "training_data"), ("lineage", "training_fingerprint"), ("licence", "model"),
    ("licence", "training_data"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pack:
    """A file whose every byte was signed by the key that it names.

    Attributes
    ----------
    manifest : mapping
    files : mapping
        The bundle's file names to their bytes, its manifest included.
    digest : str
        `sha256:` and the hash of the whole file.
    public : bytes
        The signer's public key.
    """

    manifest: Mapping[str, Any]
    files: Mapping[str, bytes] = field(repr=False)
    digest: str
    public: bytes = field(repr=False)

    @property
    def name(self) -> str:
        return str(self.manifest["name"])

    @property
    def signer(self) -> str:
        """The fingerprint by which two people compare the signer's key."""
        return fingerprint(self.public)

    def said(self, *path: str) -> str:
        """One text of the manifest."""
        found: Any = self.manifest
        for part in path:
            found = found[part]
        return str(found)


def read_pack_file(path: Path) -> bytes:
    """Read a file that may be a pack, once.

    Raises
    ------
    PackRefused
        When it is no plain file, cannot be read, or is too large.
    """
    try:
        found = path.stat()
        # A device or a pipe may answer differently the next time, or never.
        if not stat.S_ISREG(found.st_mode):
            raise PackRefused(f"{path} is not a plain file")
        with path.open("rb") as stream:
            content = stream.read(LARGEST_ARCHIVE_BYTES + 1)
    except OSError as error:
        raise PackRefused(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > LARGEST_ARCHIVE_BYTES:
        raise PackRefused(f"{path} is larger than {LARGEST_ARCHIVE_BYTES} bytes")
    return content


def read_pack(content: bytes, trusted: Collection[bytes] | None) -> Pack:
    """Hold a pack against its manifest and the manifest against its signer.

    Parameters
    ----------
    content : bytes
        The whole file.
    trusted : collection of bytes, or None
        Public keys, 32 bytes each; None holds the signature against the key that the manifest
        itself names, which shows that nothing changed and says nothing about who signed.

    Raises
    ------
    PackRefused
        The archive is not in its one form, or a file is missing, foreign or changed.
    ManifestRefused
        The manifest is malformed or was changed, or nobody trusted signed it.
    """
    archive = read_archive(content)
    if next(iter(archive)) != MANIFEST:
        raise PackRefused(f"does not begin with {MANIFEST}; is it a pack?")
    manifest = read_manifest(archive[MANIFEST], MANIFEST, "a model pack")
    if manifest.get("kind") != KIND:
        raise ManifestRefused(f"{MANIFEST} is not of a model pack")
    public = signer_of(manifest, MANIFEST)
    hold_signature(manifest, {public} if trusted is None else trusted, MANIFEST, TO_TRUST)
    declared, held = (
        manifest["files"],
        {name: archive[name] for name in archive if name != MANIFEST},
    )
    _refuse_foreign(set(declared))
    for name in declared:
        if name not in held:
            raise PackRefused(f"lacks {name}, which was signed")
    for name, file in held.items():
        if name not in declared:
            raise PackRefused(f"holds {name}, which was not signed")
        if len(file) != declared[name]["bytes"] or sha256(file) != declared[name]["sha256"]:
            raise PackRefused(f"{name} is not the file that was signed; not used")
    if list(archive) != [MANIFEST, *sorted(declared)]:
        raise PackRefused("its files do not stand in the order in which packs are written")
    files = {name.removeprefix(FOLDER): file for name, file in held.items()}
    _refuse_unsaid(manifest)
    if manifest["origin"]["digest"] != digest_of(files[BUNDLE_MANIFEST]):
        raise PackRefused(f"{MANIFEST} names another bundle than the one it travels with")
    return Pack(manifest, files, f"sha256:{sha256(content)}", public)


def _refuse_foreign(declared: set[str]) -> None:
    needed = {FOLDER + name for name in (*NEEDED, BUNDLE_MANIFEST)}
    if missing := needed - declared:
        raise PackRefused(f"{MANIFEST} does not name {', '.join(sorted(missing))}")
    if foreign := declared - needed - {FOLDER + name for name in OPTIONAL}:
        shown = ascii(min(foreign))[:40]
        raise PackRefused(f"{MANIFEST} names {shown}, which is not part of the format")


def _refuse_unsaid(manifest: Mapping[str, Any]) -> None:
    for path in SAID:
        found: Any = manifest
        for part in path:
            found = found.get(part) if isinstance(found, dict) else None
        if not isinstance(found, str):
            raise ManifestRefused(f"{MANIFEST} does not say {' '.join(path)}")
    if not isinstance(manifest.get("dependencies"), dict):
        raise ManifestRefused(f"{MANIFEST} does not say dependencies")
    if manifest["origin"]["name"] != manifest["name"]:
        raise ManifestRefused(f"{MANIFEST} names two models")
