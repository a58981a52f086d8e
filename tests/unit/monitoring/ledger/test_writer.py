"""What is told as recorded is recorded, whatever is killed, full, frozen or read-only."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import psutil
import psycopg
import pytest

from monitoring.keyring import Keyring
from monitoring.ledger import Commitment, Ledger, LedgerUnavailable, writer
from monitoring.ledger.shelf import SIZE
from monitoring.ledger.verify import verify
from tests.lib.ledger import NOW_US, ask, assessment, outcome, reading, written
from tests.lib.postgres import Postgres

SCRIBE = "monitoring.ledger.scribe"
PATIENCE_S = 30.0
KILLS = 3


def scribes() -> list[psutil.Process]:
    """Processes of this one that write a ledger."""
    found = []
    for child in psutil.Process().children():
        try:
            if SCRIBE in child.cmdline():
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - the condition is another process's
            await asyncio.sleep(0.01)


async def recorded(ledger: Ledger) -> str:
    """Record an assessment, however often it takes; returns its identifier."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            given = assessment()
            try:
                await ledger.append(given)
            except LedgerUnavailable:
                await asyncio.sleep(0.01)
            else:
                return given.assessment_id


async def refusal(ledger: Ledger, told: list[str] | None = None) -> LedgerUnavailable:
    """Record until it is refused; returns the refusal."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            given = assessment(answer=b"x" * 20_000)
            try:
                await ledger.append(given)
            except LedgerUnavailable as refused:
                return refused
            if told is not None:
                told.append(given.assessment_id)


def stored(url: str) -> set[str]:
    return {found for (found,) in ask(url, "SELECT assessment_id FROM assessments")}


def holds(url: str, keyring: Keyring) -> bool:
    engine = reading(url)
    report = verify(engine, keyring)
    engine.dispose()
    return report.holds


def run(
    url: str,
    keys: Path,
    keyring: Keyring,
    use: Callable[[Ledger], Awaitable[None]],
    *,
    bound: int = 1024,
    patience_s: float = 5.0,
    observe: Callable[[Commitment], None] = lambda _: None,
) -> None:
    """Use a ledger; afterwards no scribe is left and the chain holds."""

    async def main() -> None:
        ledger = Ledger(url, keys, bound=bound, patience_s=patience_s, observe=observe)
        ledger.prepare()
        await ledger.start()
        try:
            await use(ledger)
        finally:
            await ledger.close()

    asyncio.run(main())
    assert scribes() == []
    assert holds(url, keyring)


async def load(ledger: Ledger, told: set[str], stop: asyncio.Event) -> None:
    """Record one assessment after the other; note those that were told as recorded."""
    while not stop.is_set():
        given = assessment()
        try:
            await ledger.append(given)
        except LedgerUnavailable:
            await asyncio.sleep(0.01)
        else:
            told.add(given.assessment_id)


def test_what_is_told_as_recorded_is_seen_by_others_at_once(
    database_url: str, keys: Path, keyring: Keyring
) -> None:
    commitments: list[Commitment] = []

    async def use(ledger: Ledger) -> None:
        given = assessment()
        assert await ledger.append(given) == [None]
        assert given.assessment_id in stored(database_url)
        assert ledger.head[0] == ask(database_url, "SELECT seq FROM head")[0][0]
        both = await ledger.append(assessment(), outcome(assessment_id=given.assessment_id))
        assert both == [None, "new"]

    run(database_url, keys, keyring, use, observe=commitments.append)
    assert [c.kinds for c in commitments] == [("assessment",), ("assessment", "outcome")]
    assert all(c.failure is None and c.duration_s > 0 for c in commitments)


def test_concurrent_entries_share_commits(database_url: str, keys: Path, keyring: Keyring) -> None:
    commitments: list[Commitment] = []

    async def use(ledger: Ledger) -> None:
        await asyncio.gather(*(ledger.append(assessment()) for _ in range(300)))

    run(database_url, keys, keyring, use, observe=commitments.append)
    assert len(stored(database_url)) == 300
    assert sum(len(c.kinds) for c in commitments) == 300
    assert len(commitments) < 30


def test_a_batch_gathers_what_is_on_its_way(
    database_url: str, keys: Path, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Handed in one in each turn of the loop: they are one commit, and not the first alone."""
    monkeypatch.setattr(writer, "LONGEST_GATHERING_S", PATIENCE_S)  # however slow the machine
    commits: list[Commitment] = []

    async def use(ledger: Ledger) -> None:
        await ledger.append(assessment())
        commits.clear()
        async with asyncio.timeout(PATIENCE_S):
            coming = []
            for _ in range(writer.SEND_AT_ONCE - 1):
                coming.append(asyncio.ensure_future(ledger.append(assessment())))
                await asyncio.sleep(0)
            await asyncio.gather(*coming)

    run(database_url, keys, keyring, use, observe=commits.append)
    assert [len(one.kinds) for one in commits] == [writer.SEND_AT_ONCE - 1]


