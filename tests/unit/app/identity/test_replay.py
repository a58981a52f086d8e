"""The memory of single-use tokens: bounded, and it never forgets what could still be used."""

from __future__ import annotations

import asyncio

import pytest

from app.identity import InProcessReplayMemory, Refused


def test_a_token_is_new_once_per_issuer():
    memory = InProcessReplayMemory(clock=lambda: 0.0)

    async def scenario() -> list[bool]:
        asked = (("a", "1"), ("a", "1"), ("b", "1"), ("a", "2"), ("a1", ""), ("", "a1"))
        return [await memory(issuer, jti, 10.0) for issuer, jti in asked]

    assert asyncio.run(scenario()) == [True, False, True, True, True, True]


def test_what_expired_is_forgotten_and_makes_room():
    now = 0.0
    memory = InProcessReplayMemory(capacity=2, clock=lambda: now)

    async def remember(jti: str, expires_at: float) -> bool:
        return await memory("a", jti, expires_at)

    assert asyncio.run(remember("late", 20.0))
    assert asyncio.run(remember("soon", 10.0))
    with pytest.raises(Refused, match="replay_memory_full"):
        asyncio.run(remember("third", 10.0))
    assert not asyncio.run(remember("soon", 10.0))  # full, and still known
    now = 9.9
    assert not asyncio.run(remember("soon", 10.0))
    now = 10.0
    assert asyncio.run(remember("third", 30.0))
    assert not asyncio.run(remember("late", 20.0))
    assert len(memory) == 2
