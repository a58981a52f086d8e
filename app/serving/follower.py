"""Following the registry's aliases off the request path, and serving from the cache without it.

MLflow lives in a child process (`python -m models.registry`) that is asked for the champions every
few seconds; if it hangs it is ended and started again. A version is read, checked and proven before
it takes a place; one that fails changes nothing and is named in the state.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from app.serving.slot import ServedModel, Slot, load_served_model
from models.bundle import read_bundle
from models.errors import BundleRefused, RegistryUnreachable
from models.gate_record import SERVE, SERVE_ALL, GatePolicy, admission
from models.registry import CHAMPION, location
from models.vocabulary import Vocabulary

log = structlog.get_logger()

INDEX = "champions.json"
REMEMBERED = ("name", "version", "digest", "path")
LARGEST_ANSWER_BYTES = 16 * 1024 * 1024


@dataclass(slots=True)
class FollowerState:
    """What operators want to know of the registry."""

    reachable: bool = False
    last_success: float = 0.0
    from_cache: bool = False
    refused: dict[str, dict[str, str]] = field(default_factory=dict)
    champions: tuple[str, ...] = ()
    asked: bool = False


class Follower:
    """Keeps a slot equal to the registry's champions.

    Parameters
    ----------
    slot : Slot
        What requests read.
    cache : Path
        Where bundles and the list of the last good champions are kept.
    failed : callable
        Called once for every version that could not be loaded.
    only : collection of str, optional
        Names of registered models to follow; all that can exist when left out. Who follows some
        only leaves the list of the last good champions to who follows all.
    gate : GatePolicy
        What to do with versions whose gate decision does not hold.
    """

    def __init__(
        self,
        slot: Slot,
        vocabulary: Vocabulary,
        var: Path,
        *,
        poll_s: float,
        timeout_s: float,
        failed: Callable[[], None],
        changed: Callable[[Mapping[str, ServedModel]], None],
        only: Collection[str] | None = None,
        gate: GatePolicy = SERVE_ALL,
    ) -> None:
        self._only = only
        self._gate = gate
        self.state = FollowerState()
        self._slot = slot
        self._vocabulary = vocabulary
        self._cache = var / "model-cache"
        self._var = var
        self._poll_s = poll_s
        self._timeout_s = timeout_s
        self._failed = failed
        self._changed = changed
        self._child: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        """Follow until cancelled."""
        try:
            while True:
                try:
                    await self.follow_once()
                except Exception as error:  # whatever it is, what is served stays served
                    log.error("following_failed", error=type(error).__name__)  # noqa: TRY400 - no traceback: it can hold paths
                    await self._end_child()
                jitter = 0.9 + 0.2 * random.random()  # noqa: S311 - spreads load, no secret
                await asyncio.sleep(self._poll_s * jitter)
        finally:
            await self._end_child()

    async def follow_once(self) -> None:
        """Ask the registry once and serve what it names; without it, serve from the cache."""
        try:
            champions = await asyncio.wait_for(self._ask(), self._timeout_s)
        except (TimeoutError, RegistryUnreachable, OSError) as error:
            await self._end_child()
            if self.state.reachable or not self.state.asked:
                log.warning("registry_unreachable", reason=str(error) or "timed out")
            self.state.reachable = False
            if not self._slot.models:
                await self._load(self._last_good())
            self.state.from_cache = bool(self._slot.models)
            self.state.asked = True
            return
        await self._load(champions)
        self.state.reachable, self.state.from_cache = True, False
        self.state.last_success = time.time()
        self.state.asked = True

    async def _ask(self) -> Sequence[Mapping[str, Any]]:
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
        names = [n for n in self._vocabulary.model_names() if self._only is None or n in self._only]
        child.stdin.write(json.dumps(names).encode() + b"\n")
        await child.stdin.drain()
        return _champions(await child.stdout.readline())

    async def _load(self, champions: Sequence[Mapping[str, Any]]) -> None:
        served, refused = dict(self._slot.models), {}
        moved = False
        for champion in champions:
            name, version, digest = champion["name"], champion["version"], champion["digest"]
            present = served.get(name)
            stated = (version, digest, champion.get("gate"))
            if present and (present.version, present.digest, present.gate.text) == stated:
                continue
            try:
                served[name] = await asyncio.to_thread(self._load_one, champion)
                moved = True
                log.info("model_served", model=name, version=version, digest=digest)
                if self._gate.ungated != SERVE and (doubt := served[name].gate.doubt):
                    log.warning("model_ungated", model=name, version=version, reason=doubt)
            except BundleRefused as error:
                refused[name] = {"version": version, "reason": str(error)}
                if self.state.refused.get(name) != refused[name]:
                    self._failed()
                    log.warning("model_refused", model=name, version=version, reason=str(error))
        names = {champion["name"] for champion in champions}
        if gone := set(served) - names:
            served = {name: model for name, model in served.items() if name in names}
            moved = True
            log.info("models_retired", models=sorted(gone))
        if moved:
            self._slot.replace(served)
            self._changed(self._slot.models)
        self.state.refused = refused
        self.state.champions = tuple(sorted(names))
        if moved and self._only is None:
            await asyncio.to_thread(self._remember)

    def _load_one(self, champion: Mapping[str, Any]) -> ServedModel:
        if champion["path"] is None:
            raise BundleRefused(str(champion["refused"]))
        try:
            bundle = read_bundle(Path(champion["path"]), champion["digest"])
            name, gate = champion["name"], champion.get("gate")
            return load_served_model(
                bundle, name, champion["version"], CHAMPION, self._vocabulary,
                admission(gate, name, bundle.digest, self._gate),
            )  # fmt: skip
        except BundleRefused:
            raise
        except Exception as error:  # whatever a bundle holds, following the registry goes on
            raise BundleRefused(f"cannot be built ({type(error).__name__})") from error

    def _remember(self) -> None:
        """Write down what is served, for a start without the registry."""
        good = [
            {
                "name": name,
                "version": served.version,
                "digest": served.digest,
                "path": str(self._cache / name / served.version),
                "gate": served.gate.text,
            }
            for name, served in self._slot.models.items()
        ]
        self._cache.mkdir(parents=True, exist_ok=True)
        partial = self._cache / f"{INDEX}.partial"
        partial.write_text(json.dumps(good))
        partial.replace(self._cache / INDEX)

    def _last_good(self) -> Sequence[Mapping[str, Any]]:
        try:
            found = json.loads((self._cache / INDEX).read_text())
            known = [
                {key: item[key] for key in REMEMBERED} | {"gate": item.get("gate")}
                for item in found
            ]
            return [item for item in known if self._only is None or item["name"] in self._only]
        except (OSError, ValueError, TypeError, KeyError):
            return ()

    async def close(self) -> None:
        """End the registry's process; for who followed once and not on and on."""
        await self._end_child()

    async def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is not None and child.returncode is None:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()


def _champions(line: bytes) -> Sequence[Mapping[str, Any]]:
    """Read the child's answer; RegistryUnreachable when it has none."""
    try:
        answer = json.loads(line)
    except ValueError:
        raise RegistryUnreachable("the registry's process ended without an answer") from None
    if "error" in answer:
        raise RegistryUnreachable(answer["error"])
    champions: Sequence[Mapping[str, Any]] = answer["champions"]
    return champions
