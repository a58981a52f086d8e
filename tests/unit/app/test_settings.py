"""Settings: the environment over the file over the defaults, and loopback only."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.errors import StartRefused
from app.settings import Settings, is_loopback, load_settings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(f"RISK_{field.upper()}", raising=False)
    monkeypatch.delenv("RISK_CONFIG", raising=False)


def test_the_defaults_listen_on_loopback_and_keep_state_in_var():
    settings = load_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.var_dir == Path("var")
    assert settings.body_limit_bytes == 1024 * 1024


def test_given_wins_over_environment_wins_over_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    file = tmp_path / "risk.toml"
    file.write_text('port = 1111\nlog_level = "error"\nregistry_poll_s = 3\n')
    monkeypatch.setenv("RISK_CONFIG", str(file))
    monkeypatch.setenv("RISK_PORT", "2222")
    monkeypatch.setenv("RISK_LOG_LEVEL", "debug")
    settings = load_settings(port=3333, host=None)
    assert (settings.port, settings.log_level, settings.registry_poll_s) == (3333, "debug", 3.0)


def test_settings_do_not_change_once_read():
    with pytest.raises(ValidationError, match="frozen"):
        load_settings().port = 9  # type: ignore[misc]


def test_every_setting_has_a_description():
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("RISK_PORT", "-1", "port"),
        ("RISK_PORT", "x", "port"),
        ("RISK_BODY_LIMIT_BYTES", "10", "body_limit_bytes"),
        ("RISK_REGISTRY_POLL_S", "0", "registry_poll_s"),
        ("RISK_REGISTRY_TIMEOUT_S", "-3", "registry_timeout_s"),
        ("RISK_LOG_LEVEL", "chatty", "log_level"),
        ("RISK_CARE_UNITS", "[1", "care_units"),
        ("RISK_CONFIG", "/nowhere.toml", "RISK_CONFIG"),
    ],
)
def test_a_setting_that_does_not_hold_refuses_the_start_by_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, named: str
):
    monkeypatch.setenv(variable, value)
    with pytest.raises(StartRefused, match=named):
        load_settings()


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True), ("127.8.9.10", True), ("::1", True), ("localhost", True),
        ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("192.168.1.4", False),  # noqa: S104
        ("localhost.evil.example", False), ("127.0.0.1.example", False), ("", False),
        ("0x7f.1", False), ("127.1", False),
    ],
)  # fmt: skip
def test_only_this_machine_is_loopback(host: str, loopback: bool):
    assert is_loopback(host) is loopback
