"""Taking out what has been kept long enough, month by month, so that the chain still holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, func, select, text

from monitoring.keyring import Keyring
from monitoring.ledger.engine import POSTGRESQL, SQLITE, open_engine
from monitoring.ledger.errors import LedgerDamaged, RetentionTooShort
from monitoring.ledger.identifiers import month_of
from monitoring.ledger.page import Page
from monitoring.ledger.reading import Progress, chained_rows, months, snapshot
from monitoring.ledger.retired import RANGES_PER_EVENT, RETIRED, Range, to_detail
from monitoring.ledger.tables import ACCESSES, ASSESSMENTS, EVENTS, FEEDBACK, OUTCOMES, SHADOWS
from monitoring.ledger.verify import verify

ANSWER_MONTHS = 120
ACCESS_LOG_MONTHS = 60
"""HSLF-FS 2016:40, chapter 4, section 9: logs of access are kept for at least five years."""
PATIENCE_S = 60.0
PAGES_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Retention:
    """How many whole months rows stay after the month they were recorded in.

    Parameters
    ----------
    answers : int
        Assessments, outcomes, feedback, and what challengers would have answered.
    accesses : int
        The access log.

    Raises
    ------
    RetentionTooShort
        When the access log would be kept for less than five years, or answers for no month.

    Examples
    --------
    >>> Retention(answers=24).first_kept("assessments", 202611)
    202411
    >>> Retention().first_kept("accesses", 202611)
    202111
    """

    answers: int = ANSWER_MONTHS
    accesses: int = ACCESS_LOG_MONTHS

    def __post_init__(self) -> None:
        if self.accesses < ACCESS_LOG_MONTHS:
            raise RetentionTooShort(
                f"the access log is kept for at least {ACCESS_LOG_MONTHS} months "
                f"(HSLF-FS 2016:40, 4 kap. 9 §), not {self.accesses}"
            )
        if self.answers < 1:
            raise RetentionTooShort(f"answers are kept for at least 1 month, not {self.answers}")

    def first_kept(self, table: str, month: int) -> int:
        """The oldest month of a table that stays, seen from this month."""
        kept = self.accesses if table == ACCESSES.name else self.answers
        count = month // 100 * 12 + month % 100 - 1 - kept
        return count // 12 * 100 + count % 12 + 1


@dataclass(frozen=True, slots=True)
class Retired:
    """One month that was taken out, with its number of rows by table."""

    month: int
    rows: dict[str, int]


def retire(
    url: str,
    keyring: Keyring,
    retention: Retention,
    now_us: int,
    *,
    progress: Progress = lambda done, total: None,
) -> list[Retired]:
    """Remove the months that are older than their retention; each is one transaction.

    The event that tells of it is part of the same transaction and of the chain. Events are never
    removed. The whole ledger is verified first: what was tampered with must not vanish.

    Parameters
    ----------
    now_us : int
        The time, in microseconds since 1970.
    progress : callable
        Told how far the verification is.

    Raises
    ------
    LedgerDamaged
        When the ledger does not verify, or what is removed is not what was read; then the months
        not yet told of are untouched.
    """
    reads = open_engine(url, writes=False, patience_s=PATIENCE_S)
    writes = open_engine(url, writes=True, patience_s=PATIENCE_S)
    try:
        if not verify(reads, keyring, progress=progress).holds:
            raise LedgerDamaged("the ledger does not verify: nothing is retired, see `verify`")
        done = [
            _retire_month(reads, writes, keyring, month, tables, now_us)
            for month, tables in _due(reads, retention, now_us).items()
        ]
        if done and writes.dialect.name == SQLITE:
            _give_back_space(writes)
    finally:
        reads.dispose()
        writes.dispose()
    return done


def _due(engine: Engine, retention: Retention, now_us: int) -> dict[int, list[Table]]:
    now = month_of(now_us)
    due: dict[int, list[Table]] = {}
    with engine.connect() as connection:
        for table in (ASSESSMENTS, OUTCOMES, FEEDBACK, SHADOWS, ACCESSES):
            for month in months(connection, table):
                if month < retention.first_kept(table.name, now):
                    due.setdefault(month, []).append(table)
    return dict(sorted(due.items()))


def _retire_month(
    reads: Engine,
    writes: Engine,
    keyring: Keyring,
    month: int,
    tables: Sequence[Table],
    now_us: int,
) -> Retired:
    # Past months do not change: their ranges are read beside the writers, not in their way.
    ranges, rows = _ranges(reads, month, tables)
    with writes.begin() as connection:
        page = Page(connection, keyring)
        for start in range(0, len(ranges), RANGES_PER_EVENT):
            told = rows if start == 0 else {}
            some = ranges[start : start + RANGES_PER_EVENT]
            detail = to_detail(month, told, some, after=page.head[1])
            page.add(EVENTS, now_us, {"kind": RETIRED, "detail": detail})
        for table in tables:
            if _remove(connection, table, month) != rows.get(table.name, 0):
                raise LedgerDamaged(
                    f"{table.name} of {month} changed while they were retired: try again"
                )
        page.close()
    return Retired(month, dict(rows))


def _ranges(
    engine: Engine, month: int, tables: Sequence[Table]
) -> tuple[list[Range], Counter[str]]:
    ranges: list[Range] = []
    rows: Counter[str] = Counter()
    with snapshot(engine) as connection:
        for row in chained_rows(connection, tables, columns=("month", "seq", "chain"), month=month):
            rows[row.table.name] += 1
            this = Range(row.seq, row.seq, row.values["chain"])
            if ranges and ranges[-1].last == row.seq - 1:
                ranges[-1] = this._replace(first=ranges[-1].first)
            else:
                ranges.append(this)
    return ranges, rows


def _remove(connection: Connection, table: Table, month: int) -> int:
    of_month = table.c.month == month
    if connection.dialect.name != POSTGRESQL:
        # What is removed is overwritten, not only marked as free.
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
        return connection.execute(delete(table).where(of_month)).rowcount
    # The lock first, so that what is counted is what is dropped.
    connection.execute(text(f"LOCK TABLE {table.name}_{month} IN ACCESS EXCLUSIVE MODE"))
    count = connection.execute(select(func.count()).select_from(table).where(of_month)).scalar_one()
    connection.execute(text(f"DROP TABLE {table.name}_{month}"))
    return int(count)


def _give_back_space(engine: Engine) -> None:
    """Shrink SQLite's files, a little at a time: others write in between."""
    connection = engine.raw_connection()
    try:
        driver: Any = connection.driver_connection
        while driver.execute("PRAGMA freelist_count").fetchone()[0]:
            before = driver.execute("PRAGMA page_count").fetchone()[0]
            driver.execute(f"PRAGMA incremental_vacuum({PAGES_AT_ONCE})").fetchall()
            if driver.execute("PRAGMA page_count").fetchone()[0] == before:
                break  # a file that was not made to shrink: its free pages are used again
        driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.close()
