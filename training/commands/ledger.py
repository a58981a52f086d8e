"""The ledger as commands of ML engineers reach it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.errors import SourceInvalid

if TYPE_CHECKING:
    from sqlalchemy import Engine

LEDGER_FILE = "ledger.db"
PATIENCE_S = 60.0
Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        envvar="RISK_DATABASE_URL",
        show_default=f"sqlite:///VAR/{LEDGER_FILE}",
        help="The ledger: sqlite:///FILE or postgresql://….",
    ),
]


def ledger_at(database: str | None, var: Path) -> Engine:
    """The ledger's database, to be read.

    Raises
    ------
    SourceInvalid
        When there is none.
    """
    from monitoring.ledger import LedgerError
    from monitoring.ledger.engine import open_engine

    file = var / LEDGER_FILE
    if database is None and not file.is_file():
        raise SourceInvalid(f"no ledger at {file}; --database says where it is")
    try:
        return open_engine(
            database or f"sqlite:///{file.resolve()}", writes=False, patience_s=PATIENCE_S
        )
    except LedgerError as error:
        raise SourceInvalid(str(error)) from None


def one_tenant(known: Sequence[str], tenant: str | None, branch_point: str) -> str:
    """Whose assessments to read: the one that was named, or the only one.

    Raises
    ------
    SourceInvalid
        When that is nobody, or there are several.
    """
    if tenant is None and len(known) == 1:
        return known[0]
    if tenant in known:
        return str(tenant)
    raise SourceInvalid(
        f"the ledger has assessments at `{branch_point}` of: {', '.join(known) or 'nobody'}; "
        "--tenant says whose"
    )
