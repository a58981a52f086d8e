"""`risk-serve walk`: a simulated patient on a branching path, in the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lib.service import Service, free_port, run_command


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("walk")
    done = run_command(
        "risk-train", "simulate", "--ndjson", "--episodes", "12", "--seed", "7", var=folder
    )
    file = folder / "visits.ndjson"
    file.write_text(done.stdout, encoding="utf-8")
    return file


def visits(simulated: Path, episode: int) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in simulated.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["episode"] == episode]


def test_every_stop_of_the_path_is_shown_with_what_moved_the_risks(
    service: Service, simulated: Path
):
    episode = max(range(12), key=lambda number: len(visits(simulated, number)))
    done = run_command(
        "risk-serve", "walk", "--url", service.url, "--file", str(simulated),
        "--episode", str(episode), var=simulated.parent, settings={"COLUMNS": "200"},
    )  # fmt: skip
    stops = [visit["branch_point"] for visit in visits(simulated, episode)]
    shown = [line.split(": ")[1] for line in done.stdout.splitlines() if line.startswith("day ")]
    assert shown == stops
    assert len(stops) >= 3
    assert "A simulated patient" in done.stdout
    assert "What happened after the last stop" in done.stdout


def test_without_a_file_the_patient_is_simulated_on_the_spot(service: Service, simulated: Path):
    done = run_command(
        "risk-serve", "walk", "--url", service.url, "--seed", "7", var=simulated.parent
    )
    assert f"{visits(simulated, 0)[0]['branch_point']}" in done.stdout


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--episode", "99"), "there is no episode number 99 in it"),
        (("--url", f"http://127.0.0.1:{free_port()}"), "did not answer"),
    ],
    ids=["no such episode", "no service"],
)
def test_what_is_wrong_is_one_line(
    service: Service, simulated: Path, more: tuple[str, ...], said: str
):
    done = run_command(
        "risk-serve", "walk", "--url", service.url, "--file", str(simulated), *more,
        var=simulated.parent, check=False, settings={"COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
