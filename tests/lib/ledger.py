"""Entries, ledgers and ways to tamper with them, for the tests of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from monitoring.keyring import Keyring, load_keyring
from monitoring.ledger import (
    Access,
    Assessment,
    Event,
    Feedback,
    Link,
    Outcome,
    Shadows,
    new_identifier,
)
from monitoring.ledger.book import Book
from monitoring.ledger.engine import open_engine
from monitoring.ledger.entries import SHADOW_ROW, Entry

MONTH_US = 31 * 24 * 3600 * 1_000_000
NOW_US = 1_795_300_000_000_000  # 2026-11-21
SITE = "north"
NOTED = 3
"""A new ledger's first rows note its keys: of pseudonyms, access log and ledger."""


def assessment(recorded_at_us: int = NOW_US, **changes: Any) -> Assessment:
    given: dict[str, Any] = {
        "recorded_at_us": recorded_at_us,
        "assessment_id": new_identifier(recorded_at_us),
        "tenant": SITE,
        "branch_point": "icu-review",
        "unit": None,
        "subject_id": "1.aa",
        "episode_id": "1.ee",
        "protected": False,
        "index_time_us": recorded_at_us - 1_000_000,
        "inputs": '{"age":71}',
        "answer": '{"status":"answered","å":"é"}'.encode(),
        "models": "[]",
        "policy": "1",
        "latency_us": 1200,
    }
    return Assessment(**{**given, **changes})


def outcome(recorded_at_us: int = NOW_US, **changes: Any) -> Outcome:
    given: dict[str, Any] = {
        "recorded_at_us": recorded_at_us,
        "tenant": SITE,
        "outcome": "death_180d",
        "value": 1.0,
        "observed_at_us": recorded_at_us,
    }
    return Outcome(**{**given, **changes})


def feedback(recorded_at_us: int = NOW_US, **changes: Any) -> Feedback:
    given: dict[str, Any] = {
        "recorded_at_us": recorded_at_us,
        "tenant": SITE,
        "branch_point": "icu-review",
        "card_id": "card-1",
        "assessment_id": None,
        "verdict": "overridden",
        "given_at_us": recorded_at_us,
        "detail": "{}",
    }
    return Feedback(**{**given, **changes})


def access(recorded_at_us: int = NOW_US, sealed: bytes = b"\x00sealed\xff") -> Access:
    return Access(recorded_at_us, "1.aa", 1, sealed)


def one_of_each(recorded_at_us: int = NOW_US, mark: str = "1") -> list[Entry]:
    """A row for every chained table."""
    given = assessment(recorded_at_us, subject_id=f"1.s{mark}", episode_id=f"1.e{mark}")
    return [
        given,
        access(recorded_at_us),
        outcome(recorded_at_us, assessment_id=given.assessment_id),
        feedback(recorded_at_us, card_id=f"card-{mark}"),
        Link(recorded_at_us, "subject", f"1.s{mark}", f"2.s{mark}"),
        Event(recorded_at_us, "made", f'{{"mark": "{mark}"}}'),
        shadow(given),
    ]


def shadow(of: Assessment, seq: int = 1, **changes: Any) -> Shadows:
    given: dict[str, Any] = {
        "recorded_at_us": of.recorded_at_us,
        "branch_point": of.branch_point,
        "outcome": "death_180d",
        "version": "2",
        "digest": "sha256:02",
        "assessment_id": of.assessment_id,
        "assessment_seq": seq,
        "tenant": of.tenant,
        "status": "answered",
        "prediction": 0.25,
        "champion_digest": "sha256:01",
        "champion_prediction": 0.2,
        **changes,
    }
    return Shadows(rows=(tuple(given.pop(name) for name in SHADOW_ROW),), **given)


def keyring_at(folder: Path) -> Keyring:
    return load_keyring(folder / "keys.toml", create=True)


def written(url: str, keyring: Keyring, *batches: Sequence[Entry]) -> list[Any]:
    """Prepare the ledger, write each batch as one transaction; returns all results."""
    book = Book(url, keyring)
    try:
        book.prepare()
        return [result for batch in batches for result in book.write(batch)]
    finally:
        book.close()


def reading(url: str) -> Engine:
    return open_engine(url, writes=False)


def change(url: str, *statements: str, **values: Any) -> None:
    """Do what someone with a database client and no key can do."""
    engine = open_engine(url, writes=True)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement), values)
    engine.dispose()


def ask(url: str, statement: str, **values: Any) -> list[Any]:
    engine = open_engine(url, writes=False)
    with engine.begin() as connection:
        rows = [tuple(row) for row in connection.execute(text(statement), values)]
    engine.dispose()
    return rows
