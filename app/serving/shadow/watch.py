"""The worker's end of shadow scoring: starts the process that asks, records what it hands over.

One worker of a service does this, the one on the first place of its group. A challenger that gives no
sign of life for too long, or takes its process with it, gets a strike; after three it is set aside by
name until another version has the alias.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import structlog

from app.schemas.statuses import ABSTAINED, ANSWERED
from monitoring.ledger import Ledger, LedgerUnavailable, Shadows

log = structlog.get_logger()

SIGN_OF_LIFE_S = 60.0
"""At the lowest priority a batch can take long on a machine that is busy with patients."""
STRIKES = 3
LEAST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
LARGEST_LINE = 1 << 20
COUNTS = ("answered", "abstained", "both", "apart", "other_band")


@dataclass(frozen=True, slots=True)
class ChallengerRow:
    """How a challenger does, as operators see it; counts are of what this service recorded.

    Attributes
    ----------
    begun : bool
        Whether it is asked: what is answered from now on it will be asked about.
    lag_s : float
        Age of the oldest assessment of the last batch: how far it is behind.
    apart : float
        Sum of the absolute differences to the champion's predictions, over `both` of them.
    other_band : int
        Assessments that fall into another band than the champion's, or that only one answered.
    set_aside : str or None
        Why it is not asked.
    outcomes : int
        Assessments of which the outcome is known and both gave a number.
    figures : mapping
        Alias -> `auroc`, `brier`, `net_benefit` on them.
    """

    name: str
    version: str
    digest: str
    answered: int = 0
    abstained: int = 0
    both: int = 0
    apart: float = 0.0
    other_band: int = 0
    begun: bool = False
    lag_s: float = 0.0
    set_aside: str | None = None
    outcomes: int = 0
    figures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


class Shadow:
    """Keeps the challengers asked.

    Parameters
    ----------
    database : str
        The ledger's address, for the process that reads it.
    content : Path or None
        The site's own content.
    ledger : Ledger
        Where what it hands over is recorded.
    changed : callable
        Called with every challenger's row when there is news.
    """

    def __init__(
        self,
        database: str,
        content: Path | None,
        ledger: Ledger,
        changed: Callable[[tuple[ChallengerRow, ...]], None] = lambda _: None,
        sign_of_life_s: float = SIGN_OF_LIFE_S,
    ) -> None:
        self._site = {"database": database, "content": None if content is None else str(content)}
        self._ledger = ledger
        self._changed = changed
        self._sign_of_life_s = sign_of_life_s
        self._named: tuple[Mapping[str, Any], ...] = ()
        self._rows: dict[str, ChallengerRow] = {}
        self._counted: Mapping[tuple[str, str], Mapping[str, Any]] = {}
        self._strikes: dict[tuple[str, str], int] = {}
        self._news = asyncio.Event()
        self._child: asyncio.subprocess.Process | None = None
        self._doing: str | None = None
        self._pause_s = LEAST_PAUSE_S

    def go_on(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Begin with the counts of the worker whose place this one has taken, as its rows told them."""
        self._counted = {
            (row["name"], row["digest"]): {name: row[name] for name in COUNTS} for row in rows
        }

    def follow(self, challengers: Sequence[Mapping[str, Any]]) -> None:
        """Ask these from now on, as the registry's process names them; nobody when there are none."""
        for one in challengers:
            row = self._rows.get(one["name"])
            if row is None or row.digest != one["digest"]:
                digest = str(one["digest"])
                before = self._counted.get((one["name"], digest), {})
                row = ChallengerRow(one["name"], one["version"], digest, **before)
            refused = one.get("refused")
            kept = row.set_aside if one["path"] is not None else str(refused)
            self._rows[one["name"]] = replace(row, version=one["version"], set_aside=kept)
        gone = set(self._rows) - {one["name"] for one in challengers}
        for name in gone:
            del self._rows[name]
        named = tuple(
            {key: one[key] for key in ("name", "version", "digest", "path")} for one in challengers
        )
        if named != self._named or gone:
            self._named = named
            self._news.set()
            self._tell()

    async def run(self) -> None:
        """Have challengers asked until cancelled."""
        try:
            while True:
                if not self._to_ask():
                    await self._end()
                    self._news.clear()
                    if not self._to_ask():
                        await self._news.wait()
                    continue
                try:
                    await self._converse()
                except (TimeoutError, ValueError, OSError) as error:
                    self._strike(type(error).__name__)
                except Exception as error:  # patients must never notice that there is a shadow
                    log.error("shadow_failed", error=type(error).__name__)  # noqa: TRY400 - no traceback: it can hold paths
                await self._end()
                await asyncio.sleep(self._pause_s)
                self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        finally:
            await self._end()

    def _to_ask(self) -> list[Mapping[str, Any]]:
        return [one for one in self._named if self._rows[one["name"]].set_aside is None]

    async def _converse(self) -> None:
        """Start the process and hear it until nobody is left to ask.

        Raises
        ------
        TimeoutError
            Without a sign of life.
        ValueError
            When it ended.
        """
        self._doing = None
        self._child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "app.serving.shadow.scoring", stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, limit=LARGEST_LINE,
        )  # fmt: skip
        child, asked = self._child, None
        await _say(child, self._site)
        self._news.set()
        while True:
            if self._news.is_set():
                self._news.clear()
                if not (asking := self._to_ask()):
                    return
                if asking != asked:
                    asked = asking
                    await _say(child, {"challengers": asking})
            async with asyncio.timeout(self._sign_of_life_s):
                told = await _hear(child)
            if "doing" in told:
                self._doing = told["doing"]
            elif "refused" in told:
                self._set_aside(told["refused"], told["reason"])
            elif "figures" in told:
                self._note(told["figures"], outcomes=told["outcomes"], figures=told["of"])
            elif not told["rows"]:
                self._note(told["name"], lag_s=told["lag_s"], begun=True)
            else:
                await self._record(told)
                await _say(child, {"recorded": True})

    async def _record(self, told: Mapping[str, Any]) -> None:
        """Record a batch, however long it takes, and count what was recorded by us."""
        name = told["name"]
        if (row := self._rows.get(name)) is None:
            return
        branch_point, outcome = name.split(".", 1)
        entry = Shadows(
            time.time_ns() // 1000, branch_point, outcome, row.version, row.digest,
            tuple(
                (assessment_id, seq, tenant, ABSTAINED if said is None else ANSWERED, said, champion,
                 theirs)
                for assessment_id, seq, tenant, said, champion, theirs in (
                    one["row"] for one in told["rows"]
                )
            ),
        )  # fmt: skip
        ours = await self._recorded(entry)
        self._strikes.pop((name, entry.digest), None)
        self._pause_s = LEAST_PAUSE_S
        row = self._rows.get(name, row)
        if row.digest != entry.digest:
            return  # meanwhile another version has the alias
        counted = [one for one, is_ours in zip(told["rows"], ours, strict=True) if is_ours]
        answered = sum(one["row"][3] is not None for one in counted)
        apart = [one["apart"] for one in counted if one["apart"] is not None]
        self._note(
            name,
            answered=row.answered + answered,
            abstained=row.abstained + len(counted) - answered,
            both=row.both + len(apart),
            apart=row.apart + sum(apart),
            other_band=row.other_band + sum(one["other_band"] for one in counted),
            lag_s=told["lag_s"],
            begun=True,
        )

    async def _recorded(self, entry: Shadows) -> Sequence[bool]:
        """Hand in the same entry until it is durable: what was refused may have been written."""
        while True:
            try:
                (ours,) = await self._ledger.append(entry)
            except LedgerUnavailable as error:
                # Patients' answers come first: what waits here is in the ledger already.
                await asyncio.sleep(error.retry_after_s)
            else:
                found: Sequence[bool] = ours
                return found

    def _note(self, name: str, **changes: Any) -> None:
        if name in self._rows:
            self._rows[name] = replace(self._rows[name], **changes)
            self._tell()

    def _strike(self, how: str) -> None:
        """Note against the challenger that was asked last; nobody's fault when none was."""
        name = self._doing
        row = None if name is None else self._rows.get(name)
        log.warning("shadow_ended", model=name, how=how)
        if name is None or row is None:
            return
        key = (name, row.digest)
        self._strikes[key] = self._strikes.get(key, 0) + 1
        if self._strikes[key] >= STRIKES:
            self._set_aside(name, f"its process hung or ended {STRIKES} times while it was asked")

    def _set_aside(self, name: str, reason: str) -> None:
        log.warning("challenger_set_aside", model=name, reason=reason)
        self._note(name, set_aside=reason)
        self._news.set()

    def _tell(self) -> None:
        self._changed(tuple(self._rows.values()))

    async def _end(self) -> None:
        """End the process; kept until it is gone, so that who is cancelled meanwhile can go on."""
        self._doing = None
        if (child := self._child) is not None:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()
            if self._child is child:
                self._child = None


async def _say(child: asyncio.subprocess.Process, told: Mapping[str, Any]) -> None:
    if child.stdin is None:  # pragma: no cover - it is piped
        raise ValueError("no pipe")
    child.stdin.write(json.dumps(told).encode() + b"\n")
    await child.stdin.drain()


async def _hear(child: asyncio.subprocess.Process) -> dict[str, Any]:
    line = b"" if child.stdout is None else await child.stdout.readline()
    found: dict[str, Any] = json.loads(line)  # an empty line, at its end, is no JSON
    return found
