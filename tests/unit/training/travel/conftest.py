"""One small model, really packed, and packs that only attackers would write."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from models.bundle import write_bundle
from models.registry import Version
from monitoring.keyring import EXPORT, Key
from tests.lib.risk_models import bundle_files, fitted
from training.signing import sha256, sign
from training.travel.archive import read_archive, write_archive
from training.travel.pack import seal
from training.travel.reading import MANIFEST

NAME = "icu-review.death_180d"
HOME = Key(EXPORT, 1, bytes(range(32)))
CARD = {
    "name": NAME,
    "training_data": "synthetic",
    "cohort": {"title": "Made-up rows", "citation": "none", "licence": "CC0-1.0"},
}
TAGS = {"source": "made-up", "training_fingerprint": "f" * 64}

Change = Callable[[dict, dict[str, bytes]], None]


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A bundle's folder and its digest."""
    folder = tmp_path_factory.mktemp("home") / "bundle"
    return folder, write_bundle(folder, bundle_files(fitted(), card_json=CARD))


@pytest.fixture(scope="session")
def content(bundle: tuple[Path, str]) -> bytes:
    folder, digest = bundle
    version = Version(NAME, "1", digest, TAGS)
    return seal(version, folder, HOME, packed_by="Halland", licence="CC-BY-4.0").content


@pytest.fixture
def resigned(content: bytes) -> Callable[..., bytes]:
    """The pack after a change to its manifest and files, signed anew by whoever holds `key`."""

    def make(change: Change, key: Key = HOME, *, hashed: bool = True) -> bytes:
        files = read_archive(content)
        manifest = json.loads(files.pop(MANIFEST))
        change(manifest, files)
        for part in ("signature", "signed_by", "format"):
            manifest.pop(part)
        if hashed:
            manifest["files"] = {
                name: {"sha256": sha256(file), "bytes": len(file)} for name, file in files.items()
            }
        return write_archive({MANIFEST: sign(manifest, key), **files})

    return make
