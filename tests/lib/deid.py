"""A door to de-identify at: one tenant, two care units, keys that everybody knows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from app.deid import Pseudonymiser
from monitoring.keyring import Key, Keyring

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CARE_UNITS = ("ward-31", "icu")


def keyring(*secrets: bytes) -> Keyring:
    """Keys for pseudonyms, oldest first; versions count from 1."""
    keys = [
        Key("pseudonym", version, secret.ljust(32, b"\0"))
        for version, secret in enumerate(secrets, start=1)
    ]
    return Keyring({"pseudonym": tuple(reversed(keys))})


def surroundings(**changed: Any) -> dict[str, Any]:
    """What a request meets besides the vocabulary."""
    return {
        "tenant": "default", "care_units": CARE_UNITS, "now": NOW,
        "pseudonymiser": Pseudonymiser(keyring(b"known")), **changed,
    }  # fmt: skip
