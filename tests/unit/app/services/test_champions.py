"""Which versions may become champion, by the gate's sealed records alone."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import pytest

from app.errors import Problem
from app.services.champions import (
    NO_BUNDLE,
    NOT_BEFORE,
    PRESENT,
    REAL_STAYS,
    UNGATED,
    Mover,
    judged,
    promote,
)
from models.alias_moves import Move
from models.gate_record import FAILED, OVERRIDDEN, PASSED, RECORD_TAG, GatePolicy, GateRecord

NAME, KEY = "icu-review.death_180d", b"k" * 32
WARN, REFUSE = GatePolicy("warn", (KEY,)), GatePolicy("refuse", (KEY,))


def record(digest: str, verdict: str = PASSED, key: bytes = KEY, name: str = NAME) -> str:
    failed = () if verdict == PASSED else ("auroc",)
    reason = "needed" if verdict == OVERRIDDEN else None
    return GateRecord(name, digest, verdict, failed, reason, "r", "c", "2026", "anna").sealed(key)


def version(number: int, gate: str | None, data: str = "real", digest: str | None = "") -> dict:
    tags = {"training_data": data} | ({} if gate is None else {RECORD_TAG: gate})
    digest = f"sha256:{number}" if digest == "" else digest
    return {"version": str(number), "digest": digest, "tags": tags}


def described(*versions: dict, champion: str | None = "1", moves: tuple[Move, ...] = ()) -> Any:
    tags = {f"champion_move.{i}": json.dumps(asdict(move)) for i, move in enumerate(moves)}
    return {
        "versions": list(versions),
        "aliases": {} if champion is None else {"champion": champion},
        "tags": tags,
    }


@pytest.mark.parametrize(
    ("candidate", "hindrance"),
    [
        (version(2, record("sha256:2")), None),
        (version(2, record("sha256:2", OVERRIDDEN)), None),
        (version(2, None), UNGATED),
        (version(2, record("sha256:2", FAILED)), UNGATED),
        (version(2, record("sha256:1")), UNGATED),
        (version(2, record("sha256:2", key=b"other")), UNGATED),
        (version(2, record("sha256:2", name="icu-review.death_60d")), UNGATED),
        (version(2, "{}"), UNGATED),
        (version(2, record("sha256:2"), digest=None), NO_BUNDLE),
        (version(2, record("sha256:2"), data="synthetic"), REAL_STAYS),
    ],
)
@pytest.mark.parametrize("policy", [WARN, REFUSE, GatePolicy("serve", (KEY,))])
def test_only_what_the_gate_let_pass_may_be_promoted(candidate, hindrance, policy):
    """Whatever the site does with ungated versions that serve already."""
    first = version(1, record("sha256:1"))
    found = judged(NAME, described(first, candidate), policy)
    assert [one.version for one in found.versions] == ["2", "1"]
    assert found.of("1").hindrance == PRESENT
    assert found.of("2").hindrance == hindrance


def test_simulated_may_follow_simulated():
    simulated = [version(n, record(f"sha256:{n}"), "synthetic") for n in (1, 2)]
    assert judged(NAME, described(*simulated), WARN).of("2").hindrance is None


def test_the_first_champion_needs_no_other():
    found = judged(NAME, described(version(1, record("sha256:1")), champion=None), WARN)
    assert (found.of("1").hindrance, found.back_to) == (None, None)


@pytest.mark.parametrize(
    ("gate", "data", "policy", "hindrance"),
    [
        (record("sha256:1"), "real", REFUSE, None),
        (None, "real", WARN, None),
        (None, "real", REFUSE, UNGATED),
        (record("sha256:1"), "synthetic", WARN, REAL_STAYS),
    ],
)
def test_going_back_is_no_way_around_the_gate(gate, data, policy, hindrance):
    """A version that was champion may have it again, unless this site would not serve it."""
    moves = (Move("1", "2", "promoted", None, "", ""),)
    both = version(1, gate, data), version(2, record("sha256:2"))
    found = judged(NAME, described(*both, champion="2", moves=moves), policy)
    assert found.back_to.version == "1"
    assert found.back_to.hindrance == hindrance


def test_who_only_was_to_become_champion_is_not_gone_back_to():
    """The move to 1 was written and never made; 2 was made champion by hand."""
    moves = (Move(None, "1", "promoted", None, "", ""),)
    both = version(1, None), version(2, record("sha256:2"))
    found = judged(NAME, described(*both, champion="2", moves=moves), WARN)
    assert (found.back_to.version, found.back_to.hindrance) == ("1", NOT_BEFORE)


class Desk:
    """Brings every version and notes what would be moved."""

    def __init__(self) -> None:
        self.moved: list[Any] = []

    async def bring(self, name: str, version: str) -> Any:
        return {"name": name, "version": version}

    async def move(self, asked: Any) -> None:
        self.moved.append(asked)


class Follows:
    """Proves everything; says of each what its bundle says."""

    def __init__(self, data: str) -> None:
        self._data = data
        self.looked = 0

    async def prove(self, _: Any) -> Any:
        return bundled(self._data)

    def look_now(self) -> None:
        self.looked += 1


def bundled(data: str, version: str = "1") -> Any:
    return SimpleNamespace(version=version, model=SimpleNamespace(training_data=data))


@pytest.mark.parametrize(
    ("its", "served", "moves"),
    [
        ("real", bundled("real"), True),
        ("synthetic", bundled("real"), False),
        ("synthetic", bundled("synthetic"), True),
        ("synthetic", None, False),
        ("synthetic", bundled("synthetic", "0"), False),
    ],
)
def test_what_the_bundle_says_of_its_patients_counts_and_not_the_tag(its, served, moves):
    """Both versions are tagged as real ones."""
    both = version(1, record("sha256:1")), version(2, record("sha256:2"))
    found, desk, follows = judged(NAME, described(*both), WARN), Desk(), Follows(its)
    asked = promote(found, "2", Mover("console", desk, follows, served))
    if moves:
        asyncio.run(asked)
        [move] = desk.moved
        assert (move["before"], move["version"], move["gate"]) == ("1", "2", record("sha256:2"))
        assert json.loads(move["text"])["by"] == "console"
    else:
        with pytest.raises(Problem, match="simulated patients never"):
            asyncio.run(asked)
    assert (len(desk.moved), follows.looked) == ((1, 1) if moves else (0, 0))
