"""Following the registry's aliases off the request path, and serving from the cache without it.

MLflow lives in a child process (`python -m models.champions`) that is asked for the champions every
few seconds; if it hangs it is ended and started again. A version is read, checked and proven before
it takes a place; one that fails changes nothing and is named in the state.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from app.serving.conditions import Conditions
from app.serving.last_good import LastGood
from app.serving.registry_process import RegistryProcess
from app.serving.slot import ServedModel, Slot, load_served_model
from app.serving.worker_group import WorkerGroup, WorkerRow
from models.bundle import read_bundle
from models.errors import BundleRefused, RegistryUnreachable
from models.gate_record import SERVE, GatePolicy, admission
from models.registry import CHAMPION
from models.vocabulary import Vocabulary

log = structlog.get_logger()

HEAR_S = 0.2
"""How soon a worker hears that it should look now."""
LEAST_BETWEEN_LOOKS_S = 1.0
"""However often it is asked to look."""
OWED_S = 5.0
"""A look that somebody asked for and the registry left without an answer is taken again this soon."""
PROVE_AGAIN_AFTER_S = 300.0
"""A version that did not prove itself is given its time again, but not at every look."""


@dataclass(slots=True)
class FollowerState:
    """What operators want to know of the registry.

    Attributes
    ----------
    from_cache : bool
        Whether what is served was not confirmed by the registry when it was last asked, or it has
        not been asked yet.
    """

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
    var : Path
        The state folder; bundles and the list of the last good champions are in its `model-cache`.
    poll_s : float
        The longest time from the start of one look at the registry to the start of the next.
    changed : callable
        Called with the served models whenever they changed.
    only : collection of str, optional
        Names of registered models to follow; all that can exist when left out. Who follows some
        only leaves the list of the last good champions to who follows all.
    conditions : Conditions
        What a version must fulfil here, beyond being sound.
    group : WorkerGroup, optional
        The other workers of this service.
    challenging : callable
        Told at every look of the first worker which models have a challenger.
    """

    def __init__(
        self,
        slot: Slot,
        vocabulary: Vocabulary,
        var: Path,
        *,
        poll_s: float,
        timeout_s: float,
        changed: Callable[[Mapping[str, ServedModel]], None],
        only: Collection[str] | None = None,
        conditions: Conditions | None = None,
        group: WorkerGroup | None = None,
        challenging: Callable[[Sequence[str]], None] = lambda _: None,
    ) -> None:
        self._only = only
        self.state = FollowerState()
        self._slot = slot
        self._vocabulary = vocabulary
        cache = var / "model-cache"
        self._last_good = LastGood(cache)
        self._registry = RegistryProcess(var, cache, timeout_s)
        self._poll_s = poll_s
        self._changed = changed
        self._conditions = conditions or Conditions()
        self.group = group or WorkerGroup()
        self._challenging = challenging
        self._shadow: tuple[Mapping[str, Any], ...] = ()
        self._failures = 0
        self._unproven: dict[tuple[str, str, str], tuple[float, str]] = {}

    async def begin(self) -> None:
        """Serve the last good champions at once, until the registry has said which they are now."""
        before = self.group.join()
        self._failures, self._shadow = before.failures, before.shadow
        await self._load(self._last_good.read(self._only))
        self.state.from_cache = bool(self._slot.models)
        self.group.tell(self._row())

    async def run(self) -> None:
        """Follow until cancelled."""
        answered = self.group.asked()
        try:
            while True:
                began, asked = time.monotonic(), self.group.asked()
                try:
                    await self.follow_once()
                except Exception as error:  # whatever it is, what is served stays served
                    log.error("following_failed", error=type(error).__name__)  # noqa: TRY400 - no traceback: it can hold paths
                    await self._registry.end()
                else:
                    answered = asked if self.state.reachable else answered
                self.group.tell(self._row())
                early = 0.8 + 0.2 * random.random()  # noqa: S311 - spreads load, no secret
                owed = math.inf if asked == answered else OWED_S
                await self._pause(began, min(self._poll_s * early, owed), asked)
        finally:
            await self._registry.end()
            self.group.leave()

    async def _pause(self, began: float, length_s: float, asked: tuple[int, int]) -> None:
        """Wait until it is time for the next look, or somebody asks for one."""
        while (left := began + length_s - time.monotonic()) > 0:
            await asyncio.sleep(min(left, HEAR_S))
            soon = time.monotonic() < began + LEAST_BETWEEN_LOOKS_S
            if not soon and self.group.asked() != asked:
                return

    def look_now(self) -> None:
        """Let every worker of the group look at the registry as soon as it hears of it."""
        self.group.ask_all()

    @property
    def gate_policy(self) -> GatePolicy:
        """What this installation does with ungated versions, and whose seals it believes."""
        return self._conditions.gate

    async def prove(self, candidate: Mapping[str, Any]) -> ServedModel:
        """Read, check and prove a version as if it were champion, and serve nothing of it.

        Raises
        ------
        BundleRefused
            Naming what does not hold.
        """
        return await asyncio.to_thread(self._load_one, candidate)

    def workers(self) -> tuple[list[WorkerRow], int]:
        """How every living worker follows, and the refused versions that all ever counted."""
        return self.group.rows(self._row())

    @property
    def shadow(self) -> Sequence[Mapping[str, Any]]:
        """How the challengers do, as it was last told from this worker's place."""
        return self._shadow

    def tell_shadow(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Show all workers how the challengers do."""
        self._shadow = tuple(rows)
        self.group.tell(self._row())

    async def follow_once(self) -> None:
        """Ask the registry once and serve what it names; without it, serve from the cache."""
        first = not self.state.reachable
        try:
            champions = await self._ask()
        except (TimeoutError, RegistryUnreachable, OSError) as error:
            if self.state.reachable or not self.state.asked:
                log.warning("registry_unreachable", reason=str(error) or "timed out")
            self.state.reachable = False
            if not self._slot.models:
                await self._load(self._last_good.read(self._only))
            self.state.from_cache = bool(self._slot.models)
            self.state.asked = True
            return
        moved = await self._load(champions)
        if first and self.state.asked:
            log.info("registry_reachable")
        self.state.reachable, self.state.from_cache = True, False
        self.state.last_success = time.time()
        self.state.asked = True
        if (moved or first) and self._only is None:
            await asyncio.to_thread(self._last_good.write, list(self._slot.models.values()))

    async def _ask(self) -> Sequence[Mapping[str, Any]]:
        known = self._vocabulary.model_names()
        names = [name for name in known if self._only is None or name in self._only]
        champions, challenging = await self._registry.holders(names, CHAMPION)
        if self.group.place == 0:
            self._challenging(challenging)
        return champions

    async def _load(self, champions: Sequence[Mapping[str, Any]]) -> bool:
        """Serve these champions, whichever of them may; whether anything changed."""
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
                if self._conditions.gate.ungated != SERVE and (doubt := served[name].gate.doubt):
                    log.warning("model_ungated", model=name, version=version, reason=doubt)
            except BundleRefused as error:
                refused[name] = {"version": version, "reason": str(error)}
                if self.state.refused.get(name) != refused[name]:
                    self._failures += 1
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
        return moved

    def _load_one(self, champion: Mapping[str, Any]) -> ServedModel:
        """Read, check and prove one champion.

        Raises
        ------
        BundleRefused
            Naming what does not hold.
        """
        if champion["path"] is None:
            raise BundleRefused(str(champion["refused"]))
        key = (champion["name"], champion["version"], champion["digest"])
        gate = admission(champion.get("gate"), key[0], key[2], self._conditions.gate)
        if gate.refused:  # not remembered below: the gate may decide at any time
            raise BundleRefused(f"not gated: {gate.doubt}")
        at, reason = self._unproven.get(key, (0.0, ""))
        if reason and time.monotonic() < at + PROVE_AGAIN_AFTER_S:
            raise BundleRefused(reason)
        try:
            bundle = read_bundle(Path(champion["path"]), champion["digest"])
        except BundleRefused:
            raise  # the copy may be sound at the next look
        except Exception as error:  # whatever a bundle holds, following the registry goes on
            raise BundleRefused(f"cannot be read ({type(error).__name__})") from error
        try:
            served = load_served_model(
                bundle,
                champion["name"],
                champion["version"],
                CHAMPION,
                self._vocabulary,
                gate=gate,
                answer_budget_s=self._conditions.answer_budget_s,
            )
        except Exception as error:
            known = isinstance(error, BundleRefused)
            said = str(error) if known else f"cannot be built ({type(error).__name__})"
            self._unproven[key] = (time.monotonic(), said)
            raise BundleRefused(said) from error
        self._unproven.pop(key, None)
        return served

    def _row(self) -> WorkerRow:
        state = self.state
        return WorkerRow(
            worker=self.group.place,
            last_success=state.last_success,
            from_cache=state.from_cache,
            failures=self._failures,
            models=tuple(
                (model.model.name, model.version, model.alias, model.digest)
                for model in self._slot.models.values()
            ),
            refused=tuple(
                (name, why["version"], why["reason"]) for name, why in state.refused.items()
            ),
            shadow=self._shadow,
        )

    async def close(self) -> None:
        """End the registry's process; for who followed once and not on and on."""
        await self._registry.end()
