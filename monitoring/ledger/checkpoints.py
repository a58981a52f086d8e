"""Copying SQLite's log into its file beside the writing instead of in its way.

SQLite appends what is committed to a log and copies it into the file after every thousand pages, on the
thread that commits: 10 to 20 ms in which every answer waits. A copy from another connection holds up
nobody, and what came in meanwhile is little for the writer to copy between two transactions. Without
that last step the log would never be all copied under load, never begin anew, and grow for ever.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing, suppress
from typing import Any

EVERY_ENTRIES = 400
"""Two entries are an answer with its line of the access log: some six pages of the log."""
NOT_WAITED_FOR = "PRAGMA wal_checkpoint(PASSIVE)"


class Checkpoints:
    """A thread that copies the log; the writer tells it what it wrote and takes the last step.

    What cannot be copied stays in the log, which is as durable: SQLite copies it by itself when the log
    has grown long (`engine.LONGEST_LOG_PAGES`).

    Parameters
    ----------
    file : str
        The database.
    every : int
        Entries after which the log is copied.

    Attributes
    ----------
    nearly_done : bool
        The log was copied, but for what came in meanwhile: `finish` is due.
    """

    def __init__(self, file: str, every: int = EVERY_ENTRIES) -> None:
        self._file = file
        self._every = every
        self._written = 0
        self._due = threading.Event()
        self._ending = False
        self._thread: threading.Thread | None = None
        self.nearly_done = False

    def written(self, entries: int) -> None:
        """So many entries are in the log; called after every transaction."""
        self._written += entries
        if self._written >= self._every:
            self._written = 0
            self._due.set()
            if self._thread is None:
                # A daemon: a scribe that is told to end must not wait for a disk that hangs.
                self._thread = threading.Thread(target=self._copy, name="checkpoints", daemon=True)
                self._thread.start()

    def finish(self, connection: Any) -> None:
        """Copy what came in while the log was copied; called by the writer, outside a transaction."""
        self.nearly_done = False
        with suppress(sqlite3.Error):
            connection.execute(NOT_WAITED_FOR).fetchall()

    def end(self, patience_s: float) -> None:
        """Close its connection, if the disk lets it in time."""
        self._ending = True
        self._due.set()
        if self._thread is not None:
            self._thread.join(patience_s)

    def _copy(self) -> None:
        while True:
            self._due.wait()
            self._due.clear()
            if self._ending:
                return
            # Opened anew each time: the file may have been restored from a backup meanwhile.
            with (
                suppress(sqlite3.Error),
                closing(sqlite3.connect(self._file, timeout=0, isolation_level=None)) as own,
            ):
                own.execute(NOT_WAITED_FOR).fetchall()
                self.nearly_done = True
