"""Who is silent is known from the ledger or not at all; while it cannot be read, nothing changes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from app.services.silent_places import SilentPlaces
from monitoring.ledger import Ledger, LedgerUnavailable
from monitoring.ledger.silence import Change
from tests.lib.ledger import change, keyring_at, written

NORTH, SOUTH = ("north", "icu-review"), ("south", "icu-review")


def said(live: bool, place: tuple[str, str]) -> Change:
    return Change(5, live, *place, "anna", "why")


@pytest.fixture
def url(tmp_path: Path) -> str:
    made = f"sqlite:///{tmp_path / 'ledger.db'}"
    written(made, keyring_at(tmp_path))
    return made


@pytest.fixture
def ledger(url: str, tmp_path: Path) -> Ledger:
    return Ledger(url, tmp_path / "keys.toml")


def record(url: str, tmp_path: Path, *changes: Change) -> None:
    written(url, keyring_at(tmp_path), [one.event() for one in changes])


def test_declared_silence_holds_until_the_ledger_says_otherwise(
    ledger: Ledger, url: str, tmp_path: Path
):
    places = SilentPlaces([NORTH], ledger)
    asyncio.run(places.look())
    assert not places.tells(*NORTH)
    assert places.tells(*SOUTH)
    assert places.tells("north", "ward-round")
    record(url, tmp_path, said(True, NORTH), said(False, SOUTH))
    asyncio.run(places.look())
    assert places.tells(*NORTH)
    assert not places.tells(*SOUTH)


def test_nobody_is_told_anything_before_the_ledger_was_read(ledger: Ledger):
    places = SilentPlaces([NORTH], ledger)
    for place in (NORTH, SOUTH):
        with pytest.raises(LedgerUnavailable):
            places.tells(*place)
    assert places.now == {NORTH}


@pytest.mark.parametrize(
    "broken",
    ["DROP TABLE events", "UPDATE events SET detail = '[]' WHERE kind LIKE 'go%'"],
)
def test_a_ledger_that_cannot_be_read_changes_nothing(
    ledger: Ledger, url: str, tmp_path: Path, broken: str
):
    record(url, tmp_path, said(False, SOUTH))
    places = SilentPlaces([NORTH], ledger)
    asyncio.run(places.look())
    assert places.current
    change(url, broken)
    asyncio.run(places.look())
    assert not places.current
    assert places.now == {NORTH, SOUTH}
    assert places.tells("south", "ward-round")


def test_it_is_followed_until_told_to_end(ledger: Ledger, url: str, tmp_path: Path):
    """The first reading comes at the start, the next ones by themselves."""

    async def follow() -> bool:
        places = SilentPlaces([NORTH], ledger)
        await places.look()
        following = asyncio.create_task(places.follow())
        await asyncio.to_thread(record, url, tmp_path, said(True, NORTH))
        async with asyncio.timeout(30):
            while not places.tells(*NORTH):  # noqa: ASYNC110 - a ledger sends no event for it
                await asyncio.sleep(0.01)
        following.cancel()
        return places.tells(*NORTH)

    assert asyncio.run(follow())
