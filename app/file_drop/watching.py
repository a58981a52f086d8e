"""A watched folder: files that are put in are scored, one after the other.

A file counts as whole when its name is no half-written one (`.part`, `.tmp`, hidden) and it looked the
same at two looks in a row; best it is written as `NAME.part` and renamed. In the folder of answers:

    answers/<digest>.ndjson    the answers; beside it the journal, so that a restart goes on
    reports/<digest>.json      the counts, or why the file could not be scored
    done/<digest>-<name>       the file itself; failed/ when it could not be scored

The digest is of the file's content, so that the same file handed in twice is answered once. File names
can hold identifiers: they stand where the file itself is and nowhere else, not in logs or reports.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import structlog

from app.errors import AppError, StartRefused
from app.file_drop.errors import DropStopped
from app.file_drop.scoring import Scored
from models.errors import ModelsError

HALF_WRITTEN = (".part", ".tmp", ".partial", ".crdownload", ".filepart")
ENDINGS = (".csv", ".tsv", ".txt", ".parquet", ".ndjson", ".jsonl")
FOLDERS = ANSWERS, REPORTS, DONE, FAILED = ("answers", "reports", "done", "failed")
DIGEST_LENGTH = 16
LOOKS_UNTIL_WHOLE = 2
TOLD = ("file", "rows", "answered", "partial", "abstained", "refused", "already", "why")

log = structlog.get_logger()
Look = tuple[int, int, int]
Score = Callable[[Path, Path], Scored]
"""Scores a file into a file of answers."""


@dataclass(slots=True)
class Watch:
    """What was seen at the last look.

    Parameters
    ----------
    form : str
        Ending of the answers: `.ndjson`, `.csv` or `.parquet`.
    """

    incoming: Path
    outgoing: Path
    score: Score
    form: str = ".ndjson"
    _seen: dict[str, Look] = field(default_factory=dict)

    def look(self) -> int:
        """Score what has become whole since the last look; how many files were dealt with.

        Raises
        ------
        DropStopped, StartRefused
            When the installation cannot score now; the file stays where it is.
        """
        for folder in FOLDERS:
            (self.outgoing / folder).mkdir(parents=True, exist_ok=True)
        now = dict(self._files())
        whole = [name for name, look in now.items() if self._seen.get(name) == look]
        self._seen = {name: look for name, look in now.items() if name not in whole}
        for name in sorted(whole):
            self._deal_with(self.incoming / name)
        return len(whole)

    def _files(self) -> Iterator[tuple[str, Look]]:
        for entry in os.scandir(self.incoming):
            name = entry.name.lower()
            if name.startswith(".") or name.endswith(HALF_WRITTEN) or not name.endswith(ENDINGS):
                continue
            try:
                state = entry.stat()
            except FileNotFoundError:
                continue  # taken away again
            if entry.is_file(follow_symlinks=False):
                yield entry.name, (state.st_size, state.st_mtime_ns, state.st_ino)

    def _deal_with(self, file: Path) -> None:
        digest = _digest(file)
        report: dict[str, object] = {"file": digest}
        folder = DONE
        try:
            scored = self.score(file, self.outgoing / ANSWERS / f"{digest}{self.form}")
            report |= {"scored": True, **scored.summary}
        except (DropStopped, StartRefused):
            raise  # not the file's fault
        except (AppError, ModelsError) as error:
            folder = FAILED
            report |= {"scored": False, "why": str(error)}
        _write(self.outgoing / REPORTS / f"{digest}.json", report)
        # Not renamed: the two folders may lie on different disks.
        shutil.move(file, self.outgoing / folder / f"{digest}-{file.name}")
        told = {key: report[key] for key in TOLD if key in report}
        (log.info if folder == DONE else log.error)(f"file_{folder}", **told)


def watch_folder(watch: Watch, *, interval_s: float, ended: threading.Event, once: bool) -> None:
    """Look until told to end.

    Parameters
    ----------
    interval_s : float
        Seconds between two looks.
    once : bool
        Deal with what is there and end, for a scheduler.
    """
    looks = 0
    while not ended.is_set():
        try:
            watch.look()
        except (DropStopped, StartRefused) as error:
            if once:
                raise
            log.error("file_waits", why=str(error))  # noqa: TRY400 - its text says it all
        looks += 1
        if once and looks == LOOKS_UNTIL_WHOLE:
            return
        ended.wait(interval_s)


def _digest(file: Path) -> str:
    whole = sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            whole.update(block)
    return whole.hexdigest()[:DIGEST_LENGTH]


def _write(path: Path, report: dict[str, object]) -> None:
    partial = path.with_suffix(".tmp")
    partial.write_text(json.dumps(report, indent=1) + "\n")
    partial.replace(path)
