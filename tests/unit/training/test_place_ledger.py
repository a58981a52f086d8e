"""Whose place is meant, and what keeps an event from being written; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring.ledger.silence import Change, place_of, read_changes
from monitoring.ledger.verify import verify
from tests.lib.ledger import NOW_US, assessment, keyring_at, reading, written
from tests.lib.postgres import Postgres, needed_postgres
from training.errors import GoLiveRefused, LedgerClosed
from training.place_ledger import open_ledger

POINT = "icu-review"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    yield from needed_postgres()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


def change(live: bool, tenant: str) -> Change:
    return Change(NOW_US, live, tenant, POINT, "anna", "why")


def whose(folder: Path, url: str, tenant: str | None) -> tuple[str, str | None]:
    with open_ledger(url, folder, folder / "keys.toml") as ledger:
        found = ledger.whose(POINT, tenant)
        return found, ledger.told(found)


def test_an_event_is_written_and_the_chain_holds(url: str, tmp_path: Path):
    keyring = keyring_at(tmp_path)
    written(url, keyring, [assessment()])
    with open_ledger(url, tmp_path, tmp_path / "keys.toml") as ledger:
        assert ledger.whose(POINT, None) == "north"  # the only one that has assessments there
        ledger.write(change(True, "north"))
    engine = reading(url)
    with engine.connect() as connection:
        (event,) = read_changes(connection)
    assert place_of(event) == ("north", POINT)
    assert verify(engine, keyring).holds
    engine.dispose()


def test_the_tenant_is_asked_for_where_it_is_not_clear(tmp_path: Path):
    url, keyring = f"sqlite:///{tmp_path / 'ledger.db'}", keyring_at(tmp_path)
    written(url, keyring)
    assert whose(tmp_path, url, None)[0] == "default"
    written(url, keyring, [assessment(tenant="north"), assessment(tenant="south")])
    with pytest.raises(GoLiveRefused, match=r"of north, south; --tenant says whose"):
        whose(tmp_path, url, None)
    assert whose(tmp_path, url, "south") == ("south", None)
    with pytest.raises(GoLiveRefused, match="no tenant's id"):
        whose(tmp_path, url, "South")


def test_a_tenant_that_the_ledger_does_not_know_is_worth_a_second_look(tmp_path: Path):
    """A misspelt tenant would be silenced in name only."""
    url, keyring = f"sqlite:///{tmp_path / 'ledger.db'}", keyring_at(tmp_path)
    written(url, keyring, [assessment(tenant="north")])
    found, doubt = whose(tmp_path, url, "norht")
    assert found == "norht"
    assert doubt is not None
    assert "it has those of: north" in doubt
    written(url, keyring, [change(False, "norht").event()])
    assert whose(tmp_path, url, "norht")[1] is None


def test_what_cannot_be_opened_is_one_line(tmp_path: Path):
    keyring_at(tmp_path)
    with pytest.raises(LedgerClosed, match="no ledger at"), open_ledger(None, tmp_path, None):
        pass
    with pytest.raises(LedgerClosed, match="no ledger on `mysql`"):
        whose(tmp_path, "mysql://a/b", None)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    written(url, keyring_at(tmp_path))
    with pytest.raises(LedgerClosed, match="is not there"):
        whose(tmp_path / "elsewhere", url, None)
    (tmp_path / "other").mkdir()
    keyring_at(tmp_path / "other")
    with (
        pytest.raises(LedgerClosed, match="it was made with other keys"),
        open_ledger(url, tmp_path, tmp_path / "other" / "keys.toml") as ledger,
    ):
        ledger.prepare()
