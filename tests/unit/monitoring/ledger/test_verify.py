# ruff: noqa: S608 - statements are put together from our own names
"""Whoever can write the database and has no key is found out, and the place is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, column, select, table, update
from sqlalchemy.exc import DatabaseError

from monitoring.keyring import LEDGER, Keyring, load_keyring, rotate
from monitoring.ledger.book import Book
from monitoring.ledger.engine import open_engine
from monitoring.ledger.errors import LedgerDamaged
from monitoring.ledger.reading import as_stored, chained_rows, snapshot
from monitoring.ledger.tables import CHAINED
from monitoring.ledger.verify import (
    ALTERED,
    HEAD_WRONG,
    INSERTED,
    MISPLACED,
    REMOVED,
    UNKNOWN_KEY,
    Finding,
    Report,
    verify,
    verify_within,
)
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
    reading,
    written,
)
from tests.lib.properties import HEAVY_LAW

COLUMNS = [(of.name, item.name) for of in CHAINED for item in of.columns]
ROWS = NOTED + 7 + 7  # one row for each table in either month
LAST_MONTH, THIS_MONTH = 202610, 202611


@dataclass(frozen=True)
class Tampered:
    """A ledger in an open transaction that is never committed: every test starts from the same."""

    connection: Connection
    keyring: Keyring

    def report(self, **given: Any) -> Report:
        with as_stored(self.connection):
            return verify_within(self.connection, self.keyring, **given)

    def findings(self) -> tuple[Finding, ...]:
        return self.report().findings

    def row(self, name: str, month: int = LAST_MONTH) -> dict[str, Any]:
        """The table's row of that month, as stored; of several the last."""
        of = next(of for of in CHAINED if of.name == name)
        names = [item.name for item in of.columns]
        stored = table(name, *map(column, names))
        wanted = select(stored).where(stored.c.month == month).order_by(stored.c.seq.desc())
        with as_stored(self.connection):
            return dict(zip(names, self.connection.execute(wanted.limit(1)).one(), strict=True))

    def set(self, name: str, number: Any, /, **values: Any) -> None:
        stored = table(name, *map(column, {"seq", *values}))
        done = self.connection.execute(
            update(stored).where(stored.c.seq == number).values(**values)
        )
        assert done.rowcount == 1

    def sql(self, *statements: str) -> None:
        for statement in statements:
            self.connection.exec_driver_sql(statement)


@pytest.fixture(scope="module")
def url(module_url: str, keyring: Keyring) -> str:
    written(module_url, keyring, one_of_each(NOW_US - MONTH_US), one_of_each(NOW_US, "2"))
    return module_url


@pytest.fixture
def ledger(url: str, keyring: Keyring) -> Iterator[Tampered]:
    engine = open_engine(url, writes=True)
    with engine.connect() as connection:
        yield Tampered(connection, keyring)
        connection.rollback()
    engine.dispose()


@pytest.fixture
def in_sqlite(tmp_path: Path, keyring: Keyring) -> Iterator[Tampered]:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    written(url, keyring, one_of_each(NOW_US - MONTH_US), one_of_each(NOW_US, "2"))
    engine = open_engine(url, writes=True)
    with engine.connect() as connection:
        yield Tampered(connection, keyring)
        connection.rollback()
    engine.dispose()


def other(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, bytes):
        return value[:-1] + bytes((value[-1] ^ 1,))
    if isinstance(value, str):
        return ("b" if value[:1] == "a" else "a") + value[1:]
    return "x" if value is None else value + 1


def test_an_untouched_ledger_holds(ledger: Tampered) -> None:
    report = ledger.report()
    assert report.holds
    assert report.rows == report.head[0] == ROWS


@pytest.mark.parametrize(("name", "what"), COLUMNS)
def test_a_change_in_any_column_of_any_table_is_located(
    ledger: Tampered, name: str, what: str
) -> None:
    row = ledger.row(name)
    seq = row["seq"]
    if what == "month":
        ledger.set(name, seq, month=THIS_MONTH)
        assert ledger.findings() == (Finding(MISPLACED, name, seq),)
    elif what == "seq":
        ledger.set(name, seq, seq=1000)
        assert ledger.findings() == (
            Finding(REMOVED, None, seq, seq),
            Finding(INSERTED, name, 1000),
        )
    else:
        value = row[what]
        number = what in ("protected", "corrects_seq")
        changed = (not value if what == "protected" else 7) if number else other(value)
        ledger.set(name, seq, **{what: changed})
        assert ledger.findings() == (Finding(ALTERED, name, seq),)


