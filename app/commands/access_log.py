"""`risk-serve access-log`: the one way to read who looked at whom."""

from __future__ import annotations

import getpass
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.access_log import Access, LogUnreadable, read_log
from app.deid import SUBJECT, Pseudonymiser, normalise
from app.settings import load_settings
from monitoring.keyring import load_keyring

tell = Console(stderr=True)


@dataclass(frozen=True, slots=True)
class Operator:
    """Who is at the command line."""

    client: str
    user: str | None
    tenant: str


def this_operator() -> Operator:
    """The account that runs the command, and whose it was before `sudo`."""
    account, before = getpass.getuser(), os.environ.get("SUDO_USER")
    return Operator("command line", f"{account} ({before})" if before else account, "*")


def access_log(
    reason: Annotated[str, typer.Option(help="Why you read it; becomes part of the log.")],
    patient: Annotated[
        bool,
        typer.Option("--patient", help="Only one patient's lines; the number is read from input."),
    ] = False,
    tenant: Annotated[str, typer.Option(help="Tenant of that patient's pseudonyms.")] = "default",
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="From this day on (UTC).")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Before this day (UTC).")
    ] = None,
    var: Annotated[Path | None, typer.Option("--var", help="Folder for state.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print NDJSON for a script.")] = False,
) -> None:
    """Read the access log: who did what, when, with which patient, at which unit.

    Every reading is itself a line of the log. For a patient's extract the number is typed, or piped
    in: on a command line others could see it.
    """
    settings = load_settings(var_dir=var)
    keyring = load_keyring(settings.keys)
    wanted = _ask_for_patient() if patient else None
    subjects: frozenset[str] = frozenset()
    same = None
    if wanted is not None:
        subjects = frozenset(Pseudonymiser(keyring).every(SUBJECT, tenant, wanted))

        def same(sent: str) -> bool:
            return normalise(SUBJECT, sent) == normalise(SUBJECT, wanted)

    lines = read_log(
        settings.database,
        keyring,
        this_operator(),
        reason,
        now_us=time.time_ns() // 1000,
        since_us=_microseconds(since) or 0,
        until_us=_microseconds(until),
        same_patient=same,
        subject_ids=subjects,
    )
    if as_json:
        for line in lines:
            print(json.dumps({"at": _when(line), **asdict(line)}, ensure_ascii=False))
        return
    table = Table("when (UTC)", "who", "action", "patient", "unit", "assessment", "reason",
                  title="Access log")  # fmt: skip
    count = 0
    with tell.status("Opening the log"):
        for line in lines:
            count += 1
            who = f"{line.user or ''} {line.client} [{line.tenant}]".strip()
            about = line.patient or line.episode or line.episode_id or ""
            table.add_row(_when(line), who, line.action, about, line.unit or "",
                          line.assessment_id or "", line.reason or "")  # fmt: skip
    Console().print(table)
    tell.print(f"{count} lines; this reading was logged.", highlight=False)


def _ask_for_patient() -> str:
    if sys.stdin.isatty():
        given = getpass.getpass("Patient's number (not shown): ")
    else:
        given = sys.stdin.readline()
    if not given.strip():
        raise LogUnreadable("a patient's number was expected on standard input")
    return given.strip()


def _microseconds(day: datetime | None) -> int | None:
    return None if day is None else int(day.replace(tzinfo=UTC).timestamp()) * 1_000_000


def _when(line: Access) -> str:
    moment = datetime.fromtimestamp(line.recorded_at_us / 1_000_000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
