"""Promotion, override and roll-back on a real MLflow: who is champion, and what is written where."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from models.alias_moves import moves_of
from models.errors import BundleRefused, RegistryUnreachable
from models.gate_record import RECORD_TAG, GatePolicy, Standing, admission
from models.registry import CHAMPION, Registry, Version
from models.vocabulary import Vocabulary
from tests.lib.gated import cohort, flattened, good, registered, version_files
from training.errors import ChampionMoved, OverrideRefused, RollbackRefused
from training.promote import Promotion, promote_version, roll_back, rules_digest

KEY = b"k" * 32
REASON = "The board agreed on 3 November"


class Desk:
    """One registered model in a registry that other tests share, and the acts on it."""

    def __init__(self, registry: Registry, var: Path, outcome: str, vocabulary: Vocabulary) -> None:
        self.registry, self.var, self.outcome = registry, var, outcome
        self.name = f"icu-review.{outcome}"
        self._vocabulary = vocabulary
        self._count = 0

    def publish(self, *, flat: bool = False, training_data: str = "real") -> Version:
        self._count += 1
        found = flattened(good(self.outcome)) if flat else good(self.outcome)
        files = version_files(found, note=str(self._count))
        folder = self.var / f"{self.outcome}-{self._count}"
        return registered(self.registry, folder, files, training_data)

    def promote(self, version: Version, **how: Any) -> Promotion:
        how = {"cohort": lambda: cohort(self.outcome)} | how
        return promote_version(
            self.registry, self.name, version.version, self._vocabulary, KEY, **how
        )

    def roll_back(self, **how: Any) -> Any:
        return roll_back(self.registry, self.name, self._vocabulary, (KEY,), **how)

    @property
    def champion(self) -> str | None:
        return self.registry.aliases([self.name], CHAMPION).get(self.name)

    def standing(self, version: Version) -> Standing:
        tags = self.registry.version(self.name, version.version).tags
        digest = str(version.digest)
        return admission(tags.get(RECORD_TAG), self.name, digest, GatePolicy("refuse", (KEY,)))

    def told(self) -> list[tuple[str | None, str, str, str | None]]:
        moves = moves_of(self.registry.model_tags(self.name))
        return [(move.before, move.after, move.how, move.reason) for move in moves]

    def documents(self) -> list[dict[str, Any]]:
        found = (self.var / "mlflow-artifacts").glob("**/gate/decision-*.json")
        read = [json.loads(path.read_text()) for path in found]
        mine = [document for document in read if document["name"] == self.name]
        return sorted(mine, key=lambda document: document["decided_at"])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Registry, Path]:
    var = tmp_path_factory.mktemp("registry")
    return Registry.at(var), var


@pytest.fixture
def desk(shared: tuple[Registry, Path], vocabulary: Vocabulary) -> Callable[[str], Desk]:
    return lambda outcome: Desk(*shared, outcome, vocabulary)


@contextmanager
def failing(var: Path, table: str, condition: str = "1") -> Iterator[None]:
    """MLflow's own database refuses a write, as a full disk or a killed server would."""
    with sqlite3.connect(var / "mlflow.db") as database:
        for event in ("INSERT", "UPDATE"):
            database.execute(
                f"CREATE TRIGGER refuse_{event} BEFORE {event} ON {table} WHEN {condition} "
                "BEGIN SELECT RAISE(ABORT, 'no space'); END"
            )
    try:
        yield
    finally:
        with sqlite3.connect(var / "mlflow.db") as database:
            for event in ("INSERT", "UPDATE"):
                database.execute(f"DROP TRIGGER refuse_{event}")


def test_a_version_goes_all_the_way_from_the_gate_to_the_alias_and_back(desk):
    """One story, because every version costs MLflow a second: pass, be held, be overridden, go back."""
    at = desk("death_180d")
    first = at.publish()

    before = dict(at.registry.version(at.name, first.version).tags)
    assert at.promote(first, dry_run=True).verdict == "passed"
    assert (at.champion, at.told(), at.documents()) == (None, [], [])
    assert at.registry.version(at.name, first.version).tags == before

    made = at.promote(first)
    assert (made.verdict, made.before, made.moved) == ("passed", None, True)
    assert at.champion == first.version
    assert at.standing(first).doubt is None
    assert at.told() == [(None, "1", "promoted", None)]
    [document] = at.documents()
    assert document["rules"] == rules_digest()
    assert document["digest"] == first.digest
    assert document["figures"]["auroc"]["value"] == made.document["figures"]["auroc"]["value"]
    assert {f["rule"] for f in document["findings"]} >= {"net-benefit", "leaves"}
    assert document["decided_by"]

    # Worse than the champion on the same patients.
    second = at.publish(flat=True)
    held = at.promote(second)
    assert held.verdict == "failed"
    assert {"no-loss-of-log-loss", "calibration-slope"} <= {f.rule for f in held.decision.failed}
    assert (at.champion, at.told()) == ("1", [(None, "1", "promoted", None)])
    assert at.standing(second).doubt.startswith("the gate did not hold: ")
    assert len(at.documents()) == 2

    # A person answers for it.
    for reason, word in (("  ", "empty"), ("x" * 501, "longer"), ("19500907-2553", "identifier")):
        with pytest.raises(OverrideRefused, match=word):
            at.promote(second, override=reason)
    assert at.champion == "1"
    taken = at.promote(second, override=REASON)
    assert (taken.verdict, at.champion) == ("overridden", "2")
    assert at.standing(second).doubt is None
    assert at.standing(second).record.reason == REASON
    assert at.told()[-1] == ("1", "2", "overridden", REASON)

    # Asked again without a reason, the gate fails; what it serves by stays, as the alias does.
    assert at.promote(second).verdict == "failed"
    assert at.champion == "2"
    assert at.standing(second).record.verdict == "overridden"

    # As good as the flat one and better: passes, though another person may move the alias by hand.
    third = at.publish()
    assert at.promote(third).verdict == "passed"
    assert at.promote(third, override="not needed").document["reason"] is None
    back = at.roll_back(reason="alarms on the ward")
    assert (back.before, back.now, back.doubt, at.champion) == ("3", "2", None, "2")
    assert at.told()[-1] == ("3", "2", "rolled back", "alarms on the ward")
    assert at.roll_back().now == "1"
    with pytest.raises(RollbackRefused, match="no champion before"):
        at.roll_back()
    with pytest.raises(RollbackRefused, match="champion already"):
        at.roll_back(to="1")
    assert at.roll_back(to="3").now == "3"

    # A version that never passed is not reached by going back.
    fourth = at.publish(flat=True)
    with pytest.raises(RollbackRefused, match="never champion"):
        at.roll_back(to=fourth.version)
    assert at.champion == "3"


