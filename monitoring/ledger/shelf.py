"""Memory that a worker and its scribe both see: a batch is laid there, and only its length is sent.

The line between the two holds some 200 kB, and a batch of answers is more: sent through it, the batch is
copied twice and by turns of both processes, in time that the worker takes from patients. One batch is
with the scribe at a time, so that nothing is laid down over what has not been read.
"""

from __future__ import annotations

import mmap
import os
from typing import Self

SIZE = 8 << 20
"""Bytes; only those that were ever used take memory. A larger batch goes through the line."""


class Shelf:
    """Memory without a name, which ends with the processes that hold it open.

    Parameters
    ----------
    descriptor : int
        The memory, as `new` made it here or in the parent.

    Examples
    --------
    >>> ours = Shelf.new()
    >>> theirs = Shelf(os.dup(ours.descriptor))
    >>> ours.lay(b"three"), bytes(theirs.seen(5)), ours.lay(bytes(SIZE + 1))
    (True, b'three', False)
    >>> theirs.close()
    >>> ours.close()
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, SIZE)

    @classmethod
    def new(cls) -> Self:
        """An empty one; its descriptor is to be passed to the child."""
        descriptor = os.memfd_create("ledger")
        os.ftruncate(descriptor, SIZE)
        return cls(descriptor)

    def lay(self, data: bytes) -> bool:
        """Lay data down over what lay there; False, and nothing done, where it is too large."""
        if len(data) > SIZE:
            return False
        self._memory[: len(data)] = data
        return True

    def seen(self, length: int) -> memoryview:
        """What lies there, uncopied: to be read before more is laid down, and let go before `close`."""
        return memoryview(self._memory)[:length]

    def close(self) -> None:
        """Let go of the memory; a second time does nothing."""
        if not self._memory.closed:
            self._memory.close()
            os.close(self.descriptor)
