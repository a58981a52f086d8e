"""Reading the access log: every reading is itself a line of it, with the reason that was given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sqlalchemy import select

from app.access_log.seal import READ_LOG, AccessLog, Actor, Touched
from app.errors import AppError
from monitoring.keyring import Keyring
from monitoring.ledger.book import Book
from monitoring.ledger.engine import open_engine
from monitoring.ledger.tables import ACCESSES

ROWS_AT_A_TIME = 1000


class LogUnreadable(AppError):
    """The access log cannot be read like this."""


@dataclass(frozen=True, slots=True)
class Access:
    """One line of the access log, opened."""

    recorded_at_us: int
    action: str
    client: str = field(repr=False)
    user: str | None = field(repr=False)
    tenant: str
    patient: str | None = field(repr=False)
    episode: str | None = field(repr=False)
    unit: str | None = field(repr=False)
    branch_point: str | None
    assessment_id: str | None
    episode_id: str | None
    reason: str | None = field(repr=False)
    subject_id: str | None
    protected: bool = False


def read_log(
    url: str,
    keyring: Keyring,
    actor: Actor,
    reason: str,
    *,
    now_us: int,
    since_us: int = 0,
    until_us: int | None = None,
    same_patient: Callable[[str], bool] | None = None,
    subject_ids: frozenset[str] = frozenset(),
    action: str = READ_LOG,
) -> Iterator[Access]:
    """Open the lines of a period, or those of one patient, oldest first.

    The reading is recorded, durable, before the first line is shown.

    Parameters
    ----------
    reason : str
        Why; it becomes part of the log.
    same_patient : callable, optional
        Whether a patient as sent is the one whose extract is wanted (Patient Data Act 8:5).
    subject_ids : frozenset of str
        The pseudonyms of that patient under every key and tenant.

    Raises
    ------
    LogUnreadable
        Without a reason, or when a line was sealed with a key that is not here.
    """
    if not reason.strip():
        raise LogUnreadable("a reason is needed: it becomes part of the log")
    log = AccessLog(keyring)
    book = Book(url, keyring)
    try:
        book.prepare()
        book.write([log.seal(now_us, actor, Touched(action, reason=reason))])
    finally:
        book.close()
    engine = open_engine(url, writes=False, patience_s=60.0)
    theirs: set[str] = set()
    rows = (
        select(
            ACCESSES.c.recorded_at_us,
            ACCESSES.c.subject_id,
            ACCESSES.c.key_version,
            ACCESSES.c.sealed,
        )
        .where(ACCESSES.c.recorded_at_us >= since_us)
        .order_by(ACCESSES.c.seq)
    )
    if until_us is not None:
        rows = rows.where(ACCESSES.c.recorded_at_us < until_us)
    try:
        with engine.connect().execution_options(yield_per=ROWS_AT_A_TIME) as connection:
            for row in connection.execute(rows):
                line = log.open(row.recorded_at_us, row.key_version, bytes(row.sealed))
                if line is None:
                    raise LogUnreadable(
                        f"a line was sealed with key version {row.key_version} of `access_log`, "
                        "which this keyring does not hold, or was changed; `risk-monitor verify`"
                    )
                if same_patient is not None and not _theirs(
                    line, row.subject_id, same_patient, subject_ids, theirs
                ):
                    continue
                yield Access(
                    recorded_at_us=row.recorded_at_us,
                    action=line["action"],
                    client=line["client"],
                    user=line.get("user"),
                    tenant=line["tenant"],
                    patient=line.get("patient"),
                    episode=line.get("episode"),
                    unit=line.get("unit"),
                    branch_point=line.get("branch_point"),
                    assessment_id=line.get("assessment_id"),
                    episode_id=line.get("episode_id"),
                    reason=line.get("reason"),
                    subject_id=row.subject_id,
                    protected=bool(line.get("protected")),
                )
    finally:
        engine.dispose()


def _theirs(
    line: dict[str, str],
    subject_id: str | None,
    same_patient: Callable[[str], bool],
    subject_ids: frozenset[str],
    theirs: set[str],
) -> bool:
    """Whether a line is about the patient: by name, by pseudonym, or by an assessment of theirs.

    A reading by assessment names no patient; the assessment itself, an earlier line, does.
    """
    patient, about = line.get("patient"), line.get("assessment_id")
    found = (
        (patient is not None and same_patient(patient))
        or subject_id in subject_ids
        or (about is not None and about in theirs)
    )
    if found and about is not None:
        theirs.add(about)
    return found
