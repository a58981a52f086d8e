"""Processes are killed, disks fill up, databases hang: what a client was answered is never lost.

Everything here is real: SIGKILL, a small file system, a file that the kernel will not let change,
a PostgreSQL that is stopped in its tracks. Nothing of the service is started again by the tests.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import httpx
import psutil
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.lib.ledger import ask
from tests.lib.load import ICU, Load, flood, under_load
from tests.lib.postgres import Postgres, needed_postgres
from tests.lib.service import Service, run_command, running_service

WORKER, SCRIBE, POSTGRES = "worker", "scribe", "PostgreSQL"
BACK_WITHIN_S = 60.0
"""How long a killed part may keep the service from answering; on a free machine it is two seconds."""
PATIENCE_S = 1.0
SLOWEST_REFUSAL_S = PATIENCE_S + 2.0
MEGABYTE = 2**20


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    yield from needed_postgres()


@pytest.fixture(scope="module")
def bodies(patients: Sequence[dict[str, Any]]) -> list[bytes]:
    """Held-out patients as requests, each with a subject and an episode."""
    return [
        json.dumps(
            {**patient["request"], "subject": f"subject {n}", "episode": f"episode {n}",
             "outcomes": ["death_180d"]}
        ).encode()
        for n, patient in enumerate(patients)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def on_postgres(
    trained: Path, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service on PostgreSQL with little patience and a short queue, whole again after each test."""
    settings = {"RISK_LEDGER_PATIENCE_S": str(PATIENCE_S), "RISK_LEDGER_BOUND": str(BOUND)}
    state = tmp_path_factory.mktemp("on-postgres")
    with recording(trained, state, postgres.new_database(), **settings) as service:
        yield service


@contextmanager
def recording(
    trained: Path, folder: Path, database: str | None = None, **settings: str
) -> Iterator[Service]:
    """A service with a ledger of its own, at `sqlite:///<folder>/ledger.db` or where it is told."""
    folder.mkdir(parents=True, exist_ok=True)
    given = {
        "RISK_DATABASE_URL": database or f"sqlite:///{folder / 'ledger.db'}",
        "RISK_KEYS_FILE": str(folder / "keys.toml"),
        **settings,
    }
    # Without waiting for the models: an answer that abstains is recorded like any other.
    with running_service(trained, folder / "log", given, until=None) as service:
        yield service


def processes(service: Service, kind: str) -> list[psutil.Process]:
    """The service's live workers, or the scribes of its workers."""
    if kind == WORKER:
        return service.workers()
    family = psutil.Process(service.process.pid).children(recursive=True)
    return [child for child in family if "monitoring.ledger.scribe" in _command(child)]


