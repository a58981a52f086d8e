"""Who answers in silence: what a site declares, and what the ledger's events have made of it since.

A place is a tenant's branch point. A silent place's answers are worked out and recorded, and nobody is
told the risk. Which places are silent is the declaration, until an event says otherwise: the newest
event of a place counts, in both directions, so that who declares silence gets it until a `go_live` is
recorded, and a `go_silent` needs no declaration.

Events are rows of the chain: durable, the same for every worker and replica, never retired, and
nobody without the key can add one that `risk-monitor verify` would not find.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, select

from monitoring.ledger.entries import Event
from monitoring.ledger.errors import LedgerDamaged
from monitoring.ledger.tables import EVENTS

GO_LIVE, GO_SILENT = "go_live", "go_silent"
KINDS = (GO_LIVE, GO_SILENT)
Place = tuple[str, str]
"""A tenant and a branch point."""


@dataclass(frozen=True, slots=True)
class Attached:
    """A local validation report that stands behind a place's going live.

    Attributes
    ----------
    model, version, digest : str
        What was validated.
    sha256 : str
        Of the report's file.
    cohort : str
        Title of the patients that it was validated on.
    """

    model: str
    version: str
    digest: str
    sha256: str
    cohort: str


@dataclass(frozen=True, slots=True)
class Change:
    """A place goes live or silent.

    Attributes
    ----------
    without_report : tuple of str
        Outcomes that went live without a report of their own.
    """

    recorded_at_us: int
    live: bool
    tenant: str
    branch_point: str
    by: str
    reason: str
    reports: tuple[Attached, ...] = ()
    without_report: tuple[str, ...] = ()

    @property
    def place(self) -> Place:
        return self.tenant, self.branch_point

    def event(self) -> Event:
        """As it is recorded.

        Examples
        --------
        >>> event = Change(5, False, "north", "icu-review", "anna", "drift").event()
        >>> event.what, place_of(event)
        ('go_silent', ('north', 'icu-review'))
        """
        detail: dict[str, Any] = {
            "tenant": self.tenant,
            "branch_point": self.branch_point,
            "by": self.by,
            "reason": self.reason,
        }
        if self.live:
            detail["reports"] = [asdict(report) for report in self.reports]
            detail["without_report"] = list(self.without_report)
        what = GO_LIVE if self.live else GO_SILENT
        return Event(self.recorded_at_us, what, json.dumps(detail, ensure_ascii=False))


def place_of(event: Event) -> Place:
    """Whose place an event is about.

    Raises
    ------
    LedgerDamaged
        When it does not say: what it was to change is unknown then, so nothing may be concluded.
    """
    try:
        detail = json.loads(event.detail)
        place = detail["tenant"], detail["branch_point"]
    except (ValueError, TypeError, KeyError, RecursionError):
        place = None, None
    if not all(isinstance(part, str) for part in place):
        raise LedgerDamaged(f"an event `{event.what}` does not say whose place it is about")
    return place


def silent_places(declared: Iterable[Place], events: Sequence[Event]) -> frozenset[Place]:
    """The places that are silent now.

    Parameters
    ----------
    declared : iterable of Place
        What the site's configuration calls silent.
    events : sequence of Event
        Those of `KINDS`, oldest first.

    Raises
    ------
    LedgerDamaged
        When an event does not say which place it is about.

    Examples
    --------
    Declared and live since, never declared and silenced, declared and nothing said:

    >>> def said(live, tenant):
    ...     return Change(5, live, tenant, "icu-review", "anna", "why").event()
    >>> declared = [("north", "icu-review"), ("south", "icu-review")]
    >>> sorted(silent_places(declared, [said(True, "north"), said(False, "west")]))
    [('south', 'icu-review'), ('west', 'icu-review')]
    """
    newest = {place_of(event): event.what for event in events if event.what in KINDS}
    kept = {place for place in declared if newest.get(place) != GO_LIVE}
    return frozenset(kept | {place for place, what in newest.items() if what == GO_SILENT})


def read_changes(connection: Connection) -> list[Event]:
    """The events of `KINDS`, oldest first."""
    columns = EVENTS.c.recorded_at_us, EVENTS.c.kind, EVENTS.c.detail
    asked = select(*columns).where(EVENTS.c.kind.in_(KINDS)).order_by(EVENTS.c.seq)
    return [Event(*row) for row in connection.execute(asked)]
