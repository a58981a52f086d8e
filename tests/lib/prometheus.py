"""A real Prometheus that scrapes what a test shows it and evaluates the rules that are checked in."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx

from monitoring.rules import ALERTS_FILE, RECORDING_FILE
from tests.lib.promtool import needed
from tests.lib.service import free_port

RULES = Path("monitoring/rules")
PATIENCE_S = 180.0
LOOKING_EVERY_S = 0.1


class Prometheus:
    """What can be asked of a running one."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=30)

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The series that an expression gives now.

        Raises
        ------
        AssertionError
            With Prometheus's own words when it cannot answer.
        """
        told = self._client.get("/api/v1/query", params={"query": expr}).json()
        assert told["status"] == "success", f"{expr}: {told.get('error')}"
        found: list[dict[str, Any]] = told["data"]["result"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Every rule with its `health` and `lastError`."""
        groups = self._client.get("/api/v1/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def ready(self) -> bool:
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def close(self) -> None:
        self._client.close()


@contextmanager
def running_prometheus(
    folder: Path, targets: Sequence[str], *, every: str = "1s"
) -> Iterator[Prometheus]:
    """A Prometheus for a while.

    Parameters
    ----------
    targets : sequence of str
        What is scraped at `/metrics`, each `host:port`.
    every : str
        Between two scrapes, and between two evaluations of every rule, whatever its own interval.
    """
    program = needed("prometheus")
    for name in (RECORDING_FILE, ALERTS_FILE):
        text = (RULES / name).read_text(encoding="utf-8")
        (folder / name).write_text(re.sub(r"interval: \w+", f"interval: {every}", text))
    configuration = {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
        "rule_files": [RECORDING_FILE, ALERTS_FILE],
        "scrape_configs": [{"job_name": "risk", "static_configs": [{"targets": list(targets)}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(configuration))
    address = f"127.0.0.1:{free_port()}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "--config.file=prometheus.yml", "--storage.tsdb.path=data",
             f"--web.listen-address={address}"],
            cwd=folder, stdout=log, stderr=log, env={**os.environ, "GOMAXPROCS": "1"},
        )  # fmt: skip
        asked = Prometheus(f"http://{address}")
        try:
            until(asked.ready, lambda: (folder / "log").read_text()[-2000:])
            yield asked
        finally:
            asked.close()
            process.terminate()
            process.wait(timeout=30)


def until(holds: Callable[[], Any], why: Callable[[], object]) -> None:
    """Wait until something holds; `why` tells what was there when it did not."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, why()
        time.sleep(LOOKING_EVERY_S)


@contextmanager
def shown(exposition: Callable[[], str]) -> Iterator[str]:
    """Serve an exposition, made anew for each scrape; gives `host:port`."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = exposition().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
