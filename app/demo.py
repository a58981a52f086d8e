"""The demonstration: real cohort, real registry, real service, one held-out patient in words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from app.errors import AppError
from app.schemas.statuses import ANSWERED, SILENT

BRANCH_POINT, SOURCE, SIMULATED = "icu-review", "support2", "pathway"
TRAINED = "demo-trained-2"
"""Marks a state folder in which the demonstration has trained; the number rises with what it trains."""
PATIENCE_S = 180.0
IN_SILENCE = "Silent mode: it was recorded, and nothing of the risk is told."
tell = Console(stderr=True)


class DemoFailed(AppError):
    """A step of the demonstration did not work; the message says which."""


def run_demo(port: int, var: Path, *, once: bool) -> None:
    """Train if needed, serve, ask, print, and keep serving until Ctrl-C.

    Raises
    ------
    DemoFailed
        Naming the step that failed.
    """
    var = var.resolve()
    environment = {**os.environ, "RISK_VAR_DIR": str(var), "RISK_PORT": str(port)}
    url = f"http://127.0.0.1:{port}"
    if _answers(url):
        raise DemoFailed(f"something already listens on port {port}; choose another with PORT=")
    if not (var / TRAINED).exists():
        tell.print("First run: fetching SUPPORT and training; later runs reuse what is here.")
        _train("fetch", SOURCE, environment=environment)
        _train("run", BRANCH_POINT, "--source", SOURCE, "--promote", environment=environment)
        tell.print(
            "All other branch points learn from simulated patients, and every answer says so."
        )
        _train("run", "--all", "--source", SIMULATED, "--promote", environment=environment)
        (var / TRAINED).touch()
    server = subprocess.Popen([_script("risk-serve"), "run"], env=environment)
    try:
        _wait_until_ready(url, server)
        line = _train(
            "rows", SOURCE, "--held-out", "--limit", "1", environment=environment, capture=True
        )
        answer, features, row = ask_service(url, line)
        in_words(answer, features, row, 5, Console())
        _show_pathway(url, Console())
        _show_addresses(url)
        if once:
            return
        Console().print("Serving until Ctrl-C.")
        server.wait()
    except KeyboardInterrupt:
        tell.print("Stopping.")
    finally:
        server.terminate()
        server.wait()


def _show_pathway(url: str, console: Console) -> None:
    """Which branch points answer, for how many outcomes, and from which kind of patients."""
    with httpx.Client(base_url=url, timeout=30.0) as client:
        served = client.get("/v1/models").json()
        points = client.get("/v1/branch-points").json()
    table = Table("branch point", "outcomes with a model", "learnt from", title="The whole pathway")
    for point in points:
        own = [model for model in served if model["name"].startswith(f"{point['id']}.")]
        kinds = sorted({model["training_data"] for model in own})
        told = " and ".join(f"{kind} patients" for kind in kinds)
        table.add_row(point["id"], f"{len(own)} of {len(point['outcomes'])}", told or "-")
    console.print(table)
    console.print("Try `.venv/bin/risk-serve walk`: a simulated patient on a branching path.")


def _show_addresses(url: str) -> None:
    paths = (
        "/docs",
        f"/v1/branch-points/{BRANCH_POINT}",
        "/v1/models",
        f"/v1/models/{BRANCH_POINT}.death_180d/card",
        "/readyz",
        "/metrics",
    )
    Console().print("\n" + "\n".join(f"  {url}{path}" for path in paths), highlight=False)


def ask_service(
    url: str, line: str
) -> tuple[dict[str, Any], Mapping[str, Mapping[str, Any]], Mapping[str, Any]]:
    """Send one line of `risk-train rows`; return the answer, the dictionary by name, and the row.

    Raises
    ------
    DemoFailed
        When the line is not one, or the service does not answer 200.
    """
    try:
        row = json.loads(line)
        path = f"/v1/branch-points/{row['branch_point']}/assessments"
        request = row["request"]
    except (ValueError, KeyError, TypeError):
        raise DemoFailed("expected a line as `risk-train rows` prints it") from None
    try:
        with httpx.Client(base_url=url, timeout=30.0) as client:
            answer = client.post(path, json=request)
            features = {f["name"]: f for f in client.get("/v1/features").json()}
    except httpx.HTTPError as error:
        raise DemoFailed(f"{url} did not answer ({type(error).__name__})") from None
    if answer.status_code != 200:
        raise DemoFailed(f"the service answered {answer.status_code}: {answer.json()['detail']}")
    return answer.json(), features, row


def in_words(
    answer: Mapping[str, Any],
    features: Mapping[str, Mapping[str, Any]],
    row: Mapping[str, Any],
    reasons: int,
    console: Console,
) -> None:
    """Print risks with their strongest reasons, values with units."""
    console.print(
        f"\nHeld-out patient {row['row']} at {answer['branch_point']} "
        "(never used for fitting). Decision support only.\n",
        style="bold",
        highlight=False,
    )
    if answer["status"] == SILENT:
        console.print(IN_SILENCE, highlight=False)
    for outcome in answer["outcomes"]:
        name = outcome["outcome"]
        if outcome["status"] != ANSWERED:
            console.print(f"{name}: no answer ({outcome['reason']})", highlight=False)
            continue
        console.print(_headline(outcome), style="bold", highlight=False, markup=False)
        table = Table(box=None, show_header=False, pad_edge=True)
        for reason in outcome["attributions"][:reasons]:
            table.add_row(*_reason(reason, features[reason["feature"]], outcome))
        console.print(table, highlight=False)
    happened = {name: value for name, value in row.get("labels", {}).items() if value is not None}
    shown = ", ".join(f"{name}: {_said(value)}" for name, value in happened.items())
    console.print(f"\nWhat happened to this patient: {shown}", highlight=False)


def _headline(outcome: Mapping[str, Any]) -> str:
    interval = outcome["interval"]
    model = f"{outcome['model']['name']} v{outcome['model']['version']}"
    if outcome["kind"] == "binary":
        return (
            f"{outcome['outcome']}: {outcome['probability']:.1%} "
            f"({interval['lower']:.1%} to {interval['upper']:.1%}), {outcome['band']}; "
            f"cohort {outcome['cohort_probability']:.1%}  [{model}]"
        )
    return (
        f"{outcome['outcome']}: {outcome['value']:.1f} {outcome['unit']} "
        f"({interval['lower']:.1f} to {interval['upper']:.1f}); "
        f"cohort {outcome['cohort_value']:.1f}  [{model}]"
    )


def _reason(
    reason: Mapping[str, Any], feature: Mapping[str, Any], outcome: Mapping[str, Any]
) -> tuple[str, str, str]:
    contribution = reason["contribution"]
    way = "raises" if contribution > 0 else "lowers"
    scale = "log-odds" if outcome["kind"] == "binary" else outcome["unit"]
    value = _said(reason["value"]) if reason["present"] else "not measured"
    if reason["present"] and reason["unit"] and not str(reason["unit"]).startswith("{"):
        unit = "years" if reason["unit"] == "a" else reason["unit"]
        value = f"{value} {unit}" if unit != "1" else value
    return f"  {feature['label']['en']}", value, f"{way} it by {abs(contribution):.2f} {scale}"


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).replace("_", " ")


def _script(name: str) -> str:
    """A command of this very installation."""
    return str(Path(sys.executable).parent / name)


def _train(*arguments: str, environment: Mapping[str, str], capture: bool = False) -> str:
    done = subprocess.run(
        [_script("risk-train"), *arguments],
        env=dict(environment),
        stdout=subprocess.PIPE if capture else None,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DemoFailed(f"risk-train {arguments[0]} failed")
    return done.stdout or ""


def _answers(url: str) -> bool:
    try:
        httpx.get(f"{url}/livez", timeout=1.0)
    except httpx.HTTPError:
        return False
    return True


def _wait_until_ready(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    why = "it did not answer"
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise DemoFailed("the service ended while starting")
        try:
            found = httpx.get(f"{url}/readyz", timeout=2.0)
            if found.status_code == 200:
                return
            why = found.json()["reason"]
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise DemoFailed(f"the service was not ready within {PATIENCE_S:g} s: {why}")
