"""The page "First day" of app/README.md, run line by line as a newcomer would.

Convention: every block of shell on the page is run, in order, in one folder, with the variables that
blocks before it have set. The block that follows it shows what comes back: `json` what the output
holds (a document, or one a line), `text` lines of it; `…` is anything.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lib.service import environment, free_port
from tests.lib.shown import assert_lines_shown, assert_shown

ROOT = Path(__file__).parents[2]
SECTION = re.search(
    r"^## First day\n(.+?)^## ", (ROOT / "app/README.md").read_text("utf-8"), re.M | re.S
)
assert SECTION
PAGE = SECTION.group(1)
STEPS = re.findall(r"```sh\n(.+?)```\n(?:```(json|text)\n(.+?)```\n)?", PAGE, re.S)
BASH = shutil.which("bash")
MAY_USE = {"curl", "cat", "cmp", "echo", "grep", "kill", "printf", "tee"}
"""Beside the product's own commands: curl, and what every shell has."""


@pytest.fixture(scope="module")
def desk(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A checkout after `make demo`: the page's commands, its examples, and trained models."""
    folder = tmp_path_factory.mktemp("first-day")
    (folder / ".venv").mkdir()
    (folder / ".venv/bin").symlink_to(Path(sys.executable).parent)
    (folder / "openapi").symlink_to(ROOT / "openapi")
    own = shutil.ignore_patterns("ledger.db*", "keys.toml", "api-keys.jsonl", "cohorts")
    shutil.copytree(trained, folder / "var", ignore=own)
    (folder / "state").touch()
    yield folder
    service = re.search(r'SERVICE="(\d+)"', (folder / "state").read_text("utf-8"))
    if service and "risk-serve" in _command_line(int(service[1])):
        os.kill(int(service[1]), signal.SIGTERM)


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


def run(block: str, desk: Path, port: int) -> subprocess.CompletedProcess[str]:
    """One block, with the variables of those before it; the page's port is another one here."""
    script = f"set -eu -o pipefail -a; . ./state\n{block}\nset +a; export -p > state\n"
    assert BASH
    return subprocess.run(
        [BASH, "-c", script.replace(":8000", f":{port}")],
        cwd=desk,
        env=environment(desk / "var", RISK_PORT=str(port), COLUMNS="200", PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.mark.parametrize(
    ("block", "kind", "shown"), STEPS, ids=[step[0].split("\n")[0][:60] for step in STEPS]
)
def test_the_block_does_what_the_page_says(
    desk: Path, port: int, block: str, kind: str, shown: str
):
    done = run(block, desk, port)
    where = f"{block}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert done.returncode == 0, where
    if kind == "text":
        assert_lines_shown(shown, done.stdout + done.stderr, where)
    elif kind == "json":
        expected = documents(shown)
        answered = documents(done.stdout)
        assert len(answered) == len(expected), where
        for one, other in zip(expected, answered, strict=True):
            assert_shown(one, other, "answer")


def documents(text: str) -> list[object]:
    """The JSON documents that stand one after another in a text."""
    decoder, found, rest = json.JSONDecoder(), [], text.strip()
    while rest:
        document, end = decoder.raw_decode(rest)
        found.append(document)
        rest = rest[end:].lstrip()
    return found


def test_the_page_needs_no_other_tool_than_curl_and_our_own():
    for block, _, _ in STEPS:
        plain = re.sub(r"'[^']*'|\"[^\"]*\"", "''", block.replace("\\\n", " "))
        plain = re.sub(r"\d?>+(&\d| *\S+)", "", plain)  # redirections
        for command in re.split(r"[\n|&;()]+", plain):
            words = [word for word in command.split() if not re.match(r"\w+=", word)]
            if words and words != ["$"]:
                assert words[0] in MAY_USE or words[0].startswith(".venv/bin/"), command


def test_the_page_goes_through_every_way_in():
    commands = "\n".join(block for block, _, _ in STEPS)
    for way in (
        "keys create", "risk-serve run", "/v1/branch-points/", "/assessments ", "/v1/assessments/",
        "assessments:batch", "/cds-services/", "/feedback", "/fhir/$assess", "score-file",
        "/v1/outcomes", "/metrics", "inspect-deid", "access-log", "keys revoke",
    ):  # fmt: skip
        assert way in commands
