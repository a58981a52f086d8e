"""What challengers would have answered, as a chained table of its own.

A revision is never edited once it is released, and never undone: what was recorded stays.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "shadows",
        sa.Column("month", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("recorded_at_us", sa.BigInteger, nullable=False),
        sa.Column("assessment_id", sa.String(36), nullable=False),
        sa.Column("assessment_seq", sa.BigInteger, nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("branch_point", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(64), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("prediction", sa.Double),
        sa.Column("chain", sa.LargeBinary, nullable=False),
        postgresql_partition_by="RANGE (month)",
    )
    op.create_index("ix_shadows_assessment_seq", "shadows", ["assessment_seq"])
    op.create_index("ix_shadows_digest_assessment_seq", "shadows", ["digest", "assessment_seq"])
