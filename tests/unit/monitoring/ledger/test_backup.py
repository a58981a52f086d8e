"""One file holds the whole ledger, and either database can be made from it, or nothing is."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, inspect

from monitoring.keyring import Keyring
from monitoring.ledger import TokenUse
from monitoring.ledger.backup import backup, restore
from monitoring.ledger.engine import open_engine
from monitoring.ledger.errors import BackupUnusable
from monitoring.ledger.verify import verify
from tests.lib.ledger import (
    MONTH_US,
    NOTED,
    NOW_US,
    access,
    assessment,
    change,
    keyring_at,
    one_of_each,
    reading,
    written,
)
from tests.lib.postgres import Postgres

ROWS = NOTED + 15
FIRST = NOTED + 1
"""The first assessment's number, and its line: the header is line 0."""
WHEN = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def fill(url: str, keyring: Keyring) -> None:
    written(
        url,
        keyring,
        one_of_each(NOW_US - MONTH_US),
        [
            *one_of_each(NOW_US, "2"),
            assessment(protected=True, unit="ward-31", answer='å\n"\\\x7f'.encode()),
        ],
        [TokenUse(b"t" * 32, 1, 2**40)],
    )


@pytest.fixture(scope="module")
def filled(module_url: str, keyring: Keyring) -> str:
    fill(module_url, keyring)
    return module_url


@pytest.fixture
def source(filled: str, copied: Callable[[str, Path], str], tmp_path: Path) -> str:
    return copied(filled, tmp_path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, keyring: Keyring) -> bytes:
    folder = tmp_path_factory.mktemp("made")
    fill(f"sqlite:///{folder / 'ledger.db'}", keyring)
    engine = reading(f"sqlite:///{folder / 'ledger.db'}")
    backup(engine, keyring, folder / "ledger.gz", now=WHEN)
    engine.dispose()
    return (folder / "ledger.gz").read_bytes()


@pytest.fixture
def forged(made: bytes, tmp_path: Path) -> Path:
    """A file to tamper with; what it was made from makes no difference."""
    (tmp_path / "forged.gz").write_bytes(made)
    return tmp_path / "forged.gz"


@pytest.fixture(params=["sqlite", "postgresql"])
def other_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'other.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def file(source: str, keyring: Keyring, tmp_path: Path) -> Path:
    engine = reading(source)
    backup(engine, keyring, tmp_path / "ledger.gz", now=WHEN)
    engine.dispose()
    return tmp_path / "ledger.gz"


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]


def is_untouched(engine: Engine) -> bool:
    return inspect(engine).get_table_names() == []


def test_a_ledger_moves_to_either_database_and_back_the_same(
    file: Path, other_url: str, keyring: Keyring, tmp_path: Path
) -> None:
    engine = open_engine(other_url, writes=True)
    moved = restore(engine, keyring, file)
    report = verify(engine, keyring)
    assert report.holds
    assert (report.rows, report.head) == (moved.rows, moved.head)
    assert moved.rows == ROWS
    again = backup(engine, keyring, tmp_path / "again.gz", now=WHEN)
    assert again == moved
    assert (tmp_path / "again.gz").read_bytes() == file.read_bytes()
    engine.dispose()


def test_a_restored_ledger_is_written_on(file: Path, other_url: str, keyring: Keyring) -> None:
    engine = open_engine(other_url, writes=True)
    restore(engine, keyring, file)
    written(other_url, keyring, one_of_each(NOW_US + MONTH_US, "3"))
    assert verify(engine, keyring).rows == ROWS + 7
    assert verify(engine, keyring).holds
    engine.dispose()


def test_the_file_is_what_it_says(file: Path, keyring: Keyring) -> None:
    header, *rows, trailer = lines(file)
    assert header["ledger_backup"] == 1
    assert header["made_at"] == "2026-11-21T09:30:00+00:00"
    assert [row["seq"] for row in rows] == list(range(1, ROWS + 1))
    assert trailer["rows"] == ROWS
    content = b"".join(gzip.decompress(file.read_bytes()).splitlines(keepends=True)[:-1])
    assert trailer["sha256"] == sha256(content).hexdigest()
    assert file.stat().st_mode & 0o777 == 0o600
    assert base64.b64encode(b"t" * 32) not in gzip.decompress(file.read_bytes())
    assert not any(key.secret.hex().encode() in content for key in keyring.every("ledger"))


def test_a_file_that_is_there_is_not_replaced(file: Path, source: str, keyring: Keyring) -> None:
    engine = reading(source)
    with pytest.raises(BackupUnusable, match="there already"):
        backup(engine, keyring, file, now=WHEN)
    engine.dispose()


def test_a_database_that_is_no_ledger_gives_no_file(
    database_url: str, keyring: Keyring, tmp_path: Path
) -> None:
    engine = reading(database_url)
    with pytest.raises(BackupUnusable, match="not a ledger"):
        backup(engine, keyring, tmp_path / "b.gz", now=WHEN)
    assert list(tmp_path.glob("b.gz*")) == []
    engine.dispose()


def test_a_backup_is_one_state_while_others_write(
    database_url: str, keyring: Keyring, tmp_path: Path
) -> None:
    written(database_url, keyring, [access() for _ in range(1_500)])
    engine = reading(database_url)
    made = backup(
        engine, keyring, tmp_path / "b.gz", now=WHEN,
        progress=lambda done, total: written(database_url, keyring, [access()]) and None,
    )  # fmt: skip
    assert made.rows == NOTED + 1_500
    assert verify(engine, keyring).rows == NOTED + 1_501 + 1
    engine.dispose()


