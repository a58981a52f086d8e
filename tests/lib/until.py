"""Waiting for a condition: long enough for a busy machine, and not a moment longer than it takes."""

from __future__ import annotations

import time
from collections.abc import Callable

LOOK_EVERY_S = 0.05


def until(holds: Callable[[], object], patience_s: float = 180.0) -> float:
    """Wait until a condition holds; the seconds it took."""
    start = time.monotonic()
    while not holds():
        assert time.monotonic() < start + patience_s, "the condition did not come to hold"
        time.sleep(LOOK_EVERY_S)
    return time.monotonic() - start
