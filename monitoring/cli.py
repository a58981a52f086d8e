"""`risk-monitor`: what SREs run."""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from monitoring.commands.dashboards import dashboards
from monitoring.commands.drill import drill
from monitoring.commands.opening import (
    DEFAULT_VAR,
    AsJson,
    Database,
    Var,
    bar,
    ledger_address,
    opened,
    opened_ledger,
    tell,
)
from monitoring.commands.report import report
from monitoring.commands.rules import rules
from monitoring.keyring import FILE_NAME, KeysInvalid, load_keyring
from monitoring.ledger import LedgerError, LedgerMisfit
from monitoring.ledger import reading as ledger_reading
from monitoring.ledger.backup import backup as write_backup
from monitoring.ledger.backup import restore as read_backup
from monitoring.ledger.retention import ACCESS_LOG_MONTHS, ANSWER_MONTHS, Retention
from monitoring.ledger.retention import retire as retire_months
from monitoring.ledger.schema import migrate as migrate_schema
from monitoring.ledger.verify import Report
from monitoring.ledger.verify import verify as verify_ledger

app = typer.Typer(
    name="risk-monitor",
    help="See how a running service and its models are doing, and look after its ledger.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(rules)
app.command()(dashboards)
app.command()(report)
app.command()(drill)
PATIENCE_S = 5.0
DAMAGED = 3
"""The exit code of a verification that found something."""

Keys = Annotated[
    Path | None,
    typer.Option(
        "--keys",
        envvar="RISK_KEYS_FILE",
        show_envvar=True,
        show_default=f"VAR/{FILE_NAME}",
        help="The keyring's file.",
    ),
]


class ServiceUnreachable(Exception):
    """The service did not answer."""


def main() -> None:
    """Run the command; an expected error is one line and exit code 1."""
    try:
        app()
    except (ServiceUnreachable, LedgerError, KeysInvalid) as error:
        _fail(str(error))
    except SQLAlchemyError as error:
        _fail(_without_values(error))
    except OSError as error:
        _fail(f"{error.filename or 'a file'}: {error.strerror or type(error).__name__}")


def _fail(message: str) -> None:
    tell.print(
        f"risk-monitor: {message}", style="red", highlight=False, soft_wrap=True, markup=False
    )
    sys.exit(1)


def _without_values(error: SQLAlchemyError) -> str:
    """What went wrong with the database: a driver's own words can quote what is stored."""
    cause = getattr(error, "orig", None)
    code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
    kind = type(cause or error).__name__
    return f"the database refuses: {kind}, {code or 'no answer'}; see --database"


@app.callback()
def _commands() -> None:
    """Keep `status` a sub-command: others stand beside it."""


@app.command()
def status(
    url: Annotated[str, typer.Argument(help="Where the service is.")] = "http://127.0.0.1:8000",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Show readiness, served models, and how assessments were answered; exit 2 when not ready."""
    ready = json.loads(_get(f"{url}/readyz"))
    counts = _counts(_get(f"{url}/metrics"))
    if as_json:
        print(json.dumps({"readiness": ready, "assessments": counts}))
    else:
        _show(ready, counts)
    if not ready["ready"]:
        sys.exit(2)


@app.command()
def migrate(database: Database = None, var: Var = DEFAULT_VAR, as_json: AsJson = False) -> None:
    """Make the ledger's tables, or bring them to this version; back up before."""
    address = ledger_address(database, var, may_be_new=True)
    with opened(address, writes=True) as engine:
        before, after = migrate_schema(engine)
    _print(
        {"before": before, "after": after},
        as_json,
        f"at revision {after} already" if before == after else f"{before or 'empty'} -> {after}",
    )


@app.command()
def verify(
    database: Database = None,
    var: Var = DEFAULT_VAR,
    keys: Keys = None,
    expect: Annotated[
        list[str] | None,
        typer.Option(help="A head noted earlier, SEQ:HEX, that must still be there; repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every link of the ledger's chain; exit 3 when a row was altered, removed or inserted.

    Prints the head: note it where nobody who can write the database can change it, and give it to a
    later check with --expect, which then also finds a database put back to an earlier state.
    """
    expected = [_head(text) for text in expect or ()]
    keyring = load_keyring(keys or var / FILE_NAME)
    with opened_ledger(database, var) as engine, bar("verifying") as progress:
        report = verify_ledger(engine, keyring, expected_heads=expected, progress=progress)
    if as_json:
        _print_json(_report(report))
    else:
        _show_report(report)
    if not report.holds:
        sys.exit(DAMAGED)


@app.command()
def head(database: Database = None, var: Var = DEFAULT_VAR, as_json: AsJson = False) -> None:
    """Print number and link of the newest row, SEQ:HEX, to note elsewhere."""
    with opened_ledger(database, var) as engine, ledger_reading.snapshot(engine) as connection:
        found = ledger_reading.heads(connection)
    if len(found) != 1 or not isinstance(found[0]["chain"], bytes):
        raise LedgerMisfit("the ledger has not one head: run `risk-monitor verify`")
    seq, chain = found[0]["seq"], found[0]["chain"].hex()
    _print({"seq": seq, "chain": chain}, as_json, f"{seq}:{chain}")


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="A new file; gzip over lines of JSON.")],
    database: Database = None,
    var: Var = DEFAULT_VAR,
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """Write the whole ledger to one file, beside a running service.

    The access log is in it as ciphertext. The keys are not: back them up apart from this.
    """
    keyring = load_keyring(keys or var / FILE_NAME)
    with opened_ledger(database, var) as engine, bar("backing up") as progress:
        made = write_backup(engine, keyring, file, now=datetime.now(UTC), progress=progress)
    seq, chain = made.head
    _print(
        {"file": str(file), "rows": made.rows, "sha256": made.sha256, "head": f"{seq}:{chain}"},
        as_json,
        f"{file}: {made.rows} rows, head {seq}:{chain}",
    )


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `backup` wrote.")],
    database: Database = None,
    var: Var = DEFAULT_VAR,
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """Make the ledger from a backup, in an empty database of either kind; it is verified first."""
    keyring = load_keyring(keys or var / FILE_NAME)
    if not file.is_file():
        raise LedgerMisfit(f"{file} is not there")
    address = ledger_address(database, var, may_be_new=True)
    with opened(address, writes=True) as engine, bar("verifying") as progress:
        made = read_backup(engine, keyring, file, progress=progress)
    seq, chain = made.head
    _print(
        {"rows": made.rows, "sha256": made.sha256, "head": f"{seq}:{chain}"},
        as_json,
        f"{made.rows} rows restored and verified, head {seq}:{chain}",
    )


@app.command()
def retire(
    database: Database = None,
    var: Var = DEFAULT_VAR,
    keys: Keys = None,
    answers: Annotated[
        int,
        typer.Option(envvar="RISK_RETENTION_MONTHS", help="Months that answers and outcomes stay."),
    ] = ANSWER_MONTHS,
    accesses: Annotated[
        int,
        typer.Option(
            envvar="RISK_ACCESS_LOG_RETENTION_MONTHS",
            help=f"Months that the access log stays; at least {ACCESS_LOG_MONTHS}.",
        ),
    ] = ACCESS_LOG_MONTHS,
    as_json: AsJson = False,
) -> None:
    """Remove months that are older than their retention; the ledger is verified first."""
    retention = Retention(answers, accesses)
    keyring = load_keyring(keys or var / FILE_NAME)
    with opened_ledger(database, var), bar("verifying") as progress:
        done = retire_months(
            ledger_address(database, var),
            keyring,
            retention,
            time.time_ns() // 1000,
            progress=progress,
        )
    if as_json:
        _print_json([{"month": one.month, "rows": one.rows} for one in done])
        return
    table = Table("month", "table", "rows", title="Retired")
    for one in done:
        for name, count in sorted(one.rows.items()):
            table.add_row(f"{one.month // 100}-{one.month % 100:02}", name, str(count))
    Console().print(table if done else "nothing is older than its retention")


def _head(text: str) -> tuple[int, str]:
    seq, _, chain = text.partition(":")
    try:
        return int(seq), bytes.fromhex(chain).hex()
    except ValueError:
        raise typer.BadParameter("expected SEQ:HEX, as `risk-monitor head` prints it") from None


def _report(report: Report) -> dict[str, Any]:
    seq, chain = report.head
    return {
        "holds": report.holds,
        "rows": report.rows,
        "head": f"{seq}:{chain}",
        "findings": [
            {"what": f.what, "table": f.table, "seq": f.seq, "last_seq": f.last_seq}
            for f in report.findings
        ],
        "further": report.further,
    }


def _show_report(report: Report) -> None:
    seq, chain = report.head
    if report.holds:
        print(f"holds: {report.rows} rows, head {seq}:{chain}")
        return
    table = Table("what", "table", "from", "to", title="Where the ledger does not hold")
    for found in report.findings:
        first = "" if found.seq is None else str(found.seq)
        last = first if found.last_seq is None else str(found.last_seq)
        table.add_row(found.what, found.table or "", first, last)
    Console().print(table)
    if report.further:
        print(f"and {report.further} more")


def _print(values: dict[str, Any], as_json: bool, line: str) -> None:
    if as_json:
        _print_json(values)
    else:
        print(line)


def _print_json(value: Any) -> None:
    print(json.dumps(value))


def _get(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ServiceUnreachable("expected an address that starts with http:// or https://")
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:  # noqa: S310 - checked above
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        if error.code == 503:  # /readyz says why
            return error.read().decode()
        raise ServiceUnreachable(f"{url} answered {error.code}") from None
    except OSError:
        raise ServiceUnreachable(f"{url} did not answer") from None


def _counts(exposition: str) -> list[dict[str, Any]]:
    """Assessments that were asked for at least once, by branch point, outcome and status."""
    return [
        {**sample.labels, "count": int(sample.value)}
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
        if sample.name == "risk_assessments_total" and sample.value
    ]


def _show(ready: dict[str, Any], counts: list[dict[str, Any]]) -> None:
    console = Console()
    console.print("ready" if ready["ready"] else f"not ready: {ready['reason']}", style="bold")
    models = Table("model", "version", "alias", "training data", title="Served models")
    for model in ready["models"]:
        models.add_row(model["name"], model["version"], model["alias"], model["training_data"])
    console.print(models)
    if ready["refused"]:
        refused = Table("model", "version", "reason", title="Refused versions")
        for item in ready["refused"]:
            refused.add_row(item["name"], item["version"], item["reason"])
        console.print(refused)
    table = Table("branch point", "outcome", "status", "count", title="Assessments")
    for count in counts:
        table.add_row(count["branch_point"], count["outcome"], count["status"], str(count["count"]))
    console.print(table)
