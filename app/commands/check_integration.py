"""`risk-serve check-integration`: an EHR in small tries out a running service."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from app.errors import AppError
from app.settings import is_loopback

if TYPE_CHECKING:
    from app.check_integration import Finding, Report
    from app.check_integration.credential import Credential

SOMETHING_FAILED = 2
STYLES = {"PASSED": "green", "FAILED": "bold red", "SKIPPED": "yellow"}
WRITES = (
    "This writes assessments of invented patients into the ledger of {url}, about {count} of them; "
    "they stay there."
)
PER_SERVICE = 8
"""Assessments that the checks of one service make, about."""
SERVICES = 9
tell = Console(stderr=True)


def check_integration(
    url: Annotated[str, typer.Argument(help="Where the service is, as an EHR reaches it.")],
    token_file: Annotated[Path | None, typer.Option("--token-file", help="A bearer token.")] = None,
    api_key_file: Annotated[Path | None, typer.Option("--api-key-file", help="An API key.")] = None,
    signing_key_file: Annotated[
        Path | None,
        typer.Option(
            "--signing-key-file",
            help="A private key (JWK with kid and alg) that signs a token for each URL, as CDS "
            "Hooks has it; needs --issuer.",
        ),
    ] = None,
    issuer: Annotated[
        str | None, typer.Option(help="`iss` of the tokens that --signing-key-file signs.")
    ] = None,
    audience: Annotated[
        str | None, typer.Option(help="`aud` of those tokens; left out: the URL that is called.")
    ] = None,
    fhir_server_port: Annotated[
        int,
        typer.Option(
            "--fhir-server-port",
            min=0,
            max=65535,
            help="Where the EHR's own FHIR server listens on 127.0.0.1; 0 picks a free port.",
        ),
    ] = 0,
    origin: Annotated[
        str | None,
        typer.Option(help="Origin of the EHR's pages, such as https://ehr.example.org."),
    ] = None,
    calls: Annotated[int, typer.Option(min=0, max=1000, help="How many calls to time.")] = 50,
    yes: Annotated[
        bool, typer.Option("--yes", help="Write into the ledger of a service elsewhere.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Play the part of an EHR against a running service and print what held.

    Exit code 0: nothing failed. 2: something did. 1: it could not be tried.

    The ledger of the service keeps an assessment of an invented patient for every call that is
    answered. Where the service is not on this machine, --yes says that this is meant.
    """
    from app.check_integration import Plan
    from app.check_integration import check_integration as check

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise AppError("URL must be an address such as https://risk.example.org")
    _warn(url, PER_SERVICE * SERVICES + calls, meant=yes or is_loopback(parts.hostname))
    plan = Plan(
        url.rstrip("/"),
        _credential(token_file, api_key_file, signing_key_file, issuer, audience),
        fhir_server_port,
        origin,
        calls,
    )
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), console=tell, transient=True
    ) as bars:
        task = bars.add_task("", total=None)
        report = check(plan, lambda name: bars.update(task, description=name))
    if as_json:
        print(json.dumps(report.document()))
    else:
        _show(report, Console())
    if report.failed:
        raise typer.Exit(SOMETHING_FAILED)


def _warn(url: str, count: int, *, meant: bool) -> None:
    told = WRITES.format(url=url, count=count)
    if not meant:
        raise AppError(f"{told} Say --yes if that is meant")
    tell.print(told, style="yellow", highlight=False, soft_wrap=True)


def _credential(
    token_file: Path | None,
    api_key_file: Path | None,
    signing_key_file: Path | None,
    issuer: str | None,
    audience: str | None,
) -> Credential:
    from app.check_integration.credential import (
        ApiKey,
        BearerToken,
        Nobody,
        read_secret,
        read_signing_key,
    )

    if sum(file is not None for file in (token_file, api_key_file, signing_key_file)) > 1:
        raise AppError("one credential is enough: a token, an API key, or a key to sign with")
    if signing_key_file is not None:
        if issuer is None:
            raise AppError("--signing-key-file needs --issuer")
        return read_signing_key(signing_key_file, issuer, audience)
    if token_file is not None:
        return BearerToken(read_secret(token_file))
    if api_key_file is not None:
        return ApiKey(read_secret(api_key_file))
    return Nobody()


def _show(report: Report, console: Console) -> None:
    for group, rows in groupby(report.findings, key=lambda finding: finding.group):
        table = Table("", "asked", "expected", "found", title=group, title_justify="left")
        for row in rows:
            table.add_row(
                Text(row.verdict, style=STYLES[row.verdict]),
                Text(_asked(row)),
                Text(row.expected),
                Text(row.found),
            )
        console.print(table)
    told = ", ".join(f"{report.count(verdict)} {verdict}" for verdict in STYLES)
    console.print(f"{report.url}: {told}", style="bold", highlight=False)
    for row in report.failed:
        console.print(
            Text(f"FAILED {row.check}: {_asked(row)}: {row.found}", style="red"), soft_wrap=True
        )


def _asked(row: Finding) -> str:
    return row.asked if row.service is None else f"{row.service}: {row.asked}"
