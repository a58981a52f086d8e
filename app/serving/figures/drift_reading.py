"""Drift of a window on request: one process at a time, and its answer kept for a minute."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import orjson

from monitoring.counting.profile import ModelProfile
from monitoring.ledger import LedgerUnavailable

KEPT_S = 60.0
PATIENCE_S = 120.0


class DriftReading:
    """Reads the ledger for drift.

    Parameters
    ----------
    database : str
        The ledger's address.
    content : Path or None
        The site's own content.
    """

    def __init__(self, database: str, content: Path | None) -> None:
        self._site = {"database": database, "content": None if content is None else str(content)}
        self._one_at_a_time = asyncio.Lock()
        self._kept: dict[tuple[float, tuple[str, ...]], tuple[float, bytes]] = {}

    async def read(self, profiles: Sequence[ModelProfile], window_s: float) -> bytes:
        """The figures as JSON, at most a minute old.

        Parameters
        ----------
        profiles : sequence of ModelProfile
            Every version whose answers are to be compared.
        window_s : float
            Length of the window, up to now.

        Raises
        ------
        LedgerUnavailable
            When the ledger cannot be read, or not in time.
        """
        key = window_s, tuple(one.digest for one in profiles)
        async with self._one_at_a_time:
            kept = self._kept.get(key)
            if kept is not None and time.monotonic() - kept[0] < KEPT_S:
                return kept[1]
            now_us = time.time_ns() // 1000
            asked = {
                **self._site,
                "profiles": [one.to_document() for one in profiles],
                "since_us": now_us - int(window_s * 1e6),
                "until_us": now_us,
            }
            told = await _ask(orjson.dumps(asked))
            self._kept = {key: (time.monotonic(), told)}
            return told


async def _ask(asked: bytes) -> bytes:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "monitoring.drift_process", stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(PATIENCE_S):
            told, _ = await child.communicate(asked)
    except TimeoutError:
        raise LedgerUnavailable("failing", PATIENCE_S) from None
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
    if child.returncode or not told:
        raise LedgerUnavailable("failing", 5.0)
    return told
