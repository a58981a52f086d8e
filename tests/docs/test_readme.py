"""What the README shows and says is true."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest

from tests.lib.shown import assert_shown

README = Path("README.md").read_text(encoding="utf-8")
REQUEST = re.search(r"curl -s http://127\.0\.0\.1:8000(\S+) -d '(.+?)'\n```", README, re.DOTALL)
ANSWER = re.search(r"```json\n(.+?)\n```", README, re.DOTALL)


def test_the_request_gets_the_answer_that_is_shown(client: httpx.Client):
    assert REQUEST
    assert ANSWER
    answer = client.post(REQUEST.group(1), content=REQUEST.group(2).encode())
    assert answer.status_code == 200
    assert_shown(json.loads(ANSWER.group(1)), answer.json(), "answer")


def test_every_room_and_starting_point_on_the_map_exists():
    for path in re.findall(r"\| `([a-z_/]+\.(?:py|json))` \|", README):
        assert Path(path).exists(), path
    for room in ("app", "models", "monitoring", "training", "tests"):
        assert Path(room, "README.md").exists()


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_two_commands_are_in_the_makefile(target):
    assert f"\n{target}:" in Path("Makefile").read_text(encoding="utf-8")
    assert f"make {target}" in README
