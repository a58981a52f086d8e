"""MLflow's own server on a free loopback port, killed and started again by the tests."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from tests.lib.service import environment, free_port, script

PATIENCE_S = 180.0


class MlflowServer:
    """A tracking server and model registry that keeps files itself and hands them out.

    Parameters
    ----------
    folder : Path
        For artifacts, the log and, by default, a SQLite database.
    store : str, optional
        Address of its database, as SQLAlchemy reads it.
    more : str
        Further environment variables of the server.
    """

    def __init__(self, folder: Path, store: str | None = None, **more: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.artifacts = folder / "artifacts"
        self._store = store or f"sqlite:///{folder / 'mlflow.db'}"
        self._folder = folder
        self._more = more
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = environment(
            self._folder,
            MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
            MLFLOW_DISABLE_TELEMETRY="true",
            **self._more,
        )
        with (self._folder / "log").open("ab") as sink:
            self._process = subprocess.Popen(
                [script("mlflow"), "server", "--backend-store-uri", self._store,
                 "--artifacts-destination", str(self.artifacts), "--workers", "1",
                 "--host", "127.0.0.1", "--port", str(self.port)],
                env=settings, cwd=self._folder, stdout=sink, stderr=sink, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE_S
        while not self.answers():
            log = self._folder / "log"
            assert self._process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.1)

    def answers(self) -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/health", timeout=2.0).status_code == 200
        return False

    def kill(self) -> None:
        """End every process of the server at once."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=30)

    def freeze(self) -> None:
        """Stop every process of the server in its tracks: it hangs, it does not refuse."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGCONT)

    def log_text(self) -> str:
        return (self._folder / "log").read_text()


@contextmanager
def running_mlflow(folder: Path, store: str | None = None, **more: str) -> Iterator[MlflowServer]:
    """A server for a while."""
    server = MlflowServer(folder, store, **more)
    server.start()
    try:
        yield server
    finally:
        server.kill()
