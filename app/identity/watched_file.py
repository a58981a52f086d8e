"""A file that can change under the running service: read again when it did."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import structlog

log = structlog.get_logger()
LOOK_EVERY_S = 1.0
Content = TypeVar("Content")


class WatchedFile(Generic[Content]):
    """The parsed content of a file, at most one look at the disk a second.

    The first reading must succeed. A later one that fails is logged and changes nothing, so that a
    slip of an editor locks nobody out; the next change is read again.

    Parameters
    ----------
    path : Path
    read : callable
        From the path to its content; may raise `OSError` or one of `faults`.
    faults : tuple of exception types
        What `read` raises for content that does not hold.
    clock : callable
        Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[Path], Content],
        faults: tuple[type[Exception], ...],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._read = read
        self._faults: tuple[type[Exception], ...] = (*faults, OSError)
        self._clock = clock
        self._looked_at = clock()
        self._state = self._look()
        self._content = read(path)

    def content(self) -> Content:
        """What the file holds, as of a second ago or later."""
        now = self._clock()
        if now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = now
            state = self._look()
            if state != self._state:
                self._state = state
                self._read_again()
        return self._content

    def _read_again(self) -> None:
        try:
            self._content = self._read(self._path)
        except self._faults as error:
            log.warning(
                "file_not_reloaded", file=self._path.name, error=type(error).__name__, kept="old"
            )

    def _look(self) -> tuple[int, ...] | None:
        try:
            seen = self._path.stat()
        except OSError:
            return None
        # The inode too: a file that is replaced whole can keep its size within one tick.
        return seen.st_mtime_ns, seen.st_size, seen.st_ino, seen.st_mode
