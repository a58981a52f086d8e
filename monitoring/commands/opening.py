"""The ledger as a sub-command opens it: its options, its address, and a bar for long readings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from sqlalchemy import Engine, make_url
from sqlalchemy.exc import ArgumentError

from monitoring.ledger import LedgerMisfit
from monitoring.ledger import reading as ledger_reading
from monitoring.ledger.engine import SQLITE, open_engine
from monitoring.ledger.schema import NEWEST, revision

tell = Console(stderr=True)
DATABASE_PATIENCE_S = 60.0
LEDGER_FILE = "ledger.db"

Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        envvar="RISK_DATABASE_URL",
        show_envvar=True,
        show_default=f"sqlite:///VAR/{LEDGER_FILE}",
        help="The ledger: sqlite:///FILE or postgresql://….",
    ),
]
Var = Annotated[
    Path, typer.Option("--var", envvar="RISK_VAR_DIR", show_envvar=True, help="Folder for state.")
]
DEFAULT_VAR = Path("var")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]


def ledger_address(database: str | None, var: Path, *, may_be_new: bool = False) -> str:
    """Where the ledger is; opening a SQLite file that is not there would make one."""
    address = database or f"sqlite:///{var.resolve() / LEDGER_FILE}"
    try:
        parts = make_url(address)
    except ArgumentError:
        raise LedgerMisfit("--database is not a database address") from None
    if parts.get_backend_name() == SQLITE and parts.database:
        file = Path(parts.database)
        if may_be_new:
            file.parent.mkdir(parents=True, exist_ok=True)
        elif not file.is_file():
            raise LedgerMisfit(
                f"no ledger at {file}: give --database, or the service's folder as --var"
            )
    return address


@contextmanager
def opened(address: str, *, writes: bool) -> Iterator[Engine]:
    engine = open_engine(address, writes=writes, patience_s=DATABASE_PATIENCE_S)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def opened_ledger(database: str | None, var: Path) -> Iterator[Engine]:
    """The ledger open for reading, if it is one of this version."""
    with opened(ledger_address(database, var), writes=False) as engine:
        found = revision(engine)
        if found != NEWEST:
            raise LedgerMisfit(
                f"the database is at revision {found or 'none'}, expected {NEWEST}: "
                "run `risk-monitor migrate`"
            )
        yield engine


@contextmanager
def bar(what: str) -> Iterator[ledger_reading.Progress]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=tell, transient=True) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
