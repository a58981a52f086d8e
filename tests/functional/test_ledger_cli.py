"""`risk-monitor` looks after the ledger: as real processes, from outside."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitoring.cli import app
from monitoring.keyring import Keyring
from monitoring.ledger.schema import NEWEST
from tests.lib.ledger import (
    MONTH_US,
    NOTED,
    NOW_US,
    access,
    ask,
    assessment,
    change,
    keyring_at,
    one_of_each,
    written,
)
from tests.lib.postgres import Postgres, needed_postgres
from tests.lib.service import environment, script

ROWS = NOTED + 14
LONG_AGO = NOW_US - 71 * MONTH_US


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    yield from needed_postgres()


@pytest.fixture
def var(tmp_path: Path) -> Path:
    return tmp_path / "var"


@pytest.fixture
def keyring(var: Path) -> Keyring:
    return keyring_at(var)


@pytest.fixture
def url(var: Path, keyring: Keyring) -> str:
    url = f"sqlite:///{var / 'ledger.db'}"
    written(url, keyring, one_of_each(LONG_AGO), one_of_each(NOW_US, "2"))
    return url


def monitor(
    *arguments: str, var: Path, expected: int = 0, **more: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [script("risk-monitor"), *arguments],
        env=environment(var, **more),
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == expected, done.stderr[-2000:] + done.stdout[-500:]
    return done


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("risk-monitor: ")
    return line


def test_a_ledger_that_holds_is_told_with_its_head(url: str, var: Path) -> None:
    said = monitor("verify", var=var).stdout
    head = monitor("head", var=var).stdout.strip()
    assert re.fullmatch(rf"{ROWS}:01[0-9a-f]{{64}}", head)
    assert said == f"holds: {ROWS} rows, head {head}\n"
    told = json.loads(monitor("verify", "--json", "--expect", head, var=var).stdout)
    assert told == {"holds": True, "rows": ROWS, "head": head, "findings": [], "further": 0}
    assert json.loads(monitor("head", "--json", var=var).stdout)["seq"] == ROWS


def test_what_was_tampered_with_is_shown_in_a_table_and_exits_3(url: str, var: Path) -> None:
    change(url, "UPDATE assessments SET latency_us = 1 WHERE seq = 4")
    change(url, "DELETE FROM feedback WHERE seq = 14")
    said = monitor("verify", var=var, expected=3).stdout
    assert re.search(r"altered\s+│ assessments │ 4\s+│ 4", said)
    assert re.search(r"removed\s+│\s+│ 14\s+│ 14", said)
    told = json.loads(monitor("verify", "--json", var=var, expected=3).stdout)
    assert [item["what"] for item in told["findings"]] == ["altered", "removed"]


def test_a_head_that_is_not_met_exits_3(url: str, var: Path) -> None:
    told = monitor("verify", "--json", "--expect", "13:01ab", "--expect", "99:01ab", var=var, expected=3)  # fmt: skip
    assert [item["seq"] for item in json.loads(told.stdout)["findings"]] == [13, 99]
    assert "SEQ:HEX" in monitor("verify", "--expect", "thirteen", var=var, expected=2).stderr


def test_a_backup_becomes_a_ledger_elsewhere(
    url: str, var: Path, tmp_path: Path, keyring: Keyring
) -> None:
    made = json.loads(monitor("backup", str(tmp_path / "b.gz"), "--json", var=var).stdout)
    assert made["rows"] == ROWS
    other = tmp_path / "other"
    keys = str(var / "keys.toml")
    restored = monitor("restore", str(tmp_path / "b.gz"), "--json", "--keys", keys, var=other)
    assert json.loads(restored.stdout)["head"] == made["head"]
    assert made["head"] in monitor("verify", var=other, RISK_KEYS_FILE=keys).stdout
    assert "holds a ledger already" in one_line(
        monitor("restore", str(tmp_path / "b.gz"), "--keys", keys, var=other, expected=1)
    )
    assert "there already" in one_line(
        monitor("backup", str(tmp_path / "b.gz"), var=var, expected=1)
    )


def test_a_backup_moves_from_sqlite_to_postgresql_and_back(
    url: str, var: Path, tmp_path: Path, postgres: Postgres
) -> None:
    database = postgres.new_database()
    first, second = str(tmp_path / "1.gz"), str(tmp_path / "2.gz")
    monitor("backup", first, var=var)
    monitor("restore", first, "--database", database, var=var)
    assert monitor("verify", var=var, RISK_DATABASE_URL=database).stdout.startswith(
        f"holds: {ROWS}"
    )
    monitor("backup", second, "--database", database, var=var)
    new = f"sqlite:///{tmp_path / 'new.db'}"
    monitor("restore", second, "--database", new, var=var)
    assert monitor("head", "--database", new, var=var).stdout == monitor("head", var=var).stdout


def test_old_months_are_retired_and_the_ledger_still_holds(url: str, var: Path) -> None:
    said = monitor("retire", "--answers", "24", var=var).stdout
    assert "2020-11" in said
    assert "accesses" in said
    assert monitor("verify", var=var).stdout.startswith(f"holds: {ROWS - 4} rows")
    assert ask(url, "SELECT count(*) FROM accesses") == [(1,)]
    assert json.loads(monitor("retire", "--json", "--answers", "24", var=var).stdout) == []


def test_less_than_five_years_of_access_log_is_refused_in_one_line(url: str, var: Path) -> None:
    line = one_line(monitor("retire", "--accesses", "59", var=var, expected=1))
    assert "HSLF-FS 2016:40" in line
    assert ask(url, "SELECT count(*) FROM accesses") == [(2,)]


def test_migrate_makes_the_tables_once(var: Path) -> None:
    first = json.loads(monitor("migrate", "--json", var=var).stdout)
    assert first == {"before": None, "after": NEWEST}
    assert "already" in monitor("migrate", var=var).stdout


@pytest.mark.parametrize("command", ["verify", "head", "backup", "retire"])
def test_a_ledger_that_is_not_there_is_missed_and_not_made(
    command: str, var: Path, keyring: Keyring, tmp_path: Path
) -> None:
    more = (str(tmp_path / "b.gz"),) if command == "backup" else ()
    assert "no ledger at" in one_line(monitor(command, *more, var=var, expected=1))
    assert [path.name for path in var.iterdir()] == ["keys.toml"]
    assert not (tmp_path / "b.gz").exists()


def test_missing_keys_are_one_line(url: str, var: Path) -> None:
    assert "is not there" in one_line(
        monitor("verify", "--keys", str(var / "none.toml"), var=var, expected=1)
    )


@pytest.mark.parametrize(
    "database",
    [
        "postgresql://risk:hush-hush@127.0.0.1:1/none",
        "mysql://risk:hush-hush@127.0.0.1/none",
        "risk:hush-hush",
    ],
)
def test_a_database_that_cannot_be_used_is_one_line_without_its_password(
    database: str, var: Path, keyring: Keyring
) -> None:
    done = monitor("verify", "--database", database, var=var, expected=1)
    one_line(done)
    assert "hush" not in done.stderr + done.stdout


def test_a_damaged_file_is_one_line_without_a_value(var: Path, keyring: Keyring) -> None:
    file = var / "ledger.db"
    written(f"sqlite:///{file}", keyring, [assessment(answer=b"unmistakable" * 999), access()])
    content = bytearray(file.read_bytes())
    content[4096 : len(content) // 2] = bytes(len(content) // 2 - 4096)
    file.write_bytes(content)
    done = monitor("verify", var=var, expected=1)
    assert "SQLITE_CORRUPT" in one_line(done)
    assert "unmistakable" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    "command", ["migrate", "verify", "head", "backup", "restore", "retire", "status"]
)
def test_every_command_explains_itself(command: str) -> None:
    """In this process: nothing but text is looked at, and starting one takes most of a second."""
    said = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "100"}).stdout
    assert "--json" in said
    assert ("RISK_DATABASE_URL" in said) == (command != "status")
