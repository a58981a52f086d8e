"""A pack is what was signed, byte for byte, by somebody trusted, or it is refused in one line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.keyring import EXPORT, Key
from tests.lib.properties import LAW
from training.export import verify
from training.export.manifest import MANIFEST as EXPORT_MANIFEST
from training.signing import ManifestRefused, fingerprint, public_key, sign
from training.travel import PackRefused, read_pack, read_pack_file
from training.travel.archive import LARGEST_ARCHIVE_BYTES, read_archive, write_archive
from training.travel.reading import MANIFEST

HOME = Key(EXPORT, 1, bytes(range(32)))
STRANGER = Key(EXPORT, 1, bytes(range(1, 33)))
TRUSTED = frozenset({public_key(HOME)})
REFUSED = (PackRefused, ManifestRefused)
CARD = "bundle/card.json"


def test_a_pack_tells_what_it_holds(content: bytes):
    pack = read_pack(content, TRUSTED)
    assert pack.name == "icu-review.death_180d"
    assert pack.signer == fingerprint(public_key(HOME))
    assert pack.said("packed_by") == "Halland"
    assert pack.said("licence", "model") == "CC-BY-4.0"
    assert pack.said("licence", "training_data") == "CC0-1.0"
    assert pack.said("lineage", "source") == "made-up"
    assert pack.said("lineage", "title") == "Made-up rows"
    assert pack.said("lineage", "training_fingerprint") == "f" * 64
    assert {"python", "numpy", "complication-risk", "bundle_format"} <= set(
        pack.manifest["dependencies"]
    )
    assert {"card.json", "evaluation.json", "reference.json", "model.json"} <= set(pack.files)


# ---------------------------------------------------------------- bytes


@LAW
@given(st.data())
def test_any_flipped_bit_is_refused(content: bytes, data: st.DataObject):
    """In every region: the manifest, each file, each header, the directory, the end."""
    files = read_archive(content)
    starts = [0, *(content.index(name.encode()) for name in files), content.index(b"PK\1\2")]
    region = data.draw(st.sampled_from(range(len(starts))))
    ends = [*sorted(starts)[1:], len(content)]
    at = data.draw(st.integers(sorted(starts)[region], ends[region] - 1))
    changed = bytearray(content)
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(REFUSED):
        read_pack(bytes(changed), TRUSTED)


@LAW
@given(st.data())
def test_a_byte_more_or_less_anywhere_is_refused(content: bytes, data: st.DataObject):
    at = data.draw(st.integers(0, len(content)))
    more = content[:at] + data.draw(st.binary(min_size=1, max_size=4)) + content[at:]
    with pytest.raises(REFUSED):
        read_pack(more, TRUSTED)
    with pytest.raises(REFUSED):
        read_pack(content[:at], TRUSTED) if at < len(content) else read_pack(b"", TRUSTED)


@LAW
@given(st.data())
def test_a_flipped_bit_in_a_file_is_refused_by_its_name_even_with_good_sums(
    content: bytes, data: st.DataObject
):
    """Whoever changes a file also writes the archive anew; only the signature is out of reach."""
    files = read_archive(content)
    name = data.draw(st.sampled_from(sorted(set(files) - {MANIFEST})))
    changed = bytearray(files[name])
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(PackRefused, match=f"{name} is not the file that was signed"):
        read_pack(write_archive(files | {name: bytes(changed)}), TRUSTED)


@LAW
@given(st.data())
def test_a_flipped_bit_in_the_manifest_is_refused_even_with_good_sums(
    content: bytes, data: st.DataObject
):
    files = read_archive(content)
    changed = bytearray(files[MANIFEST])
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(REFUSED):
        read_pack(write_archive(files | {MANIFEST: bytes(changed)}), TRUSTED)


# ---------------------------------------------------------------- files


def rewritten(content: bytes, change: Callable[[dict[str, bytes]], dict[str, bytes]]) -> bytes:
    return write_archive(change(read_archive(content)))


def test_a_missing_file_is_named(content: bytes):
    less = rewritten(content, lambda f: {k: v for k, v in f.items() if k != CARD})
    with pytest.raises(PackRefused, match=f"lacks {CARD}"):
        read_pack(less, TRUSTED)


def test_a_file_more_is_named(content: bytes):
    more = rewritten(content, lambda f: f | {"bundle/more.json": b"{}"})
    with pytest.raises(PackRefused, match=r"holds bundle/more\.json, which was not signed"):
        read_pack(more, TRUSTED)


def test_two_files_that_changed_places_are_refused(content: bytes):
    def swap(files: dict[str, bytes]) -> dict[str, bytes]:
        other = "bundle/evaluation.json"
        return files | {CARD: files[other], other: files[CARD]}

    with pytest.raises(PackRefused, match="is not the file that was signed"):
        read_pack(rewritten(content, swap), TRUSTED)


def test_another_order_is_refused(content: bytes):
    other = rewritten(
        content, lambda f: {MANIFEST: f[MANIFEST]} | dict(sorted(f.items(), reverse=True))
    )
    with pytest.raises(PackRefused, match="order"):
        read_pack(other, TRUSTED)


def test_a_pack_begins_with_its_manifest(content: bytes):
    with pytest.raises(PackRefused, match=r"pack\.json"):
        read_pack(rewritten(content, lambda f: dict(sorted(f.items()))), TRUSTED)


# ---------------------------------------------------------------- signatures


def test_an_unknown_signer_is_refused_with_fingerprint_and_what_to_do(resigned):
    foreign = resigned(lambda manifest, files: None, STRANGER)
    with pytest.raises(ManifestRefused) as refused:
        read_pack(foreign, TRUSTED)
    assert fingerprint(public_key(STRANGER)) in str(refused.value)
    assert "trusted-model-makers" in str(refused.value)
    assert read_pack(foreign, TRUSTED | {public_key(STRANGER)}).signer != ""


def test_a_stranger_who_names_a_trusted_key_is_refused(resigned, content: bytes):
    """The manifest names our key, the signature is the stranger's."""
    forged = json.loads(
        read_archive(resigned(lambda m, f: m.update(packed_by="Skåne"), STRANGER))[MANIFEST]
    )
    own = json.loads(read_archive(content)[MANIFEST])
    forged["signed_by"] = own["signed_by"]
    told = (json.dumps(forged, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()
    with pytest.raises(ManifestRefused, match="changed after it was signed"):
        read_pack(rewritten(content, lambda f: f | {MANIFEST: told}), TRUSTED)


def test_the_signature_of_another_pack_is_refused(resigned, content: bytes):
    other = json.loads(read_archive(resigned(lambda m, f: m.update(packed_by="Skåne")))[MANIFEST])
    own = json.loads(read_archive(content)[MANIFEST])
    own["signature"] = other["signature"]
    told = (json.dumps(own, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()
    for trusted in (TRUSTED, None):
        with pytest.raises(ManifestRefused, match="changed after it was signed"):
            read_pack(rewritten(content, lambda f: f | {MANIFEST: told}), trusted)


def test_the_manifest_of_another_pack_is_refused(resigned, content: bytes):
    """Two packs of one signer, the statement of one with the files of the other."""
    other = resigned(lambda m, f: f.update({CARD: b'{"name": "another"}'}))
    mixed = rewritten(content, lambda f: f | {MANIFEST: read_archive(other)[MANIFEST]})
    with pytest.raises(PackRefused, match=f"{CARD} is not the file that was signed"):
        read_pack(mixed, TRUSTED)


def test_without_trust_only_what_changed_is_told(resigned):
    """To look at a stranger's pack: whole, and by whom; whether to trust is for people."""
    assert read_pack(resigned(lambda m, f: None, STRANGER), None).public == public_key(STRANGER)


# ---------------------------------------------------------------- what even a trusted signer cannot


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda m, f: m.update(kind="export"), "not of a model pack"),
        (lambda m, f: m.pop("kind"), "not of a model pack"),
        (lambda m, f: m.pop("name"), "does not say name"),
        (lambda m, f: m.update(name=7), "does not say name"),
        (lambda m, f: m.update(name="icu-review.death_60d"), "names two models"),
        (lambda m, f: m.update(origin="x"), "does not say origin"),
        (lambda m, f: m["origin"].update(version=None), "does not say origin version"),
        (lambda m, f: m["origin"].update(digest="sha256:" + "0" * 64), "names another bundle"),
        (lambda m, f: m.update(licence={}), "does not say licence"),
        (lambda m, f: m.update(dependencies=[]), "does not say dependencies"),
        (lambda m, f: f.update({"bundle/more.json": b""}), "not part of the format"),
        (lambda m, f: f.update({"more.json": b""}), "not part of the format"),
        (lambda m, f: f.pop(CARD), "does not name bundle/card.json"),
        (lambda m, f: f.pop("bundle/manifest.json"), "does not name bundle/manifest.json"),
    ],
)
def test_a_statement_that_is_not_a_packs_is_refused(resigned, change, why: str):
    with pytest.raises(REFUSED, match=why):
        read_pack(resigned(change), TRUSTED)


@pytest.mark.parametrize("name", ["../../evil.json", "/etc/hostname", "bundle/../x.json"])
def test_a_signed_path_is_refused(resigned, name: str):
    def change(manifest: dict, files: dict[str, bytes]) -> None:
        manifest["files"][name] = {"sha256": "0" * 64, "bytes": 0}

    with pytest.raises(PackRefused, match="not part of the format"):
        read_pack(resigned(change, hashed=False), TRUSTED)


def test_an_export_is_no_pack_and_a_pack_no_export(content: bytes, tmp_path: Path):
    statement = sign({"files": {"rows.csv": {"sha256": "0", "bytes": 0}}}, HOME)
    with pytest.raises(ManifestRefused, match="not of a model pack"):
        read_pack(write_archive({MANIFEST: statement}), TRUSTED)
    (tmp_path / EXPORT_MANIFEST).write_bytes(read_archive(content)[MANIFEST])
    with pytest.raises(ManifestRefused, match="must name exactly"):
        verify(tmp_path, TRUSTED)


# ---------------------------------------------------------------- where it lies


def test_what_is_no_plain_file_is_refused_and_does_not_hang(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.riskpack")
    for path in (tmp_path / "pipe.riskpack", tmp_path):
        with pytest.raises(PackRefused, match="not a plain file"):
            read_pack_file(path)
    with pytest.raises(PackRefused, match="No such file"):
        read_pack_file(tmp_path / "nowhere.riskpack")


def test_a_huge_file_is_refused(tmp_path: Path):
    with (tmp_path / "huge.riskpack").open("wb") as sink:
        sink.truncate(LARGEST_ARCHIVE_BYTES * 100)
    with pytest.raises(PackRefused, match="larger than"):
        read_pack_file(tmp_path / "huge.riskpack")
