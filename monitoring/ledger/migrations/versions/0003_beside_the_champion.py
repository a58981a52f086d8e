"""What the champion said, beside what a challenger would have: comparing needs no stored answer.

Rows of before have neither; their links hold, since a later column counts in a link only where it says
something.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("shadows", sa.Column("champion_digest", sa.String(80)))
    op.add_column("shadows", sa.Column("champion_prediction", sa.Double))
