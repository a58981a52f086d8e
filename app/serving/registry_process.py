"""The process that talks to MLflow, so that the one that answers patients never does."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from models.errors import RegistryUnreachable
from models.registry import location

LARGEST_ANSWER_BYTES = 16 * 1024 * 1024


class RegistryProcess:
    """A child (`python -m models.registry sync`), started when it is asked and not there.

    Parameters
    ----------
    var : Path
        The state folder: where the registry is when no MLflow variable names it.
    cache : Path
        Where it brings the champions' bundles.
    """

    def __init__(self, var: Path, cache: Path) -> None:
        self._var = var
        self._cache = cache
        self._child: asyncio.subprocess.Process | None = None

    async def champions(self, names: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """Which versions are champions, and where their bundles are.

        Raises
        ------
        RegistryUnreachable
            When MLflow did not answer, or the process ended.
        """
        if self._child is None or self._child.returncode is not None:
            tracking, registry, _ = location(self._var)
            self._child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "models.registry", "sync", str(self._cache), tracking,
                registry, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL, limit=LARGEST_ANSWER_BYTES,
            )  # fmt: skip
        child = self._child
        if child.stdin is None or child.stdout is None:  # pragma: no cover - both are piped
            raise RegistryUnreachable("the registry's process has no pipes")
        child.stdin.write(json.dumps(names).encode() + b"\n")
        await child.stdin.drain()
        return _champions(await child.stdout.readline())

    async def end(self) -> None:
        """End the process, whatever it is doing."""
        child, self._child = self._child, None
        if child is not None and child.returncode is None:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()


def _champions(line: bytes) -> Sequence[Mapping[str, Any]]:
    try:
        answer = json.loads(line)
    except ValueError:
        raise RegistryUnreachable("the registry's process ended without an answer") from None
    if "error" in answer:
        raise RegistryUnreachable(answer["error"])
    champions: Sequence[Mapping[str, Any]] = answer["champions"]
    return champions
