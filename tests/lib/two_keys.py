"""A service that asks who one is, with two API keys: one that may do nearly everything, one that only reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from app.identity.api_keys import create_api_key
from tests.lib.service import Service, running_service

TENANTS = """
[[tenant]]
id = "north"
care_units = ["ward-1"]
silent = ["icu-review"]
"""
SCOPES = {"all": ("read", "assess", "inspect"), "reading": ("read",)}


@contextmanager
def two_keys(var: Path, folder: Path) -> Iterator[tuple[Service, dict[str, str]]]:
    """The service, and both keys; its one tenant has a care unit and is silent at the ICU review."""
    (folder / "tenants.toml").write_text(TENANTS)
    file = folder / "api-keys.jsonl"
    keys = {
        name: create_api_key(
            file, name=name, tenant="north", scopes=scopes, lasts=None, now=datetime.now(UTC)
        )[1]
        for name, scopes in SCOPES.items()
    }
    settings = {
        "RISK_TENANTS_FILE": str(folder / "tenants.toml"),
        "RISK_API_KEYS_FILE": str(file),
    }
    with running_service(var, folder / "log", settings) as service:
        yield service, keys