@pytest.mark.parametrize("what", ["id", "seq", "chain", "seal"])
def test_a_change_in_any_column_of_the_head_is_located(ledger: Tampered, what: str) -> None:
    stored = table("head", column(what))
    value = ledger.connection.execute(select(stored)).scalar()
    ledger.connection.execute(update(stored).values(**{what: other(value)}))
    assert ledger.findings() == (Finding(HEAD_WRONG),)


def test_a_head_that_is_gone_is_found(ledger: Tampered) -> None:
    ledger.sql("DELETE FROM head")
    assert ledger.findings() == (Finding(HEAD_WRONG),)


def every_byte(value: Any) -> Iterator[Any]:
    """A value with one bit of one byte changed, for each of its bytes."""
    data = value if isinstance(value, bytes) else value.encode()
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        yield (
            bytes(changed)
            if isinstance(value, bytes)
            else bytes(changed).decode("utf-8", "surrogateescape")
        )


@pytest.mark.parametrize("name", ["accesses", "events"])
def test_a_changed_bit_in_any_byte_of_a_row_is_located(ledger: Tampered, name: str) -> None:
    change_every_byte(ledger, name)


def test_a_changed_bit_in_any_byte_of_an_assessment_is_located(in_sqlite: Tampered) -> None:
    """On one database: it has more bytes than the others together."""
    change_every_byte(in_sqlite, "assessments")


def change_every_byte(ledger: Tampered, name: str) -> None:
    sqlite = ledger.connection.dialect.name == "sqlite"
    row = ledger.row(name)
    seq, tried = row["seq"], 0
    for what, value in row.items():
        if not isinstance(value, str | bytes):
            continue
        for changed in every_byte(value):
            if isinstance(changed, str) and sqlite:
                raw = changed.encode("utf-8", "surrogateescape").hex()
                ledger.sql(f"UPDATE {name} SET {what} = CAST(x'{raw}' AS TEXT) WHERE seq = {seq}")
            else:
                ledger.set(name, seq, **{what: changed})
            what_is = UNKNOWN_KEY if what == "chain" and changed[0] != value[0] else ALTERED
            (found,) = ledger.findings()
            # Without its first byte an escaped letter is no UTF-8, and still a row of the report.
            assert (found.what in (what_is, ALTERED), found.table, found.seq) == (True, name, seq)
            tried += 1
        if isinstance(value, str) and sqlite:
            raw = value.encode("utf-8", "surrogateescape").hex()
            ledger.sql(f"UPDATE {name} SET {what} = CAST(x'{raw}' AS TEXT) WHERE seq = {seq}")
        else:
            ledger.set(name, seq, **{what: value})
    assert tried > 40
    assert ledger.report().holds


@pytest.mark.parametrize("value", ["'12'", "1200.5", "x'00'", "'many'"])
def test_a_value_of_another_type_is_located(in_sqlite: Tampered, value: str) -> None:
    """Only SQLite keeps one."""
    seq = in_sqlite.row("assessments")["seq"]
    in_sqlite.sql(f"UPDATE assessments SET latency_us = {value} WHERE seq = {seq}")
    assert in_sqlite.findings() == (Finding(ALTERED, "assessments", seq),)


@pytest.mark.parametrize("value", ["2", "'t'", "1.5"])
def test_a_flag_that_is_none_is_located(in_sqlite: Tampered, value: str) -> None:
    """Only SQLite keeps one."""
    seq = in_sqlite.row("assessments")["seq"]
    in_sqlite.sql(f"UPDATE assessments SET protected = {value} WHERE seq = {seq}")
    assert in_sqlite.findings() == (Finding(ALTERED, "assessments", seq),)


@pytest.mark.parametrize("number", ["'abc'", "3.5", "x'01'"])
def test_a_number_that_is_none_is_found(in_sqlite: Tampered, number: str) -> None:
    seq = in_sqlite.row("assessments")["seq"]
    in_sqlite.sql(f"UPDATE assessments SET seq = {number} WHERE seq = {seq}")
    assert set(in_sqlite.findings()) == {
        Finding(REMOVED, None, seq, seq), Finding(INSERTED, "assessments"),
    }  # fmt: skip


