"""A real service process on a free loopback port, started and ended by the tests."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

PATIENCE_S = 180.0


def script(name: str) -> str:
    """A command of the installation under test."""
    return str(Path(sys.executable).parent / name)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def environment(var: Path, **more: str) -> dict[str, str]:
    """The caller's environment without its own settings, with a state folder of the test's."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RISK_", "MLFLOW_"))
        and name not in ("PORT", "VAR_DIR", "DEMO_ONCE")
    }
    return {**kept, "RISK_VAR_DIR": str(var), **more}


@dataclass(frozen=True)
class Service:
    """A running service: where it is, its process, its log, and the settings it was given.

    Attributes
    ----------
    waited : Counter
        Statuses that /readyz answered until it was what the test waits for.
    """

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    settings: Mapping[str, str]
    waited: Counter[int] = field(default_factory=Counter)

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=120.0)

    def workers(self) -> list[psutil.Process]:
        """Of a service of several: a supervisor's children are its workers."""
        return psutil.Process(self.process.pid).children()


@contextmanager
def running_service(
    var: Path,
    log: Path,
    settings: Mapping[str, str] | None = None,
    *,
    until: int | None = 200,
    port: int | None = None,
) -> Iterator[Service]:
    """Start `risk-serve run`, wait until /readyz answers `until` (None: any answer), end it after.

    Without `port` it listens where it is free. Ledger and keys are the service's own, beside its log: several services share trained models.
    """
    port = port or free_port()
    own = {
        "RISK_DATABASE_URL": f"sqlite:///{log.parent / f'{log.name}-ledger.db'}",
        "RISK_KEYS_FILE": str(log.parent / f"{log.name}-keys.toml"),
        "RISK_API_KEYS_FILE": str(log.parent / f"{log.name}-api-keys.jsonl"),
    }
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [script("risk-serve"), "run", "--port", str(port)],
            env=environment(var, **{**own, **(settings or {})}),
            stdout=sink,
            stderr=sink,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            waited = _wait(url, process, log, until)
            yield Service(url, process, log, {**own, **(settings or {})}, waited)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path, until: int | None) -> Counter[int]:
    statuses: Counter[int] = Counter()
    deadline = time.monotonic() + PATIENCE_S
    with httpx.Client(base_url=url, timeout=2.0) as client:
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise AssertionError(f"the service ended: {log.read_text()[-2000:]}")
            try:
                status = client.get("/readyz").status_code
                statuses[status] += 1
            except httpx.HTTPError:
                status = None
            if status is not None and until in (None, status):
                return statuses
            time.sleep(0.05)
    raise AssertionError(f"not ready within {PATIENCE_S} s: {log.read_text()[-2000:]}")


def run_command(
    *arguments: str,
    var: Path,
    check: bool = True,
    settings: Mapping[str, str] | None = None,
    given: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run one of the product's commands as a user would; `given` is its standard input."""
    done = subprocess.run(
        [script(arguments[0]), *arguments[1:]],
        env=environment(var, **(settings or {})),
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if check and done.returncode:
        raise AssertionError(f"{' '.join(arguments)} failed: {done.stderr[-2000:]}")
    return done
