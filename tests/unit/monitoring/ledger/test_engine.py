"""The database as the ledger opens it."""

from __future__ import annotations

from sqlalchemy import text

from monitoring.keyring import Keyring
from monitoring.ledger.book import Book
from monitoring.ledger.engine import open_engine
from tests.lib.ledger import assessment
from tests.lib.postgres import Postgres


def test_postgresql_compresses_answers_quickly_where_it_can(postgres: Postgres, keyring: Keyring):
    """Its usual way took longer than writing the answer."""
    url = postgres.new_database()
    book = Book(url, keyring)
    book.prepare()
    book.write([assessment(answer=b"a" * 20_000)])
    book.close()
    engine = open_engine(url, writes=False)
    with engine.connect() as connection:
        can = connection.execute(
            text("SELECT 'lz4' = ANY (enumvals) FROM pg_settings "
                 "WHERE name = 'default_toast_compression'")
        ).scalar()  # fmt: skip
        how = connection.execute(text("SELECT pg_column_compression(answer) FROM assessments"))
        assert how.scalars().all() == ["lz4" if can else "pglz"]
    engine.dispose()
