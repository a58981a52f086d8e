"""What a challenger says of a recorded assessment, and what becomes of one that takes its process along."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.deid import stored_inputs
from app.serving.shadow import ChallengerRow, Shadow
from app.serving.shadow.scoring import ask
from app.serving.slot import load_served_model
from models.bundle import read_bundle, write_bundle
from models.risk.assessment import Answered
from models.vocabulary import Measurement, Vocabulary, settle
from monitoring.ledger import Ledger
from monitoring.ledger.tail import Asked, Place
from monitoring.shadow import Pair, pairs
from tests.lib.ledger import NOTED, assessment, keyring_at, reading, shadow, written
from tests.lib.risk_models import bundle_files, fitted
from tests.lib.versions import CARD, NAME, Files, encoded_patient, good, slow

OUTCOME = NAME.split(".", 1)[1]


def row(name: str, folder: Path, files: Files, version: str = "2") -> dict[str, Any]:
    """A challenger as the registry's process names it."""
    at = folder / f"{name}-{version}"
    digest = write_bundle(at, files)
    return {"name": name, "version": version, "digest": digest, "path": str(at), "refused": None}


def asked(vocabulary: Vocabulary, champion: float | None, **values: float) -> Asked:
    used = [Measurement(vocabulary.features[name], value) for name, value in values.items()]
    return Asked(Place(202611, 7), 0, "an-id", "north", NAME.split(".", 1)[0],
                 stored_inputs(used), answer_of(champion).decode())  # fmt: skip


def answer_of(champion: float | None) -> bytes:
    """An answer as it is stored."""
    told: dict[str, Any] = {"outcome": OUTCOME, "status": "abstained"}
    if champion is not None:
        told = {"outcome": OUTCOME, "status": "answered", "probability": champion,
                "model": {"version": "1", "digest": "sha256:01"}}  # fmt: skip
    return orjson.dumps({"outcomes": [told]})


@asynccontextmanager
async def service(
    url: str, folder: Path, challengers: list[dict[str, Any]], patience_s: float = 5.0
) -> AsyncIterator[tuple[Shadow, list[tuple[ChallengerRow, ...]], Ledger]]:
    """A ledger with a shadow that asks these challengers, and every row that it told."""
    ledger = Ledger(url, folder / "keys.toml", patience_s=patience_s)
    ledger.prepare()
    await ledger.start()
    rows: list[tuple[ChallengerRow, ...]] = [()]
    watch = Shadow(url, None, ledger, rows.append)
    running = asyncio.create_task(watch.run())
    try:
        async with asyncio.timeout(90):
            watch.follow(challengers)
            yield watch, rows, ledger
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await ledger.close()


def waiting(folder: Path, digest: str, n: int, vocabulary: Vocabulary) -> str:
    """A ledger in which a challenger was asked about the first assessment, and not about n more."""
    url = f"sqlite:///{folder / 'ledger.db'}"
    used = [Measurement(vocabulary.features[name], v) for name, v in encoded_patient().items()]
    answered = answer_of(0.25)
    first, *others = (assessment(inputs=stored_inputs(used), answer=answered) for _ in range(n + 1))
    asked_before = shadow(first, NOTED + 1, digest=digest)
    written(url, keyring_at(folder), [first], [asked_before], others)
    return url


def test_from_what_is_recorded_it_says_what_it_would_have_said_to_the_last_bit(
    vocabulary: Vocabulary, tmp_path: Path
):
    named = row(NAME, tmp_path, bundle_files(fitted(), card_json=CARD))
    bundle = read_bundle(Path(named["path"]))
    served = load_served_model(bundle, NAME, "2", "challenger", vocabulary)
    point = vocabulary.branch_points["icu-review"]
    values = encoded_patient()
    used = [Measurement(vocabulary.features[name], value) for name, value in values.items()]
    live = served.model.assess(settle(used, point, vocabulary.features).values)
    assert isinstance(live, Answered)
    told = ask(served, asked(vocabulary, live.prediction, **values), vocabulary)
    assert told == {
        "row": ["an-id", 7, "north", live.prediction, "sha256:01", live.prediction],
        "apart": 0.0,
        "other_band": False,
    }
    apart = ask(served, asked(vocabulary, live.prediction / 2, **values), vocabulary)
    assert apart["apart"] == pytest.approx(live.prediction / 2)
    alone = ask(served, asked(vocabulary, None, **values), vocabulary)
    assert (alone["apart"], alone["other_band"]) == (None, True)
    nobody = ask(served, asked(vocabulary, None), vocabulary)
    assert nobody["row"][3:] == [None, None, None]
    assert (nobody["apart"], nobody["other_band"]) == (None, False)


def test_one_that_takes_its_process_along_is_set_aside_and_the_other_is_asked_on(
    tmp_path: Path,
):
    """Killed three times while it is being proven, as a fault in native code would end it."""
    other = "icu-review.death_60d"
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    keyring_at(tmp_path)
    heavy = row(NAME, tmp_path, slow(1))
    light = row(other, tmp_path, {
        name: content.replace(b'"death_180d"', b'"death_60d"').replace(NAME.encode(), other.encode())
        for name, content in good(1).items()
    })  # fmt: skip

    async def story() -> tuple[ChallengerRow, ...]:
        async with service(url, tmp_path, [heavy, light]) as (watch, rows, _):
            for _ in range(3):
                await until(lambda: watch._child is not None and watch._doing == NAME)
                child = watch._child
                assert child is not None
                child.kill()
                await child.wait()
                await until(lambda child=child: watch._child is not child)
            await until(lambda: by_name(rows[-1])[NAME].set_aside is not None)
            # The other one goes on, in a process of its own.
            await until(lambda: watch._child is not None and watch._doing is None)
            assert by_name(rows[-1])[other].set_aside is None
            # Another version gets another chance.
            watch.follow([row(NAME, tmp_path, good(3), "3"), light])
            await until(lambda: by_name(rows[-1])[NAME].set_aside is None)
        return rows[-1]

    found = by_name(asyncio.run(story()))
    assert {name: one.version for name, one in found.items()} == {NAME: "3", other: "2"}


