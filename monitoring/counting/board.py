"""Numbers that the workers of one service add up together, and that outlive each of them.

Every worker adds to a file of its own, mapped into its memory: nothing is sent, locked or lost, since
what was written to a shared mapping stays when the process that wrote it is killed. Whoever takes a
dead worker's place goes on with its numbers. A reader sums over the files of all places.

A file holds doubles: exact for counts up to 2**53. Which of them belong together stands in an index
beside it, one line of JSON a block; a line is written before its block is used.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

VALUES, INDEX = ".counts", ".counts-index"
FIRST_SIZE = 1 << 16
WIDTH = 8


@dataclass(slots=True)
class _File:
    """One place's numbers, mapped, with its index as far as it was read.

    Attributes
    ----------
    blocks : dict
        Key -> where the block begins, and its size.
    """

    path: Path
    values: Floats = field(default_factory=lambda: np.zeros(0))
    blocks: dict[str, tuple[int, int]] = field(default_factory=dict)
    about: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    read_to: int = 0

    def refresh(self, *, writable: bool = False) -> None:
        """Read what the index says that is new; map the file again if it has grown."""
        with self.path.with_suffix(INDEX).open("rb") as index:
            index.seek(self.read_to)
            for line in index:
                if not line.endswith(b"\n"):
                    break  # still being written
                found = json.loads(line)
                self.blocks[found["key"]] = found["at"], found["size"]
                self.about[found["key"]] = found["about"]
                self.read_to += len(line)
        size = self.path.stat().st_size // WIDTH
        if size > len(self.values):
            flags = os.O_RDWR if writable else os.O_RDONLY
            descriptor = os.open(self.path, flags)
            try:
                access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
                mapped = mmap.mmap(descriptor, size * WIDTH, access=access)
            finally:
                os.close(descriptor)
            self.values = np.frombuffer(mapped, np.float64)


class Board:
    """The numbers of this worker, and their sums with those of all others.

    Parameters
    ----------
    folder : Path, optional
        The group's folder; without one the numbers are this process' alone.
    place : int
        This worker's place in the group; nobody else may have it at the same time.

    Attributes
    ----------
    shared : bool
        Whether other workers see these numbers; not without a folder or room on its disk.

    Examples
    --------
    >>> board = Board()
    >>> at = board.block("pair", 2)
    >>> board.values[at + 1] += 5
    >>> board.total("pair").tolist()
    [0.0, 5.0]
    """

    def __init__(self, folder: Path | None = None, place: int = 0) -> None:
        self._folder = folder
        self._place = place
        self._others: dict[int, _File] = {}
        self._own = _File(Path(), np.zeros(FIRST_SIZE))
        self.shared = False
        if folder is not None:
            path = folder / f"{place}{VALUES}"
            try:
                self._own = _opened(path)
                self.shared = True
            except OSError:
                self._own = _File(path, np.zeros(FIRST_SIZE))
        self._end = max((at + size for at, size in self._own.blocks.values()), default=0)

    @property
    def values(self) -> Floats:
        """Numbers of this worker; taken anew for every use, since they move when blocks are made."""
        return self._own.values

    def block(self, key: str, size: int, about: Mapping[str, Any] | None = None) -> int:
        """Where a block of this worker's numbers begins; it is made at 0 if there is none.

        Parameters
        ----------
        key : str
            The same in all workers for the same numbers.
        about : mapping, optional
            What a reader must know to name them, as JSON.
        """
        if key in self._own.blocks:
            return self._own.blocks[key][0]
        at, self._end = self._end, self._end + size
        if self.shared:
            try:
                self._write_down(key, at, size, about or {})
            except OSError:
                # Patients come first: what is counted from now on is told by this worker alone.
                self._own.values, self.shared = self._own.values.copy(), False
        if self._end > len(self._own.values):
            more = max(len(self._own.values), size)
            self._own.values = np.concatenate((self._own.values, np.zeros(more)))
        self._own.blocks[key], self._own.about[key] = (at, size), about or {}
        return at

    def about(self) -> dict[str, Mapping[str, Any]]:
        """Every block that any worker ever made, with what is known about it."""
        found: dict[str, Mapping[str, Any]] = {}
        for one in self._all(None):
            for key, about in one.about.items():
                found.setdefault(key, about)
        return found

    def total(self, key: str, places: Collection[int] | None = None) -> Floats:
        """Sum of a block over all places, those of workers that are gone included.

        Parameters
        ----------
        places : collection of int, optional
            Only these places.
        """
        every = self.each(key, places)
        return np.sum(every, axis=0) if every else np.zeros(0)

    def each(self, key: str, places: Collection[int] | None = None) -> list[Floats]:
        """A block as every place has it, one after the other."""
        return [
            one.values[at : at + size].copy()
            for one in self._all(places)
            if key in one.blocks
            for at, size in (one.blocks[key],)
        ]

    def look(self) -> None:
        """Take note of blocks that other workers have made since."""
        if self._folder is None:
            return
        for path in self._folder.glob(f"*{VALUES}"):
            place = int(path.stem)
            if place != self._place:
                self._others.setdefault(place, _File(path)).refresh()

    def _all(self, places: Collection[int] | None) -> list[_File]:
        every = {self._place: self._own, **self._others}
        return [one for place, one in sorted(every.items()) if places is None or place in places]

    def _write_down(self, key: str, at: int, size: int, about: Mapping[str, Any]) -> None:
        """Make room for a block in the file, and name it in the index.

        Raises
        ------
        OSError
            When the disk is full or the folder is gone.
        """
        if self._end > len(self._own.values):
            _reserve(self._own.path, max(2 * len(self._own.values), self._end))
            self._own.refresh(writable=True)
        line = json.dumps({"key": key, "at": at, "size": size, "about": about})
        with self._own.path.with_suffix(INDEX).open("ab") as index:
            index.write(line.encode() + b"\n")


def _opened(path: Path) -> _File:
    """A place's file, made if there is none, with what was counted on it before."""
    index = path.with_suffix(INDEX)
    index.touch()
    path.touch()
    if path.stat().st_size < FIRST_SIZE * WIDTH:
        _reserve(path, FIRST_SIZE)
    own = _File(path)
    own.refresh(writable=True)
    # What a killed worker had begun to write is no line: the next one must not be glued to it.
    os.truncate(index, own.read_to)
    return own


def _reserve(path: Path, size: int) -> None:
    """Give a file its room on the disk: a mapped file without it kills its process when that is full."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.posix_fallocate(descriptor, 0, size * WIDTH)
    finally:
        os.close(descriptor)
