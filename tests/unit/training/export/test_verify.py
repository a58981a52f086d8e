"""A folder is what was signed, by somebody trusted, or it is refused in one line."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monitoring.keyring import EXPORT, Key, load_keyring, rotate
from training.export import verify
from training.export.manifest import FILES, MANIFEST, ROWS, SOURCE
from training.signing import (
    ManifestRefused,
    canonical,
    fingerprint,
    key_line,
    public_key,
    sign,
    trusted_keys,
)

STRANGER = Key(EXPORT, 1, bytes(range(32)))


def rewrite(folder: Path, change) -> None:
    document = json.loads((folder / MANIFEST).read_bytes())
    change(document)
    text = json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def test_a_whole_folder_verifies_and_is_used_as_read(folder: Path, key: Key):
    found = verify(folder, {public_key(key)})
    expected = (folder / ROWS).read_bytes()
    (folder / ROWS).write_bytes(b"row\n")
    assert found.files[ROWS].content == expected
    with found.files[ROWS].open(newline="", encoding="utf-8-sig") as stream:
        assert stream.readline().startswith("row,age,sex,")


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_any_changed_byte_is_refused(folder: Path, key: Key, name: str):
    draw = random.Random(name)  # noqa: S311 - positions, no secret
    whole = (folder / name).read_bytes()
    for _ in range(40):
        at, bit = draw.randrange(len(whole)), 1 << draw.randrange(8)
        changed = bytearray(whole)
        changed[at] ^= bit
        (folder / name).write_bytes(changed)
        with pytest.raises(ManifestRefused):
            verify(folder, {public_key(key)})
    (folder / name).write_bytes(whole)
    verify(folder, {public_key(key)})


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
@pytest.mark.parametrize("change", [lambda b: b + b"\n", lambda b: b[:-1], lambda b: b""])
def test_a_longer_or_shorter_file_is_refused(folder: Path, key: Key, name: str, change):
    (folder / name).write_bytes(change((folder / name).read_bytes()))
    with pytest.raises(ManifestRefused):
        verify(folder, {public_key(key)})


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_a_missing_file_is_refused(folder: Path, key: Key, name: str):
    (folder / name).unlink()
    with pytest.raises(ManifestRefused, match=name):
        verify(folder, {public_key(key)})


def test_a_file_more_is_refused(folder: Path, key: Key):
    (folder / ".more").write_text("x")
    with pytest.raises(ManifestRefused, match="1 more than what was signed"):
        verify(folder, {public_key(key)})


def test_a_folder_more_is_refused(folder: Path, key: Key):
    (folder / "more").mkdir()
    with pytest.raises(ManifestRefused, match="more than what was signed"):
        verify(folder, {public_key(key)})


@pytest.mark.parametrize("name", [ROWS, MANIFEST])
def test_a_link_in_place_of_a_file_is_refused(folder: Path, key: Key, tmp_path: Path, name: str):
    elsewhere = tmp_path / "elsewhere"
    shutil.move(folder / name, elsewhere)
    (folder / name).symlink_to(elsewhere)
    with pytest.raises(ManifestRefused, match="not a plain file"):
        verify(folder, {public_key(key)})


def test_a_pipe_in_place_of_a_file_does_not_hang(folder: Path, key: Key):
    (folder / ROWS).unlink()
    os.mkfifo(folder / ROWS)
    with pytest.raises(ManifestRefused, match="not a plain file"):
        verify(folder, {public_key(key)})


def test_an_unknown_signer_is_refused_by_fingerprint(folder: Path, key: Key):
    with pytest.raises(ManifestRefused, match=fingerprint(public_key(key))):
        verify(folder, {public_key(STRANGER)})


def test_nobody_trusted_means_nothing_is_read(folder: Path):
    with pytest.raises(ManifestRefused, match="whom nobody here trusts"):
        verify(folder, frozenset())


def test_a_stranger_who_signs_under_a_trusted_name_is_refused(folder: Path, key: Key):
    """The manifest names our key, but the signature is somebody else's."""

    def forge(document):
        document["rows"]["out"] += 1
        unsigned = {name: value for name, value in document.items() if name != "signature"}
        private = Ed25519PrivateKey.from_private_bytes(STRANGER.secret)
        document["signature"] = private.sign(canonical(unsigned)).hex()

    rewrite(folder, forge)
    with pytest.raises(ManifestRefused, match="changed after it was signed"):
        verify(folder, {public_key(key), public_key(STRANGER)})


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(format=2),
        lambda d: d.pop("format"),
        lambda d: d.pop("signature"),
        lambda d: d.update(signature=7),
        lambda d: d.update(signature=d["signature"].upper() + " "),
        lambda d: d.update(reviewer="somebody else"),
        lambda d: d["k"].update(achieved=500),
        lambda d: d.update(more="x"),
        lambda d: d.pop("signed_by"),
        lambda d: d.update(signed_by="us"),
        lambda d: d["signed_by"].update(public_key="xyz"),
        lambda d: d["signed_by"].update(public_key=["x"]),
        lambda d: d.pop("files"),
        lambda d: d.update(files=[ROWS]),
        lambda d: d["files"].update({ROWS: "x"}),
        lambda d: d["files"][ROWS].update(bytes=True),
        lambda d: d["files"][ROWS].update(bytes=-1),
        lambda d: d["files"].pop(SOURCE),
    ],
)
def test_a_changed_manifest_is_refused(folder: Path, key: Key, change):
    rewrite(folder, change)
    with pytest.raises(ManifestRefused, match=MANIFEST):
        verify(folder, {public_key(key)})


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'"x"', b"\xff", b"{" * 100_000, b'{"format": 1, "format": 1}',
     b'{"format": NaN}', b'{"format": 1}', b" " * 5_000_000],
    ids=lambda content: repr(content[:12]),
)  # fmt: skip
def test_something_else_by_that_name_is_refused(folder: Path, key: Key, content: bytes):
    (folder / MANIFEST).write_bytes(content)
    with pytest.raises(ManifestRefused):
        verify(folder, {public_key(key)})


