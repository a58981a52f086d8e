"""The tables: append-only, one chain through all of them, a month on every row.

Times are microseconds since 1970 (UTC), so that both databases give back exactly what was written
and the chain can be checked byte for byte. The migrations in `migrations/` make these tables; a test
holds both equal.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

METADATA = MetaData()
LATER = {"later": True}
"""Marks a column that a table got after rows were in it: it counts in a row's link only where it says
something, so that the links of the rows before it hold."""


def _chained(name: str, *columns: Column, indexes: tuple[tuple[str, ...], ...] = ()) -> Table:  # type: ignore[type-arg]  # columns of any type
    """A table whose rows are links of the chain."""
    return Table(
        name,
        METADATA,
        Column("month", Integer, primary_key=True, autoincrement=False),
        Column("seq", BigInteger, primary_key=True, autoincrement=False),
        Column("recorded_at_us", BigInteger, nullable=False),
        *columns,
        Column("chain", LargeBinary, nullable=False),
        *(Index("_".join(("ix", name, *index)), *index) for index in indexes),
    )


ASSESSMENTS = _chained(
    "assessments",
    Column("assessment_id", String(36), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("branch_point", String(64), nullable=False),
    Column("unit", String(200)),
    Column("subject_id", String(64)),
    Column("episode_id", String(64)),
    Column("protected", Boolean, nullable=False),
    Column("index_time_us", BigInteger, nullable=False),
    Column("inputs", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("models", Text, nullable=False),
    Column("policy", String(64), nullable=False),
    Column("latency_us", Integer, nullable=False),
    indexes=(("assessment_id",), ("episode_id",), ("subject_id",)),
)
OUTCOMES = _chained(
    "outcomes",
    Column("tenant", String(64), nullable=False),
    Column("assessment_id", String(36)),
    Column("subject_id", String(64)),
    Column("episode_id", String(64)),
    Column("outcome", String(64), nullable=False),
    Column("value", Double, nullable=False),
    Column("observed_at_us", BigInteger, nullable=False),
    Column("corrects_seq", BigInteger),
    indexes=(("assessment_id",), ("episode_id",), ("subject_id",)),
)
FEEDBACK = _chained(
    "feedback",
    Column("tenant", String(64), nullable=False),
    Column("branch_point", String(64), nullable=False),
    Column("card_id", String(64), nullable=False),
    Column("assessment_id", String(36)),
    Column("verdict", String(16), nullable=False),
    Column("given_at_us", BigInteger, nullable=False),
    Column("detail", Text, nullable=False),
    indexes=(("card_id",),),
)
ACCESSES = _chained(
    "accesses",
    Column("subject_id", String(64)),
    Column("key_version", SmallInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    indexes=(("subject_id",),),
)
LINKS = _chained(
    "links",
    Column("kind", String(16), nullable=False),
    Column("old_id", String(64), nullable=False),
    Column("new_id", String(64), nullable=False),
    indexes=(("old_id",), ("new_id",)),
)
"""Pseudonyms of one subject or episode under an older and the newest key."""
EVENTS = _chained(
    "events",
    Column("kind", String(32), nullable=False),
    Column("detail", Text, nullable=False),
)
SHADOWS = _chained(
    "shadows",
    Column("assessment_id", String(36), nullable=False),
    Column("assessment_seq", BigInteger, nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("branch_point", String(64), nullable=False),
    Column("outcome", String(64), nullable=False),
    Column("version", String(64), nullable=False),
    Column("digest", String(80), nullable=False),
    Column("status", String(16), nullable=False),
    Column("prediction", Double),
    Column("champion_digest", String(80), info=LATER),
    Column("champion_prediction", Double, info=LATER),
    indexes=(("assessment_seq",), ("digest", "assessment_seq")),
)
"""What a challenger would have answered, never shown to who asked, beside what the champion did."""
CHAINED = (ASSESSMENTS, OUTCOMES, FEEDBACK, ACCESSES, LINKS, EVENTS, SHADOWS)
"""Every table whose rows are links of the chain; `seq` is unique over all of them."""

HEAD = Table(
    "head",
    METADATA,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    Column("seal", LargeBinary, nullable=False),
)
"""One row: the newest link, sealed, so that rows cannot be cut off the end unseen."""

TOKEN_USES = Table(
    "token_uses",
    METADATA,
    Column("token", LargeBinary(32), primary_key=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)
"""Digests of single-use tokens until they expire; not part of the chain."""