def by_name(rows: tuple[ChallengerRow, ...]) -> dict[str, ChallengerRow]:
    return {one.name: one for one in rows}


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - what is looked at sets no event
        await asyncio.sleep(0.002)


def test_one_that_cannot_be_brought_or_proven_is_named_with_its_reason(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    keyring_at(tmp_path)
    absent = {**row(NAME, tmp_path, good(1)), "path": None, "refused": "its files are gone"}
    spoiled = row("icu-review.death_60d", tmp_path, {**good(2), "example.json": b"{}"})

    async def story() -> dict[str, ChallengerRow]:
        async with service(url, tmp_path, [absent, spoiled]) as (_, rows, _):
            await until(lambda: all(one.set_aside for one in rows[-1]))
        return by_name(rows[-1])

    found = asyncio.run(story())
    assert found[NAME].set_aside == "its files are gone"
    assert found["icu-review.death_60d"].set_aside


def test_what_the_ledger_cannot_record_now_waits_and_is_recorded_once(
    vocabulary: Vocabulary, tmp_path: Path
):
    """Somebody else holds the database while the rows of a batch are handed over."""
    named = row(NAME, tmp_path, good(1))
    url = waiting(tmp_path, named["digest"], 3, vocabulary)

    async def story() -> ChallengerRow:
        async with service(url, tmp_path, [], patience_s=0.3) as (watch, rows, ledger):
            with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                watch.follow([named])
                await until(lambda: ledger.failing is not None)
                assert rows[-1][0].answered == 0
                other.execute("ROLLBACK")
            await until(lambda: rows[-1][0].answered > 0)
        return rows[-1][0]

    told = asyncio.run(story())
    assert (told.answered, told.both, told.set_aside) == (3, 3, None)
    assert len(found_in(url, named["digest"])) == 1 + 3


def test_whoever_takes_the_place_of_a_worker_counts_on(tmp_path: Path):
    """As long as it is the same version; what another one was asked is not its own."""
    named, other = row(NAME, tmp_path, good(1)), row(NAME, tmp_path, good(2), "3")
    counted = ChallengerRow(
        NAME, "2", named["digest"], answered=5, abstained=2, both=4, apart=0.5, other_band=3,
        begun=True, lag_s=9.0, set_aside="hung", outcomes=1,
    )  # fmt: skip
    told: list[tuple[ChallengerRow, ...]] = []
    watch = Shadow(
        "", None, Ledger(f"sqlite:///{tmp_path}/l.db", tmp_path / "keys.toml"), told.append
    )
    watch.go_on([asdict(counted)])
    watch.follow([named])
    assert told[-1] == (
        replace(counted, begun=False, lag_s=0.0, set_aside=None, outcomes=0),
    )  # fmt: skip
    watch.follow([other])
    assert told[-1] == (ChallengerRow(NAME, "3", other["digest"]),)


def test_it_ends_when_it_is_cancelled_at_whatever_step_of_hearing_a_line(tmp_path: Path):
    """Python 3.11's `asyncio.wait_for` forgets a cancellation that comes with the answer."""
    named = row(NAME, tmp_path, good(1))
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    keyring_at(tmp_path)

    async def ends_after(steps: int, watch: Shadow) -> None:
        running = asyncio.create_task(watch.run())
        await until(lambda: watch._child is not None and watch._doing == NAME)
        assert watch._child is not None
        assert watch._child.stdout is not None
        watch._child.stdout.feed_data(b'{"doing": null}\n')
        for _ in range(steps):
            await asyncio.sleep(0)
        running.cancel()
        async with asyncio.timeout(20):
            await asyncio.gather(running, return_exceptions=True)
        assert running.cancelled()

    async def story() -> None:
        ledger = Ledger(url, tmp_path / "keys.toml", patience_s=5.0)
        watch = Shadow(url, None, ledger)
        watch.follow([named])
        for steps in range(5):
            await ends_after(steps, watch)

    asyncio.run(story())


def test_two_services_on_one_ledger_ask_about_everything_once(
    vocabulary: Vocabulary, tmp_path: Path
):
    named, n = row(NAME, tmp_path, good(1)), 40
    url = waiting(tmp_path, named["digest"], n, vocabulary)

    async def story() -> int:
        async with (
            service(url, tmp_path, [named]) as (_, here, _),
            service(url, tmp_path, [named]) as (_, there, _),
        ):

            def counted() -> int:
                return sum(rows[-1][0].answered for rows in (here, there) if rows[-1])

            await until(lambda: counted() >= n and here[-1][0].begun and there[-1][0].begun)
            return counted()

    assert asyncio.run(story()) == n
    found = found_in(url, named["digest"])
    assert len(found) == 1 + n
    assert {pair.champion.prediction for pair in found[1:] if pair.champion} == {0.25}


def found_in(url: str, digest: str) -> list[Pair]:
    engine = reading(url)
    try:
        return pairs(engine, NAME.split(".", 1)[0], OUTCOME, digest)
    finally:
        engine.dispose()
