"""API keys: made once, kept as hashes, ended at once."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.errors import StartRefused
from app.identity import Caller
from app.identity.api_keys import (
    ApiKeyNotFound,
    ApiKeysInvalid,
    create_api_key,
    list_api_keys,
    revoke_api_key,
)
from tests.lib.tokens import NOW

MOMENT = datetime.fromtimestamp(NOW, UTC)


def make(path: Path, **changed: Any) -> tuple[str, str]:
    """A new key's id and what to send."""
    given: dict[str, Any] = {
        "name": "theatre",
        "tenant": "default",
        "scopes": ["assess", "read"],
        "lasts": timedelta(days=1),
        "now": MOMENT,
    }
    kept, key = create_api_key(path, **{**given, **changed})
    return kept.id, key


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "api-keys.jsonl"


def test_a_key_is_accepted_in_either_header(open_doors: Callable[..., Any], file: Path):
    key_id, key = make(file)
    doors = open_doors(None)
    caller = Caller(f"api-key:{key_id}", None, "default", frozenset({"read", "assess"}), None)
    assert doors.caller(api_key=key) == caller
    assert doors.caller(authorization=f"Bearer {key}") == caller
    assert doors.caller(authorization=f"bearer  {key} ") == caller
    assert doors.identity.care_units("default") == {"ward-31"}


def test_the_file_holds_no_key_and_is_its_owners_alone(file: Path):
    _, key = make(file)
    secret = key.split("_", 2)[2]
    assert len(secret) == 43  # 256 bits in base64url
    assert secret not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]
    assert secret not in repr(list_api_keys(file))


def test_every_key_is_another(file: Path):
    keys = [make(file)[1] for _ in range(20)]
    assert len(set(keys)) == len({kept.id for kept in list_api_keys(file)}) == 20


@pytest.mark.parametrize(
    "wrong",
    [
        lambda key: key[:-1] + ("A" if key[-1] != "A" else "B"),
        lambda key: key + "A",
        lambda key: key[:-1],
        lambda key: key.upper(),
        lambda key: key.replace("risk_", "risk-"),
        lambda key: "risk_" + "0" * 12 + key[17:],
        lambda key: key + "\n",
        lambda key: key.replace("risk_", "risk_\u0661", 1),
        lambda key: "",
        lambda key: "risk_",
    ],
)
def test_anything_else_is_unknown(open_doors: Callable[..., Any], file: Path, wrong: Any):
    _, key = make(file)
    assert open_doors(None).refused(api_key=wrong(key)) == "api_key_unknown"


def test_the_secret_of_one_key_does_not_open_another(open_doors: Callable[..., Any], file: Path):
    (first, key), (second, _) = make(file), make(file)
    assert open_doors(None).refused(api_key=key.replace(first, second)) == "api_key_unknown"


def test_a_key_ends_when_it_was_said_to(open_doors: Callable[..., Any], file: Path):
    _, key = make(file)
    doors = open_doors(None)
    doors.clock.ahead_s = 86_399.0
    doors.caller(api_key=key)
    doors.clock.ahead_s = 86_400.0
    assert doors.refused(api_key=key) == "api_key_expired"


def test_a_key_can_hold_for_ever(open_doors: Callable[..., Any], file: Path):
    _, key = make(file, lasts=None)
    doors = open_doors(None)
    doors.clock.ahead_s = 1e9
    assert doors.caller(api_key=key).tenant == "default"


def test_making_and_revoking_reach_a_running_service_within_a_second(
    open_doors: Callable[..., Any], file: Path
):
    first_id, first = make(file)
    doors = open_doors(None)
    doors.caller(api_key=first)
    _, second = make(file)
    revoke_api_key(file, first_id, now=MOMENT)
    assert doors.caller(api_key=first).tenant == "default"  # looked a moment ago
    doors.clock.ahead_s = 1.0
    assert doors.refused(api_key=first) == "api_key_revoked"
    assert doors.caller(api_key=second).tenant == "default"
    assert doors.refused(api_key=first[:-2] + "xx") == "api_key_unknown"