@pytest.mark.parametrize("name", ["../outside.csv", "/etc/hostname", "more.csv"])
def test_only_the_files_of_an_export_can_be_signed_for(folder: Path, key: Key, name: str):
    """Even a trusted exporter cannot make training read another path."""
    document = json.loads((folder / MANIFEST).read_bytes())
    document["files"][name] = document["files"].pop(ROWS)
    document.pop("signature")
    (folder / MANIFEST).write_bytes(sign(document, key))
    with pytest.raises(ManifestRefused, match="must name exactly"):
        verify(folder, {public_key(key)})


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(ManifestRefused, match="cannot be read"):
        verify(tmp_path / "nowhere", frozenset())


# ---------------------------------------------------------------- whom to trust


def test_the_signature_is_that_of_rfc_8032():
    """Test 1 of section 7.1: the seed's public key."""
    seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
    public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert public_key(Key(EXPORT, 1, bytes.fromhex(seed))).hex() == public


def test_what_an_older_key_signed_is_still_trusted(folder: Path, tmp_path: Path, key: Key):
    var = tmp_path / "var"
    rotate(var / "keys.toml", EXPORT)
    trusted = trusted_keys(var / "keys.toml", var)
    assert len(trusted) == 2
    assert load_keyring(var / "keys.toml").newest(EXPORT).secret != key.secret
    verify(folder, trusted)


def test_another_site_is_trusted_by_its_key_file(folder: Path, tmp_path: Path, key: Key):
    var = tmp_path / "elsewhere"
    (var / "trusted-exporters").mkdir(parents=True)
    assert trusted_keys(var / "keys.toml", var) == frozenset()
    file = var / "trusted-exporters" / "clinic.pub"
    file.write_text(key_line(public_key(key), "the clinic") + "\n")
    verify(folder, trusted_keys(var / "keys.toml", var))
    elsewhere = tmp_path / "third"
    verify(folder, trusted_keys(elsewhere / "keys.toml", elsewhere, [file]))


@pytest.mark.parametrize(
    "content",
    [b"", b"ed25519 abc\n", b"rsa " + b"0" * 64, b"ed25519 " + b"0" * 63 + b"g",
     b"ed25519 " + b"0" * 64 + b"\ned25519 " + b"1" * 64, b"\xff\xfe"],
)  # fmt: skip
def test_a_file_that_is_no_public_key_is_named(tmp_path: Path, content: bytes):
    file = tmp_path / "clinic.pub"
    file.write_bytes(content)
    with pytest.raises(ManifestRefused, match=r"clinic\.pub"):
        trusted_keys(tmp_path / "keys.toml", tmp_path, [file])


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(ManifestRefused, match=r"nowhere\.pub"):
        trusted_keys(tmp_path / "keys.toml", tmp_path, [tmp_path / "nowhere.pub"])


def test_a_broken_keyring_is_told_and_not_shown(tmp_path: Path):
    keys = tmp_path / "keys.toml"
    keys.write_text('[export]\n1 = "secretsecret"\n')
    keys.chmod(0o600)
    with pytest.raises(ManifestRefused) as refused:
        trusted_keys(keys, tmp_path)
    assert "secretsecret" not in str(refused.value)
