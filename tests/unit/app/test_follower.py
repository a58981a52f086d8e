"""Following the registry: what one look changes, and what no look can break."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.serving.conditions import Conditions
from app.serving.follower import HEAR_S, LEAST_BETWEEN_LOOKS_S, Follower
from app.serving.slot import ServedModel, Slot
from models.bundle import write_bundle
from models.errors import RegistryUnreachable
from models.gate_record import NO_RECORD, PASSED, REFUSE, GatePolicy, GateRecord
from models.vocabulary import Vocabulary
from tests.lib.risk_models import bundle_files, fitted

NAME = "icu-review.death_180d"
CARD = b'{"cohort": {"title": "synthetic rows"}}'
Answer = Sequence[Mapping[str, Any]] | Exception


class Scripted(Follower):
    """A follower whose registry says what the test hands it, look by look."""

    def __init__(
        self,
        var: Path,
        vocabulary: Vocabulary,
        answers: Sequence[Answer],
        conditions: Conditions | None = None,
    ) -> None:
        self.changes: list[list[str]] = []
        self._answers = list(answers)
        super().__init__(
            Slot(), vocabulary, var, poll_s=1, timeout_s=0.2,
            changed=lambda served: self.changes.append(sorted(served)), conditions=conditions,
        )  # fmt: skip

    @property
    def failures(self) -> int:
        return self.workers()[1]

    @property
    def served(self) -> Mapping[str, ServedModel]:
        return self._slot.models

    async def _ask(self) -> Sequence[Mapping[str, Any]]:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def follow(tmp_path: Path, vocabulary: Vocabulary) -> Callable[..., Scripted]:
    """Take as many looks as there are answers."""

    def looks(
        *answers: Answer, begin: bool = False, conditions: Conditions | None = None
    ) -> Scripted:
        follower = Scripted(tmp_path / "var", vocabulary, answers, conditions)

        async def all_looks() -> None:
            if begin:
                await follower.begin()
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
    [{"card_json": b"{}"}, {"model_json": b"[" * 100_000}, {"trees_txt": b"\xff"},
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
    found = follow([champion("1")], [champion("2", card_json=b"{}")], [champion("3")])
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


# ---------------------------------------------------------------- a worker that starts again


def test_a_worker_that_starts_serves_what_was_remembered_before_it_asks(
    follow: Follow, champion: Champion
):
    one = champion()
    follow([one])
    found = follow(begin=True)
    assert found.served[NAME].digest == one["digest"]
    assert (found.state.asked, found.state.reachable, found.state.from_cache) == (
        False, False, True,
    )  # fmt: skip
    assert found.workers()[0][0].from_cache


def test_the_registrys_first_answer_confirms_what_was_remembered(
    follow: Follow, champion: Champion
):
    one = champion()
    follow([one])
    found = follow([one], begin=True)
    assert found.changes == [[NAME]]
    assert (found.state.reachable, found.state.from_cache) == (True, False)


def test_the_registrys_first_answer_retires_what_lost_its_alias(follow: Follow, champion: Champion):
    follow([champion()])
    assert not follow([], begin=True).served
    assert not follow(begin=True).served  # and it is forgotten


def test_a_remembered_copy_that_spoiled_is_named_and_served_when_it_is_whole_again(
    follow: Follow, champion: Champion, tmp_path: Path
):
    one = champion()
    follow([one])
    file = Path(one["path"]) / "model.json"
    whole = file.read_bytes()
    file.write_bytes(b"{}")
    spoiled = follow(begin=True)
    assert not spoiled.served
    assert "model.json does not match" in spoiled.state.refused[NAME]["reason"]
    file.write_bytes(whole)  # as the registry's process does when it looks at the copy
    found = follow(AWAY, [one], begin=True)
    assert found.served[NAME].version == "1"
    assert found.state.refused == {}


def test_a_state_folder_can_be_moved(
    follow: Follow, champion: Champion, tmp_path: Path, vocabulary: Vocabulary
):
    follow([champion()])
    (tmp_path / "var").rename(tmp_path / "elsewhere")
    moved = Scripted(tmp_path / "elsewhere", vocabulary, [])
    asyncio.run(moved.begin())
    assert list(moved.served) == [NAME]


# ---------------------------------------------------------------- conditions of the site


def test_a_version_that_answers_too_slowly_is_refused_and_the_old_one_stays(
    follow: Follow, champion: Champion, tmp_path: Path
):
    one, two = champion("1"), champion("2")
    follow([one])
    found = follow([two], begin=False, conditions=Conditions(answer_budget_s=1e-9))
    assert not found.served
    assert found.state.refused[NAME] == {
        "version": "2",
        "reason": "its median answer takes more than 1e-06 ms of processor time",
    }


def test_a_version_that_did_not_prove_itself_is_not_tried_at_every_look(
    champion: Champion, tmp_path: Path, vocabulary: Vocabulary
):
    one = champion()
    slow = Conditions(answer_budget_s=1e-9)
    follower = Scripted(tmp_path / "var", vocabulary, [[one], [one]], slow)
    asyncio.run(follower.follow_once())
    reason = follower.state.refused[NAME]["reason"]
    shutil.rmtree(one["path"])  # whoever tried again would find that nothing is there
    asyncio.run(follower.follow_once())
    assert follower.state.refused[NAME]["reason"] == reason
    assert follower.failures == 1


def test_an_ungated_version_is_not_served_where_the_site_refuses_it(
    follow: Follow, champion: Champion
):
    one, two = champion("1"), champion("2")
    key = b"of this installation"
    record = GateRecord(
        NAME, one["digest"], PASSED, (), None, "sha256:rules", "code", "2026-11-22T10:00:00Z", "me"
    )
    refusing = Conditions(gate=GatePolicy(REFUSE, (key,)))
    gated = {**one, "gate": record.sealed(key)}
    found = follow([gated], [two], conditions=refusing)
    assert found.served[NAME].version == "1"
    assert found.state.refused[NAME] == {"version": "2", "reason": f"not gated: {NO_RECORD}"}
    # It holds for what is remembered as well, and for a decision that comes later.
    assert follow(begin=True, conditions=refusing).served
    assert not follow(
        begin=True, conditions=Conditions(gate=GatePolicy(REFUSE, (b"other",)))
    ).served
    decided = replace(record, digest=two["digest"]).sealed(key)
    found = follow([two], [{**two, "gate": decided}], conditions=refusing)
    assert found.served[NAME].version == "2"


# ---------------------------------------------------------------- when it looks


def test_it_looks_again_within_the_interval_and_at_once_when_asked(
    champion: Champion, tmp_path: Path, vocabulary: Vocabulary
):
    """With an hour between looks only the asking can explain the second."""

    class Telling(Scripted):
        looked: asyncio.Queue[float]

        async def _ask(self) -> Sequence[Mapping[str, Any]]:
            await self.looked.put(asyncio.get_running_loop().time())
            return []

    async def between_looks(poll_s: float, *, ask: bool) -> float:
        follower = Telling(tmp_path / "var", vocabulary, [])
        follower._poll_s, follower.looked = poll_s, asyncio.Queue()
        running = asyncio.create_task(follower.run())
        async with asyncio.timeout(20):
            first = await follower.looked.get()
            if ask:
                follower.look_now()
            second = await follower.looked.get()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        return second - first

    busy_s = 5.0  # what a busy machine may add
    assert 0.5 * 0.8 <= asyncio.run(between_looks(0.5, ask=False)) <= 0.5 + busy_s
    assert asyncio.run(between_looks(3600.0, ask=True)) <= LEAST_BETWEEN_LOOKS_S + HEAR_S + busy_s


def test_a_look_that_was_asked_for_and_had_no_answer_is_owed(
    champion: Champion, tmp_path: Path, vocabulary: Vocabulary
):
    """An hour between looks, and a registry that is away when asked: it is asked on, then left."""

    class Telling(Scripted):
        changed: asyncio.Queue[str]

        def _report(self, served: Mapping[str, ServedModel]) -> None:
            self.changed.put_nowait(served[NAME].version)

    async def promoted() -> tuple[str, str]:
        answers: list[Answer] = [[champion("1")], AWAY, AWAY, [champion("2")]]
        follower = Telling(tmp_path / "var", vocabulary, answers)
        follower.changed, follower._changed = asyncio.Queue(), follower._report
        follower._poll_s = 3600.0
        running = asyncio.create_task(follower.run())
        async with asyncio.timeout(60):
            before = await follower.changed.get()
            follower.look_now()
            after = await follower.changed.get()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        return before, after

    assert asyncio.run(promoted()) == ("1", "2")
