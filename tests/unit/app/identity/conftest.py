"""A service's identity as an operator would declare it, with clocks that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app.errors import Problem
from app.identity import Caller, Identity, load_identity
from tests.lib.tokens import NOW

BRANCH_POINTS = ("icu-review", "ward-round")


@dataclass
class Clock:
    """Both clocks of the service: they move when the test says so."""

    ahead_s: float = 0.0

    def wall(self) -> float:
        return NOW + self.ahead_s

    def steady(self) -> float:
        return self.ahead_s


@dataclass
class Doors:
    """An identity, the reasons it gave, and its clocks."""

    clock: Clock
    reasons: list[str] = field(default_factory=list)
    identity: Identity = field(default_factory=Identity.open)

    async def ask(self, token: str | None = None, path: str = "/v1/x", **sent: Any) -> Caller:
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        return await self.identity.caller(path=path, **sent)

    async def refusal(self, token: str | None = None, path: str = "/v1/x", **sent: Any) -> str:
        """The reason of a refusal, after its answer was held against what every one must be."""
        with pytest.raises(Problem) as caught:
            await self.ask(token, path, **sent)
        if caught.value.status == 401:
            assert caught.value.headers["WWW-Authenticate"] == "Bearer"
        if token is not None and token.strip():
            assert token not in str(caught.value.document())
        return self.reasons[-1]

    def refused(self, token: str | None = None, path: str = "/v1/x", **sent: Any) -> str:
        return asyncio.run(self.refusal(token, path, **sent))

    def caller(self, token: str | None = None, path: str = "/v1/x", **sent: Any) -> Caller:
        return asyncio.run(self.ask(token, path, **sent))


@pytest.fixture
def open_doors(tmp_path: Path) -> Callable[..., Doors]:
    """Build an identity from the text of a tenants file (None: there is none)."""

    def build(tenants: str | None, **changed: Any) -> Doors:
        file = None
        if tenants is not None:
            file = tmp_path / "tenants.toml"
            file.write_text(tenants)
        doors = Doors(Clock())
        given: dict[str, Any] = {
            "host_is_loopback": False,
            "tenants_file": file,
            "api_keys_file": tmp_path / "api-keys.jsonl",
            "care_units": ("ward-31",),
            "branch_points": BRANCH_POINTS,
            "on_refusal": doors.reasons.append,
            "clock": doors.clock.wall,
            "monotonic": doors.clock.steady,
        }
        doors.identity = load_identity(**{**given, **changed})
        return doors

    return build
