"""The first tables: six chained ones, by month on PostgreSQL, the head, and token uses.

A revision is never edited once it is released, and never undone: what was recorded stays.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

POSTGRESQL = "postgresql"


def upgrade() -> None:
    _chained(
        "assessments",
        sa.Column("assessment_id", sa.String(36), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("branch_point", sa.String(64), nullable=False),
        sa.Column("unit", sa.String(200)),
        sa.Column("subject_id", sa.String(64)),
        sa.Column("episode_id", sa.String(64)),
        sa.Column("protected", sa.Boolean, nullable=False),
        sa.Column("index_time_us", sa.BigInteger, nullable=False),
        sa.Column("inputs", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("models", sa.Text, nullable=False),
        sa.Column("policy", sa.String(64), nullable=False),
        sa.Column("latency_us", sa.Integer, nullable=False),
        indexes=("assessment_id", "episode_id", "subject_id"),
    )
    _chained(
        "outcomes",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("assessment_id", sa.String(36)),
        sa.Column("subject_id", sa.String(64)),
        sa.Column("episode_id", sa.String(64)),
        sa.Column("outcome", sa.String(64), nullable=False),
        sa.Column("value", sa.Double, nullable=False),
        sa.Column("observed_at_us", sa.BigInteger, nullable=False),
        sa.Column("corrects_seq", sa.BigInteger),
        indexes=("assessment_id", "episode_id", "subject_id"),
    )
    _chained(
        "feedback",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("branch_point", sa.String(64), nullable=False),
        sa.Column("card_id", sa.String(64), nullable=False),
        sa.Column("assessment_id", sa.String(36)),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("given_at_us", sa.BigInteger, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        indexes=("card_id",),
    )
    _chained(
        "accesses",
        sa.Column("subject_id", sa.String(64)),
        sa.Column("key_version", sa.SmallInteger, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        indexes=("subject_id",),
    )
    _chained(
        "links",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("old_id", sa.String(64), nullable=False),
        sa.Column("new_id", sa.String(64), nullable=False),
        indexes=("old_id", "new_id"),
    )
    _chained(
        "events",
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    head = op.create_table(
        "head",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("chain", sa.LargeBinary, nullable=False),
        sa.Column("seal", sa.LargeBinary, nullable=False),
    )
    # An empty seal on an empty chain: the first page puts the first real one.
    op.bulk_insert(head, [{"id": 1, "seq": 0, "chain": b"", "seal": b""}])
    op.create_table(
        "token_uses",
        sa.Column("token", sa.LargeBinary(32), primary_key=True),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_token_uses_expires_at", "token_uses", ["expires_at"])


def _chained(name: str, *columns: sa.Column, indexes: tuple[str, ...] = ()) -> None:  # type: ignore[type-arg]  # columns of any type
    op.create_table(
        name,
        sa.Column("month", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("recorded_at_us", sa.BigInteger, nullable=False),
        *columns,
        sa.Column("chain", sa.LargeBinary, nullable=False),
        postgresql_partition_by="RANGE (month)",
    )
    for column in indexes:
        op.create_index(f"ix_{name}_{column}", name, [column])