def _command(process: psutil.Process) -> Sequence[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return ()


def wait_until(holds: Callable[[], bool], what: str, within_s: float = BACK_WITHIN_S) -> float:
    """Look until it is so; returns after how many seconds it was."""
    start = time.monotonic()
    while not holds():
        if time.monotonic() - start > within_s:
            raise AssertionError(f"not within {within_s:g} s: {what}")
        time.sleep(0.02)
    return time.monotonic() - start


def status_of(service: Service, path: str) -> tuple[int, dict[str, Any]]:
    """What a new connection is answered; 0 when there is none to be had."""
    try:
        answer = httpx.get(service.url + path, timeout=10.0)
    except httpx.HTTPError:
        return 0, {}
    return answer.status_code, answer.json()


def says_why(service: Service, *, asked: bytes | None = None) -> None:
    """/readyz answers 503 and that the ledger cannot record, as soon as nothing else is the reason.

    On a full disk the service's own try, a row of a few bytes, may find room where an answer does
    not: there it shows after each request that is asked meanwhile.
    """

    def said() -> bool:
        if asked is not None:
            httpx.post(service.url + ICU, content=asked, timeout=10.0)
        status, ready = status_of(service, "/readyz")
        return (
            status == 503
            and ready["ledger"]["recording"] is False
            and ready["reason"] == f"the ledger cannot record ({ready['ledger']['reason']})"
        )

    wait_until(said, "/readyz says that the ledger cannot record")


def recorded(service: Service) -> dict[str, bytes]:
    """Every answer in the ledger, read by SQL."""
    rows = ask(
        service.settings["RISK_DATABASE_URL"], "SELECT assessment_id, answer FROM assessments"
    )
    return {name: answer.encode() for name, answer in rows}


def nothing_was_lost(service: Service, answers: dict[str, bytes], *, read_back: int = 100) -> None:
    """What clients hold is in the ledger, byte for byte, each with its line of the access log."""
    kept = recorded(service)
    assert answers
    assert {name: kept.get(name) for name in answers} == answers
    (accesses,) = ask(service.settings["RISK_DATABASE_URL"], "SELECT count(*) FROM accesses")[0]
    assert accesses >= len(kept)
    chosen = SystemRandom().sample(sorted(answers), min(read_back, len(answers)))
    with service.client() as client:
        for name in chosen:
            read = client.get(f"/v1/assessments/{name}")
            assert (read.status_code, read.content) == (200, answers[name])
    verified = run_command(
        "risk-monitor", "verify", "--json", var=service.log.parent, settings=service.settings
    )
    report = json.loads(verified.stdout)
    assert report["findings"] == []
    # The access line is in the assessment's transaction, so both or none of them are there.
    assert report["rows"] >= 2 * len(kept)


class Killer:
    """Kills at random moments, and sees each time that the service comes back by itself."""

    def __init__(self, service: Service, load: Load, postgres: Postgres | None) -> None:
        self._service, self._load, self._postgres = service, load, postgres
        self._random = SystemRandom()  # other moments in every run
        self.back_after_s: list[tuple[str, float]] = []

    def kill(self, kind: str) -> None:
        time.sleep(self._random.uniform(0.0, 0.3))  # the random moment, not a wait for something
        if kind == POSTGRES:
            assert self._postgres is not None
            self._postgres.kill()
            self._postgres.start()
        else:
            wait_until(lambda: bool(processes(self._service, kind)), f"a {kind} runs")
            self._random.choice(processes(self._service, kind)).kill()
        self.back_after_s.append((kind, self._load.wait_for_answers(10, BACK_WITHIN_S)))


def whole_again(service: Service, workers: int) -> bool:
    """Whether all workers run, each with one scribe, and say that they can record."""
    found = processes(service, WORKER), processes(service, SCRIBE)
    return [len(kind) for kind in found] == [workers, workers] and all(
        status_of(service, "/readyz")[1].get("ledger", {}).get("recording")
        for _ in range(4 * workers)
    )


@pytest.mark.parametrize(
    ("database", "kills"),
    [
        ("SQLite", {WORKER: 3, SCRIBE: 6}),
        (POSTGRES, {WORKER: 2, SCRIBE: 5, POSTGRES: 5}),
    ],
    ids=["sqlite", "postgresql"],
)
def test_killed_at_random_moments_under_load_it_loses_no_answer_and_comes_back(
    trained: Path,
    tmp_path: Path,
    bodies: list[bytes],
    request: pytest.FixtureRequest,
    database: str,
    kills: dict[str, int],
):
    """Twenty-one kills over both databases; the order is shuffled, the moments are random."""
    postgres = request.getfixturevalue("postgres") if database == POSTGRES else None
    address = None if postgres is None else postgres.new_database()
    order = [kind for kind, count in kills.items() for _ in range(count)]
    Random(17).shuffle(order)  # noqa: S311 - no secret: the same order in every run
    with recording(trained, tmp_path / "state", address, RISK_WORKERS="2") as service:
        supervisor = service.process.pid
        with under_load(service.url, bodies, clients=3) as load:
            load.wait_for_answers(20, BACK_WITHIN_S)
            killer = Killer(service, load, postgres)
            for kind in order:
                killer.kill(kind)
            load.wait_for_answers(50, BACK_WITHIN_S)
        assert load.unexpected == []
        wait_until(lambda: whole_again(service, 2), "both workers and scribes are back", 60.0)
        assert service.process.poll() is None
        assert service.process.pid == supervisor
        assert len(killer.back_after_s) == sum(kills.values())
        nothing_was_lost(service, load.answers)
        log = service.log.read_text()
        assert log.count('"worker_ended"') >= kills[WORKER]
        assert "Traceback" not in log


@pytest.mark.parametrize("when", ["while they start", "while they answer"])
def test_without_their_supervisor_workers_and_scribes_end(
    trained: Path, tmp_path: Path, bodies: list[bytes], when: str
):
    """Left behind, they would hold the port, answer, and never be started again."""
    settings = {"RISK_WORKERS": "2"}
    with recording(trained, tmp_path / "state", **settings) as service:
        if when == "while they start":
            known = {child.pid for child in processes(service, WORKER)}
            for child in processes(service, WORKER):
                child.kill()
            wait_until(
                lambda: any(c.pid not in known for c in processes(service, WORKER)),
                "a worker is started again",
            )
        family = psutil.Process(service.process.pid).children(recursive=True)
        if when == "while they answer":
            with under_load(service.url, bodies, clients=2) as load:
                load.wait_for_answers(20, BACK_WITHIN_S)
                family = psutil.Process(service.process.pid).children(recursive=True)
                service.process.kill()
                gone, alive = psutil.wait_procs(family, timeout=BACK_WITHIN_S)
            assert load.unexpected == []
        else:
            service.process.kill()
            gone, alive = psutil.wait_procs(family, timeout=BACK_WITHIN_S)
        assert not alive
        assert gone
    if when == "while they answer":
        kept = recorded(service)
        assert {name: kept.get(name) for name in load.answers} == load.answers


class Disk(ABC):
    """A place for a ledger that can be made to have no room left, and room again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def limit(self, service: Service) -> None:
        """Leave room for little more than is there."""

    @abstractmethod
    def widen(self, service: Service) -> None:
        """Give room again."""


class SmallFileSystem(Disk):
    """A file system in memory of three megabytes, later of sixty-four."""

    def limit(self, service: Service) -> None:
        """It is small from the beginning."""

    def widen(self, service: Service) -> None:
        _mount("-o", "remount,size=64m", str(self.folder))


class SmallFiles(Disk):
    """The kernel lets no file of the service grow beyond a limit: what needs no rights to set."""

    def limit(self, service: Service) -> None:
        self._set(service, 2 * MEGABYTE)

    def widen(self, service: Service) -> None:
        self._set(service, None)

    def _set(self, service: Service, size: int | None) -> None:
        family = psutil.Process(service.process.pid)
        for process in (family, *family.children(recursive=True)):
            _, hard = process.rlimit(psutil.RLIMIT_FSIZE)
            process.rlimit(psutil.RLIMIT_FSIZE, (hard if size is None else size, hard))


def _mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0


@pytest.fixture(params=["a full file system", "a limit on files"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if request.param == "a limit on files":
        yield SmallFiles(folder)
        return
    if not _mount("-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)):
        pytest.skip("A FILE SYSTEM CANNOT BE MOUNTED HERE (run as root): "
                    "a full disk is tested by a limit on files only")  # fmt: skip
    try:
        yield SmallFileSystem(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def ask_until(
    client: httpx.Client, body: bytes, enough: Callable[[list[httpx.Response]], bool]
) -> list[httpx.Response]:
    """One request after the other until it is enough; nothing but 200, or 503 with Retry-After."""
    replies: list[httpx.Response] = []
    start = time.monotonic()
    while not enough(replies):
        assert time.monotonic() - start < BACK_WITHIN_S, [r.status_code for r in replies[-20:]]
        replies.append(client.post(ICU, content=body))
        assert replies[-1].status_code in (200, 503), replies[-1].text
        if replies[-1].status_code == 503:
            is_a_refusal(replies[-1])
    return replies


def is_a_refusal(reply: httpx.Response) -> None:
    """503, when to come back, and nothing of the answer."""
    assert reply.status_code == 503
    assert int(reply.headers["Retry-After"]) >= 1
    assert set(reply.json()) == {"type", "title", "status", "detail"}


def given(replies: Sequence[httpx.Response]) -> dict[str, bytes]:
    """The answers among replies."""
    return {r.json()["assessment_id"]: r.content for r in replies if r.status_code == 200}


def refused_in_a_row(count: int) -> Callable[[list[httpx.Response]], bool]:
    return lambda replies: (
        len(replies) >= count and all(r.status_code == 503 for r in replies[-count:])
    )


def one_answered(replies: list[httpx.Response]) -> bool:
    return bool(replies) and replies[-1].status_code == 200


def test_with_the_disk_full_nothing_is_answered_and_with_room_it_goes_on(
    trained: Path, tmp_path: Path, bodies: list[bytes], disk: Disk
):
    ledger = f"sqlite:///{disk.folder / 'ledger.db'}"
    with recording(trained, tmp_path / "state", ledger) as service, service.client() as client:
        disk.limit(service)
        before = ask_until(client, bodies[0], refused_in_a_row(10))
        answers = given(before)
        assert len(answers) >= 10
        says_why(service, asked=bodies[0])
        name = next(iter(answers))
        batch = client.post(f"{ICU}:batch", content=b"\n".join(bodies[:3]))
        assert [json.loads(line)["status"] for line in batch.text.splitlines()] == [503] * 3
        is_a_refusal(client.get(f"/v1/assessments/{name}"))  # its reading cannot be logged
        disk.widen(service)
        after = ask_until(client, bodies[1], one_answered)
        wait_until(lambda: status_of(service, "/readyz")[0] == 200, "/readyz is ready again")
        nothing_was_lost(service, {**answers, **given(after)}, read_back=20)


@contextmanager
def unchangeable(files: Sequence[Path]) -> Iterator[None]:
    """Files that the kernel lets nobody write: by attribute for root, by mode for others."""
    if os.geteuid() == 0:
        done = subprocess.run(["chattr", "+i", *files], capture_output=True, check=False)
        if done.returncode:
            pytest.skip("A FILE CANNOT BE MADE IMMUTABLE HERE (chattr +i on this file system): "
                        "a read-only SQLite ledger is not tested")  # fmt: skip
        try:
            yield
        finally:
            subprocess.run(["chattr", "-i", *files], capture_output=True, check=True)
    else:
        modes = {file: file.stat().st_mode for file in files}
        for file in files:
            file.chmod(0o444)
        try:
            yield
        finally:
            for file, mode in modes.items():
                file.chmod(mode)


def test_with_a_read_only_sqlite_nothing_is_answered_and_writable_it_goes_on(
    trained: Path, tmp_path: Path, bodies: list[bytes]
):
    state = tmp_path / "state"
    with recording(trained, state) as service, service.client() as client:
        first = ask_until(client, bodies[0], one_answered)
        with unchangeable(sorted(state.glob("ledger.db*"))):
            # Who has a file open may go on writing it: a new scribe has to open it again.
            for scribe in processes(service, SCRIBE):
                scribe.kill()
            refused = ask_until(client, bodies[0], refused_in_a_row(10))
            says_why(service)
        after = ask_until(client, bodies[0], one_answered)
        nothing_was_lost(service, {**given(first), **given(refused), **given(after)})


def read_only(postgres: Postgres, address: str, *, on: bool) -> None:
    """Switch the whole server, as for a fail-over; sessions that are open follow."""
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(
            "ALTER SYSTEM SET default_transaction_read_only = on"
            if on
            else "ALTER SYSTEM RESET default_transaction_read_only"
        )
        connection.execute("SELECT pg_reload_conf()")


def test_with_a_read_only_postgresql_nothing_is_answered_and_writable_it_goes_on(
    on_postgres: Service, bodies: list[bytes], postgres: Postgres
):
    service, address = on_postgres, on_postgres.settings["RISK_DATABASE_URL"]
    with service.client() as client:
        first = ask_until(client, bodies[0], one_answered)
        read_only(postgres, address, on=True)
        try:
            refused = ask_until(client, bodies[0], refused_in_a_row(10))
            says_why(service)
        finally:
            read_only(postgres, address, on=False)
        after = ask_until(client, bodies[0], one_answered)
        nothing_was_lost(service, {**given(first), **given(refused), **given(after)})


def test_with_postgresqls_disk_full_nothing_is_answered_and_with_room_it_goes_on(
    trained: Path, tmp_path_factory: pytest.TempPathFactory, bodies: list[bytes], postgres: Postgres
):
    """The database lies in a tablespace on a file system of twelve megabytes, later of sixty-four."""
    folder = postgres.data.parent / "small"
    folder.mkdir()
    if not _mount("-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)):
        pytest.skip("A FILE SYSTEM CANNOT BE MOUNTED HERE (run as root): "
                    "a full disk under PostgreSQL is not tested")  # fmt: skip
    owner = postgres.data.stat()
    os.chown(folder, owner.st_uid, owner.st_gid)
    address = postgres.new_database()
    name = address.rsplit("/", 1)[1]
    with psycopg.connect(address.replace(name, "postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE TABLESPACE small LOCATION '{folder}'")
        connection.execute(f"ALTER DATABASE {name} SET TABLESPACE small")
    try:
        state = tmp_path_factory.mktemp("small") / "state"
        with recording(trained, state, address) as service, service.client() as client:
            before = ask_until(client, bodies[0], refused_in_a_row(10))
            _mount("-o", "remount,size=64m", str(folder))
            after = ask_until(client, bodies[1], one_answered)
            nothing_was_lost(service, {**given(before), **given(after)}, read_back=20)
    finally:
        with psycopg.connect(address.replace(name, "postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
            connection.execute("DROP TABLESPACE small")
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def memory(service: Service) -> int:
    """Bytes that the service's processes hold, its scribe's among them, the registry's child not."""
    family = psutil.Process(service.process.pid)
    own = [family, *processes(service, SCRIBE)]
    return sum(process.memory_info().rss for process in own)


def waiting(service: Service) -> float:
    """The gauge of what waits for the ledger."""
    text = httpx.get(f"{service.url}/metrics", timeout=10.0).text
    (value,) = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "risk_ledger_waiting"
    ]
    return value


