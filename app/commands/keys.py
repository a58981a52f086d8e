"""`risk-serve keys`: the installation's secrets, and the API keys of its callers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.errors import AppError
from app.identity.api_keys import ApiKey, create_api_key, list_api_keys, revoke_api_key
from app.identity.caller import DEFAULT_TENANT, SCOPES
from app.settings import load_settings
from monitoring.keyring import PURPOSES, KeysInvalid, load_keyring, rotate

app = typer.Typer(
    name="keys",
    help="Make the installation's secrets; make, list and revoke the API keys of callers.",
    no_args_is_help=True,
)
tell = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]
Var = Annotated[
    Path | None, typer.Option("--var", help="Folder for state; by default as RISK_VAR_DIR says.")
]


@app.command()
def init(var: Var = None, as_json: AsJson = False) -> None:
    """Make the file of secrets, unless it is there; show versions and fingerprints, never a key."""
    path = load_settings(var_dir=var).keys
    try:
        keyring = load_keyring(path, create=True)
    except KeysInvalid as fault:
        raise AppError(str(fault)) from None
    newest = [keyring.newest(purpose) for purpose in PURPOSES]
    if as_json:
        shown = [
            {"purpose": key.purpose, "version": key.version, "fingerprint": key.fingerprint}
            for key in newest
        ]
        typer.echo(json.dumps(shown))
        return
    table = Table("purpose", "version", "fingerprint", title="Secrets")
    for key in newest:
        table.add_row(key.purpose, str(key.version), key.fingerprint)
    Console().print(table)
    tell.print(
        "Back the secrets up apart from the database: without them pseudonyms cannot be found "
        "again, and the access log cannot be read.",
        highlight=False,
    )


@app.command("rotate")
def rotate_secret(
    purpose: Annotated[str, typer.Argument(help=f"One of: {', '.join(PURPOSES)}.")],
    var: Var = None,
    as_json: AsJson = False,
) -> None:
    """Give a purpose a new secret; what older ones made can still be found and checked.

    A running service takes it up when it is started again.
    """
    try:
        key = rotate(load_settings(var_dir=var).keys, purpose)
    except KeysInvalid as fault:
        raise AppError(str(fault)) from None
    if as_json:
        shown = {"purpose": purpose, "version": key.version, "fingerprint": key.fingerprint}
        typer.echo(json.dumps(shown))
    else:
        typer.echo(f"{purpose}: version {key.version} makes new values from the next start on")


@app.command()
def create(
    scope: Annotated[
        list[str], typer.Option("--scope", help=f"May be given again; of {', '.join(SCOPES)}.")
    ],
    name: Annotated[str, typer.Option("--name", help="What the key is for, such as a system.")],
    tenant: Annotated[str, typer.Option("--tenant", help="Whose key it is.")] = DEFAULT_TENANT,
    expires_days: Annotated[
        int, typer.Option("--expires-days", min=1, max=3650, help="For how long it holds.")
    ] = 365,
    var: Var = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key and print it, this once: only its hash is kept.

    Callers send it as `Authorization: Bearer …` or as `X-API-Key`. A running service knows it
    within a second, unless it was started open.
    """
    kept, key = create_api_key(
        load_settings(var_dir=var).api_keys,
        name=name,
        tenant=tenant,
        scopes=scope,
        lasts=timedelta(days=expires_days),
        now=datetime.now(UTC),
    )
    if as_json:
        typer.echo(json.dumps({**kept.public(datetime.now(UTC)), "key": key}))
        return
    typer.echo(key)
    tell.print(
        f"Holds until {kept.expires_at}; it is not shown again. "
        f"`risk-serve keys revoke {kept.id}` ends it.",
        highlight=False,
    )


@app.command("list")
def list_keys(var: Var = None, as_json: AsJson = False) -> None:
    """List the API keys that were made, revoked and expired ones too; never a secret."""
    now = datetime.now(UTC)
    keys = list_api_keys(load_settings(var_dir=var).api_keys)
    if as_json:
        typer.echo(json.dumps([key.public(now) for key in keys]))
    else:
        Console().print(_table(keys, now))


def _table(keys: list[ApiKey], now: datetime) -> Table:
    table = Table("id", "name", "tenant", "scopes", "made", "expires", "state", title="API keys")
    for key in keys:
        cells = (
            key.id,
            key.name,
            key.tenant,
            " ".join(key.scopes),
            key.created_at,
            key.expires_at or "never",
            key.state(now),
        )
        # As text: brackets in a name are no markup.
        table.add_row(*(Text(cell) for cell in cells))
    return table


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="As `risk-serve keys list` shows it.")],
    var: Var = None,
    as_json: AsJson = False,
) -> None:
    """End an API key; running services refuse it within a second."""
    now = datetime.now(UTC)
    key = revoke_api_key(load_settings(var_dir=var).api_keys, key_id, now=now)
    if as_json:
        typer.echo(json.dumps(key.public(now)))
    else:
        typer.echo(f"{key.id} was revoked at {key.revoked_at}")