@pytest.mark.parametrize("seq", range(1, ROWS + 1))
def test_any_removed_row_is_located(ledger: Tampered, seq: int) -> None:
    ledger.sql(*(f"DELETE FROM {of.name} WHERE seq = {seq}" for of in CHAINED))
    assert ledger.findings() == (Finding(REMOVED, None, seq, seq),)


def test_an_emptied_table_is_located_range_by_range(ledger: Tampered) -> None:
    seqs = [ledger.row("accesses", month)["seq"] for month in (LAST_MONTH, THIS_MONTH)]
    ledger.sql("DELETE FROM accesses")
    assert ledger.findings() == tuple(Finding(REMOVED, None, seq, seq) for seq in seqs)


def test_rows_cut_off_the_end_are_located(ledger: Tampered) -> None:
    ledger.sql(*(f"DELETE FROM {of.name} WHERE seq > {ROWS - 3}" for of in CHAINED))
    assert ledger.findings() == (Finding(REMOVED, None, ROWS - 2, ROWS),)


def test_a_head_put_back_over_a_cut_end_is_found(ledger: Tampered) -> None:
    """The link of the new last row is known to everyone; the seal is not."""
    chain = ledger.row("accesses", THIS_MONTH)
    ledger.sql(*(f"DELETE FROM {of.name} WHERE seq > {chain['seq']}" for of in CHAINED))
    stored = table("head", column("seq"), column("chain"))
    ledger.connection.execute(update(stored).values(seq=chain["seq"], chain=chain["chain"]))
    assert ledger.findings() == (Finding(HEAD_WRONG),)


def test_everything_emptied_under_the_head_is_found(ledger: Tampered) -> None:
    ledger.sql(*(f"DELETE FROM {of.name}" for of in CHAINED))
    assert ledger.findings() == (Finding(REMOVED, None, 1, ROWS),)


def copied(name: str, row: dict[str, Any], **changes: Any) -> Any:
    values = {**row, **changes}
    return table(name, *map(column, values)).insert().values(**values)


def test_a_row_forged_after_the_end_is_located(ledger: Tampered) -> None:
    row = ledger.row("accesses", THIS_MONTH)
    ledger.connection.execute(copied("accesses", row, seq=ROWS + 1))
    assert ledger.findings() == (Finding(INSERTED, "accesses", ROWS + 1),)


@pytest.mark.parametrize("seq", [0, -5])
def test_a_row_forged_before_the_beginning_is_located(ledger: Tampered, seq: int) -> None:
    ledger.connection.execute(copied("accesses", ledger.row("accesses"), seq=seq))
    assert ledger.findings() == (Finding(INSERTED, "accesses", seq),)


@pytest.mark.parametrize("seq", range(1, ROWS + 1))
def test_a_row_forged_over_any_number_is_located(ledger: Tampered, seq: int) -> None:
    """The month is another one, as a month's numbers are unique in a table."""
    row = ledger.row("accesses")
    taken = {ledger.row("accesses", month)["seq"]: month for month in (LAST_MONTH, THIS_MONTH)}
    month = THIS_MONTH if taken.get(seq) == LAST_MONTH else LAST_MONTH
    ledger.connection.execute(copied("accesses", row, seq=seq, month=month, sealed=b"forged"))
    assert ledger.findings() == (Finding(INSERTED, "accesses", seq),)


def test_a_number_moved_onto_another_is_located(ledger: Tampered) -> None:
    seq = ledger.row("assessments")["seq"]
    ledger.set("assessments", seq, seq=seq + 1)
    found = ledger.findings()
    assert {f.seq for f in found} <= {seq, seq + 1}
    assert found


def test_two_rows_that_changed_places_are_both_located(ledger: Tampered) -> None:
    one, two = ledger.row("accesses")["seq"], ledger.row("accesses", THIS_MONTH)["seq"]
    ledger.sql(
        f"UPDATE accesses SET seq = 999 WHERE seq = {one}",
        f"UPDATE accesses SET seq = {one} WHERE seq = {two}",
        f"UPDATE accesses SET seq = {two} WHERE seq = 999",
    )
    # Either took its link along: the row after it has nothing left to be held to.
    assert [f.seq for f in ledger.findings()] == [one, one + 1, two, two + 1]


