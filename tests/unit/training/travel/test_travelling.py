"""From one registry to another: the same model, with its origin, and nobody's alias is touched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.bundle import read_bundle
from models.errors import BundleRefused, ModelNotFound
from models.registry import CHALLENGER, CHAMPION, Registry, Run, Version
from models.vocabulary import Vocabulary
from monitoring.keyring import EXPORT, Key
from tests.lib.risk_models import fitted
from training.signing import public_key
from training.travel import PackRefused, find_version, pack, prove_pack, read_pack, unpack
from training.travel.reading import MANIFEST

HOME = Key(EXPORT, 1, bytes(range(32)))
TRUSTED = frozenset({public_key(HOME)})
NAME = "icu-review.death_180d"

Home = tuple[Registry, Version]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, bundle: tuple[Path, str]) -> Home:
    """A registry with the bundle of `content` as its version 1."""
    registry = Registry.at(tmp_path_factory.mktemp("home") / "var")
    tags = {"source": "made-up", "training_fingerprint": "f" * 64}
    run = Run({}, {}, tags, {}, {"age": "double"})
    return registry, registry.publish(NAME, bundle[0], run)


@pytest.fixture(scope="module")
def abroad(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry.at(tmp_path_factory.mktemp("abroad") / "var")


def test_the_same_version_gives_the_same_bytes(home: Home, content: bytes, vocabulary: Vocabulary):
    again = pack(*home, vocabulary, HOME, packed_by="Halland", licence="CC-BY-4.0")
    assert again.content == content


def test_a_pack_is_registered_with_where_it_came_from(
    abroad: Registry, content: bytes, vocabulary: Vocabulary, tmp_path: Path
):
    read = read_pack(content, TRUSTED)
    found = unpack(read, abroad, vocabulary)
    assert not found.was_there
    version = abroad.version(NAME, found.version.version)
    assert version.digest == read.said("origin", "digest")
    assert version.tags["packed_by"] == "Halland"
    assert version.tags["signer_fingerprint"] == read.signer
    assert version.tags["origin_name"] == NAME
    assert version.tags["origin_version"] == "1"
    assert version.tags["origin_digest"] == version.digest
    assert version.tags["model_licence"] == "CC-BY-4.0"
    assert version.tags["training_data"] == "synthetic"
    assert version.tags["origin_training_fingerprint"] == "f" * 64
    assert "training_fingerprint" not in version.tags
    for alias in (CHAMPION, CHALLENGER):
        assert abroad.aliases([NAME], alias) == {}
    abroad.download(NAME, version.version, tmp_path / "bundle")
    model = read_bundle(tmp_path / "bundle", version.digest).model()
    X = fitted().X
    np.testing.assert_array_equal(model.explain(X)[0], fitted().model.explain(X)[0])


def test_what_travelled_already_is_not_registered_twice(
    abroad: Registry, content: bytes, vocabulary: Vocabulary
):
    first = unpack(read_pack(content, TRUSTED), abroad, vocabulary)
    again = unpack(read_pack(content, TRUSTED), abroad, vocabulary)
    assert again.was_there
    assert again.version.version == first.version.version
    assert len(abroad.versions(NAME)) == 1


def test_a_pack_that_comes_home_is_there_already(
    home: Home, content: bytes, vocabulary: Vocabulary
):
    registry, version = home
    found = unpack(read_pack(content, TRUSTED), registry, vocabulary)
    assert found.was_there
    assert found.version.version == version.version
    assert len(registry.versions(NAME)) == 1


def test_a_model_under_another_name_is_refused_though_the_signer_is_trusted(
    abroad: Registry, resigned, vocabulary: Vocabulary
):
    def replay(manifest: dict, files: dict[str, bytes]) -> None:
        manifest["name"] = manifest["origin"]["name"] = "icu-review.death_60d"

    changed = read_pack(resigned(replay), TRUSTED)
    for attempt in (
        lambda: unpack(changed, abroad, vocabulary),
        lambda: prove_pack(changed, vocabulary),
    ):
        with pytest.raises(BundleRefused, match=r"icu-review\.death_180d"):
            attempt()
    assert abroad.versions("icu-review.death_60d") == []


def test_simulated_patients_cannot_travel_as_real_ones(
    abroad: Registry, resigned, vocabulary: Vocabulary
):
    changed = read_pack(resigned(lambda m, f: m["lineage"].update(training_data="real")), TRUSTED)
    with pytest.raises(PackRefused, match="fitted on"):
        unpack(changed, abroad, vocabulary)


def test_a_pack_whose_model_is_not_its_manifests_is_refused(
    abroad: Registry, resigned, vocabulary: Vocabulary
):
    """A trusted signer signed a file that the bundle's own manifest does not hold."""
    changed = read_pack(resigned(lambda m, f: f.update({"bundle/card.md": b"# more\n"})), TRUSTED)
    with pytest.raises(BundleRefused, match=r"card\.md does not match"):
        unpack(changed, abroad, vocabulary)


def test_a_statement_that_names_a_person_is_not_signed(home: Home, vocabulary: Vocabulary):
    with pytest.raises(PackRefused, match=f"{MANIFEST} would hold"):
        pack(*home, vocabulary, HOME, packed_by="19121212-1212")


def test_a_version_is_found_by_number_and_by_alias(home: Home):
    registry, version = home
    assert find_version(registry, f"{NAME}/1").version == version.version
    for wanted in (NAME, f"{NAME}@challenger", f"{NAME}@"):
        with pytest.raises(ModelNotFound, match="has no"):
            find_version(registry, wanted)
    with pytest.raises(ModelNotFound, match="no version 7"):
        find_version(registry, f"{NAME}/7")
    registry.set_alias(NAME, CHALLENGER, version.version)
    assert find_version(registry, f"{NAME}@challenger").digest == version.digest
