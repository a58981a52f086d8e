"""`risk-serve inspect-deid`: what the de-identification makes of a request, and attacks on it."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_bytes
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from app.deid import POLICY, Pseudonymiser
from app.deid.attacks import run_attacks, summarise
from app.deid.inspection import inspect
from app.errors import AppError
from app.identity.caller import DEFAULT_TENANT
from app.settings import Settings, load_settings
from models.vocabulary import load_vocabulary
from monitoring.keyring import PSEUDONYM, SECRET_BYTES, VARIABLE, Key, Keyring, load_keyring

HOLES_FOUND = 2
STYLES = {"keep": "green", "coarsen": "green", "key": "cyan", "drop": "yellow", "refuse": "red"}


def inspect_deid(
    file: Annotated[str, typer.Argument(help="An assessment request, or - for standard input.")],
    branch_point: Annotated[
        str, typer.Option("--branch-point", help="Where the request would be sent.")
    ],
    attacks: Annotated[
        bool, typer.Option("--attacks/--no-attacks", help="Plant identifiers in every field.")
    ] = True,
    tenant: Annotated[str, typer.Option(help="Whose pseudonyms to make.")] = DEFAULT_TENANT,
    care_unit: Annotated[
        list[str] | None, typer.Option("--care-unit", help="A declared care unit; repeatable.")
    ] = None,
    var: Annotated[Path | None, typer.Option("--var", help="Folder for state.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Show field by field what came, what leaves and by which rule; nothing is stored.

    Exit code 2 when an attack came through. Pseudonyms are the installation's own when its secrets
    are there, otherwise made with a key that is thrown away.
    """
    settings = load_settings(var_dir=var)
    vocabulary = load_vocabulary(settings.content)
    point = vocabulary.branch_points.get(branch_point)
    if point is None:
        known = ", ".join(vocabulary.branch_points)
        raise AppError(f"no such branch point; declared are: {known}")
    surroundings: dict[str, Any] = {
        "tenant": tenant,
        "care_units": (*settings.care_units, *(care_unit or ())),
        "now": datetime.now(UTC),
        "pseudonymiser": Pseudonymiser(_keyring(settings)),
    }
    report = inspect(_read(file), point, vocabulary, **surroundings)
    if attacks:
        with Progress(
            TextColumn("attacking"), BarColumn(), MofNCompleteColumn(), console=_stderr()
        ) as bar:
            task = bar.add_task("", total=None)
            tried = run_attacks(
                point,
                vocabulary,
                **surroundings,
                progress=lambda done, of: bar.update(task, completed=done, total=of),
            )
        report["attacks"] = summarise(tried)
    if as_json:
        typer.echo(json.dumps(report))
    else:
        _show(report, Console())
    if attacks and report["attacks"]["allowed"]:
        raise typer.Exit(HOLES_FOUND)


def _stderr() -> Console:
    return Console(stderr=True)


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise AppError(f"{file} cannot be read: {error.strerror}") from None


def _keyring(settings: Settings) -> Keyring:
    if os.environ.get(VARIABLE) or settings.keys.exists():
        return load_keyring(settings.keys)
    return Keyring({PSEUDONYM: (Key(PSEUDONYM, 1, token_bytes(SECRET_BYTES)),)})


def _show(report: dict[str, Any], console: Console) -> None:
    table = Table(title="De-identification")
    for column in ("field", "came", "leaves", "action", "rule"):
        table.add_column(column, overflow="fold")
    for field in report["fields"]:
        left = field["leaves"]
        table.add_row(
            # As text: nothing that was sent is read as mark-up.
            Text(field["pointer"] or "(body)"),
            Text(field["came"]),
            Text("" if left is None else json.dumps(left, ensure_ascii=False)),
            Text(field["action"], STYLES[field["action"]]),
            Text(field["rule"]),
        )
    console.print(table)
    for rule in sorted({field["rule"] for field in report["fields"]}):
        console.print(Text(f"{rule}: {POLICY.rules[rule].how_en}"))
    refused = (
        "" if report["accepted"] else f"The request would be refused with {report['status']}. "
    )
    console.print(Text(f"\n{refused}{report['detail']}"))
    for fault in report["faults"]:
        console.print(Text(f"  {fault['pointer']}  {fault['code']}  {fault['detail']}"))
    console.print(Text(f"Policy {report['policy_version']}, {report['policy_digest']}"))
    if "attacks" in report:
        _show_attacks(report["attacks"], console)


def _show_attacks(attacks: dict[str, Any], console: Console) -> None:
    console.print(
        Text(
            f"Attacks: {attacks['tried']} identifiers planted, {attacks['fields']} fields x "
            f"{attacks['encodings']} encodings: {attacks['blocked']} BLOCKED, "
            f"{attacks['allowed']} ALLOWED",
            "red" if attacks["allowed"] else "green",
        )
    )
    for hole in attacks["holes"]:
        console.print(Text(f"  ALLOWED  {hole['field']}  {hole['encoding']}", "red"))
