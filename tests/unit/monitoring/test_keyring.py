"""The secrets: made readable by their owner only, versioned, and never shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.keyring import (
    ACCESS_LOG,
    EXPORT,
    LEDGER,
    PSEUDONYM,
    PURPOSES,
    VARIABLE,
    Key,
    KeysInvalid,
    load_keyring,
    rotate,
)
from tests.lib.properties import LAW


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(VARIABLE, raising=False)
    return tmp_path / "var" / "keys.toml"


def test_a_new_keyring_has_one_key_for_each_purpose_all_different(file: Path) -> None:
    keyring = load_keyring(file, create=True)
    assert set(keyring.keys) == {PSEUDONYM, ACCESS_LOG, LEDGER, EXPORT}
    newest = [keyring.newest(purpose) for purpose in PURPOSES]
    assert [key.version for key in newest] == [1, 1, 1, 1]
    assert len({key.secret for key in newest}) == 4
    assert {len(key.secret) for key in newest} == {32}


def test_the_file_is_its_owners_and_is_read_back(file: Path) -> None:
    made = load_keyring(file, create=True)
    assert file.stat().st_mode & 0o777 == 0o600
    assert load_keyring(file) == load_keyring(file, create=True) == made
    assert list(file.parent.iterdir()) == [file]


def test_a_file_that_is_not_there_is_missed(file: Path) -> None:
    with pytest.raises(KeysInvalid, match="not there"):
        load_keyring(file)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_file_that_others_can_read_is_refused(file: Path, mode: int) -> None:
    load_keyring(file, create=True)
    file.chmod(mode)
    with pytest.raises(KeysInvalid, match="chmod 600"):
        load_keyring(file)


def test_a_rotation_adds_a_version_and_keeps_the_others(file: Path) -> None:
    before = load_keyring(file, create=True)
    added = rotate(file, LEDGER)
    after = load_keyring(file)
    assert added == after.newest(LEDGER)
    assert after.every(LEDGER) == (added, *before.every(LEDGER))
    assert [key.version for key in after.every(LEDGER)] == [2, 1]
    assert all(after.every(p) == before.every(p) for p in PURPOSES if p != LEDGER)
    assert after.version(LEDGER, 1) == before.newest(LEDGER)
    assert file.stat().st_mode & 0o777 == 0o600


def test_versions_are_ordered_as_numbers(file: Path) -> None:
    load_keyring(file, create=True)
    for _ in range(10):
        rotate(file, EXPORT)
    assert [key.version for key in load_keyring(file).every(EXPORT)] == list(range(11, 0, -1))


def test_a_version_or_a_purpose_that_is_not_there_is_named(file: Path) -> None:
    keyring = load_keyring(file, create=True)
    with pytest.raises(KeysInvalid, match="no version 7 of `ledger`"):
        keyring.version(LEDGER, 7)
    with pytest.raises(KeysInvalid, match="no purpose `tokens`"):
        rotate(file, "tokens")


def test_the_variable_goes_before_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_keyring(file, create=True)
    others = "\n".join(f'[{p}]\n3 = "{bytes([n]).hex() * 32}"' for n, p in enumerate(PURPOSES))
    monkeypatch.setenv(VARIABLE, others)
    keyring = load_keyring(file)
    assert keyring.newest(LEDGER) == Key(LEDGER, 3, bytes([PURPOSES.index(LEDGER)]) * 32)
    with pytest.raises(KeysInvalid, match=VARIABLE):
        rotate(file, LEDGER)


GOOD = "aa" * 32
WRONG = {
    "no TOML": "= [",
    "a purpose missing": f'[ledger]\n1 = "{GOOD}"',
    "a purpose of its own": "".join(f'[{p}]\n1 = "{GOOD}"\n' for p in (*PURPOSES, "tokens")),
    "too short a key": "".join(f'[{p}]\n1 = "{GOOD[2:]}"\n' for p in PURPOSES),
    "no hexadecimal": "".join(f'[{p}]\n1 = "{"zz" * 32}"\n' for p in PURPOSES),
    "no version": "".join(f'[{p}]\nnew = "{GOOD}"\n' for p in PURPOSES),
    "version nought": "".join(f'[{p}]\n0 = "{GOOD}"\n' for p in PURPOSES),
    "a number for a key": "".join(f"[{p}]\n1 = 5\n" for p in PURPOSES),
    "no key": "".join(f"[{p}]\n" for p in PURPOSES),
    "a text for a table": "".join(f'{p} = "{GOOD}"\n' for p in PURPOSES),
}


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG)
def test_what_is_no_keyring_is_refused_without_quoting_it(file: Path, content: str) -> None:
    file.parent.mkdir()
    file.write_text(content, encoding="utf-8")
    file.chmod(0o600)
    with pytest.raises(KeysInvalid) as refused:
        load_keyring(file)
    assert "aaaa" not in str(refused.value)
    assert "zzzz" not in str(refused.value)


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")
def test_a_half_written_keyring_is_never_left(file: Path) -> None:
    """The partial file of an earlier crash is in nobody's way and takes nothing over."""
    file.parent.mkdir()
    partial = file.with_name("keys.toml.partial")
    partial.write_text("half", encoding="utf-8")
    partial.chmod(0o644)
    load_keyring(file, create=True)
    assert file.stat().st_mode & 0o777 == 0o600
    assert not partial.exists()


@LAW
@given(st.binary(min_size=32, max_size=32))
def test_no_key_shows_its_secret(secret: bytes) -> None:
    key = Key(LEDGER, 1, secret)
    shown = repr(key) + str(key) + key.fingerprint
    assert secret.hex() not in shown
    assert repr(secret) not in shown
    assert len(key.fingerprint) == 16
