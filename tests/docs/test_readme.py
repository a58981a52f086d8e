"""What the README shows and says is true."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest

README = Path("README.md").read_text(encoding="utf-8")
REQUEST = re.search(r"curl -s http://127\.0\.0\.1:8000(\S+) -d '(.+?)'\n```", README, re.DOTALL)
ANSWER = re.search(r"```json\n(.+?)\n```", README, re.DOTALL)
TOLERANCE = 0.02  # another machine's arithmetic may choose a slightly other tree


def assert_shown(shown: object, answered: object, where: str) -> None:
    """Everything that the shortened answer shows stands in the real one."""
    if isinstance(shown, dict):
        assert isinstance(answered, dict), where
        for key, value in shown.items():
            assert key in answered, f"{where}.{key}"
            assert_shown(value, answered[key], f"{where}.{key}")
    elif isinstance(shown, list):
        assert isinstance(answered, list), where
        for i, value in enumerate(shown):
            assert_shown(value, answered[i], f"{where}[{i}]")
    elif isinstance(shown, float):
        assert answered == pytest.approx(shown, abs=TOLERANCE), where
    else:
        assert answered == shown, where


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
