"""Several workers on one port: each with a socket of its own, started again when it ends.

The kernel spreads connections over the sockets (SO_REUSEPORT). A worker that dies takes only its own
requests with it; whatever it had answered is in the ledger. Workers are forked from the supervisor,
which has loaded all code, no model, and runs one thread: they start at once and share its memory.
"""

from __future__ import annotations

import multiprocessing
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkProcess
from types import FrameType

import structlog

from app.errors import StartRefused

SHORT_LIFE_S = 2.0
LONGEST_WAIT_S = 5.0
GRACE_S = 15.0

log = structlog.get_logger()


def listen(host: str, port: int, *, shared: bool) -> socket.socket:
    """A listening socket; `shared` lets other workers listen on the same port.

    Raises
    ------
    StartRefused
        When the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise StartRefused(f"cannot listen on {host}, port {port}: {error.strerror}") from None
    return listener


def supervise(host: str, port: int, workers: int, work: Callable[[int], None]) -> None:
    """Run workers until asked to end; start again whichever ends by itself.

    Parameters
    ----------
    port : int
        0 picks a free one, the same for all workers.
    work : callable
        What a worker does, in a process of its own; is given the port.

    Raises
    ------
    StartRefused
        When the address cannot be had.
    """
    # Held, never listened on: it keeps the port ours while workers come and go.
    held = listen(host, port, shared=True)
    forking = multiprocessing.get_context("fork")
    running: list[tuple[ForkProcess, float]] = []
    wait_s = start_at = 0.0
    with _signals() as signals:
        while not signals.asked_to_end:
            if time.monotonic() >= start_at:
                while len(running) < workers:
                    child = forking.Process(target=_work, args=(work, held, signals), daemon=True)
                    child.start()
                    running.append((child, time.monotonic()))
            missing = len(running) < workers
            signals.wait(max(0.0, start_at - time.monotonic()) if missing else None)
            ended = [(child, since) for child, since in running if child.exitcode is not None]
            for child, since in ended:
                # A worker that cannot start must not be started in a circle.
                short = time.monotonic() - since < SHORT_LIFE_S
                wait_s = min(LONGEST_WAIT_S, 2 * wait_s + 0.1) if short else 0.0
                start_at = time.monotonic() + wait_s
                log.error("worker_ended", exit_code=child.exitcode, again_after_s=wait_s)
                running.remove((child, since))
        _end([child for child, _ in running])
    held.close()


def _work(work: Callable[[int], None], held: socket.socket, signals: _Signals) -> None:
    """In the child: let go of what is the supervisor's, then work."""
    port = held.getsockname()[1]
    held.close()
    signals.let_go()
    if not signals.asked_to_end:  # asked by a signal that came before they were let go of
        work(port)


class _Signals:
    """Signals as something to wait for.

    A handler that raised would do so anywhere, also between the start of a worker and the note of
    it; nobody would end that worker.
    """

    def __init__(self) -> None:
        self.asked_to_end = False
        self._woken, self._wake = socket.socketpair()
        for end in (self._woken, self._wake):
            end.setblocking(False)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        signal.signal(signal.SIGCHLD, lambda _, __: None)  # what is ignored would wake nobody

    def wait(self, timeout_s: float | None) -> None:
        """Wait for any signal, one that came before included."""
        if select.select([self._woken], [], [], timeout_s)[0]:
            self._woken.recv(4096)

    def let_go(self) -> None:
        """In a child: let every signal do again what it does by itself."""
        self.close()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)

    def close(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._woken.close()
        self._wake.close()

    def _end(self, _: int, __: FrameType | None) -> None:
        self.asked_to_end = True


@contextmanager
def _signals() -> Iterator[_Signals]:
    signals = _Signals()
    try:
        yield signals
    finally:
        signals.close()


def _end(children: list[ForkProcess]) -> None:
    for child in children:
        child.terminate()
    deadline = time.monotonic() + GRACE_S
    for child in children:
        child.join(max(0.1, deadline - time.monotonic()))
        if child.exitcode is None:
            child.kill()
            child.join()
