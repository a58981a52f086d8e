"""The journal beside the answers: what job they belong to, so that a second run goes on with it.

Nothing is scored twice, by three facts that hold after `kill -9` of any process at any moment:

- The assessment id of a row follows from a secret of the job, which is on disk before the first row
  is scored, and the row's number. A row whose answer may already be in the ledger is looked up there
  under that id, and its recorded answer is taken.
- Answers are written in the order of the rows, and no row is begun that lies more than `window` rows
  behind the last one that is flushed to disk. So only the rows of one window need to be looked up.
- Whoever works on a job holds a lock on its journal, and so do the processes that write the ledger
  for it. A second run waits until the last of them has ended: nothing is written behind its look-up.

While a job is under way its answers stand in `OUT.part`, one line a row, as NDJSON. At the end they
become OUT in one step.
"""

from __future__ import annotations

import fcntl
import hmac
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from app.file_drop.errors import DropStopped, FileRefused
from monitoring.ledger import new_identifier

FORMAT = 1
SECRET_BYTES = 32
WAIT_FOR_LOCK_S, LOOK_AGAIN_S = 60.0, 0.05


@dataclass(frozen=True, slots=True)
class RowIdentifiers:
    """Which assessment id a row has.

    Attributes
    ----------
    started_us : int
        When the job began: ids carry this time, or the start of the month that they are recorded in.
    """

    secret: bytes
    started_us: int

    def of(self, row: int, recorded_at_us: int) -> str:
        """The id under which a row is recorded at a time.

        The ledger finds an assessment by the month that its id tells, so the id of a row that is
        recorded in a later month than the job began tells that month.
        """
        month = datetime.fromtimestamp(recorded_at_us / 1_000_000, UTC).replace(
            day=1, hour=0, minute=0, second=0, microsecond=0
        )
        told_us = max(self.started_us, int(month.timestamp()) * 1_000_000)
        random = hmac.digest(self.secret, b"row:%d" % row, "sha256")[:10]
        return new_identifier(told_us, random)

    def every(self, row: int, now_us: int) -> list[str]:
        """Every id that a row can have been recorded under until now, newest first."""
        found, moment_us = [], now_us
        while True:
            found.append(self.of(row, moment_us))
            month = datetime.fromtimestamp(moment_us / 1_000_000, UTC).replace(
                day=1, hour=0, minute=0, second=0, microsecond=0
            )
            moment_us = int(month.timestamp()) * 1_000_000 - 1
            if moment_us < self.started_us:
                return found


class Journal(AbstractContextManager["Journal"]):
    """One job's journal, locked; made or taken up again.

    Parameters
    ----------
    out : Path
        Where the answers will stand; the journal is `OUT.journal`.
    job : mapping
        What the job is: the file, the mapping and what was asked, as digests and names.

    Attributes
    ----------
    fd : int
        The locked file.
    part : Path
        The answers while the job is under way.

    Raises
    ------
    FileRefused
        When OUT belongs to something else.
    DropStopped
        When another run still works on the job.
    """

    def __init__(self, out: Path, job: Mapping[str, Any]) -> None:
        self.out = out
        self.part = out.with_name(out.name + ".part")
        self._path = out.with_name(out.name + ".journal")
        try:
            self.fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise FileRefused(f"the answers cannot be written there: {error.strerror}") from None
        try:
            self._lock()
            self._window = 0
            self._finished: Mapping[str, Any] | None = None
            self._take_up(job)
        except BaseException:
            os.close(self.fd)
            raise

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    @property
    def finished(self) -> Mapping[str, Any] | None:
        """The summary of a job that is done."""
        return self._finished

    @property
    def taken_up(self) -> bool:
        """Whether an earlier run has begun the job."""
        return self._window > 0

    def open_window(self, rows: int) -> int:
        """Say how many rows may be under way from now on.

        Returns
        -------
        int
            How many rows behind the last written one may be in the ledger already; 0 at the start.
        """
        before = self._window
        self._window = max(before, rows)
        self._append({"window": self._window})
        return before

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Note that every row has its line."""
        self._append({"finished": summary})
        self._finished = summary

    def written(self) -> Iterator[dict[str, Any]]:
        """The lines of `OUT.part` that are whole and in order; what follows them is cut off."""
        if not self.part.exists():
            return
        with self.part.open("r+b") as stream:
            whole = 0
            for number, line in enumerate(stream, start=1):
                try:
                    document = orjson.loads(line) if line.endswith(b"\n") else None
                except orjson.JSONDecodeError:
                    document = None
                if not isinstance(document, dict) or document.get("row") != number:
                    break
                whole += len(line)
                yield document
            stream.truncate(whole)

    def _lock(self) -> None:
        until = time.monotonic() + WAIT_FOR_LOCK_S
        while True:
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > until:
                    raise DropStopped("another run is still at work on these answers") from None
                time.sleep(LOOK_AGAIN_S)

    def _take_up(self, job: Mapping[str, Any]) -> None:
        lines = _whole_lines(self._path)
        if not lines:
            if self.out.exists() or self.part.exists():
                raise FileRefused(f"{self.out.name} is there already; choose another name")
            os.ftruncate(self.fd, 0)
            secret, started_us = os.urandom(SECRET_BYTES), time.time_ns() // 1000
            self._append(
                {"format": FORMAT, "job": job, "started_us": started_us, "secret": secret.hex()}
            )
            _flush_folder(self._path.parent)
            self.identifiers = RowIdentifiers(secret, started_us)
            return
        head = lines[0]
        if head.get("format") != FORMAT or head.get("job") != job:
            different = sorted(key for key in job if head.get("job", {}).get(key) != job[key]) or [
                "format"
            ]
            raise FileRefused(
                f"{self.out.name} belongs to another job ({', '.join(different)} differ); "
                "choose another name"
            )
        self.identifiers = RowIdentifiers(bytes.fromhex(head["secret"]), head["started_us"])
        for line in lines[1:]:
            self._window = line.get("window", self._window)
            self._finished = line.get("finished", self._finished)

    def _append(self, line: Mapping[str, Any]) -> None:
        # Begins with a line's end: an earlier line that was torn then harms itself only.
        os.write(self.fd, b"\n" + json.dumps(line).encode() + b"\n")
        os.fsync(self.fd)


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    found = []
    for line in path.read_bytes().splitlines():
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(document, dict):
            found.append(document)
    return found


def _flush_folder(folder: Path) -> None:
    """Make the name of a new file as durable as what is in it."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