def test_without_rows_nothing_is_known_of_the_difference_and_the_champion_stays(desk):
    at = desk("death_60d")
    at.promote(at.publish())
    held = at.promote(at.publish(), cohort=None)
    assert {f.rule for f in held.decision.failed} == {
        "no-loss-of-log-loss", "no-loss-of-brier-score", "no-loss-of-discrimination",
        "no-loss-of-net-benefit", "answers-as-many",
    }  # fmt: skip
    assert {f.note for f in held.decision.failed} == {"the rows are needed: give --source"}
    assert at.champion == "1"


def test_simulated_patients_never_take_the_place_of_real_ones_whatever_the_reason(desk):
    at = desk("death_in_hospital")
    simulated = at.publish(training_data="synthetic")
    real = at.publish()
    assert at.promote(simulated).verdict == "passed"
    assert at.promote(real).verdict == "passed"  # not compared: patients of another world
    with pytest.raises(OverrideRefused, match="real-patients-first cannot be overridden"):
        at.promote(simulated, override=REASON)
    with pytest.raises(RollbackRefused, match="simulated patients"):
        at.roll_back()
    assert at.champion == real.version
    assert [f.rule for f in at.promote(simulated).decision.failed] == ["real-patients-first"]


@pytest.mark.parametrize(
    ("outcome", "table", "condition", "decided"),
    [
        ("prolonged_stay", "registered_model_aliases", "1", True),
        ("delirium", "registered_model_tags", "1", True),
        ("sepsis", "model_version_tags", "NEW.key = 'gate_record'", False),
    ],
)
def test_whoever_is_stopped_on_the_way_leaves_the_champion_that_was(
    desk, outcome: str, table: str, condition: str, decided: bool
):
    at = desk(outcome)
    version = at.publish()
    with failing(at.var, table, condition), pytest.raises(RegistryUnreachable):
        at.promote(version)
    assert at.champion is None
    assert (at.standing(version).doubt is None) is decided
    assert at.promote(version).moved
    assert (at.champion, at.standing(version).doubt) == ("1", None)


def test_whoever_is_overtaken_while_judging_writes_nothing(desk):
    at = desk("poor_recovery_90d")
    first, second = at.publish(), at.publish()
    before = dict(at.registry.version(at.name, second.version).tags)

    def overtake(step: str) -> None:
        if step.startswith("measuring"):
            at.promote(first)

    with pytest.raises(ChampionMoved, match="was nobody and is version 1 now"):
        at.promote(second, step=overtake)
    assert (at.champion, at.told()) == ("1", [(None, "1", "promoted", None)])
    assert at.registry.version(at.name, second.version).tags == before
    assert len(at.documents()) == 1


def test_whoever_is_overtaken_while_going_back_writes_nothing(desk, monkeypatch):
    at = desk("severe_disability_60d")
    first, second, third = at.publish(), at.publish(), at.publish()
    at.promote(first)
    at.promote(second)
    told, download = at.told(), at.registry.download

    def overtaken(name: str, version: str, to: Path) -> None:
        download(name, version, to)
        at.registry.set_alias(at.name, CHAMPION, third.version)

    monkeypatch.setattr(at.registry, "download", overtaken)
    with pytest.raises(ChampionMoved, match="was version 2 and is version 3 now"):
        at.roll_back()
    assert (at.champion, at.told()) == ("3", told)


def test_a_bundle_that_does_not_prove_itself_is_neither_promoted_nor_gone_back_to(desk):
    at = desk("acute_kidney_injury")
    first, second = at.publish(), at.publish()
    at.promote(first)
    at.promote(second)
    for path in (at.var / "mlflow-artifacts").glob("**/bundle/card.json"):
        card = json.loads(path.read_text())
        same = at.name in (path.parent / "model.json").read_text()
        if same and card["note"] == "1":
            path.write_text(json.dumps(card | {"note": "changed"}))
    for act in (at.roll_back, lambda: at.promote(first)):
        with pytest.raises(BundleRefused, match=r"card\.json does not match"):
            act()
    assert at.champion == "2"


def test_a_version_moved_by_hand_in_mlflow_can_be_left_again(desk):
    at = desk("not_discharged_home")
    first, second = at.publish(), at.publish(flat=True)
    at.promote(first)
    at.registry.set_alias(at.name, CHAMPION, second.version)
    assert at.standing(second).doubt == "no decision of the gate is recorded for it"
    back = at.roll_back()
    assert (back.before, back.now, at.champion) == ("2", "1", "1")
