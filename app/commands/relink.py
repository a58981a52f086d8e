"""`risk-serve keys relink`: pseudonyms under an older key are linked to those under the newest."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from app.access_log import read_log
from app.access_log.seal import RELINK
from app.commands.access_log import this_operator
from app.deid import Pseudonymiser
from app.settings import load_settings
from monitoring.keyring import PSEUDONYM, load_keyring
from monitoring.ledger import Event, Link
from monitoring.ledger.book import Book
from monitoring.ledger.entries import NEW
from monitoring.ledger.schema import KEY_RETIRED

AT_A_TIME = 500
tell = Console(stderr=True)


def relink(
    reason: Annotated[str, typer.Option(help="Why; becomes part of the access log.")],
    var: Annotated[Path | None, typer.Option("--var", help="Folder for state.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Link what was recorded under older pseudonym keys to the newest key.

    After `risk-serve keys rotate pseudonym` and a restart of every worker, this goes through the
    access log, the one place that holds identifiers, and records for every patient and episode that
    its older pseudonyms and its newest belong together. The older keys may then be taken out of the
    keyring: the links stay.
    """
    settings = load_settings(var_dir=var)
    keyring = load_keyring(settings.keys)
    pseudonymiser = Pseudonymiser(keyring)
    now_us = time.time_ns() // 1000
    lines = read_log(
        settings.database, keyring, this_operator(), reason, now_us=now_us, action=RELINK
    )
    book = Book(settings.database, keyring)
    seen: set[tuple[str, str, str]] = set()
    waiting: list[Link] = []
    added = 0
    with Progress(console=tell) as bars:
        task = bars.add_task("linking", total=None)
        for line in lines:
            for kind, value in (("subject", line.patient), ("episode", line.episode)):
                if value is None or line.protected or (kind, line.tenant, value) in seen:
                    continue
                seen.add((kind, line.tenant, value))
                newest, *older = pseudonymiser.every(kind, line.tenant, value)
                waiting += [Link(now_us, kind, old, newest) for old in older]
            if len(waiting) >= AT_A_TIME:
                added += book.write(waiting).count(NEW)
                waiting = []
            bars.advance(task)
        added += book.write(waiting).count(NEW)
    retired = [key.version for key in keyring.every(PSEUDONYM)[1:]]
    book.write(
        [
            Event(now_us, KEY_RETIRED, json.dumps({"purpose": PSEUDONYM, "version": version}))
            for version in retired
        ]
    )
    book.close()
    if as_json:
        print(json.dumps({"identifiers": len(seen), "links": added, "retired": retired}))
    else:
        versions = ", ".join(map(str, retired)) or "none"
        tell.print(f"{len(seen)} identifiers, {added} new links; versions that may go: {versions}",
                   highlight=False)  # fmt: skip
