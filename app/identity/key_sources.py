"""Where an issuer's keys come from: a file that is watched, or an address that is asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import structlog

from app.identity.key_set import MOST_BYTES, KeySet, KeySetInvalid, read_key_set
from app.identity.watched_file import WatchedFile
from app.settings import is_loopback

log = structlog.get_logger()

REFRESH_EVERY_S = 300.0
"""How old fetched keys may become before they are fetched again, so that a withdrawn one goes."""
ASK_AT_MOST_EVERY_S = 30.0
"""How often an issuer is asked at most, whatever unknown keys tokens name."""
PATIENCE_S = 5.0
# Not compressed: what is small on the wire must not become large in memory.
_ASK_FOR = {"accept": "application/json", "accept-encoding": "identity"}


class KeySource(Protocol):
    """The keys of one issuer, as they are now."""

    def held(self) -> KeySet:
        """The keys at hand; never waits."""
        ...

    async def renew(self) -> None:
        """Look for newer keys, if it is time to; never raises."""
        ...

    async def close(self) -> None:
        """Stop what is under way."""
        ...


class FileKeys:
    """Keys from a JWKS file, read again within a second of its change."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = WatchedFile(path, _read_file, (KeySetInvalid,), clock=clock)

    def held(self) -> KeySet:
        return self._file.content()

    async def renew(self) -> None:
        """Nothing to do: `held` looks often enough."""

    async def close(self) -> None:
        """Nothing is under way."""


def _read_file(path: Path) -> KeySet:
    with path.open("rb") as stream:
        return read_key_set(stream.read(MOST_BYTES + 1))


class FetchedKeys:
    """Keys from an issuer's JWKS address.

    Fetching is a task of its own: a request waits for it only when its token names a key that is
    not held, and all such requests wait for the same one. The issuer is asked at most every 30 s.
    Redirects are not followed, answers over 256 KiB are refused, and while the issuer cannot be
    reached or answers nonsense, the last good keys are kept.

    Proxy and certificate variables of the environment (`HTTPS_PROXY`, `SSL_CERT_FILE`) are
    honoured, except for an issuer on this machine.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        # Only sites with such an issuer pay for the HTTP client.
        import httpx

        self._url = url
        self._clock = clock
        self._keys: KeySet = {}
        self._asked_at = float("-inf")
        self._fetched_at = float("-inf")
        self._under_way: asyncio.Task[None] | None = None
        self._http = httpx
        self._trust_environment = not is_loopback(urlsplit(url).hostname or "")
        # Reading the machine's certificates takes tens of milliseconds: now, not under a request.
        self._tls = httpx.create_ssl_context(trust_env=self._trust_environment)

    def held(self) -> KeySet:
        if self._clock() - self._fetched_at >= REFRESH_EVERY_S:
            self._start()
        return self._keys

    async def renew(self) -> None:
        self._start()
        if self._under_way is not None:
            # Shielded: one caller who hangs up does not end the fetch for the others.
            await asyncio.shield(self._under_way)

    async def close(self) -> None:
        if self._under_way is not None:
            self._under_way.cancel()
            await asyncio.wait([self._under_way])

    def _start(self) -> None:
        now = self._clock()
        if self._under_way is None and now - self._asked_at >= ASK_AT_MOST_EVERY_S:
            self._asked_at = now
            self._under_way = asyncio.get_running_loop().create_task(self._fetch())

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                self._keys = read_key_set(await self._document())
            self._fetched_at = self._clock()
        except Exception as error:  # whatever an issuer does wrong, the keys at hand stay
            log.warning(
                "issuer_keys_not_fetched",
                host=urlsplit(self._url).hostname,
                error=type(error).__name__,
                kept=len(self._keys),
            )
        finally:
            self._under_way = None

    async def _document(self) -> bytes:
        async with (
            self._http.AsyncClient(
                verify=self._tls,
                trust_env=self._trust_environment,
                timeout=PATIENCE_S,
                follow_redirects=False,
            ) as client,
            client.stream("GET", self._url, headers=_ASK_FOR) as answer,
        ):
            if answer.status_code != 200:
                raise KeySetInvalid(f"the issuer answered {answer.status_code}")
            document = bytearray()
            async for chunk in answer.aiter_raw():
                document += chunk
                if len(document) > MOST_BYTES:
                    break
            return bytes(document)
