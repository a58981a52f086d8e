"""Bringing the challengers' bundles here, beside the way in which champions are followed.

A registry process of its own: a challenger whose files cannot be had in time must not keep the next
look at the champions waiting. Without challengers it is never started.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from app.serving.registry_process import RegistryProcess
from app.serving.shadow.watch import Shadow
from models.errors import RegistryUnreachable
from models.registry import CHALLENGER

log = structlog.get_logger()


class Challengers:
    """Tells a shadow which versions have the alias `challenger`.

    Parameters
    ----------
    var : Path
        The state folder.
    timeout_s : float
        For an answer of the registry.
    """

    def __init__(self, var: Path, timeout_s: float, shadow: Shadow) -> None:
        self._registry = RegistryProcess(var, var / "model-cache", timeout_s)
        self._shadow = shadow
        self._looking: asyncio.Task[None] | None = None

    def name(self, names: Sequence[str]) -> None:
        """Look for the challengers of these models; one look at a time."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(tuple(names)))

    async def end(self) -> None:
        """End the registry's process."""
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking
        await self._registry.end()

    async def _look(self, names: tuple[str, ...]) -> None:
        if not names:
            self._shadow.follow(())
            await self._registry.end()
            return
        try:
            found, _ = await self._registry.holders(names, CHALLENGER)
        except (TimeoutError, RegistryUnreachable, OSError) as error:
            log.warning("challengers_unreachable", reason=str(error) or "timed out")
        else:
            self._shadow.follow(found)
