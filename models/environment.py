"""Environment variables that libraries read: set before they are imported, or put back as they were."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""What tells numerical libraries how many threads to take; read when they are first imported."""


def one_thread() -> None:
    """Have numerical libraries take one thread, unless somebody has said otherwise; before their import.

    A patient's products are small: a second thread would do little of them, and wait for its turn
    where the ledger's process and other workers want the core.
    """
    for name in THREADS:
        os.environ.setdefault(name, "1")


@contextmanager
def environment_kept(names: Sequence[str]) -> Iterator[None]:
    """Undo, when the block is left, whatever was done to these variables in it.

    Examples
    --------
    >>> with environment_kept(["RISK_EXAMPLE"]):
    ...     os.environ["RISK_EXAMPLE"] = "1"
    >>> "RISK_EXAMPLE" in os.environ
    False
    """
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
