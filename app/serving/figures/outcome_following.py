"""The worker's end of following outcomes: keeps the process alive that reads the ledger for them.

The first worker of a service does this. The process writes files into the group's folder, and every
worker shows them: a scrape of any worker tells the same.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger()

EXPOSITION, PERFORMANCE = "outcomes.prom", "performance.json"
SIGN_OF_LIFE_S = 300.0
"""A page of the ledger at the lowest priority, on a machine that is busy with patients."""
LEAST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0


class OutcomeFollowing:
    """Has the ledger followed for outcomes.

    Parameters
    ----------
    database : str
        The ledger's address.
    content : Path or None
        The site's own content.
    every_s : float
        Between two looks at the ledger.
    born_at_zero_s : float
        How long a new series is shown at 0: longer than the interval of scrapes.
    """

    def __init__(
        self, database: str, content: Path | None, every_s: float, born_at_zero_s: float
    ) -> None:
        self._site = {
            "database": database,
            "content": None if content is None else str(content),
            "every_s": every_s,
            "born_at_zero_s": born_at_zero_s,
        }
        self._every_s = every_s
        self._served: list[tuple[str, str]] = []
        self._news = asyncio.Event()
        self._child: asyncio.subprocess.Process | None = None

    def serves(self, models: Collection[tuple[str, str]]) -> None:
        """Let the series of these models exist: name and version."""
        served = sorted(models)
        if served != self._served:
            self._served = served
            self._news.set()

    async def run(self, folder: Path) -> None:
        """Follow until cancelled; files are written into this folder."""
        pause_s = LEAST_PAUSE_S
        try:
            while True:
                try:
                    async for _ in self._heard(folder):
                        pause_s = LEAST_PAUSE_S
                except (TimeoutError, ValueError, OSError) as error:
                    log.warning("outcomes_process_ended", how=type(error).__name__)
                except Exception as error:  # patients must never notice that somebody counts
                    log.error("outcomes_failed", error=type(error).__name__)  # noqa: TRY400 - no traceback: it can hold paths
                await self._end()
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        finally:
            await self._end()

    async def _heard(self, folder: Path) -> Any:
        """Start the process; each of its signs of life."""
        child = self._child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "monitoring.outcomes.process", stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        await _say(child, {**self._site, "folder": str(folder)})
        telling = asyncio.create_task(self._tell(child))
        try:
            while True:
                async with asyncio.timeout(self._every_s + SIGN_OF_LIFE_S):
                    line = b"" if child.stdout is None else await child.stdout.readline()
                yield json.loads(line)  # an empty line, at its end, is no JSON
        finally:
            telling.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await telling

    async def _tell(self, child: asyncio.subprocess.Process) -> None:
        """Say which models are served, now and whenever it changes."""
        while True:
            self._news.clear()
            await _say(child, {"models": self._served})
            await self._news.wait()

    async def _end(self) -> None:
        if (child := self._child) is not None:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()
            if self._child is child:
                self._child = None


async def _say(child: asyncio.subprocess.Process, told: Any) -> None:
    if child.stdin is None:  # pragma: no cover - it is piped
        raise ValueError("no pipe")
    child.stdin.write(json.dumps(told).encode() + b"\n")
    await child.stdin.drain()