def test_neighbours_that_changed_places_are_both_located(ledger: Tampered) -> None:
    one = ledger.row("assessments")["seq"]
    assert ledger.row("accesses")["seq"] == one + 1
    ledger.set("assessments", one, seq=one + 1)
    ledger.sql(f"UPDATE accesses SET seq = {one} WHERE seq = {one + 1}")
    assert {(f.table, f.seq) for f in ledger.findings()} == {
        ("assessments", one + 1), ("accesses", one),
    }  # fmt: skip


def test_several_deeds_are_located_each(ledger: Tampered) -> None:
    first, last = ledger.row("accesses"), ledger.row("outcomes", THIS_MONTH)
    ledger.set("accesses", first["seq"], sealed=b"x")
    ledger.set("outcomes", last["seq"], value=0.0)
    assert ledger.findings() == (
        Finding(ALTERED, "accesses", first["seq"]), Finding(ALTERED, "outcomes", last["seq"]),
    )  # fmt: skip


def test_a_noted_head_is_met_and_a_strange_one_is_not(ledger: Tampered) -> None:
    row = ledger.row("accesses")
    noted = row["seq"], row["chain"].hex()
    assert ledger.report(expected_heads=[noted]).holds
    assert ledger.report(expected_heads=[(row["seq"], "01ff")]).findings == (
        Finding(HEAD_WRONG, None, row["seq"]),
    )
    assert ledger.report(expected_heads=[(ROWS + 5, "01ff")]).findings == (
        Finding(HEAD_WRONG, None, ROWS + 5),
    )


def test_only_a_noted_head_shows_a_database_put_back(database_url: str, keyring: Keyring) -> None:
    written(database_url, keyring, [access()])
    kept = ask(database_url, "SELECT seq, chain, seal FROM head")[0]
    written(database_url, keyring, [access(), access()])
    engine = reading(database_url)
    newer = verify(engine, keyring).head
    change(database_url, f"DELETE FROM accesses WHERE seq > {kept[0]}")
    change(
        database_url, "UPDATE head SET seq = :seq, chain = :chain, seal = :seal",
        seq=kept[0], chain=bytes(kept[1]), seal=bytes(kept[2]),
    )  # fmt: skip
    assert verify(engine, keyring).holds
    assert verify(engine, keyring, expected_heads=[newer]).findings == (
        Finding(HEAD_WRONG, None, newer[0]),
    )
    engine.dispose()


def test_an_old_sealed_head_over_newer_rows_is_found(database_url: str, keyring: Keyring) -> None:
    written(database_url, keyring, [access()])
    kept = ask(database_url, "SELECT seq, chain, seal FROM head")[0]
    written(database_url, keyring, [access(), access()])
    change(
        database_url, "UPDATE head SET seq = :seq, chain = :chain, seal = :seal",
        seq=kept[0], chain=bytes(kept[1]), seal=bytes(kept[2]),
    )  # fmt: skip
    engine = reading(database_url)
    assert verify(engine, keyring).findings == (Finding(HEAD_WRONG),)
    engine.dispose()


def test_nothing_is_written_onto_a_head_that_was_tampered_with(
    database_url: str, keyring: Keyring
) -> None:
    written(database_url, keyring, [access()])
    change(database_url, "UPDATE head SET seq = seq - 1")
    book = Book(database_url, keyring)
    with pytest.raises(LedgerDamaged):
        book.write([access()])
    book.close()


def test_an_empty_ledger_holds(database_url: str, keyring: Keyring) -> None:
    from monitoring.ledger.schema import migrate

    engine = open_engine(database_url, writes=True)
    migrate(engine)
    assert verify(engine, keyring) == Report(0, (), 0, (0, ""))
    engine.dispose()


def test_links_of_a_key_that_is_not_here_are_one_finding(database_url: str, tmp_path: Path) -> None:
    keyring = keyring_at(tmp_path)
    written(database_url, keyring, [access()])
    rotate(tmp_path / "keys.toml", LEDGER)
    both = load_keyring(tmp_path / "keys.toml")
    written(database_url, both, [access(), access()])
    engine = reading(database_url)
    assert verify(engine, both).holds
    newer = Keyring({**both.keys, LEDGER: both.every(LEDGER)[:1]})
    assert verify(engine, newer).findings[0] == Finding(UNKNOWN_KEY, None, 1, NOTED + 1)
    strangers = keyring_at(tmp_path / "else")
    assert verify(engine, strangers).findings[0] == Finding(ALTERED, "events", 1)
    engine.dispose()