def test_a_ledger_is_not_restored_over_another(
    file: Path, other_url: str, keyring: Keyring
) -> None:
    written(other_url, keyring, [access()])
    engine = open_engine(other_url, writes=True)
    with pytest.raises(BackupUnusable, match="holds a ledger already"):
        restore(engine, keyring, file)
    assert verify(engine, keyring).rows == NOTED + 1
    engine.dispose()


def test_other_keys_restore_nothing(file: Path, other_url: str, tmp_path: Path) -> None:
    engine = open_engine(other_url, writes=True)
    with pytest.raises(BackupUnusable, match="other `ledger` keys"):
        restore(engine, keyring_at(tmp_path / "else"), file)
    assert is_untouched(engine)
    engine.dispose()


def sealed_again(altered: list[dict[str, Any]]) -> bytes:
    """A file whose digest fits, as someone without the key can make it."""
    *most, trailer = altered
    content = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in most)
    trailer["sha256"] = sha256(content).hexdigest()
    return gzip.compress(content + json.dumps(trailer).encode() + b"\n")


def set_value(at: int, name: str, value: Any) -> Callable[[list[dict[str, Any]]], None]:
    def alter(told: list[dict[str, Any]]) -> None:
        told[at][name] = value

    return alter


FORGERIES: dict[str, Callable[[list[dict[str, Any]]], Any]] = {
    "a value": set_value(FIRST, "latency_us", 1),
    "a value of another type": set_value(FIRST, "latency_us", "many"),
    "a month for a table's name": set_value(FIRST, "month", "1; DROP TABLE head"),
    "a month that is none": set_value(FIRST, "month", 0),
    "a table of its own": set_value(FIRST, "table", "head"),
    "a column of its own": set_value(FIRST, "note", "x"),
    "a flag": set_value(FIRST, "protected", 2),
    "a row less": lambda told: (told.pop(5), told[-1].update(rows=ROWS - 1)),
    "another number of rows": set_value(-1, "rows", 3),
    "a row twice": lambda told: (told.insert(5, told[4]), told[-1].update(rows=ROWS + 1)),
    "another head": lambda told: told[-1]["head"].update(seq=ROWS - 1),
    "a head of text": lambda told: told[-1]["head"].update(chain="x"),
    "no head": lambda told: told[-1].pop("head"),
    "another format": set_value(0, "ledger_backup", 2),
    "another revision": set_value(0, "schema", "0001"),
    "no header": lambda told: told.pop(0),
    "no trailer": lambda told: told.pop(),
    "a line after the trailer": lambda told: told.append(dict(told[-1])),
    "half a letter": set_value(FIRST, "answer", "\udcff"),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_file_restores_nothing(
    forged: Path, other_url: str, keyring: Keyring, forge: Callable[[Any], Any]
) -> None:
    told = lines(forged)
    forge(told)
    forged.write_bytes(sealed_again(told))
    engine = open_engine(other_url, writes=True)
    with pytest.raises(BackupUnusable) as refused:
        restore(engine, keyring, forged)
    assert "answered" not in str(refused.value)
    assert is_untouched(engine)
    engine.dispose()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_file_cut_short_restores_nothing(
    forged: Path, tmp_path: Path, keyring: Keyring, share: float
) -> None:
    content = forged.read_bytes()
    forged.write_bytes(content[: int(len(content) * share)])
    engine = open_engine(f"sqlite:///{tmp_path / 'other.db'}", writes=True)
    with pytest.raises(BackupUnusable, match="cut short or was altered"):
        restore(engine, keyring, forged)
    assert is_untouched(engine)
    engine.dispose()


def test_a_changed_byte_anywhere_restores_nothing_or_the_same(
    forged: Path, tmp_path: Path, keyring: Keyring
) -> None:
    """A few bits of gzip mean nothing to what it holds."""
    content = bytearray(forged.read_bytes())
    for place in range(0, len(content), 37):
        changed = content.copy()
        changed[place] ^= 0x10
        forged.write_bytes(changed)
        engine = open_engine(f"sqlite:///{tmp_path / f'{place}.db'}", writes=True)
        try:
            restore(engine, keyring, forged)
        except BackupUnusable:
            assert is_untouched(engine)
        else:
            assert verify(engine, keyring).holds
            assert gzip.decompress(changed) == gzip.decompress(content)
        engine.dispose()


def test_damage_is_kept_in_a_backup_and_never_restored(
    source: str, tmp_path: Path, keyring: Keyring
) -> None:
    """A backup of a ledger that was tampered with is evidence."""
    change(
        source,
        "UPDATE assessments SET latency_us = 1 WHERE branch_point = 'icu-review' AND seq < 8",
    )
    engine = reading(source)
    backup(engine, keyring, tmp_path / "evidence.gz", now=WHEN)
    other = open_engine(f"sqlite:///{tmp_path / 'other.db'}", writes=True)
    with pytest.raises(BackupUnusable, match=r"1 findings, the first is `altered` at 4"):
        restore(other, keyring, tmp_path / "evidence.gz")
    engine.dispose()
    other.dispose()
