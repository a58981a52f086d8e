"""What the workers of one service tell each other: how each follows, and that all should look now.

A folder of the group's own holds a row for every place in it. A worker takes the first free place
and holds its lock as long as it lives; the kernel lets go of it however the worker ends. The next
worker on the place goes on from its counts, so that the group's never fall.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

GROUPS = "workers"
PLACES = 64
ABANDONED_AFTER_S = 60.0
ASKED = "look-now"


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """How one worker follows the registry.

    Attributes
    ----------
    worker : int
        Its place in the group, from 0.
    last_success : float
        When the registry last answered it, seconds since 1970; 0 for never.
    from_cache : bool
        Whether what it serves is not confirmed by the registry.
    failures : int
        Versions that were refused on this place, since the group started.
    models : tuple
        Name, version, alias and digest of each model it serves.
    refused : tuple
        Name, version and reason of each version it refuses now.
    shadow : tuple of mapping
        How each challenger does, where this worker has them asked.
    """

    worker: int = 0
    last_success: float = 0.0
    from_cache: bool = False
    failures: int = 0
    models: tuple[tuple[str, str, str, str], ...] = ()
    refused: tuple[tuple[str, str, str], ...] = ()
    shadow: tuple[Mapping[str, Any], ...] = ()


@dataclass(slots=True)
class WorkerGroup:
    """A worker's place among the workers of its service.

    Parameters
    ----------
    folder : Path, optional
        The group's folder; a service of one worker needs none.
    """

    folder: Path | None = None
    place: int = 0
    _lock: IO[str] | None = None
    _asked: int = field(default=0)

    def join(self) -> WorkerRow:
        """Take a place; returns what was told from it before, so that its counts go on."""
        if self.folder is None:
            return WorkerRow()
        for place in range(PLACES):
            lock = (self.folder / f"{place}.lock").open("w")
            if _taken(lock):
                self.place, self._lock = place, lock
                return self._read(place) or WorkerRow()
            lock.close()
        return WorkerRow()

    def shared(self) -> tuple[Path, int] | None:
        """The group's folder and this worker's place; None where it has neither."""
        if self.folder is None or self._lock is None:
            return None
        return self.folder, self.place

    def leave(self) -> None:
        """Give the place back; its row stays for its counts."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def tell(self, row: WorkerRow) -> None:
        """Show the others how this worker follows."""
        if self.folder is None or self._lock is None:
            return
        partial = self.folder / f"{self.place}.partial"
        # A group whose folder is gone counts itself alone; patients are not told of it.
        with suppress(OSError):
            partial.write_text(json.dumps(asdict(row)))
            partial.replace(self._row(self.place))

    def rows(self, own: WorkerRow) -> tuple[list[WorkerRow], int]:
        """A row for every worker that lives, and the failures of all places.

        Parameters
        ----------
        own : WorkerRow
            How this worker follows at this moment.
        """
        living, failures = [own], own.failures
        for place in self._places():
            row = None if place == self.place else self._read(place)
            if row is not None:
                failures += row.failures
                if self._lives(place):
                    living.append(row)
        return sorted(living, key=lambda row: row.worker), failures

    def ask_all(self) -> None:
        """Let every worker look at the registry now."""
        self._asked += 1
        if self.folder is not None:
            with suppress(OSError):
                (self.folder / ASKED).write_text(str(time.time_ns()))

    def asked(self) -> tuple[int, int]:
        """Changes whenever somebody asked all workers to look."""
        if self.folder is None:
            return self._asked, 0
        try:
            return self._asked, (self.folder / ASKED).stat().st_mtime_ns
        except OSError:
            return self._asked, 0

    def _row(self, place: int) -> Path:
        return Path(self.folder or "") / f"{place}.json"

    def _places(self) -> list[int]:
        if self.folder is None:
            return []
        return [int(path.stem) for path in self.folder.glob("*.json") if path.stem.isdigit()]

    def _read(self, place: int) -> WorkerRow | None:
        try:
            found = json.loads(self._row(place).read_text())
            models = tuple(tuple(model) for model in found.pop("models"))
            refused = tuple(tuple(item) for item in found.pop("refused"))
            shadow = tuple(found.pop("shadow"))
            return WorkerRow(**found, models=models, refused=refused, shadow=shadow)
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def _lives(self, place: int) -> bool:
        try:
            with (Path(self.folder or "") / f"{place}.lock").open("r") as lock:
                return not _taken(lock, fcntl.LOCK_SH)
        except OSError:
            return False


def _taken(lock: IO[str], kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def group_folder(var: Path) -> Iterator[Path]:
    """A folder for a new group, removed with it; those of groups that were killed go as well."""
    home = var / GROUPS
    home.mkdir(parents=True, exist_ok=True)
    for folder in home.iterdir():
        _remove_if_abandoned(folder)
    folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=home))
    with (folder / "group.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _remove_if_abandoned(folder: Path) -> None:
    try:
        if time.time() - folder.stat().st_mtime < ABANDONED_AFTER_S:
            return
        with (folder / "group.lock").open("r") as lock:
            if _taken(lock, fcntl.LOCK_SH):
                shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return
