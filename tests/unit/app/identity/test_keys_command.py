"""`risk-serve keys`, as an operator types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.commands.keys import app
from app.errors import AppError
from app.settings import Settings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(f"RISK_{field.upper()}", raising=False)
    for name in ("RISK_CONFIG", "RISK_KEYS"):
        monkeypatch.delenv(name, raising=False)


def keys(var: Path, *arguments: str, refused: bool = False) -> str:
    done = CliRunner().invoke(app, [*arguments, "--var", str(var)], env={"COLUMNS": "200"})
    if refused:
        assert isinstance(done.exception, AppError)
        return str(done.exception)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_key_is_made_shown_once_listed_and_revoked(tmp_path: Path):
    made = json.loads(
        keys(tmp_path, "create", "--name", "theatre [4]", "--scope", "read", "--scope", "assess",
             "--expires-days", "30", "--json")
    )  # fmt: skip
    assert made["key"].startswith(f"risk_{made['id']}_")
    assert (made["tenant"], made["scopes"], made["state"]) == (
        "default", ["read", "assess"], "active",
    )  # fmt: skip
    shown = keys(tmp_path, "list")
    assert "theatre [4]" in shown
    assert made["key"] not in shown
    assert "revoked at" in keys(tmp_path, "revoke", made["id"])
    (listed,) = json.loads(keys(tmp_path, "list", "--json"))
    assert listed["state"] == "revoked"
    assert "secret_sha256" not in listed


def test_create_prints_the_key_alone_on_standard_output(tmp_path: Path):
    printed = keys(tmp_path, "create", "--name", "x", "--scope", "cds", "--tenant", "north")
    assert printed.startswith("risk_")
    assert printed.count("\n") == 1


def test_what_breaks_a_rule_is_one_line(tmp_path: Path):
    wrong = keys(tmp_path, "create", "--name", "x", "--scope", "admin", refused=True)
    assert "read, assess, outcomes, inspect, cds" in wrong
    assert "admin" not in wrong
    assert "keys create" in keys(tmp_path, "revoke", "0" * 12, refused=True)
    assert "keys init" in keys(tmp_path, "rotate", "pseudonym", refused=True)


def test_init_makes_the_secrets_once_and_rotate_adds_a_version(tmp_path: Path):
    first = json.loads(keys(tmp_path, "init", "--json"))
    assert {made["purpose"] for made in first} == {"pseudonym", "access_log", "ledger", "export"}
    assert json.loads(keys(tmp_path, "init", "--json")) == first
    rotated = json.loads(keys(tmp_path, "rotate", "pseudonym", "--json"))
    assert rotated["version"] == 2
    again = {made["purpose"]: made for made in json.loads(keys(tmp_path, "init", "--json"))}
    assert again["pseudonym"] == rotated
    assert again["ledger"]["version"] == 1
    assert "version 3" in keys(tmp_path, "rotate", "pseudonym")
    assert "fingerprint" in keys(tmp_path, "init")
    assert "known:" in keys(tmp_path, "rotate", "nothing", refused=True)


def test_no_command_shows_a_secret(tmp_path: Path):
    printed = keys(tmp_path, "init") + keys(tmp_path, "rotate", "ledger")
    secrets = [
        line.split('"')[1]
        for line in (tmp_path / "keys.toml").read_text().splitlines()
        if '"' in line
    ]
    assert len(secrets) == 5
    assert not any(secret in printed for secret in secrets)


@pytest.mark.parametrize("command", ["init", "create", "list", "revoke", "rotate"])
def test_help_says_what_each_command_does(command: str):
    done = CliRunner().invoke(app, [command, "--help"])
    assert done.exit_code == 0
    assert "--var" in done.stdout
