"""Asking the registry about one model for a person who waits, and moving its alias.

A process of its own, beside those that follow champions and challengers: a person's question must keep
neither waiting. It is started when somebody asks and ended when nobody did for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.serving.registry_process import RegistryProcess
from models.errors import RegistryUnreachable

PATIENCE_S = 8.0
"""A person's; loading MLflow goes on meanwhile, and the next question finds it loaded."""
IDLE_S = 120.0


class RegistryDesk:
    """One question at a time, each within a person's patience.

    Every method raises `RegistryUnreachable` when there is no answer in time.
    """

    def __init__(self, var: Path, timeout_s: float, patience_s: float = PATIENCE_S) -> None:
        self._registry = RegistryProcess(var, var / "model-cache", timeout_s)
        self._patience_s = patience_s
        self._turn = asyncio.Lock()
        self._asking: set[asyncio.Task[dict[str, Any]]] = set()
        self._idle: asyncio.Task[None] | None = None

    async def describe(self, name: str) -> dict[str, Any]:
        """Versions, aliases and tags, as `models.alias_desk.describe` tells them."""
        return await self._ask({"desk": "describe", "name": name})

    async def bring(self, name: str, version: str) -> dict[str, Any]:
        """A version's bundle in the local cache, as the follower takes champions."""
        return await self._ask({"desk": "bring", "name": name, "version": version})

    async def move(self, asked: Mapping[str, Any]) -> str | None:
        """Move the alias; why it was not, or None: see `models.alias_desk.move`."""
        refused: str | None = (await self._ask({"desk": "move", **asked}))["refused"]
        return refused

    async def end(self) -> None:
        """End its process and whatever is asked of it."""
        for task in (*self._asking, *([self._idle] if self._idle else ())):
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
        await self._registry.end()

    async def _ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        task = asyncio.create_task(self._in_turn(question))
        self._asking.add(task)
        task.add_done_callback(self._done)
        try:
            async with asyncio.timeout(self._patience_s):
                return await asyncio.shield(task)
        except TimeoutError:
            raise RegistryUnreachable("the model registry has not answered yet") from None
        except OSError as error:
            raise RegistryUnreachable(f"no process for it ({type(error).__name__})") from None

    async def _in_turn(self, question: Mapping[str, Any]) -> dict[str, Any]:
        async with self._turn:
            if self._idle is not None:
                self._idle.cancel()
            try:
                return await self._registry.ask(question)
            finally:
                self._idle = asyncio.create_task(self._end_when_idle())

    async def _end_when_idle(self) -> None:
        await asyncio.sleep(IDLE_S)
        async with self._turn:
            await self._registry.end()

    def _done(self, task: asyncio.Task[dict[str, Any]]) -> None:
        self._asking.discard(task)
        if not task.cancelled():
            task.exception()  # who asked has gone; nobody else wants it
