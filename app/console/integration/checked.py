"""Has the service checked as a record system would, by the command that does it, in a process of its own.

Beside patients' answers and not among them: it shares nothing with this process but the machine.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from app.console.frame.session import BEARER, Credential
from app.errors import Problem

WITHIN_S = 180.0
CALLS = 20
SOMETHING_FAILED = 2
STDIN = "/dev/stdin"
_checking = asyncio.Lock()


async def check_at(address: str, credential: Credential | None) -> Mapping[str, Any]:
    """The report of `risk-serve check-integration`.

    Parameters
    ----------
    address : str
        Where this service answers.
    credential : Credential or None
        Of who sits at the browser; goes through a pipe, so that no list of processes shows it.

    Raises
    ------
    Problem
        409 while another check runs in this process; 503 when it could not be tried.
    """
    if _checking.locked():
        raise Problem(409, "A check is running; wait for its end.")
    async with _checking:
        with _holding("" if credential is None else credential.value) as secret:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "app.cli", "check-integration", address, "--yes", "--json",
                "--calls", str(CALLS), *_given(credential),
                stdin=secret, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
        try:
            async with asyncio.timeout(WITHIN_S):
                said, _ = await child.communicate()
        except TimeoutError:
            raise Problem(503, f"The check did not end within {WITHIN_S:g} s.") from None
        finally:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    if child.returncode not in (0, SOMETHING_FAILED):
        raise Problem(503, "The check could not be run: run the command to see why.")
    found: Mapping[str, Any] = json.loads(said)
    return found


@contextmanager
def _holding(value: str) -> Iterator[int]:
    """The end of a pipe from which a credential can be read once."""
    # Not `stdin=PIPE`: uvloop makes a socket of it, and a socket cannot be opened as a file.
    read, write = os.pipe()
    try:
        os.write(write, value.removeprefix(BEARER).encode())
        os.close(write)
        yield read
    finally:
        os.close(read)


def _given(credential: Credential | None) -> tuple[str, ...]:
    if credential is None:
        return ()
    option = "--token-file" if credential.header == "authorization" else "--api-key-file"
    return option, STDIN
