"""Clients that begin and do not go on: answered 408 in their turn, and nobody else waits for them."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.lib.service import Service, running_service

ICU = "/v1/branch-points/icu-review/assessments"
REQUEST = json.dumps({"measurements": {}}).encode()


@pytest.fixture(scope="module")
def impatient(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that waits for a second only."""
    log = tmp_path_factory.mktemp("impatient") / "log"
    with running_service(trained, log, {"RISK_BODY_TIMEOUT_S": "1"}) as running:
        yield running


def begin(service: Service, path: str, sent: bytes) -> socket.socket:
    """Begin a request whose body stops half-way."""
    url = httpx.URL(service.url)
    connection = socket.create_connection((url.host, url.port or 80), timeout=20)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection.sendall(head.encode() + b"%x\r\n%s\r\n" % (len(sent), sent))
    return connection


def received(connection: socket.socket, until: bytes) -> bytes:
    found = b""
    while until not in found:
        chunk = connection.recv(65_536)
        if not chunk:
            break
        found += chunk
    return found


def test_a_body_that_stops_half_way_is_408_while_others_are_answered(impatient: Service):
    with begin(impatient, ICU, REQUEST[:5]) as slow:
        with impatient.client() as client:
            assert client.post(ICU, content=REQUEST).status_code == 200
        answer = received(slow, b"}")
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"application/problem+json" in answer


def test_a_silent_batch_gets_its_answers_then_408_as_its_last_line(impatient: Service):
    with begin(impatient, f"{ICU}:batch", REQUEST + b"\n" + REQUEST[:5]) as slow:
        answer = received(slow, b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    lines = [json.loads(line) for line in answer.splitlines() if line.startswith(b"{")]
    assert [line.get("status") for line in lines] == ["abstained", 408]


def test_a_batch_may_take_as_long_as_it_keeps_sending(impatient: Service):
    """Line by line, each sent only when the one before was answered."""
    with begin(impatient, f"{ICU}:batch", REQUEST + b"\n") as steady:
        for _ in range(3):
            assert b"assessment_id" in received(steady, b"}\n\r\n")
            steady.sendall(b"%x\r\n%s\n\r\n" % (len(REQUEST) + 1, REQUEST))
        assert b"assessment_id" in received(steady, b"}\n\r\n")
        steady.sendall(b"0\r\n\r\n")
        assert b"408" not in received(steady, b"0\r\n\r\n")
