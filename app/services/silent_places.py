"""Which branch points of which tenants are silent now, as the ledger has it, off the request path."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

import structlog

from monitoring.ledger import Ledger, LedgerDamaged, LedgerUnavailable
from monitoring.ledger.silence import Place, silent_places

UNREAD = "unread"
EVERY_S = 1.0
"""Between two looks: somebody who silences a branch point in an emergency must not wait long."""

log = structlog.get_logger()


class SilentPlaces:
    """Keeps the set of silent places equal to what the ledger says of them.

    While the ledger cannot be read, the state before stays. Before it was read at all nobody knows
    who was silenced without a declaration, so nothing is answered.

    Parameters
    ----------
    declared : iterable of Place
        What the site's configuration calls silent.

    Attributes
    ----------
    now : frozenset of Place
        The silent places, as far as it is known.
    known : bool
        Whether the ledger was ever read.
    current : bool
        Whether it was read at the last look.
    """

    def __init__(self, declared: Iterable[Place], ledger: Ledger) -> None:
        self._declared, self._ledger = frozenset(declared), ledger
        self._complained = False
        self.known = self.current = False
        self.now: frozenset[Place] = self._declared

    def tells(self, tenant: str, branch_point: str) -> bool:
        """Whether risks are told there.

        Raises
        ------
        LedgerUnavailable
            Before the ledger was read.
        """
        if not self.known:
            raise LedgerUnavailable(UNREAD, EVERY_S)
        return (tenant, branch_point) not in self.now

    async def look(self) -> None:
        """Read the ledger once."""
        try:
            found = silent_places(self._declared, await self._ledger.read_silence())
        except (LedgerUnavailable, LedgerDamaged) as error:
            if not self._complained:
                log.warning("silence_unread", reason=str(error))
            self.current, self._complained = False, True
            return
        before = self.now if self.known else frozenset()
        self.known = self.current = True
        self._complained = False
        self.now = found
        for tenant, point in sorted(found - before):
            log.info("branch_point_silent", tenant=tenant, branch_point=point)
        for tenant, point in sorted(before - found):
            log.info("branch_point_live", tenant=tenant, branch_point=point)

    async def follow(self) -> None:
        """Read it every `EVERY_S` seconds until cancelled."""
        began = time.monotonic()
        while True:
            await asyncio.sleep(max(0.0, began + EVERY_S - time.monotonic()))
            began = time.monotonic()
            try:
                await self.look()
            except Exception as error:  # whatever it is, the state before stays
                self.current = False
                log.error("silence_unread", error=type(error).__name__)  # noqa: TRY400 - no traceback: it can hold paths
