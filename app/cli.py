"""`risk-serve`: what operators run."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from app.commands import file_drop, keys
from app.commands.access_log import access_log
from app.commands.check_integration import check_integration
from app.commands.inspect_deid import inspect_deid
from app.commands.relink import relink
from app.errors import EXPECTED, AppError
from app.settings import CONFIG_VARIABLE, Settings, load_settings

app = typer.Typer(
    name="risk-serve",
    help="Serve explained, calibrated risks over HTTP.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(keys.app, name="keys")
keys.app.command()(relink)
app.command()(access_log)
app.command()(inspect_deid)
app.command()(check_integration)
app.command("score-file")(file_drop.score)
app.command("watch-folder")(file_drop.watch)
app.command("map")(file_drop.draft)
tell = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]


def main() -> None:
    """Run the command; an expected error is one line and exit code 1."""
    try:
        app()
    except EXPECTED as error:
        tell.print(f"risk-serve: {error}", style="red", highlight=False, soft_wrap=True)
        sys.exit(1)


@app.command()
def run(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 picks a free one.")] = None,
    var: Annotated[Path | None, typer.Option("--var", help="Folder for state.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes that answer; one per core.")
    ] = None,
) -> None:
    """Start the service; it follows the registry's champions by itself."""
    from app.commands.serve import serve

    serve(load_settings(host=host, port=port, var_dir=var, workers=workers))


@app.command()
def settings(as_json: AsJson = False) -> None:
    """List every setting: variable, value now, default, what it is for."""
    now = load_settings()
    listed = [
        {
            "variable": f"RISK_{name.upper()}",
            "value": _plain(getattr(now, name)),
            "default": _plain(field.default),
            "description": field.description,
        }
        for name, field in Settings.model_fields.items()
    ]
    if as_json:
        print(json.dumps(listed))
        return
    table = Table("variable", "value", "default", "what", title="Settings")
    for item in listed:
        table.add_row(
            str(item["variable"]),
            str(item["value"]),
            str(item["default"]),
            str(item["description"]),
        )
    table.add_row(CONFIG_VARIABLE, os.environ.get(CONFIG_VARIABLE, ""), "", "TOML settings file")
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        table.add_row(name, os.environ.get(name, ""), "SQLite in the state folder", "MLflow's own")
    Console().print(table)


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path | SecretStr) else value


@app.command()
def openapi(
    write: Annotated[Path | None, typer.Option("--write", help="Folder to write into.")] = None,
) -> None:
    """Print the OpenAPI document, or write it, its examples, and what FHIR and CDS Hooks publish."""
    from app.cds_hooks.discovery import discovery
    from app.examples import FOLDER, files_of, load_examples
    from app.fhir import capability_statement
    from app.main import create_app
    from monitoring.keyring import throwaway_keyring

    service = create_app(load_settings(), throwaway_keyring())
    text = _pretty(service.openapi())
    if write is None:
        print(text, end="")
    else:
        write.mkdir(parents=True, exist_ok=True)
        (write / "openapi.json").write_text(text, encoding="utf-8")
        statement = json.dumps(capability_statement(service.version), indent=1) + "\n"
        (write / "capability-statement.json").write_text(statement, encoding="utf-8")
        offered = discovery(service.state.risk.desk.services.values(), None)
        (write / "cds-services.json").write_text(_pretty(offered), encoding="utf-8")
        for name, content in files_of(load_examples()).items():
            file = write / FOLDER / name
            file.parent.mkdir(parents=True, exist_ok=True)
            whole = content if isinstance(content, str) else _pretty(content)
            file.write_text(whole, encoding="utf-8")


def _pretty(document: object) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


@app.command()
def ask(
    url: Annotated[str, typer.Option(help="Where the service is.")] = "http://127.0.0.1:8000",
    file: Annotated[
        str, typer.Argument(help="A line of `risk-train rows`, or - for standard input.")
    ] = "-",
    reasons: Annotated[int, typer.Option(min=1, help="How many reasons to show.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Send one patient to a running service and print risks and reasons in words."""
    from app.demo import ask_service, in_words

    try:
        text = sys.stdin.readline() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise AppError(f"{file} cannot be read") from None
    answer, features, row = ask_service(url, text)
    if as_json:
        print(json.dumps(answer))
    else:
        in_words(answer, features, row, reasons, Console())


@app.command()
def walk(
    url: Annotated[str, typer.Option(help="Where the service is.")] = "http://127.0.0.1:8000",
    episode: Annotated[int, typer.Option(min=0, help="Which simulated episode.")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 7,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="Lines of `risk-train simulate --ndjson`, not made anew."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(envvar="RISK_API_KEY", help="Token or API key, where one is needed."),
    ] = None,
) -> None:
    """Play one simulated patient through a branching pathway; a service must be running."""
    from app.commands.walk import simulated_visits, visits_of
    from app.commands.walk import walk as play

    try:
        visits = (
            simulated_visits(episode, seed)
            if file is None
            else visits_of(file.read_text(encoding="utf-8").splitlines(), episode)
        )
    except (OSError, UnicodeDecodeError):
        raise AppError(f"{file} cannot be read") from None
    play(url, visits, Console(), key)


@app.command()
def demo(
    port: Annotated[int, typer.Option(envvar="PORT", help="Port to listen on.")] = 8000,
    var: Annotated[Path, typer.Option("--var", envvar="VAR_DIR", help="Folder for state.")] = Path(
        "var"
    ),
    once: Annotated[
        bool, typer.Option("--once", envvar="DEMO_ONCE", help="Stop after one patient.")
    ] = False,
) -> None:
    """Train if nothing is trained, serve all branch points, send one real patient through."""
    from app.demo import run_demo

    run_demo(port, var, once=once)


if __name__ == "__main__":
    main()
