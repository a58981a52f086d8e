"""The process that talks to MLflow, so that the one that answers patients never does."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from models.errors import RegistryUnreachable
from models.registry import location

LARGEST_ANSWER_BYTES = 16 * 1024 * 1024
LOADING_PATIENCE_S = 120.0


class RegistryProcess:
    """A child (`python -m models.champions`), started when it is asked and not there.

    Parameters
    ----------
    var : Path
        The state folder: where the registry is when no MLflow variable names it.
    cache : Path
        Where it brings the champions' bundles.
    timeout_s : float
        For an answer. Loading MLflow has its own patience: on a busy machine it takes longer than
        many an answer may, and a process that is ended over it is never ready.
    """

    def __init__(self, var: Path, cache: Path, timeout_s: float) -> None:
        self._var = var
        self._timeout_s = timeout_s
        self._cache = cache
        self._child: asyncio.subprocess.Process | None = None

    async def holders(
        self, names: Sequence[str], alias: str
    ) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]:
        """Which versions have the alias and where their bundles are; which models have a challenger.

        Raises
        ------
        TimeoutError
        RegistryUnreachable
            When MLflow did not answer, or the process ended. A process that says that MLflow does
            not answer is kept: another would take seconds to start, at every look of an outage.
        """
        answer = await self.ask({"names": list(names), "alias": alias})
        return answer["versions"], answer["challenging"]

    async def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """One question of `models.champions`, answered; the next may follow only then.

        Raises
        ------
        TimeoutError
        RegistryUnreachable
            As for `holders`.
        """
        try:
            async with asyncio.timeout(LOADING_PATIENCE_S):
                child = await self._ready()
            async with asyncio.timeout(self._timeout_s):
                answer = await self._answer(child, question)
        except BaseException:  # the caller's patience ends by cancelling
            await self.end()
            raise
        if "error" in answer:
            raise RegistryUnreachable(answer["error"])
        return answer

    async def _ready(self) -> asyncio.subprocess.Process:
        """The process, started if need be, with MLflow loaded."""
        if self._child is None or self._child.returncode is not None:
            tracking, registry, _ = location(self._var)
            self._child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "models.champions", str(self._cache), tracking,
                registry, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL, limit=LARGEST_ANSWER_BYTES,
                env={**self._patience(), **os.environ},
            )  # fmt: skip
            await _line(self._child)
        return self._child

    def _patience(self) -> dict[str, str]:
        """How long MLflow may try, unless its own variables say otherwise.

        It gives up and says so before this end loses patience, also with a server that hangs: a
        process that has to be ended for it is not there when the server is back. Its own seven
        retries would go on for minutes; the next look is the retry.
        """
        return {
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
            "MLFLOW_HTTP_REQUEST_TIMEOUT": str(max(1, int(self._timeout_s / 3))),
        }

    async def _answer(
        self, child: asyncio.subprocess.Process, asked: Mapping[str, Any]
    ) -> dict[str, Any]:
        if child.stdin is None:  # pragma: no cover - it is piped
            raise RegistryUnreachable("the registry's process has no pipes")
        child.stdin.write(json.dumps(asked).encode() + b"\n")
        await child.stdin.drain()
        return await _line(child)

    async def end(self) -> None:
        """End the process; kept until it is gone, so that who is cancelled meanwhile can go on."""
        if (child := self._child) is not None:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()
            if self._child is child:
                self._child = None


async def _line(child: asyncio.subprocess.Process) -> dict[str, Any]:
    line = b"" if child.stdout is None else await child.stdout.readline()
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        raise RegistryUnreachable("the registry's process ended without an answer") from None
    return found