FLOOD, CONNECTIONS, BOUND = 5_000, 100, 32
BODY_BYTES = 256 * 1024
MOST_GROWTH = 96 * MEGABYTE
"""A hundred open requests of 256 KiB each are 25 MiB, and allocators keep some of what they had;
what 5,000 of them held would be 1.3 GB."""


def test_with_postgresql_frozen_or_gone_queue_and_memory_stay_bounded_and_all_is_refused_in_time(
    on_postgres: Service, bodies: list[bytes], postgres: Postgres
):
    service = on_postgres
    large = bodies[0][:-1] + b" " * (BODY_BYTES - len(bodies[0])) + b"}"
    with service.client() as client:
        answered = given(ask_until(client, bodies[0], one_answered))
        name = next(iter(answered))
        assert client.get(f"/v1/assessments/{name}").content == answered[name]
        flood(service.url, large, CONNECTIONS, CONNECTIONS)  # what so many connections cost at all
        before = memory(service)
        seen: list[float] = []
        postgres.freeze()
        try:
            with watched(service, seen):
                replies = flood(service.url, large, FLOOD, CONNECTIONS)
            assert len(replies) == FLOOD
            assert {reply.status for reply in replies} == {503}
            assert all(int(reply.headers["retry-after"]) >= 1 for reply in replies)
            # Under a hundred connections at once a turn takes longer, whatever is answered.
            assert max(reply.took_s for reply in replies) < 3 * SLOWEST_REFUSAL_S
            assert 0 < max(seen) <= BOUND
            assert memory(service) - before < MOST_GROWTH
            says_why(service)
            for path in (f"/v1/assessments/{name}", "/v1/episodes/e1-" + "a" * 40):
                start = time.monotonic()
                is_a_refusal(client.get(path))
                assert time.monotonic() - start < SLOWEST_REFUSAL_S
            assert status_of(service, "/livez")[0] == 200
        finally:
            postgres.thaw()
        again = ask_until(client, bodies[0], one_answered)
        postgres.kill()
        try:
            for _ in range(5):
                start = time.monotonic()
                refused_or_answered = client.post(ICU, content=bodies[0])
                is_a_refusal(refused_or_answered)
                is_a_refusal(client.get(f"/v1/assessments/{name}"))
                assert time.monotonic() - start < 2 * SLOWEST_REFUSAL_S
            says_why(service)
        finally:
            postgres.start()
        after = ask_until(client, bodies[0], one_answered)
        wait_until(lambda: status_of(service, "/readyz")[0] == 200, "/readyz is ready again")
        nothing_was_lost(service, {**answered, **given(again), **given(after)})