def test_a_batch_that_always_expects_more_goes_all_the_same(
    database_url: str, keys: Path, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "QUIET_TURNS", sys.maxsize)

    async def use(ledger: Ledger) -> None:
        async with asyncio.timeout(PATIENCE_S):
            for _ in range(3):
                await ledger.append(assessment())

    run(database_url, keys, keyring, use)


def test_closing_commits_what_waits(database_url: str, keys: Path, keyring: Keyring) -> None:
    waiting: list[asyncio.Future[list[object]]] = []

    async def use(ledger: Ledger) -> None:
        waiting.extend(ledger.append(assessment()) for _ in range(50))

    run(database_url, keys, keyring, use)
    assert len(stored(database_url)) == 50
    assert all(future.done() and future.exception() is None for future in waiting)


@pytest.mark.parametrize("size", [SIZE - 100_000, SIZE + 1], ids=["on the shelf", "beside it"])
def test_a_batch_is_written_as_it_was_handed_over_whatever_its_size(
    database_url: str, keys: Path, keyring: Keyring, size: int
) -> None:
    """Small, large and small again: nothing of one is left lying under the other."""

    async def use(ledger: Ledger) -> None:
        for answer in (b"a" * 100, b"b" * size, b"c" * 100):
            await ledger.append(assessment(answer=answer))

    run(database_url, keys, keyring, use)
    found = ask(database_url, "SELECT answer FROM assessments ORDER BY seq")
    told = [(str(answer)[0], len(answer)) for (answer,) in found]
    assert told == [("a", 100), ("b", size), ("c", 100)]
    assert holds(database_url, keyring)


def test_a_closed_ledger_takes_nothing(database_url: str, keys: Path, keyring: Keyring) -> None:
    kept: list[Ledger] = []

    async def use(ledger: Ledger) -> None:
        kept.append(ledger)

    run(database_url, keys, keyring, use)
    with pytest.raises(LedgerUnavailable, match="closed"):
        kept[0].append(assessment())


def test_a_killed_scribe_loses_nothing_that_was_told_and_comes_back(
    database_url: str, keys: Path, keyring: Keyring
) -> None:
    told: set[str] = set()

    async def use(ledger: Ledger) -> None:
        stop = asyncio.Event()
        clients = [asyncio.create_task(load(ledger, told, stop)) for _ in range(8)]
        for _ in range(KILLS):
            before = len(told)
            await until(lambda before=before: len(told) > before + 20)
            scribes()[0].kill()
            await until(lambda: ledger.failing is not None)
            await until(lambda: ledger.failing is None)
        await recorded(ledger)
        stop.set()
        await asyncio.gather(*clients)

    run(database_url, keys, keyring, use)
    assert told
    assert told <= stored(database_url)


