"""The ledger's label: stays while it grows, and is another when something was taken out of it."""

from __future__ import annotations

from typing import Any

import pytest

from models.vocabulary import Vocabulary
from monitoring.keyring import Keyring
from monitoring.ledger.reading import snapshot
from monitoring.ledger.retention import Retention, retire
from monitoring.outcomes import AnotherLedger, Followed, follow
from monitoring.outcomes.identity import Identity
from tests.lib.ledger import MONTH_US, NOW_US, access, keyring_at, one_of_each, written
from tests.lib.reported import opened

RETENTION = Retention(answers=24)


def label(url: str, identity: Identity | None = None) -> str:
    with opened(url) as engine, snapshot(engine) as connection:
        return (identity or Identity()).label(connection)


def test_writing_keeps_the_label_and_retiring_answers_changes_it(
    database_url: str, keyring: Keyring
) -> None:
    written(database_url, keyring, one_of_each(NOW_US - 30 * MONTH_US))
    identity = Identity()
    first = label(database_url, identity)
    assert len(first) == 12
    written(database_url, keyring, one_of_each(NOW_US, "2"))
    assert label(database_url, identity) == label(database_url) == first
    assert retire(database_url, keyring, RETENTION, NOW_US)
    second = label(database_url, identity)
    assert second != first
    assert label(database_url) == second
    written(database_url, keyring, one_of_each(NOW_US, "3"))
    assert label(database_url) == second


def test_retiring_lines_of_the_access_log_keeps_it(database_url: str, keyring: Keyring) -> None:
    """Nothing that is counted went: the counters are what they were."""
    written(database_url, keyring, [access(NOW_US - 70 * MONTH_US)], one_of_each(NOW_US))
    before = label(database_url)
    assert [month.rows for month in retire(database_url, keyring, RETENTION, NOW_US)] == [
        {"accesses": 1}
    ]
    assert label(database_url) == before


def test_two_ledgers_have_two_labels(tmp_path: Any) -> None:
    labels = set()
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        url = f"sqlite:///{folder}/ledger.db"
        written(url, keyring_at(folder))
        labels.add(label(url))
    assert len(labels) == 2


def test_who_follows_notices_that_months_went(
    database_url: str, keyring: Keyring, vocabulary: Vocabulary
) -> None:
    written(database_url, keyring, one_of_each(NOW_US - 30 * MONTH_US))
    known = Followed(vocabulary)
    with opened(database_url) as engine:
        follow(known, engine, NOW_US)
    assert known.complete
    retire(database_url, keyring, RETENTION, NOW_US)
    with opened(database_url) as engine, pytest.raises(AnotherLedger):
        follow(known, engine, NOW_US)