def test_a_postgresql_that_was_restarted_while_nobody_asked_costs_no_answer(
    on_postgres: Service, bodies: list[bytes], postgres: Postgres
):
    """Connections that were kept are gone; who asks next must not be the one to find out."""
    with on_postgres.client() as client:
        answers = given(ask_until(client, bodies[0], one_answered))
        name = next(iter(answers))
        assert client.get(f"/v1/assessments/{name}").status_code == 200
        postgres.kill()
        postgres.start()
        assert client.post(ICU, content=bodies[0]).status_code == 200
        assert client.get(f"/v1/assessments/{name}").content == answers[name]


@contextmanager
def watched(service: Service, seen: list[float]) -> Iterator[None]:
    """Read the gauge, as Prometheus would, for as long as the block lasts."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            seen.append(waiting(service))
            stop.wait(0.1)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_asked_to_end_while_postgresql_hangs_it_ends(
    trained: Path, tmp_path: Path, bodies: list[bytes], postgres: Postgres
):
    """A read that never comes back must not keep the process from ending."""
    settings = {"RISK_LEDGER_PATIENCE_S": str(PATIENCE_S)}
    address = postgres.new_database()
    with (
        recording(trained, tmp_path / "state", address, **settings) as service,
        service.client() as client,
    ):
        name = next(iter(given(ask_until(client, bodies[0], one_answered))))
        assert client.get(f"/v1/assessments/{name}").status_code == 200
        postgres.freeze()
        try:
            is_a_refusal(client.get(f"/v1/assessments/{name}"))
            service.process.send_signal(signal.SIGTERM)
            service.process.wait(timeout=20)
        finally:
            postgres.thaw()