def test_a_scribe_killed_right_after_it_spoke_has_lost_nothing(
    database_url: str, keys: Path, keyring: Keyring
) -> None:
    async def use(ledger: Ledger) -> None:
        given = assessment()
        await ledger.append(given)
        scribes()[0].kill()
        assert given.assessment_id in stored(database_url)
        with pytest.raises(LedgerUnavailable):
            await ledger.append(assessment())

    run(database_url, keys, keyring, use)


def test_a_ledger_without_its_keys_refuses_and_says_so(
    database_url: str, keys: Path, keyring: Keyring, tmp_path: Path
) -> None:
    written(database_url, keyring)

    async def use() -> None:
        ledger = Ledger(database_url, tmp_path / "none.toml")
        await ledger.start()
        assert ledger.failing is not None
        with pytest.raises(LedgerUnavailable, match="failing"):
            ledger.append(assessment())
        await ledger.close()

    asyncio.run(use())
    assert scribes() == []


def test_a_killed_server_loses_nothing_that_was_told(
    postgres: Postgres, keys: Path, keyring: Keyring
) -> None:
    url = postgres.new_database()
    told: set[str] = set()

    async def use(ledger: Ledger) -> None:
        stop = asyncio.Event()
        clients = [asyncio.create_task(load(ledger, told, stop)) for _ in range(8)]
        for _ in range(2):
            before = len(told)
            await until(lambda before=before: len(told) > before + 20)
            postgres.kill()
            await until(lambda: ledger.failing is not None)
            with pytest.raises(LedgerUnavailable):
                await ledger.append(assessment())
            await asyncio.to_thread(postgres.start)
            await recorded(ledger)
        stop.set()
        await asyncio.gather(*clients)

    run(url, keys, keyring, use)
    assert told <= stored(url)


def test_a_frozen_server_is_waited_for_only_so_long_and_so_much(
    postgres: Postgres, keys: Path, keyring: Keyring
) -> None:
    url = postgres.new_database()
    bound, patience_s = 8, 0.5

    async def use(ledger: Ledger) -> None:
        kept = await recorded(ledger)
        postgres.freeze()
        try:
            start = time.monotonic()
            first = [ledger.append(assessment()) for _ in range(bound)]
            with pytest.raises(LedgerUnavailable, match="full"):
                ledger.append(assessment())
            refused = await asyncio.gather(*first, return_exceptions=True)
            took = time.monotonic() - start
            assert [getattr(item, "reason", None) for item in refused] == ["slow"] * bound
            assert patience_s <= took < 4 * patience_s
            for _ in range(50):
                with pytest.raises(LedgerUnavailable) as again:
                    await ledger.append(assessment())
                assert again.value.retry_after_s > 0
                assert ledger.waiting <= bound
                if again.value.reason != "slow":
                    await asyncio.sleep(0.02)
                else:
                    break
        finally:
            postgres.thaw()
        after = await recorded(ledger)
        assert {kept, after} <= stored(url)

    run(url, keys, keyring, use, bound=bound, patience_s=patience_s)


def test_a_server_that_became_read_only_refuses_until_it_is_not(
    postgres: Postgres, keys: Path, keyring: Keyring
) -> None:
    """As after a failover to a standby: sessions are new and take no writes."""
    url = postgres.new_database()

    def set_read_only(state: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            name = connection.info.dbname
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {state}")  # type: ignore[arg-type]  # our own name
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = %s AND pid <> pg_backend_pid()",
                (name,),
            )

    async def use(ledger: Ledger) -> None:
        await recorded(ledger)
        set_read_only("on")
        assert (await refusal(ledger)).reason == "failing"
        await until(lambda: ledger.failing == "InternalError")  # read_only_sql_transaction
        set_read_only("off")
        assert await recorded(ledger) in stored(url)

    run(url, keys, keyring, use)


def test_a_locked_file_is_waited_for_only_so_long(
    tmp_path: Path, keys: Path, keyring: Keyring
) -> None:
    file = tmp_path / "ledger.db"

    async def use(ledger: Ledger) -> None:
        await recorded(ledger)
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            start = time.monotonic()
            assert (await refusal(ledger)).reason == "slow"
            assert time.monotonic() - start < 2.0
            other.execute("ROLLBACK")
        await recorded(ledger)

    run(f"sqlite:///{file}", keys, keyring, use, patience_s=0.5)


