"""Following the registry: what one look changes, and what no look can break."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from app.serving.follower import Follower
from app.serving.slot import ServedModel, Slot
from models.bundle import write_bundle
from models.errors import RegistryUnreachable
from models.vocabulary import Vocabulary
from tests.lib.risk_models import bundle_files, fitted

NAME = "icu-review.death_180d"
CARD = b'{"cohort": {"title": "synthetic rows"}}'
Answer = Sequence[Mapping[str, Any]] | Exception


class Scripted(Follower):
    """A follower whose registry says what the test hands it, look by look."""

    def __init__(self, var: Path, vocabulary: Vocabulary, answers: Sequence[Answer]) -> None:
        self.failures = 0
        self.changes: list[list[str]] = []
        self._answers = list(answers)
        super().__init__(
            Slot(), vocabulary, var, poll_s=1, timeout_s=0.2,
            failed=self._count, changed=lambda served: self.changes.append(sorted(served)),
        )  # fmt: skip

    def _count(self) -> None:
        self.failures += 1

    @property
    def served(self) -> Mapping[str, ServedModel]:
        return self._slot.models

    async def _ask(self) -> Sequence[Mapping[str, Any]]:
        answer = self._answers.pop(0)
        if isinstance(answer, TimeoutError):
            await asyncio.sleep(60)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def follow(tmp_path: Path, vocabulary: Vocabulary) -> Callable[..., Scripted]:
    """Take as many looks as there are answers."""

    def looks(*answers: Answer) -> Scripted:
        follower = Scripted(tmp_path / "var", vocabulary, answers)

        async def all_looks() -> None:
            for _ in answers:
                await follower.follow_once()

        asyncio.run(all_looks())
        return follower

    return looks


@pytest.fixture
def champion(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """A champion as the registry's process names it, with its bundle in the cache."""

    def make(version: str = "1", **changed: bytes) -> dict[str, Any]:
        folder = tmp_path / "var" / "model-cache" / NAME / version
        files = bundle_files(fitted(), **{"card_json": CARD, **changed})
        digest = write_bundle(folder, files)
        return {
            "name": NAME, "version": version, "digest": digest, "path": str(folder), "refused": None,
        }  # fmt: skip

    return make


Follow = Callable[..., Scripted]
Champion = Callable[..., dict[str, Any]]
AWAY = RegistryUnreachable("the model registry did not answer")


def test_a_champion_is_served_and_remembered(follow: Follow, champion: Champion, tmp_path: Path):
    found = follow([champion()])
    assert found.served[NAME].version == "1"
    assert found.state.reachable
    assert not found.state.from_cache
    assert found.changes == [[NAME]]
    remembered = json.loads((tmp_path / "var" / "model-cache" / "champions.json").read_text())
    assert [item["name"] for item in remembered] == [NAME]


def test_looking_again_changes_nothing(follow: Follow, champion: Champion):
    one = champion()
    assert follow([one], [one], [one]).changes == [[NAME]]


def test_a_champion_that_lost_its_alias_is_retired(follow: Follow, champion: Champion):
    found = follow([champion()], [])
    assert not found.served
    assert found.changes == [[NAME], []]


@pytest.mark.parametrize(
    "changed",
    [{"card_md": b"\xff"}, {"model_json": b"[" * 100_000}, {"trees_txt": b"\xff"},
     {"example_json": b"{}"}],
    ids=lambda changed: next(iter(changed)),
)  # fmt: skip
def test_a_version_that_cannot_be_built_is_counted_once_and_the_old_one_stays(
    follow: Follow, champion: Champion, changed: dict[str, bytes]
):
    good, bad = champion("1"), champion("2", **changed)
    found = follow([good], [bad], [bad], [bad])
    assert found.served[NAME].version == "1"
    assert found.state.refused[NAME]["version"] == "2"
    assert found.failures == 1
    assert found.changes == [[NAME]]


def test_a_version_that_could_not_be_brought_is_refused_with_its_reason(
    follow: Follow, champion: Champion
):
    absent = {**champion("2"), "path": None, "refused": "model.pkl is not part of the format"}
    found = follow([absent])
    assert not found.served
    assert found.state.refused[NAME]["reason"] == "model.pkl is not part of the format"


def test_after_a_bad_version_a_good_one_serves(follow: Follow, champion: Champion):
    found = follow([champion("1")], [champion("2", card_md=b"\xff")], [champion("3")])
    assert found.served[NAME].version == "3"
    assert found.state.refused == {}
    assert found.failures == 1


@pytest.mark.parametrize("away", [AWAY, TimeoutError(), OSError("no such process")], ids=repr)
def test_an_outage_while_serving_keeps_the_models_and_says_so(
    follow: Follow, champion: Champion, away: Exception
):
    found = follow([champion()], away)
    assert found.served[NAME].version == "1"
    assert not found.state.reachable
    assert found.state.from_cache
    assert found.state.last_success > 0


def test_a_start_without_the_registry_serves_what_was_remembered(
    follow: Follow, champion: Champion
):
    one = champion()
    follow([one])
    found = follow(AWAY)
    assert found.served[NAME].digest == one["digest"]
    assert (found.state.reachable, found.state.from_cache) == (False, True)
    assert found.state.last_success == 0


def test_when_the_registry_is_back_the_cache_is_no_longer_the_source(
    follow: Follow, champion: Champion
):
    one = champion()
    follow([one])
    found = follow(AWAY, [one])
    assert (found.state.reachable, found.state.from_cache) == (True, False)


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"name": "x"}]', "null", "\x00"])
def test_a_spoiled_memory_is_no_memory(follow: Follow, tmp_path: Path, text: str):
    cache = tmp_path / "var" / "model-cache"
    cache.mkdir(parents=True)
    (cache / "champions.json").write_text(text)
    found = follow(AWAY)
    assert not found.served
    assert not found.state.from_cache


def test_a_gate_record_goes_with_the_version_into_the_memory_and_out_of_it(
    follow: Follow, champion: Champion
):
    follow([champion() | {"gate": "a record"}])
    assert follow(AWAY).served[NAME].gate.text == "a record"


def test_a_memory_of_before_there_were_gate_records_is_read(
    follow: Follow, champion: Champion, tmp_path: Path
):
    follow([champion()])
    index = tmp_path / "var" / "model-cache" / "champions.json"
    old = [{k: v for k, v in item.items() if k != "gate"} for item in json.loads(index.read_text())]
    index.write_text(json.dumps(old))
    assert follow(AWAY).served[NAME].gate.doubt is not None


def test_a_decision_that_comes_after_the_alias_is_shown_without_another_version(
    follow: Follow, champion: Champion
):
    one = champion()
    found = follow([one], [one | {"gate": "a record"}])
    assert found.served[NAME].gate.text == "a record"
    assert found.changes == [[NAME], [NAME]]
