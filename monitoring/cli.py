"""`risk-monitor`: what SREs run."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from typing import Annotated, Any

import typer
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

app = typer.Typer(
    name="risk-monitor",
    help="See how a running service and its models are doing.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
tell = Console(stderr=True)
PATIENCE_S = 5.0


class ServiceUnreachable(Exception):
    """The service did not answer."""


def main() -> None:
    """Run the command; an expected error is one line and exit code 1."""
    try:
        app()
    except ServiceUnreachable as error:
        tell.print(f"risk-monitor: {error}", style="red", highlight=False, soft_wrap=True)
        sys.exit(1)


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
