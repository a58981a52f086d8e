"""How long a clinician waits for a card, as seen from here, network included."""

from __future__ import annotations

from math import ceil

from app.check_integration.door import Door
from app.check_integration.ehr import Given, send
from app.check_integration.findings import Notes

BOUND_MS = 500.0
EXPECTED = "p95 under 500 ms: CDS Hooks 2.0 wants an answer in about that time"


def check_speed(door: Door, given: tuple[Given, ...], calls: int, notes: Notes) -> None:
    """Time one service's calls with prefetch, one after the other."""
    called = max(given, key=_told, default=None)
    asked = f"{calls} calls with prefetch, one after the other"
    if called is None or calls == 0:
        notes.skip("speed.p95", asked, EXPECTED, "no service to call" if calls else "--calls 0")
        return
    answers = [send(door, called.visit) for _ in range(calls)]
    faults = sorted({f"answered {a.status}" for a in answers if a.status != 200})
    took = sorted(answer.took_ms for answer in answers)
    p50, p95 = percentile(took, 0.5), percentile(took, 0.95)
    if p95 >= BOUND_MS:
        faults.append(f"p50 {p50:.1f} ms, p95 {p95:.1f} ms")
    told = f"p50 {p50:.1f} ms, p95 {p95:.1f} ms"
    notes.judge("speed.p95", asked, EXPECTED, faults, told, called.visit.service.id)


def _told(one: Given) -> int:
    """How long a card is: the longest tells of most outcomes, and takes longest to make."""
    return 0 if one.card is None else len(str(one.card.get("detail")))


def percentile(ascending: list[float], share: float) -> float:
    """The smallest value that is not exceeded by a share of all (nearest rank).

    Examples
    --------
    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.5), percentile([1.0, 2.0, 3.0, 4.0], 0.95)
    (2.0, 4.0)
    """
    return ascending[max(1, ceil(share * len(ascending))) - 1]
