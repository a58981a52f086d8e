"""Garbage collection that stays out of the answers' way."""

from __future__ import annotations

import gc

COLLECT_AFTER = 20_000
"""New objects, net of freed ones, before the youngest are looked through. Answers that wait for
their commit are a few hundred objects each: by Python's own 700 every other request would look through
all of them, for cycles that a request does not make."""


def settle_memory() -> None:
    """Keep what is loaded now out of every later collection, and collect less often.

    Call it whenever models were loaded: what came with them stays, and looking through it again and
    again would cost patients' time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
