"""SQLite's log is copied beside the writing, begins anew under load, and loses nothing."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from monitoring.keyring import Keyring
from monitoring.ledger.book import Book
from monitoring.ledger.checkpoints import EVERY_ENTRIES, Checkpoints
from monitoring.ledger.verify import verify
from tests.lib.ledger import assessment, reading

ANSWER = b'{"outcomes":"' + b"x" * 20_000 + b'"}'
MEGABYTE = 1_000_000
AT_A_TIME = 8


def opened(file: Path, keyring: Keyring) -> Book:
    book = Book(f"sqlite:///{file}", keyring)
    book.prepare()
    return book


def test_under_unbroken_load_the_log_stays_short(tmp_path: Path, keyring: Keyring) -> None:
    """Ten logs' worth is written: without the writer's last step nothing would begin anew."""
    file = tmp_path / "ledger.db"
    book, log, longest = opened(file, keyring), tmp_path / "ledger.db-wal", 0
    entries = 10 * EVERY_ENTRIES
    for _ in range(entries // AT_A_TIME):
        book.write([assessment(answer=ANSWER) for _ in range(AT_A_TIME)])
        longest = max(longest, log.stat().st_size)
    written = entries * len(ANSWER)
    assert longest < written / 3
    assert file.stat().st_size > written / 2
    book.close()
    assert not log.exists()
    engine = reading(f"sqlite:///{file}")
    found = verify(engine, keyring)
    engine.dispose()
    assert found.holds
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("SELECT count(*) FROM assessments").fetchone() == (entries,)


def test_a_reader_of_long_ago_keeps_the_log_and_its_own_view(
    tmp_path: Path, keyring: Keyring
) -> None:
    """What it still reads cannot be copied over; the writing goes on meanwhile, the log after it."""
    file = tmp_path / "ledger.db"
    book, log = opened(file, keyring), tmp_path / "ledger.db-wal"
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        before = reader.execute("SELECT count(*) FROM assessments").fetchone()
        for _ in range(3 * EVERY_ENTRIES // AT_A_TIME):
            book.write([assessment(answer=ANSWER) for _ in range(AT_A_TIME)])
        held = log.stat().st_size
        assert held > 3 * EVERY_ENTRIES * len(ANSWER)
        assert reader.execute("SELECT count(*) FROM assessments").fetchone() == before
        reader.execute("COMMIT")
    for _ in range(3 * EVERY_ENTRIES // AT_A_TIME):
        book.write([assessment(answer=ANSWER) for _ in range(AT_A_TIME)])
    assert log.stat().st_size < 1.5 * held
    book.close()


def test_what_cannot_be_copied_harms_nobody(tmp_path: Path, keyring: Keyring) -> None:
    file = tmp_path / "ledger.db"
    book = opened(file, keyring)
    book.write([assessment()])
    no_database = tmp_path / "text.db"
    no_database.write_text("no database" * 1000, encoding="utf-8")
    for place in (tmp_path / "gone" / "ledger.db", no_database):
        checkpoints = Checkpoints(str(place), every=1)
        checkpoints.written(1)
        checkpoints.end(10.0)
        assert not checkpoints.nearly_done
    assert not (tmp_path / "gone").exists()
    book.write([assessment()])
    book.close()


def test_file_and_log_are_a_ledger_at_every_moment(tmp_path: Path, keyring: Keyring) -> None:
    """What stands on the disk while both are being written and copied, as a loss of power leaves it."""
    file = tmp_path / "ledger.db"
    book, stopped = opened(file, keyring), threading.Event()

    def write() -> None:
        while not stopped.is_set():
            book.write([assessment(answer=ANSWER) for _ in range(AT_A_TIME)])

    writing = threading.Thread(target=write)
    writing.start()
    try:
        heads = []
        for moment in range(12):
            taken = tmp_path / str(moment)
            taken.mkdir()
            # The log first: pages that are copied out of it stay in it until it begins anew.
            with closing(sqlite3.connect(file, isolation_level=None)) as still:
                still.execute("BEGIN")  # a reader: the log does not begin anew under the copying
                still.execute("SELECT count(*) FROM head").fetchone()
                shutil.copy(file, taken / "ledger.db")
                shutil.copy(tmp_path / "ledger.db-wal", taken / "ledger.db-wal")
                still.execute("COMMIT")
            engine = reading(f"sqlite:///{taken / 'ledger.db'}")
            found = verify(engine, keyring)
            engine.dispose()
            assert found.holds
            heads.append(found.head[0])
    finally:
        stopped.set()
        writing.join()
        book.close()
    assert heads == sorted(heads)
    assert heads[-1] > heads[0]
