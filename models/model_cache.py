"""The local copies of registered versions, each whole and held against its manifest, or not there."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from models.bundle import read_bundle
from models.errors import BundleRefused
from models.registry import ADOPT, Version

ABANDONED_AFTER_S = 3600.0
"""A download older than this belongs to a process that was killed."""
PARTIAL = ".partial-"
_Stamps = tuple[tuple[str, int, int, int, int], ...]


class Shelf(Protocol):
    """Where bundles come from: a registry."""

    def download(self, name: str, version: str, to: Path) -> None: ...


class Cache:
    """The local copies of champions: `CACHE/<name>/<version>/`, complete or not there at all.

    Several processes share it. A copy that was held against its manifest is held against it again
    when a file of it has changed, as the file system tells, not at every look.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._proven: dict[tuple[str, str], tuple[str, _Stamps]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        _clear_abandoned(folder)

    def bring(self, registry: Shelf, version: Version) -> Path:
        """The folder of a version's bundle, copied from the registry when it is not sound here.

        Raises
        ------
        BundleRefused, ModelNotFound, RegistryUnreachable
            When it cannot be brought; what was there before stays.
        """
        if version.digest is None:  # any bundle would match it, a cached one of another day too
            raise BundleRefused(f"was registered without a digest, so it is no bundle; {ADOPT}")
        target = self._folder / version.name / version.version
        key, now = (version.name, version.version), (version.digest, _stamps(target))
        if self._proven.get(key) == now:
            return target
        self._proven.pop(key, None)
        try:
            read_bundle(target, version.digest)
        except BundleRefused:
            self._download(registry, version, target)
            now = (version.digest, _stamps(target))
        self._proven[key] = now
        return target

    def _download(self, registry: Shelf, version: Version, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=PARTIAL))
        try:
            partial = folder / "bundle"
            registry.download(version.name, version.version, partial)
            read_bundle(partial, version.digest)
            with _alone(target.parent):
                try:
                    # Another process may have been as quick, and others may read its copy by now.
                    read_bundle(target, version.digest)
                except BundleRefused:
                    if target.exists():
                        target.rename(folder / "spoiled")
                    partial.rename(target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _stamps(folder: Path) -> _Stamps:
    """What the file system tells of every file: name, inode, size, last change of content and entry."""
    try:
        with os.scandir(folder) as entries:
            found = [(entry.name, entry.stat(follow_symlinks=False)) for entry in entries]
    except OSError:
        return ()
    return tuple(
        sorted((name, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for name, s in found)
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Only one process at a time puts a copy into a model's folder."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _clear_abandoned(cache: Path) -> None:
    for partial in cache.glob(f"*/{PARTIAL}*"):
        with suppress(OSError):
            if time.time() - partial.stat().st_mtime > ABANDONED_AFTER_S:
                shutil.rmtree(partial, ignore_errors=True)
