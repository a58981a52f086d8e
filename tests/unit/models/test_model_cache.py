"""Local copies of champions: whole or not there, checked when they changed, shared by processes."""

from __future__ import annotations

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from models.bundle import read_bundle, write_bundle
from models.errors import BundleRefused, RegistryUnreachable
from models.model_cache import ABANDONED_AFTER_S, PARTIAL, Cache
from models.registry import Version
from tests.lib.risk_models import bundle_files, fitted

NAME = "icu-review.death_180d"


@dataclass
class Shelf:
    """Where versions are fetched from: a folder in the place of a registry."""

    bundle: Path
    fetched: list[str] = field(default_factory=list)
    away: bool = False

    def download(self, name: str, version: str, to: Path) -> None:
        if self.away:
            raise RegistryUnreachable("the model registry did not answer")
        self.fetched.append(f"{name}/{version}")
        shutil.copytree(self.bundle, to)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    write_bundle(tmp_path / "published", bundle_files(fitted()))
    return Shelf(tmp_path / "published")


@pytest.fixture
def version(shelf: Shelf) -> Version:
    return Version(NAME, "3", read_bundle(shelf.bundle).digest)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def test_a_version_is_fetched_once(cache: Cache, shelf: Shelf, version: Version, tmp_path: Path):
    for _ in range(3):
        assert cache.bring(shelf, version) == tmp_path / "cache" / NAME / "3"
    assert Cache(tmp_path / "cache").bring(shelf, version)  # another process finds it there
    assert shelf.fetched == [f"{NAME}/3"]


@pytest.mark.parametrize(
    "change", ["a byte", "a byte at an old time", "a file less", "a file more"]
)
def test_a_copy_that_changed_is_fetched_anew(
    cache: Cache, shelf: Shelf, version: Version, change: str
):
    folder = cache.bring(shelf, version)
    file = folder / "model.json"
    if change == "a file less":
        file.unlink()
    elif change == "a file more":
        (folder / "model.pkl").write_bytes(b"")
    else:
        was, content = file.stat(), bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
        if change == "a byte at an old time":
            os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert cache.bring(shelf, version) == folder
    assert read_bundle(folder, version.digest)
    assert len(shelf.fetched) == 2


def test_a_copy_that_changed_is_not_served_while_the_registry_is_away(
    cache: Cache, shelf: Shelf, version: Version
):
    folder = cache.bring(shelf, version)
    (folder / "model.json").write_bytes(b"{}")
    shelf.away = True
    for _ in range(2):
        with pytest.raises(RegistryUnreachable):
            cache.bring(shelf, version)
    shelf.away = False
    assert read_bundle(cache.bring(shelf, version), version.digest)


def test_a_version_that_is_not_what_was_published_leaves_nothing_behind(
    cache: Cache, shelf: Shelf, version: Version, tmp_path: Path
):
    (shelf.bundle / "model.json").write_bytes(b"{}")
    with pytest.raises(BundleRefused, match=r"model\.json"):
        cache.bring(shelf, version)
    assert [path.name for path in (tmp_path / "cache" / NAME).iterdir()] == []


def test_another_digest_under_the_same_number_is_looked_at_again(
    cache: Cache, shelf: Shelf, version: Version
):
    cache.bring(shelf, version)
    with pytest.raises(BundleRefused, match="not the one that was published"):
        cache.bring(shelf, Version(NAME, "3", "sha256:" + "0" * 64))


def test_a_version_that_lost_its_digest_is_refused_though_a_copy_is_here(
    cache: Cache, shelf: Shelf, version: Version
):
    cache.bring(shelf, version)
    with pytest.raises(BundleRefused, match="without a digest"):
        cache.bring(shelf, Version(NAME, "3", None))


def test_workers_that_bring_the_same_version_at_once_all_get_it_whole(
    shelf: Shelf, version: Version, tmp_path: Path
):
    """None takes away what another is reading."""

    def worker(_: int) -> str:
        folder = Cache(tmp_path / "cache").bring(shelf, version)
        return read_bundle(folder, version.digest).digest

    with ThreadPoolExecutor(8) as workers:
        assert set(workers.map(worker, range(8))) == {version.digest}
    left = {path.name for path in (tmp_path / "cache" / NAME).iterdir()}
    assert left == {"3", ".lock"}


def test_what_a_killed_process_left_half_fetched_goes_after_an_hour(tmp_path: Path):
    old, fresh = (tmp_path / NAME / f"{PARTIAL}{age}" for age in ("old", "fresh"))
    for folder in (old, fresh):
        folder.mkdir(parents=True)
    long_ago = time.time() - ABANDONED_AFTER_S - 1
    os.utime(old, (long_ago, long_ago))
    Cache(tmp_path)
    assert not old.exists()
    assert fresh.exists()
