"""From when a condition held to when an alert fired, and whether an event or nothing was behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from monitoring.drill.events import Event

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Firing:
    """An alert that fired.

    Attributes
    ----------
    fires_s, ends_s : int
        Simulated seconds since the drill began: when it fired, and the last look at which it did.
    lingers_s : int
        How long after its cause it may still fire: the length of its window.
    """

    alert: str
    labels: Labels
    severity: str
    fires_s: int
    ends_s: int
    lingers_s: int


def firings(held_s: Sequence[int], wait_s: int, step_s: int) -> list[tuple[int, int]]:
    """When an alert fires and when it ends, from the looks at which its condition held.

    It fires at the first look at which the condition has held for `wait_s` without a look in between
    at which it did not, as `for` is meant. Looks are `step_s` apart: a wait that is no multiple of that
    fires at the next look, later than Prometheus itself would.

    Parameters
    ----------
    held_s : sequence of int
        Rising.

    Examples
    --------
    Looks every hour; held from 1 h to 3 h, and at 7 h; with `for: 1h`, and with none:

    >>> firings([3600, 7200, 10800, 25200], 3600, 3600)
    [(7200, 10800)]
    >>> firings([3600, 7200, 10800, 25200], 0, 3600)
    [(3600, 10800), (25200, 25200)]
    """
    found, run = [], list[int]()
    for at in (*held_s, None):
        if run and (at is None or at - run[-1] > step_s):
            fired = [look for look in run if look - run[0] >= wait_s]
            if fired:
                found.append((fired[0], fired[-1]))
            run = []
        if at is not None:
            run.append(at)
    return found


@dataclass(frozen=True, slots=True)
class Found:
    """What became of an event.

    Attributes
    ----------
    by : Firing or None
        The first alert that is there to find it.
    delay_s, delay_patients : int or None
        From its beginning to that alert; all patients of the service count.
    delay_of_unit : int or None
        The same in patients of the event's own care unit, where it is about one.
    also : tuple of Firing
        Others that fired while it lasted or within their windows after it.
    """

    event: Event
    by: Firing | None
    delay_s: int | None
    delay_patients: int | None
    delay_of_unit: int | None
    also: tuple[Firing, ...]

    @property
    def holds(self) -> bool | None:
        """Whether what is promised of the event holds; None where nothing is."""
        if not self.event.findings:
            return not self.also
        if self.event.within is None:
            return None
        return self.delay_patients is not None and self.delay_patients <= self.event.within


def judge(
    fired: Iterable[Firing],
    events: Sequence[Event],
    patients_until: Sequence[int],
    of_units: Mapping[str, Sequence[int]] | None = None,
) -> tuple[list[Found], list[Firing]]:
    """Every event with what fired for it, and what fired for none: the false alarms.

    An alert belongs to the last event that had begun when it fired, if the event lasted or had ended no
    longer ago than the alert's own window. It finds the event if it is one of its findings.

    Parameters
    ----------
    patients_until : sequence of int
        How many patients had come before each hour, from hour 0 on.
    of_units : mapping, optional
        The same of every care unit.

    Examples
    --------
    >>> from monitoring.drill.events import Change, Finding
    >>> event = Event("x", Change(), 10, 20, (Finding("A", {}),), within=40)
    >>> a, b = (Firing("A", (), "warning", h * 3600, h * 3600, 3600) for h in (5, 13))
    >>> (found,), false = judge([a, b], [event], [10 * hour for hour in range(30)])
    >>> found.delay_s, found.delay_patients, found.holds, false == [a]
    (10800, 30, True, True)
    """
    by_event: dict[int, list[Firing]] = {number: [] for number in range(len(events))}
    false = []
    for one in sorted(fired, key=lambda firing: (firing.fires_s, firing.alert, firing.labels)):
        begun = [n for n, event in enumerate(events) if event.begins_h * 3600 < one.fires_s]
        last = max(begun, key=lambda n: events[n].begins_h, default=None)
        if last is not None and one.fires_s <= events[last].ends_h * 3600 + one.lingers_s:
            by_event[last].append(one)
        else:
            false.append(one)
    units = of_units or {}
    return [_found(events[n], those, patients_until, units) for n, those in by_event.items()], false


def _found(
    event: Event,
    fired: list[Firing],
    patients_until: Sequence[int],
    of_units: Mapping[str, Sequence[int]],
) -> Found:
    meant = [one for one in fired if _finds(event, one)]
    also = tuple(one for one in fired if one not in meant)
    if not meant:
        return Found(event, None, None, None, None, also)
    first = meant[0]

    def between(counts: Sequence[int]) -> int:
        return _at(counts, first.fires_s // 3600) - _at(counts, event.begins_h)

    own = None if event.unit is None else of_units.get(event.unit)
    return Found(
        event,
        first,
        first.fires_s - event.begins_h * 3600,
        between(patients_until),
        None if own is None else between(own),
        (*meant[1:], *also),
    )


def _finds(event: Event, one: Firing) -> bool:
    labels: Mapping[str, str] = dict(one.labels)
    return any(
        finding.alert == one.alert and finding.labels.items() <= labels.items()
        for finding in event.findings
    )


def _at(counts: Sequence[int], hour: int) -> int:
    return counts[min(hour, len(counts) - 1)]