def test_a_full_disk_refuses_until_there_is_room(
    tmp_path: Path, keys: Path, keyring: Keyring
) -> None:
    """The kernel's limit on the size of files the scribe may write; lifted without its restart."""
    file = tmp_path / "ledger.db"
    told: list[str] = []

    async def use(ledger: Ledger) -> None:
        told.append(await recorded(ledger))
        pid = scribes()[0].pid
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, hard))
        assert (await refusal(ledger)).reason == "failing"
        before = stored(f"sqlite:///{file}")
        for _ in range(20):
            with pytest.raises(LedgerUnavailable):
                await ledger.append(assessment())
        assert stored(f"sqlite:///{file}") == before == set(told)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))
        told.append(await recorded(ledger))
        assert scribes()[0].pid == pid

    run(f"sqlite:///{file}", keys, keyring, use)
    assert set(told) <= stored(f"sqlite:///{file}")


def test_a_full_file_system_refuses_until_there_is_room(
    tmp_path: Path, keys: Path, keyring: Keyring
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small file system; the limit on file sizes was tested")
    url = f"sqlite:///{disk / 'ledger.db'}"
    told: list[str] = []

    async def use(ledger: Ledger) -> None:
        told.append(await recorded(ledger))
        filler = disk / "filler"
        with filler.open("wb", buffering=0) as sink:
            try:
                while sink.write(bytes(4096)):
                    pass
            except OSError:
                pass
        assert (await refusal(ledger, told)).reason == "failing"
        filler.unlink()
        told.append(await recorded(ledger))

    try:
        run(url, keys, keyring, use)
        assert set(told) <= stored(url)
    finally:
        subprocess.run(["umount", disk], check=True)


def make_unwritable(file: Path, unwritable: bool) -> None:
    """Root may write anything but a file that is immutable."""
    if os.geteuid() != 0:
        file.chmod(0o400 if unwritable else 0o600)
        return
    flag = "+i" if unwritable else "-i"
    program = shutil.which("chattr")
    if program is None or subprocess.run([program, flag, file], check=False).returncode:
        pytest.skip("root writes anyway: needs chattr and a file system that knows `immutable`")


def test_a_read_only_file_refuses_until_it_can_be_written(
    tmp_path: Path, keys: Path, keyring: Keyring
) -> None:
    file = tmp_path / "ledger.db"
    url = f"sqlite:///{file}"
    written(url, keyring, [assessment()])

    async def use() -> None:
        ledger = Ledger(url, keys)
        make_unwritable(file, True)
        try:
            await ledger.start()
            assert (await refusal(ledger)).reason == "failing"
            assert len(stored(url)) == 1
        finally:
            make_unwritable(file, False)
        assert await recorded(ledger) in stored(url)
        await ledger.close()

    asyncio.run(use())
    assert holds(url, keyring)


WRITE = f"""
import asyncio, sys
from pathlib import Path
from monitoring.ledger import Ledger
from tests.lib.ledger import assessment

async def main():
    ledger = Ledger(sys.argv[1], Path(sys.argv[2]), patience_s=30.0)
    ledger.prepare()
    await ledger.start()
    for _ in range(20):
        given = [assessment({NOW_US}) for _ in range(25)]
        await asyncio.gather(*(ledger.append(item) for item in given))
        print(*(item.assessment_id for item in given), flush=True)
    await ledger.close()

asyncio.run(main())
"""


def test_several_workers_write_one_chain(database_url: str, keys: Path, keyring: Keyring) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, database_url, str(keys)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    told: set[str] = set()
    for worker in workers:
        said, complaint = worker.communicate(timeout=120)
        assert worker.returncode == 0, complaint[-800:]
        told |= set(said.split())
    assert len(told) == 2_000
    assert told == stored(database_url)
    assert holds(database_url, keyring)
