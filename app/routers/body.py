"""The body of a request: all of it, in time, and no more than may be."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from fastapi import Request
from starlette.requests import ClientDisconnect

from app.errors import Problem

LOOK_FOR_LATE_S = 0.25


class BodyReader:
    """Reads bodies with one limit of size and one of time.

    One timer watches all bodies that are on their way: a timer for each would cost more than the
    reading, because nearly every body has arrived when it is asked for.

    Parameters
    ----------
    limit : int
        Bytes that a body may have.
    patience_s : float
        Within which a body must arrive; a late one is noticed up to a quarter of a second later.
    """

    def __init__(self, limit: int, patience_s: float) -> None:
        self._limit = limit
        self._patience_s = patience_s
        self._since: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._look: asyncio.TimerHandle | None = None

    async def read(self, request: Request) -> bytes:
        """The whole body, refused as soon as it is known to be over the limit.

        Raises
        ------
        Problem
            413 over the limit; 408 when it takes too long; 400 when empty.
        """
        for name, value in request.scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > self._limit:
                raise self._too_large()
        body = await self._in_time(self._collect(request))
        if not body:
            raise Problem(400, "The body is empty; a JSON text was expected.")
        return body

    async def _collect(self, request: Request) -> bytes:
        receive, size = request.receive, 0
        chunks: list[bytes] = []
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > self._limit:
                raise self._too_large()
            if not message.get("more_body", False):
                return b"".join((*chunks, chunk)) if chunks else chunk
            chunks.append(chunk)

    async def _in_time(self, reading: Coroutine[Any, Any, bytes]) -> bytes:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        if task is None:
            raise AssertionError("a coroutine runs in a task")
        self._since[task] = loop.time()
        if self._look is None:
            self._look = loop.call_later(LOOK_FOR_LATE_S, self._look_for_late)
        try:
            return await reading
        except asyncio.CancelledError:
            if task in self._late and not task.uncancel():
                raise Problem(
                    408, f"The body did not arrive within {self._patience_s:g} s."
                ) from None
            raise
        finally:
            del self._since[task]
            self._late.discard(task)

    def _look_for_late(self) -> None:
        loop = asyncio.get_running_loop()
        self._look = None
        since = loop.time() - self._patience_s
        for task, began in self._since.items():
            if began > since:
                break  # the others began later still
            if task not in self._late:
                self._late.add(task)
                task.cancel()
        if self._since:
            self._look = loop.call_later(LOOK_FOR_LATE_S, self._look_for_late)

    def _too_large(self) -> Problem:
        return Problem(413, f"The body is over the limit of {self._limit} bytes.")
