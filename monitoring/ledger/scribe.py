"""`python -m monitoring.ledger.scribe`: the process that writes the ledger for one worker.

Why a process of its own: hashing, sealing and SQL would take their turns with the answers of the
worker, one interpreter lock for both; here they run beside it.

Frames in both directions are a length (4 bytes, big-endian) and a value in Python's marshal form:
data only, nothing of it can run. Where the length's highest bit is set, the value lies on the shelf that
both share, whose descriptor is the process's argument. The first frame in is the configuration, so that no address or
password stands on a command line. After that every frame in is a batch of groups of entries,
written as one transaction (group commit: one flush to disk for a whole batch of concurrent
requests), and every frame out says what came of a batch. When the pipe closes, the process ends.
"""

from __future__ import annotations

import marshal
import os
import select
import struct
import sys
import time
from pathlib import Path
from typing import Any

from monitoring.keyring import load_keyring
from monitoring.ledger.book import Book
from monitoring.ledger.entries import from_plain
from monitoring.ledger.shelf import Shelf

LENGTH = struct.Struct(">I")
LAID = 1 << 31
PROBE_EVERY_S = 0.5
DONE, FAILED = "done", "failed"
STDIN, STDOUT = 0, 1


def frame(value: Any) -> tuple[bytes, bytes]:
    """A value as it goes through the pipe: its length, and itself.

    Examples
    --------
    >>> length, data = frame((1, "a"))
    >>> LENGTH.unpack(length)[0] == len(data)
    True
    """
    data = marshal.dumps(value)
    return LENGTH.pack(len(data)), data


def laid(data: bytes) -> bytes:
    """What is sent instead of data that lies on the shelf."""
    return LENGTH.pack(len(data) | LAID)


def main() -> None:
    """Write until the pipe closes."""
    shelf = Shelf(int(sys.argv[1]))
    configuration = _hear(shelf)
    if configuration is None:
        return
    url, keys, patience_s = configuration
    book = Book(url, load_keyring(Path(keys)), patience_s=patience_s)
    failing = _write(book, [])  # says whether it can record before anybody has asked
    while True:
        if failing and not select.select([STDIN], [], [], PROBE_EVERY_S)[0]:
            failing = _write(book, [])  # nobody asks while it fails: see whether it still does
            continue
        batch = _hear(shelf)
        if batch is None:
            break
        failing = _write(book, batch)
    book.close()


def _write(book: Book, batch: list[list[Any]]) -> bool:
    """Write a batch and say what came of it; whether it failed."""
    start = time.perf_counter()
    try:
        results = iter(book.write([from_plain(plain) for group in batch for plain in group]))
    except Exception as error:  # whatever it is, the answers that wait on it must not be sent
        _say((FAILED, type(error).__name__, time.perf_counter() - start))
        return True
    told = [[next(results) for _ in group] for group in batch]
    seq, chain = book.head
    _say((DONE, told, time.perf_counter() - start, seq, chain))
    return False


def _hear(shelf: Shelf) -> Any:
    """The next value of the parent's; None when the pipe is closed."""
    head = _exactly(LENGTH.size)
    if head is None:
        return None
    length = LENGTH.unpack(head)[0]
    data = shelf.seen(length & ~LAID) if length & LAID else _exactly(length)
    return None if data is None else marshal.loads(data)  # noqa: S302 - from our own parent


def _exactly(count: int) -> bytearray | None:
    found, here = bytearray(count), 0
    while here < count:
        came = os.readv(STDIN, [memoryview(found)[here:]])
        if not came:
            return None
        here += came
    return found


def _say(value: Any) -> None:
    data = memoryview(b"".join(frame(value)))
    while data:
        data = data[os.write(STDOUT, data) :]


if __name__ == "__main__":
    main()
