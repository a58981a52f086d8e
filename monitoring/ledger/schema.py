"""Making and upgrading the ledger's tables, and seeing whether they are what this version needs.

Alembic is imported only when there is something to do: the serving process never needs it.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, select, text

from monitoring.keyring import ACCESS_LOG, LEDGER, PSEUDONYM, Keyring
from monitoring.ledger.engine import POSTGRESQL
from monitoring.ledger.entries import Event
from monitoring.ledger.errors import LedgerMisfit
from monitoring.ledger.page import Page
from monitoring.ledger.tables import ACCESSES, EVENTS

MIGRATIONS = Path(__file__).parent / "migrations"
NEWEST = "0003"
"""The revision that this version works with: the last file of `migrations/versions`."""
ADVISORY_LOCK = 0x5249534B  # "RISK": one migration at a time on PostgreSQL
KEY_ADDED, KEY_RETIRED = "key_added", "key_retired"


def revision(engine: Engine) -> str | None:
    """The schema's revision; None in an empty database."""
    with engine.connect() as connection:
        return revision_of(connection)


def migrate(engine: Engine) -> tuple[str | None, str]:
    """Bring the tables to this version's revision; returns the revisions before and after.

    Raises
    ------
    LedgerMisfit
        When the database is newer than this version.
    """
    with engine.begin() as connection:
        return migrate_within(connection), NEWEST


def migrate_within(connection: Connection) -> str | None:
    """Migrate inside a transaction that is open; returns the revision before."""
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name == POSTGRESQL:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
    before = revision_of(connection)
    if before is not None and before > NEWEST:
        raise LedgerMisfit(f"the ledger is at revision {before}, newer than {NEWEST}: upgrade")
    if before != NEWEST:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, NEWEST)
    return before


def revision_of(connection: Connection) -> str | None:
    """The schema's revision, seen from inside a transaction."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def prepare(engine: Engine, keyring: Keyring) -> None:
    """Make the tables in an empty database; otherwise see that schema and keys fit.

    Raises
    ------
    LedgerMisfit
        The schema is older or newer, or the ledger was written with keys that are not here.
    """
    found = revision(engine)
    if found is None:
        migrate(engine)
    elif found != NEWEST:
        raise LedgerMisfit(
            f"the ledger is at revision {found}, this version needs {NEWEST}: "
            "back it up, then run `risk-monitor migrate`"
        )
    with engine.begin() as connection:
        _settle_keys(Page(connection, keyring), keyring)


def _settle_keys(page: Page, keyring: Keyring) -> None:
    """Note the fingerprints of new keys; refuse when a noted key is gone or another.

    With other keys every patient would get a second pseudonym, and lines of the access log would be
    sealed that nobody can open; nobody would notice.
    """
    noted: dict[tuple[str, int], str] = {}
    retired: set[tuple[str, int]] = set()
    for row in page.ask(
        select(EVENTS.c.kind, EVENTS.c.detail).where(EVENTS.c.kind.in_((KEY_ADDED, KEY_RETIRED)))
    ):
        detail = json.loads(row.detail)
        which = detail["purpose"], detail["version"]
        if row.kind == KEY_ADDED:
            noted[which] = detail["fingerprint"]
        else:
            retired.add(which)
    here = {
        (purpose, key.version): key.fingerprint
        for purpose in (PSEUDONYM, ACCESS_LOG, LEDGER)
        for key in keyring.every(purpose)
    }
    for (purpose, version), fingerprint in noted.items():
        found = here.get((purpose, version))
        if found is None and (
            (purpose, version) in retired or _opens_nothing(page, purpose, version)
        ):
            continue
        if found != fingerprint:
            raise LedgerMisfit(
                f"the ledger was written with another `{purpose}` key of version {version}: "
                "expected the keys it was made with"
            )
    for (purpose, version), fingerprint in here.items():
        if (purpose, version) not in noted:
            detail = {"purpose": purpose, "version": version, "fingerprint": fingerprint}
            Event(time.time_ns() // 1000, KEY_ADDED, json.dumps(detail)).apply(page)
    page.close()


def _opens_nothing(page: Page, purpose: str, version: int) -> bool:
    """Whether a key of the access log has no line left: all that it sealed was retired."""
    if purpose != ACCESS_LOG:
        return False
    sealed = select(ACCESSES.c.seq).where(ACCESSES.c.key_version == version).limit(1)
    return page.ask(sealed).first() is None
