"""Run by Alembic: on the connection that `monitoring.ledger.schema.migrate` hands over."""

from __future__ import annotations

from alembic import context

from monitoring.ledger.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
