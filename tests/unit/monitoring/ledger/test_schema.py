"""The tables: made once, equal to what the code believes, refused when they are another's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from monitoring.keyring import ACCESS_LOG, LEDGER, PSEUDONYM, Keyring, load_keyring, rotate
from monitoring.ledger import Shadows
from monitoring.ledger.book import Book
from monitoring.ledger.engine import open_engine
from monitoring.ledger.errors import LedgerMisfit
from monitoring.ledger.schema import NEWEST, migrate, prepare, revision
from monitoring.ledger.tables import METADATA
from monitoring.ledger.verify import verify
from tests.lib.ledger import (
    NOTED,
    access,
    ask,
    assessment,
    change,
    keyring_at,
    one_of_each,
    reading,
    shadow,
    written,
)

START = """
import sys
from pathlib import Path
from monitoring.keyring import load_keyring
from monitoring.ledger.book import Book
sys.stdin.readline()
book = Book(sys.argv[1], load_keyring(Path(sys.argv[2])))
book.prepare()
book.close()
"""


def test_the_migrations_make_the_tables_the_code_believes_in(database_url: str) -> None:
    engine = open_engine(database_url, writes=True)
    migrate(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def test_a_second_migration_changes_nothing(database_url: str) -> None:
    engine = open_engine(database_url, writes=True)
    assert revision(engine) is None
    assert migrate(engine) == (None, NEWEST)
    assert migrate(engine) == (NEWEST, NEWEST)
    assert revision(engine) == NEWEST
    engine.dispose()


def test_first_starts_at_the_same_moment_all_succeed(
    database_url: str, keys: Path, keyring: Keyring
) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", START, database_url, str(keys)],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        _, complaint = process.communicate(timeout=60)
        assert process.returncode == 0, complaint[-800:]
    assert ask(database_url, "SELECT count(*) FROM events") == [(NOTED,)]
    engine = reading(database_url)
    assert verify(engine, keyring).holds
    engine.dispose()


@pytest.mark.parametrize("found", ["0000", "9999"])
def test_another_revision_is_refused(database_url: str, keyring: Keyring, found: str) -> None:
    written(database_url, keyring)
    change(database_url, "UPDATE alembic_version SET version_num = :found", found=found)
    book = Book(database_url, keyring)
    with pytest.raises(LedgerMisfit, match=found):
        book.prepare()
    book.close()


def test_a_ledger_without_shadows_gets_them_and_its_chain_goes_on(
    database_url: str, keyring: Keyring
) -> None:
    """As a site has it that upgrades: rows of every other table, and no place for shadows."""
    before = [entry for entry in one_of_each() if not isinstance(entry, Shadows)]
    written(database_url, keyring, before)
    change(database_url, "DROP TABLE shadows", "UPDATE alembic_version SET version_num = '0001'")
    engine = open_engine(database_url, writes=True)
    assert migrate(engine) == ("0001", NEWEST)
    engine.dispose()
    written(database_url, keyring, one_of_each(mark="2"))
    engine = reading(database_url)
    report = verify(engine, keyring)
    assert (report.holds, report.rows) == (True, NOTED + 6 + 7)
    engine.dispose()


def test_shadows_of_before_the_champions_columns_keep_their_links(
    database_url: str, keyring: Keyring
) -> None:
    """A ledger of revision 0002 with a row in it, and rows that go on after the upgrade."""
    given = assessment()
    old = shadow(given, champion_digest=None, champion_prediction=None)
    written(database_url, keyring, [given, old])
    change(
        database_url,
        "ALTER TABLE shadows DROP COLUMN champion_digest",
        "ALTER TABLE shadows DROP COLUMN champion_prediction",
        "UPDATE alembic_version SET version_num = '0002'",
    )
    engine = open_engine(database_url, writes=True)
    assert migrate(engine) == ("0002", NEWEST)
    engine.dispose()
    written(database_url, keyring, [shadow(given, digest="sha256:03")])
    engine = reading(database_url)
    report = verify(engine, keyring)
    assert (report.holds, report.rows) == (True, NOTED + 3)
    change(
        database_url, "UPDATE shadows SET champion_prediction = 0.9 WHERE champion_digest IS NULL"
    )
    assert not verify(engine, keyring).holds
    engine.dispose()


def test_a_newer_ledger_is_not_migrated(database_url: str, keyring: Keyring) -> None:
    written(database_url, keyring)
    change(database_url, "UPDATE alembic_version SET version_num = '9999'")
    engine = open_engine(database_url, writes=True)
    with pytest.raises(LedgerMisfit, match="newer"):
        migrate(engine)
    engine.dispose()


@pytest.mark.parametrize("purpose", [PSEUDONYM, ACCESS_LOG, LEDGER])
def test_new_versions_of_keys_are_noted_and_gone_ones_missed(
    database_url: str, tmp_path: Path, purpose: str
) -> None:
    keyring = keyring_at(tmp_path)
    written(database_url, keyring, [access()])
    rotate(tmp_path / "keys.toml", purpose)
    both = load_keyring(tmp_path / "keys.toml")
    written(database_url, both)
    written(database_url, both, [access()])
    assert ask(database_url, "SELECT count(*) FROM events") == [(NOTED + 1,)]
    newest = Keyring({**both.keys, purpose: both.every(purpose)[:1]})
    engine = open_engine(database_url, writes=True)
    with pytest.raises(LedgerMisfit, match=f"another `{purpose}` key of version 1"):
        prepare(engine, newest)
    engine.dispose()


def test_a_key_of_the_access_log_may_go_when_no_line_of_it_is_left(
    database_url: str, tmp_path: Path
) -> None:
    keyring = keyring_at(tmp_path)
    written(database_url, keyring)
    rotate(tmp_path / "keys.toml", ACCESS_LOG)
    both = load_keyring(tmp_path / "keys.toml")
    newest = Keyring({**both.keys, ACCESS_LOG: both.every(ACCESS_LOG)[:1]})
    written(database_url, both)
    written(database_url, newest)


def test_another_installations_pseudonym_key_is_refused(
    database_url: str, tmp_path: Path, keyring: Keyring
) -> None:
    written(database_url, keyring)
    stranger = keyring_at(tmp_path)
    mixed = Keyring({**keyring.keys, PSEUDONYM: stranger.every(PSEUDONYM)})
    engine = open_engine(database_url, writes=True)
    with pytest.raises(LedgerMisfit, match="pseudonym"):
        prepare(engine, mixed)
    engine.dispose()


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///:memory:", "mysql://root:hush@host/x", "no address", "oracle://x"],
)
def test_other_databases_are_refused_without_their_passwords(url: str) -> None:
    with pytest.raises(LedgerMisfit) as refused:
        open_engine(url, writes=True)
    assert "hush" not in str(refused.value)


def test_a_new_month_does_not_wait_for_a_long_read(
    database_url: str, kind: str, keyring: Keyring
) -> None:
    """A backup reads for minutes; the first row of a month makes a table meanwhile."""
    from monitoring.ledger.reading import snapshot
    from tests.lib.ledger import MONTH_US, NOW_US

    written(database_url, keyring, [access()])
    engine = reading(database_url)
    with snapshot(engine) as connection:
        count = "SELECT count(*) FROM accesses"
        assert connection.exec_driver_sql(count).scalar() == 1
        book = Book(database_url, keyring, patience_s=2.0)
        book.write([access(NOW_US + 2 * MONTH_US)])
        book.close()
        assert connection.exec_driver_sql(count).scalar() == 1
    engine.dispose()


def test_a_month_that_was_rolled_back_is_made_again(database_url: str, keyring: Keyring) -> None:
    from tests.lib.ledger import MONTH_US, NOW_US, feedback

    written(database_url, keyring)
    book = Book(database_url, keyring)
    later = NOW_US + 3 * MONTH_US
    with pytest.raises(Exception):  # noqa: B017, PT011 - each database says it its own way
        book.write([access(later), feedback(later, detail=None)])
    assert book.write([access(later)]) == [None]
    book.close()