def test_an_older_key_makes_no_newer_rows(database_url: str, tmp_path: Path) -> None:
    """Should an old key leak, it forges nothing that is newer than its successor."""
    old = keyring_at(tmp_path)
    rotate(tmp_path / "keys.toml", LEDGER)
    both = load_keyring(tmp_path / "keys.toml")
    written(database_url, both, [access()])
    before = ask(database_url, "SELECT seq FROM head")[0][0]
    leaked = Keyring({**old.keys, LEDGER: both.every(LEDGER)})
    reordered = Keyring({**leaked.keys, LEDGER: tuple(reversed(both.every(LEDGER)))})
    book = Book(database_url, reordered)
    book.write([access(), access()])
    book.close()
    engine = reading(database_url)
    assert (
        Finding(INSERTED, "accesses", before + 1) in verify(engine, both).findings
        or Finding(ALTERED, "accesses", before + 1) in verify(engine, both).findings
    )
    engine.dispose()


def test_a_long_list_of_findings_is_cut_and_counted(database_url: str, keyring: Keyring) -> None:
    written(database_url, keyring, [access() for _ in range(1_200)])
    change(database_url, "UPDATE accesses SET key_version = 9")
    engine = reading(database_url)
    report = verify(engine, keyring)
    assert (len(report.findings), report.further) == (1_000, 200)
    engine.dispose()


def stored_rows(url: str) -> list[Any]:
    engine = reading(url)
    with snapshot(engine) as connection:
        rows = [(row.table.name, row.values) for row in chained_rows(connection)]
    engine.dispose()
    return rows


@HEAVY_LAW
@given(st.data())
def test_a_changed_byte_of_the_file_is_found_or_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, keyring: Keyring, data: st.DataObject
) -> None:
    """Not by SQL but with an editor on SQLite's file."""
    file = tmp_path_factory.mktemp("file") / "ledger.db"
    url = f"sqlite:///{file}"
    secret = b"unmistakable" * 20
    written(url, keyring, [access(sealed=secret), assessment()])
    engine = open_engine(url, writes=True)
    with engine.connect() as connection:
        connection.rollback()
        connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    before = stored_rows(url)
    content = bytearray(file.read_bytes())
    start = content.index(secret)
    place = data.draw(st.integers(start - 60, start + len(secret) + 40))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(content)
    found, complaint = checked_file(url, keyring)
    assert "unmistakable" not in complaint
    # A byte that holds nothing changes nothing.
    assert found or complaint or stored_rows(url) == before


def checked_file(url: str, keyring: Keyring) -> tuple[tuple[Finding, ...], str]:
    """Findings, or what SQLite says of a file it cannot read."""
    engine = reading(url)
    try:
        return verify(engine, keyring).findings, ""
    except DatabaseError as error:
        return (), str(error)
    finally:
        engine.dispose()


@HEAVY_LAW
@given(batches=st.lists(st.lists(st.integers(0, 5), max_size=6), max_size=6))
def test_any_entries_in_any_batches_make_a_chain_that_holds(
    tmp_path_factory: pytest.TempPathFactory, keyring: Keyring, batches: list[list[int]]
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('batches') / 'ledger.db'}"
    written(url, keyring, *([one_of_each()[kind] for kind in batch] for batch in batches))
    engine = reading(url)
    report = verify(engine, keyring)
    assert report.holds
    assert report.rows == report.head[0]
    engine.dispose()


def test_a_check_sees_one_state_while_others_write(database_url: str, keyring: Keyring) -> None:
    written(database_url, keyring, [access() for _ in range(2_500)])
    engine = reading(database_url)
    book = Book(database_url, keyring)
    wrote: list[int] = []

    def write_more(done: int, total: int) -> None:
        book.write([access()])
        wrote.append(done)

    report = verify(engine, keyring, progress=write_more)
    assert report.holds
    assert report.rows == NOTED + 2_500
    assert len(wrote) == 3
    assert verify(engine, keyring).rows == NOTED + 2_503
    book.close()
    engine.dispose()
