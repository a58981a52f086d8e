"""The candidates: one real process each on a free loopback port, one worker, ended by its id."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.benchmarks.failure import NOTHING_TRAINED, BenchmarkFailed
from tests.lib.service import environment, free_port, script

ROOT = Path(__file__).parents[2]
PATIENCE_S = 90.0
LOOK_EVERY_S = 0.01
MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Candidate:
    """How to start a server and how to see that it is ready; {port} stands for the port.

    Attributes
    ----------
    untrained : bytes or None
        What its readiness says when there is no champion, and waiting would be in vain.
    settings : tuple of (str, str)
        Environment variables of its own.
    """

    name: str
    command: tuple[str, ...]
    readiness: str
    untrained: bytes | None = None
    settings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident megabytes: of the process that answers, and of it with its helpers."""

    worker_mb: float
    all_mb: float


@dataclass(frozen=True, slots=True)
class Server:
    """A candidate that is ready.

    Attributes
    ----------
    cold_start_s : float
        Seconds from the start of the process to the first 200 of its readiness path.
    """

    candidate: Candidate
    port: int
    process: psutil.Process
    cold_start_s: float

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def worker(self) -> psutil.Process:
        """The process that answers."""
        return next(p for p in self._family() if _listens(p, self.port))

    def memory(self) -> Memory:
        """What the server holds now."""
        sizes = {p.pid: p.memory_info().rss / MEGABYTE for p in self._family()}
        return Memory(sizes[self.worker().pid], sum(sizes.values()))

    def _family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


def candidates(model: str) -> tuple[Candidate, Candidate, Candidate]:
    """Our service, a constant answer, and MLflow's own server, each with one worker."""
    ours = Candidate(
        "ours",
        (script("risk-serve"), "run", "--port", "{port}"),
        "/readyz",
        untrained=b"names no champion",
    )
    constant = Candidate(
        "constant",
        (
            *(sys.executable, "-m", "uvicorn", "tests.benchmarks.constant:app"),
            *("--host", "127.0.0.1", "--port", "{port}", "--log-level", "warning"),
            *("--no-access-log", "--no-server-header", "--no-date-header"),
        ),
        "/",
    )
    mlflow = Candidate(
        "mlflow",
        (
            *(script("mlflow"), "models", "serve", "-m", f"models:/{model}@champion"),
            *("--env-manager", "local", "--host", "127.0.0.1", "--port", "{port}"),
        ),
        "/ping",
    )
    return ours, constant, mlflow


@contextmanager
def running(candidate: Candidate, var: Path, logs: Path) -> Iterator[Server]:
    """Start a candidate, wait until it is ready, end it and its children after.

    Raises
    ------
    BenchmarkFailed
        When it ends or is not ready in time.
    """
    port = free_port()
    log = logs / f"{candidate.name}.log"
    with log.open("wb") as sink:
        start = time.perf_counter()
        started = subprocess.Popen(
            [part.format(port=port) for part in candidate.command],
            cwd=ROOT,
            env=_environment(var) | dict(candidate.settings),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
        )
        process = psutil.Process(started.pid)
        try:
            _wait(candidate, port, started, log, start + PATIENCE_S)
            yield Server(candidate, port, process, time.perf_counter() - start)
        finally:
            _end(process, started)


def _environment(var: Path) -> dict[str, str]:
    """No settings of the caller's; compiled modules are kept, as in any installation."""
    store = f"sqlite:///{var.resolve()}/mlflow.db"
    search = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    given = environment(
        var.resolve(), MLFLOW_TRACKING_URI=store, MLFLOW_DISABLE_TELEMETRY="true", PATH=search
    )
    given.pop("PYTHONDONTWRITEBYTECODE", None)
    return given


def _wait(
    candidate: Candidate, port: int, started: subprocess.Popen[bytes], log: Path, deadline: float
) -> None:
    while time.perf_counter() < deadline:
        if started.poll() is not None:
            raise BenchmarkFailed(f"{candidate.name} ended while starting: {_last_line(log)}")
        status, content = _look(port, candidate.readiness)
        if status == http.client.OK:
            return
        if candidate.untrained is not None and candidate.untrained in content:
            raise BenchmarkFailed(NOTHING_TRAINED)
        time.sleep(LOOK_EVERY_S)
    raise BenchmarkFailed(f"{candidate.name} was not ready in {PATIENCE_S:g} s: {_last_line(log)}")


def _look(port: int, path: str) -> tuple[int | None, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5.0)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return None, b""
    finally:
        connection.close()


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "it wrote nothing"


def _listens(process: psutil.Process, port: int) -> bool:
    return any(
        c.status == psutil.CONN_LISTEN and c.laddr.port == port
        for c in process.net_connections(kind="tcp")
    )


def _end(process: psutil.Process, started: subprocess.Popen[bytes]) -> None:
    """Ask the process and its children to end, by their ids; kill what has not after 10 s."""
    try:
        family = [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        family = []
    for member in reversed(family):
        with suppress(psutil.NoSuchProcess):
            member.terminate()
    _, alive = psutil.wait_procs(family, timeout=10)
    for member in alive:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    started.wait(timeout=10)
