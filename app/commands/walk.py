"""`risk-serve walk`: one simulated patient on a branching path through a running service."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from app.errors import AppError
from app.schemas.statuses import FALLBACK, SILENT

SHOWN = 4
"""Outcomes that are shown of each answer: a screen has so many lines."""
DEATH_FIRST = ("death_in_hospital", "death_30d", "death_60d", "death_180d")
Visit = Mapping[str, Any]


class WalkFailed(AppError):
    """The walk could not be made; the message says what was expected."""


def simulated_visits(number: int, seed: int) -> list[Visit]:
    """One simulated episode, as `risk-train simulate --ndjson` prints it.

    Raises
    ------
    WalkFailed
        When this installation cannot simulate.
    """
    command = Path(sys.executable).parent / "risk-train"
    asked = ("simulate", "--ndjson", "--episodes", str(number + 1), "--seed", str(seed))
    try:
        done = subprocess.run([str(command), *asked], capture_output=True, text=True, check=False)
    except OSError:
        raise WalkFailed("`risk-train` is not installed here; expected --file NDJSON") from None
    if done.returncode:
        raise WalkFailed(f"risk-train simulate failed: {done.stderr.strip()[-200:]}")
    return visits_of(done.stdout.splitlines(), number)


def visits_of(lines: Iterable[str], number: int) -> list[Visit]:
    """The visits of one episode in the order of time.

    Raises
    ------
    WalkFailed
        When the lines are not simulated visits, or the episode is not among them.
    """
    try:
        visits = [json.loads(line) for line in lines if line.strip()]
        own = [visit for visit in visits if visit["episode"] == number]
        own.sort(key=lambda visit: visit["visit"])
    except (ValueError, KeyError, TypeError):
        raise WalkFailed("expected lines as `risk-train simulate --ndjson` prints them") from None
    if not own:
        raise WalkFailed(f"there is no episode number {number} in it")
    return own


def walk(url: str, visits: Sequence[Visit], console: Console, key: str | None = None) -> None:
    """Send the visits in order and print each answer, then how the risks moved.

    Raises
    ------
    WalkFailed
        When the service does not answer.
    """
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=url, timeout=30.0, headers=headers) as client:
        answers = [_ask(client, visit) for visit in visits]
        path = _call(client, "GET", f"/v1/episodes/{answers[-1]['episode_id']}")["trajectory"]
    console.print(
        "A simulated patient: no real one is in it. Decision support only.\n", style="bold"
    )
    for visit, answer in zip(visits, answers, strict=True):
        _show_stop(visit, answer, path, console)
    kinds = {o["outcome"]: o["kind"] for answer in answers for o in answer["outcomes"]}
    happened = {n: v for n, v in visits[-1].get("labels", {}).items() if v is not None}
    told = ", ".join(f"{name}: {_happened(kinds.get(name), v)}" for name, v in happened.items())
    console.print(f"What happened after the last stop: {told}", highlight=False)


def _ask(client: httpx.Client, visit: Visit) -> dict[str, Any]:
    path = f"/v1/branch-points/{visit['branch_point']}/assessments"
    return _call(client, "POST", path, {**visit["request"], "include": ["measure_next"]})


def _call(client: httpx.Client, method: str, path: str, body: Any = None) -> dict[str, Any]:
    try:
        reply = client.request(method, path, json=body)
    except httpx.HTTPError as error:
        raise WalkFailed(
            f"{client.base_url} did not answer ({type(error).__name__}); start `risk-serve run`"
        ) from None
    if reply.status_code != 200:
        raise WalkFailed(f"the service answered {reply.status_code}: {reply.json().get('detail')}")
    found: dict[str, Any] = reply.json()
    return found


def _show_stop(
    visit: Visit, answer: Mapping[str, Any], path: Mapping[str, Any], console: Console
) -> None:
    day, hour = divmod(float(visit["hours"]), 24)
    console.print(f"day {day:.0f}, hour {hour:.0f}: {visit['branch_point']}", style="bold cyan")
    if answer["status"] == SILENT:
        console.print("  silent mode: it was recorded, and nothing of the risk is told")
    table = Table(box=None, show_header=False, pad_edge=True)
    ranked = sorted(answer["outcomes"], key=_order)
    for outcome in ranked[:SHOWN]:
        name = outcome["outcome"]
        (point,) = (p for p in path[name] if p["assessment_id"] == answer["assessment_id"])
        table.add_row(name, *_risk(outcome), _why(outcome, point), _truth(visit, outcome))
    console.print(table, highlight=False)
    if suggested := [suggestion["label"] for suggestion in answer["suggestions"]]:
        console.print(f"  to consider: {'; '.join(suggested)}", highlight=False, markup=False)
    if ranked_next := answer.get("measure_next"):
        first = ", ".join(item["feature"] for item in ranked_next[:3])
        console.print(f"  would tell most if measured: {first}", highlight=False)
    console.print()


def _order(outcome: Mapping[str, Any]) -> tuple[bool, int]:
    """What is answered first, and death before the rest."""
    name = outcome["outcome"]
    rank = DEATH_FIRST.index(name) if name in DEATH_FIRST else len(DEATH_FIRST)
    return "probability" not in outcome, rank


def _risk(outcome: Mapping[str, Any]) -> tuple[str, str]:
    if "probability" in outcome:
        by = "published score" if outcome["status"] == FALLBACK else str(outcome["band"])
        return f"{outcome['probability']:.1%}", by
    if "value" in outcome:
        return f"{outcome['value']:.1f} {outcome['unit']}", ""
    return "no answer", outcome["reason"].replace("_", " ")


def _why(outcome: Mapping[str, Any], point: Mapping[str, Any]) -> str:
    """What moved it since the answer before, or its strongest reason when it is the first."""
    change = point.get("change")
    if change is not None and change["features"]:
        by = change["probability"] if "probability" in change else change["score"]
        size = f"{by:+.1%}" if "probability" in change else f"{by:+.1f}"
        return f"{size} since then, most by {change['features'][0]['feature']}"
    reasons = outcome.get("attributions", [])
    return f"strongest reason: {reasons[0]['feature']}" if reasons else ""


def _truth(visit: Visit, outcome: Mapping[str, Any]) -> str:
    """The generator's own risk, or its expected number, beside the answer."""
    truth = visit.get("truth", {}).get(outcome["outcome"])
    if truth is None:
        return ""
    return f"truth {truth:.1f}" if outcome["kind"] == "numeric" else f"truth {truth:.1%}"


def _happened(kind: str | None, value: float) -> str:
    return f"{value:.1f}" if kind == "numeric" else ("yes" if value else "no")