def test_a_file_that_breaks_leaves_the_keys_as_they_were_and_one_that_goes_ends_them(
    open_doors: Callable[..., Any], file: Path
):
    _, key = make(file)
    doors = open_doors(None)
    whole = file.read_text()
    for position, broken in enumerate(("{", whole + whole, whole.replace("name", "nick")), start=1):
        file.write_text(broken)
        doors.clock.ahead_s = float(position)
        assert doors.caller(api_key=key).tenant == "default"
    file.unlink()
    doors.clock.ahead_s = 10.0
    assert doors.refused(api_key=key) == "api_key_unknown"


def test_a_key_of_a_tenant_gets_its_branch_points_and_one_of_no_tenant_nothing(
    open_doors: Callable[..., Any], file: Path
):
    tenants = '[[tenant]]\nid = "north"\ncare_units = []\nbranch_points = ["icu-review"]\n'
    _, north = make(file, tenant="north")
    _, nobody = make(file, tenant="west")
    doors = open_doors(tenants)
    assert doors.caller(api_key=north).branch_points == {"icu-review"}
    assert doors.refused(api_key=nobody) == "api_key_tenant"


def test_revoking_twice_keeps_the_first_time_and_an_unknown_id_is_said(file: Path):
    key_id, _ = make(file)
    revoke_api_key(file, key_id, now=MOMENT)
    later = revoke_api_key(file, key_id, now=MOMENT + timedelta(days=1))
    assert later.revoked_at == MOMENT.isoformat()
    with pytest.raises(ApiKeyNotFound, match="keys list"):
        revoke_api_key(file, "0" * 12, now=MOMENT)
    with pytest.raises(ApiKeyNotFound, match="keys create"):
        revoke_api_key(file.with_name("none"), key_id, now=MOMENT)


def test_two_commands_at_once_lose_no_key(file: Path):
    threads = [threading.Thread(target=make, args=(file,)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list_api_keys(file)) == 16


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"name": ""}, "`name`"),
        ({"name": "x" * 201}, "`name`"),
        ({"name": "a\nb"}, "`name`"),
        ({"tenant": "North"}, "`tenant`"),
        ({"scopes": []}, "`scopes`"),
        ({"scopes": ["read", "admin"]}, "scopes are not among"),
    ],
)
def test_a_key_that_breaks_a_rule_is_not_made(file: Path, changed: dict[str, Any], rule: str):
    with pytest.raises(ApiKeysInvalid, match=rule):
        make(file, **changed)
    assert not file.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "A" * 12), ("id", 1), ("name", None), ("tenant", 3), ("scopes", "read"),
        ("scopes", [1]), ("scopes", [[]]), ("created_at", None), ("created_at", "today"),
        ("expires_at", "2026-01-01T00:00:00"), ("expires_at", 1), ("secret_sha256", "0" * 63),
        ("secret", "x"),
    ],
)  # fmt: skip
def test_a_line_that_breaks_a_rule_stops_the_start_by_its_number(
    open_doors: Callable[..., Any], file: Path, field: str, value: object
):
    make(file)
    line = json.loads(file.read_text())
    with file.open("a") as sink:
        sink.write(json.dumps({**line, "id": "f" * 12, field: value}) + "\n")
    with pytest.raises(ApiKeysInvalid, match=r"api-keys\.jsonl: line 2"):
        open_doors(None)


def test_a_file_that_others_can_read_stops_the_start(open_doors: Callable[..., Any], file: Path):
    make(file)
    file.chmod(0o644)
    with pytest.raises(ApiKeysInvalid, match="chmod 600"):
        open_doors(None)


def test_a_service_whose_every_key_has_ended_does_not_start_open(
    open_doors: Callable[..., Any], file: Path
):
    key_id, _ = make(file)
    revoke_api_key(file, key_id, now=MOMENT)
    with pytest.raises(StartRefused, match="keys create"):
        open_doors(None, host_is_loopback=True)
