"""The ledger as commands of ML engineers reach it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.errors import LedgerClosed, SourceInvalid
from training.ledger_url import LEDGER_FILE, PATIENCE_S, ledger_url

if TYPE_CHECKING:
    from sqlalchemy import Engine

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
    LedgerClosed
        When there is none.
    """
    from monitoring.ledger import LedgerError
    from monitoring.ledger.engine import open_engine

    url = ledger_url(database, var)
    try:
        return open_engine(url, writes=False, patience_s=PATIENCE_S)
    except LedgerError as error:
        raise LedgerClosed(str(error)) from None


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
