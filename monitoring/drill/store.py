"""A Prometheus that scrapes nothing: it holds a simulated year and answers queries about it.

Its rules are not run by its own clock. Samples come by remote write at any time of the past, so what a
rule gives can be asked for with `query_range` and written back, without blocks and restarts in between.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
from numpy.typing import NDArray

from monitoring.drill.remote_write import bodies, time_series

Labels = tuple[tuple[str, str], ...]
Series = tuple[Labels, NDArray[np.int64], NDArray[np.float64]]
"""Labels, seconds since 1970, values."""
PROGRAM = "prometheus"
START_PATIENCE_S, QUERY_PATIENCE_S = 60.0, 600.0
LONGEST_S = 30 * 86400
"""Asked for in one query: a year of a thousand series at once would need gigabytes."""
OPTIONS = (
    "--web.enable-remote-write-receiver",
    # One head holds the year: blocks of two hours, as they are usual, would be thousands.
    "--storage.tsdb.min-block-duration=3650d",
    "--storage.tsdb.max-block-duration=3650d",
    "--storage.tsdb.retention.time=7300d",
    "--query.max-samples=500000000",
    "--query.timeout=10m",
    # Scrapes are an hour apart. At whole hours this is as exact as the usual five minutes.
    "--query.lookback-delta=59m",
)


class StoreFailed(Exception):
    """Prometheus is not there, did not start, or refused; the message says what to do."""


def program(name: str | None = None) -> str:
    """Where Prometheus is.

    Raises
    ------
    StoreFailed
        Saying what to install.
    """
    found = shutil.which(name or PROGRAM)
    if found is None:
        raise StoreFailed(
            f"{name or PROGRAM} is not installed: install Prometheus 2.33 or newer "
            "(Debian and Ubuntu: apt install prometheus), or name it with --prometheus"
        )
    return found


class Store:
    """What can be written to it and asked of it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, timeout=QUERY_PATIENCE_S)

    def write(self, series: Iterable[Series]) -> None:
        """Keep samples; those that are there already stay.

        Raises
        ------
        StoreFailed
            When Prometheus refuses them.
        """
        for body in bodies(time_series(*one) for one in series):
            told = self._client.post(
                "/api/v1/write",
                content=body,
                headers={
                    "Content-Encoding": "snappy",
                    "Content-Type": "application/x-protobuf",
                    "X-Prometheus-Remote-Write-Version": "0.1.0",
                },
            )
            if told.is_error:
                raise StoreFailed(f"Prometheus refused samples: {told.text.strip()[:200]}")

    def range(self, expr: str, begin_s: int, end_s: int, step_s: int) -> list[Series]:
        """What an expression gives at every step from begin to end, both counted; empty ones left out.

        Raises
        ------
        StoreFailed
            With Prometheus's own words.
        """
        at: dict[Labels, list[int]] = {}
        values: dict[Labels, list[float]] = {}
        for begin in range(begin_s, end_s + 1, LONGEST_S):
            end = min(begin + LONGEST_S - step_s, end_s)
            given = {"query": expr, "start": begin, "end": end, "step": step_s}
            for one in self._ask("/api/v1/query_range", given):
                labels = tuple(sorted(one["metric"].items()))
                at.setdefault(labels, []).extend(int(t) for t, _ in one["values"])
                values.setdefault(labels, []).extend(float(v) for _, v in one["values"])
        return [(labels, np.array(at[labels]), np.array(values[labels])) for labels in at]

    def query(self, expr: str, at_s: int) -> Sequence[Any]:
        """The series that an expression gives at one time, as Prometheus's interface tells them."""
        return self._ask("/api/v1/query", {"query": expr, "time": at_s})

    def _ask(self, path: str, given: dict[str, Any]) -> Sequence[Any]:
        told = orjson.loads(self._client.post(path, data=given).content)
        if told["status"] != "success":
            raise StoreFailed(f"Prometheus: {told.get('error')}: {given['query']}")
        found: Sequence[Any] = told["data"]["result"]
        return found

    def refuse_others(self) -> None:
        """Refuse a Prometheus that would count otherwise.

        Version 3 leaves the first sample out of a range: an hour of hourly scrapes would hold one sample,
        and nothing would ever have increased.

        Raises
        ------
        StoreFailed
            When it is not version 2.
        """
        told = orjson.loads(self._client.get("/api/v1/status/buildinfo").content)
        version = str(told["data"]["version"])
        if not version.startswith("2."):
            raise StoreFailed(
                f"Prometheus {version} is here: a drill needs version 2, 2.33 or newer"
            )

    def ready(self) -> bool:
        """Whether it answers."""
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()


@contextmanager
def running_store(folder: Path, name: str | None = None) -> Iterator[Store]:
    """A Prometheus on a free port of this machine, with its data in a folder, for a while.

    Raises
    ------
    StoreFailed
        When it is not installed or does not start.
    """
    path = program(name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prometheus.yml").write_text("{}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [path, "--config.file=prometheus.yml", "--storage.tsdb.path=data",
             f"--web.listen-address={address}", *OPTIONS],
            cwd=folder, stdout=log, stderr=log, env={**os.environ, "TZ": "UTC"},
        )  # fmt: skip
        store = Store(f"http://{address}")
        try:
            _until_ready(store, process, folder / "log")
            store.refuse_others()
            yield store
        finally:
            store.close()
            process.terminate()
            process.wait(timeout=60)


def _until_ready(store: Store, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_PATIENCE_S
    while not store.ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise StoreFailed(f"Prometheus did not start; see {log}")
        time.sleep(0.05)
