"""Clients that keep asking while things break, and keep what they were answered."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

ICU = "/v1/branch-points/icu-review/assessments"
LINES = 12
"""Requests in one batch: short enough that a kill meets many batches."""
PATIENCE_S = 30.0


@dataclass
class Load:
    """What several clients were answered, until they are told to stop.

    Attributes
    ----------
    answers : dict of str to bytes
        The body of every answer that arrived whole, by its assessment's identifier.
    statuses : Counter
        How often each status came; `broken` for a connection that broke.
    unexpected : list of str
        Answers that no fault of a machine excuses: anything but 200, or 503 with Retry-After.
    """

    url: str
    bodies: Sequence[bytes]
    answers: dict[str, bytes] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _news: threading.Condition = field(default_factory=threading.Condition)
    _asked: int = 0
    _since: int = 0
    _fresh: int = 0

    def wait_for_answers(self, count: int, within_s: float) -> float:
        """Wait for so many answers to requests that are made from now on; returns the seconds."""
        start = time.monotonic()
        with self._news:
            self._since, self._fresh = self._asked, 0
            while self._fresh < count:
                left = start + within_s - time.monotonic()
                if left <= 0:
                    raise AssertionError(
                        f"{self._fresh} of {count} answers within {within_s} s: {self.statuses}"
                    )
                self._news.wait(left)
        return time.monotonic() - start

    def stop(self) -> None:
        self._stop.set()

    def run(self, first: int) -> None:
        """One client: single requests and batches by turns, each on whatever connection holds."""
        connection: http.client.HTTPConnection | None = None
        number = first
        while not self._stop.is_set():
            number += 1
            with self._news:
                self._asked += 1
                asked = self._asked
            try:
                if connection is None:
                    connection = _connect(self.url)
                if number % 4:
                    self._single(connection, self.bodies[number % len(self.bodies)], asked)
                else:
                    self._batch(connection, number, asked)
            except (OSError, http.client.HTTPException):
                with self._news:
                    self.statuses["broken"] += 1
                if connection is not None:
                    connection.close()
                connection = None
                self._stop.wait(0.02)  # nobody listens for a moment: not a busy loop
        if connection is not None:
            connection.close()

    def _single(self, connection: http.client.HTTPConnection, body: bytes, asked: int) -> None:
        connection.request("POST", ICU, body)
        response = connection.getresponse()
        self._take(response.status, response.headers.get("Retry-After"), response.read(), asked)

    def _batch(self, connection: http.client.HTTPConnection, number: int, asked: int) -> None:
        lines = [self.bodies[(number + n) % len(self.bodies)] for n in range(LINES)]
        connection.request("POST", f"{ICU}:batch", b"\n".join(lines))
        response = connection.getresponse()
        if response.status != 200:
            self._take(response.status, response.headers.get("Retry-After"), response.read(), asked)
            return
        while line := response.readline():
            if line.endswith(b"\n"):  # a line that was cut off is no answer
                document = json.loads(line)
                status = document["status"] if isinstance(document["status"], int) else 200
                self._take(status, "in the line", line[:-1], asked)

    def _take(self, status: int, retry_after: str | None, body: bytes, asked: int) -> None:
        with self._news:
            self.statuses[str(status)] += 1
            if status == 200:
                self.answers[json.loads(body)["assessment_id"]] = body
                if asked > self._since:
                    self._fresh += 1
                    self._news.notify_all()
            elif status != 503 or retry_after is None:
                self.unexpected.append(f"{status}, Retry-After {retry_after}: {body[:200]!r}")
        if status == 503:
            self._stop.wait(0.01)


@contextmanager
def under_load(url: str, bodies: Sequence[bytes], clients: int) -> Iterator[Load]:
    """Let clients ask for as long as the block lasts."""
    load = Load(url, bodies)
    threads = [threading.Thread(target=load.run, args=(7 * n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.stop()
        for thread in threads:
            thread.join(timeout=PATIENCE_S)
        assert not any(thread.is_alive() for thread in threads), "a client never got an answer"


def _connect(url: str) -> http.client.HTTPConnection:
    address = urlsplit(url)
    assert address.hostname is not None
    return http.client.HTTPConnection(address.hostname, address.port, timeout=PATIENCE_S)


@dataclass(frozen=True)
class Reply:
    """One answer of a flood."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    took_s: float


def flood(url: str, body: bytes, count: int, connections: int) -> list[Reply]:
    """Send the same request `count` times over many connections at once; every reply must come."""
    return asyncio.run(_flood(url, body, count, connections))


async def _flood(url: str, body: bytes, count: int, connections: int) -> list[Reply]:
    address = urlsplit(url)
    request = (
        f"POST {ICU} HTTP/1.1\r\nhost: {address.hostname}\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body
    left = iter(range(count))
    replies: list[Reply] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            for _ in left:
                start = time.monotonic()
                writer.write(request)
                await writer.drain()
                async with asyncio.timeout(PATIENCE_S):
                    status, headers, answer = await _reply(reader)
                replies.append(Reply(status, headers, answer, time.monotonic() - start))
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    await asyncio.gather(*(client() for _ in range(connections)))
    return replies


async def _reply(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs: list[Any] = [line.split(": ", 1) for line in head[1:] if line]
    headers = {name.lower(): value for name, value in pairs}
    return (
        int(head[0].split()[1]),
        headers,
        await reader.readexactly(int(headers["content-length"])),
    )
