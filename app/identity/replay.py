"""What was used once must not be used again: the memory behind single-use tokens."""

from __future__ import annotations

import time
from collections.abc import Callable
from hashlib import sha256
from heapq import heappop, heappush
from typing import Protocol

from app.identity.refusal import Refused

MOST_REMEMBERED = 200_000


class RememberJti(Protocol):
    """Remember a token's `jti` until it has expired; False when it was seen before."""

    async def __call__(self, issuer: str, jti: str, expires_at: float) -> bool: ...


class InProcessReplayMemory:
    """Remember used tokens within this process.

    Right for one process. With several workers a token could be used once in each: give all of them
    one memory, such as a table with a unique key.

    It is bounded, and it never forgets a token that could still be used: when it is full, further
    single-use tokens are refused (503) until older ones have expired. Only tokens that verified get
    here, so a stranger cannot fill it.

    Parameters
    ----------
    capacity : int
        How many unexpired tokens are remembered, some 150 bytes each.
    clock : callable
        Seconds since 1970, as in `exp`.

    Examples
    --------
    >>> import asyncio
    >>> remember = InProcessReplayMemory(clock=lambda: 0.0)
    >>> asyncio.run(remember("https://ehr", "a", 60.0)), asyncio.run(remember("https://ehr", "a", 60.0))
    (True, False)
    """

    def __init__(
        self, capacity: int = MOST_REMEMBERED, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._capacity = capacity
        self._clock = clock
        self._seen: set[bytes] = set()
        self._by_expiry: list[tuple[float, bytes]] = []

    async def __call__(self, issuer: str, jti: str, expires_at: float) -> bool:
        """Remember a token.

        Raises
        ------
        Refused
            `replay_memory_full`.
        """
        self._forget_expired()
        # The issuer's length tells where it ends, so that no two pairs share a digest.
        token = sha256(f"{len(issuer)}:{issuer}{jti}".encode()).digest()[:16]
        if token in self._seen:
            return False
        if len(self._seen) >= self._capacity:
            raise Refused("replay_memory_full")
        self._seen.add(token)
        heappush(self._by_expiry, (expires_at, token))
        return True

    def __len__(self) -> int:
        """How many tokens are remembered."""
        return len(self._seen)

    def _forget_expired(self) -> None:
        now = self._clock()
        while self._by_expiry and self._by_expiry[0][0] <= now:
            self._seen.discard(heappop(self._by_expiry)[1])
