"""Workers under a supervisor: one port, started again when they end, none left behind.

The workers here note that they were started, with what, and do as they are told. The real ones are
killed in `functional/test_crashes.py`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.errors import StartRefused
from app.supervisor import listen, supervise

PATIENCE_S = 20.0
SUPERVISOR = """
import os
import signal
import sys
import structlog
import app.supervisor
structlog.configure(
    processors=[structlog.processors.JSONRenderer()],
    logger_factory=structlog.PrintLoggerFactory(sys.stderr),
)
notes, does, grace_s, host, port, workers = sys.argv[1:]

def work(port):
    with open(notes, "a") as sink:
        print(os.getpid(), port, os.getppid(), file=sink)
    exec(does)

app.supervisor.GRACE_S = float(grace_s)
app.supervisor.supervise(host, int(port), int(workers), work)
"""
STAYS = "signal.pause()"
ENDS = "sys.exit(3)"
WILL_NOT_END = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open(notes, "a") as sink:
    print(os.getpid(), "deaf", file=sink)
while True:
    signal.pause()
"""


@dataclass(frozen=True)
class Supervised:
    """A supervisor with what its workers noted."""

    process: subprocess.Popen[bytes]
    notes: Path
    log: Path

    def started(self) -> list[tuple[int, list[str]]]:
        """Each worker's process and arguments, in the order of their starts."""
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        return [(int(line.split()[0]), line.split()[1:]) for line in lines]

    def waits(self) -> list[float]:
        """How long it waited before it started a worker again, each time."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line["again_after_s"] for line in lines if line["event"] == "worker_ended"]


@contextmanager
def supervised(
    folder: Path, does: str, *, workers: int, grace_s: float = 10.0
) -> Iterator[Supervised]:
    notes, log = folder / "notes", folder / "log"
    arguments = [str(notes), does, str(grace_s), "127.0.0.1", "0", str(workers)]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISOR, *arguments], stderr=sink, start_new_session=True
        )
    try:
        yield Supervised(process, notes, log)
    finally:
        # The session is this test's own: whatever is left of it goes.
        for pid in [pid for pid, _ in Supervised(process, notes, log).started() if is_alive(pid)]:
            os.kill(pid, signal.SIGKILL)
        process.kill()
        process.wait()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_workers_get_one_port_that_was_free_and_are_the_supervisors_children(tmp_path: Path):
    with supervised(tmp_path, STAYS, workers=3) as service:
        wait_until(lambda: len(service.started()) == 3)
        given = [words for _, words in service.started()]
        assert given[0] == given[1] == given[2]
        port, parent = map(int, given[0])
        assert 0 < port < 65536
        assert parent == service.process.pid


def test_a_worker_that_is_killed_is_started_again_and_the_others_go_on(tmp_path: Path):
    with supervised(tmp_path, STAYS, workers=2) as service:
        wait_until(lambda: len(service.started()) == 2)
        (first, _), (second, _) = service.started()
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: len(service.started()) == 3)
        assert is_alive(second)
        assert json.loads(service.log.read_text().splitlines()[0])["exit_code"] == -signal.SIGKILL


def test_a_worker_that_cannot_start_is_tried_ever_more_seldom(tmp_path: Path):
    """Each wait is twice the one before and a tenth of a second: 0.1, 0.3, 0.7."""
    with supervised(tmp_path, ENDS, workers=1) as service:
        wait_until(lambda: len(service.waits()) >= 3)
        assert service.waits()[:3] == pytest.approx([0.1, 0.3, 0.7])
        assert len(service.started()) <= len(service.waits()) + 1


@pytest.mark.parametrize("asked_by", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_end_it_ends_its_workers_first(tmp_path: Path, asked_by: signal.Signals):
    with supervised(tmp_path, STAYS, workers=2) as service:
        wait_until(lambda: len(service.started()) == 2)
        service.process.send_signal(asked_by)
        assert service.process.wait(timeout=PATIENCE_S) == 0
        assert not any(is_alive(pid) for pid, _ in service.started())
        assert "Traceback" not in service.log.read_text()


def test_a_worker_that_will_not_end_is_killed_after_its_grace(tmp_path: Path):
    with supervised(tmp_path, WILL_NOT_END, workers=1, grace_s=0.5) as service:
        wait_until(lambda: len(service.started()) == 2)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(timeout=PATIENCE_S) == 0
        assert not any(is_alive(pid) for pid, _ in service.started())


def test_a_port_that_is_taken_is_refused_in_one_line():
    with closing(listen("127.0.0.1", 0, shared=False)) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        expected = f"cannot listen on 127.0.0.1, port {port}: Address already in use"
        for take in (
            lambda: listen("127.0.0.1", port, shared=False),
            lambda: listen("127.0.0.1", port, shared=True),
            lambda: supervise("127.0.0.1", port, 2, lambda _: None),
        ):
            with pytest.raises(StartRefused, match=f"^{expected}$"):
                take()


def test_the_socket_that_holds_the_port_takes_no_connection_from_the_workers():
    """A connection that the kernel gave to it would never be answered."""
    with (
        closing(listen("127.0.0.1", 0, shared=True)) as held,
        closing(listen("127.0.0.1", held.getsockname()[1], shared=True)) as worker,
    ):
        worker.listen()
        worker.settimeout(PATIENCE_S)
        for _ in range(50):
            with closing(socket.create_connection(held.getsockname(), PATIENCE_S)):
                worker.accept()[0].close()


def test_an_ipv6_address_is_listened_on():
    try:
        opened = listen("::1", 0, shared=False)
    except StartRefused:
        pytest.skip("THIS MACHINE HAS NO IPv6 LOOPBACK")
    with closing(opened):
        assert opened.family == socket.AF_INET6
