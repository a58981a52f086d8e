"""The events of a drill and when they come: each has its days, then quiet until the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from monitoring.drill.events import (
    MOLAR_CREATININE,
    Change,
    CodingChange,
    Complications,
    Event,
    Finding,
    OlderPatients,
    Promotion,
    UnitChange,
    WardStops,
)
from monitoring.drill.patients import Patient

DAY_H = 24
FEW_MILLIGRAMS = 15.0
"""A median creatinine under this is in mg/dL (normal about 1), over it in µmol/L (normal about 80)."""
OLDEST_OF = 3
WORSE_ODDS = 2.0
QUIET_PART, LASTING_PART = 0.1, 0.4
"""Of the drill before the first event; of the time to the next event while one lasts."""


class EventImpossible(Exception):
    """An event that these rows or these options do not allow; the message says why."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the events are about.

    Attributes
    ----------
    lab, stopped : str
        The feature whose unit changes, and the one that a ward no longer measures.
    unit : str or None
        The care unit of the last and of the complications; None: all patients.
    recoded : str or None
        FEATURE:CATEGORY:OTHER; None: the category is looked for in the rows.
    promotes : bool
        Whether there is a command that promotes.
    read : frozenset of str
        Features that the service's models read; empty: not known.
    declared : mapping of str to tuple of str
        The dictionary's categories of features that have some.
    """

    lab: str = "creatinine"
    stopped: str = "lactate"
    unit: str | None = None
    recoded: str | None = None
    promotes: bool = False
    read: frozenset[str] = frozenset()
    declared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def schedule(
    names: Sequence[str], days: int, patients: Sequence[Patient], chosen: Chosen
) -> list[Event]:
    """The events in the order of their names, spread over the days.

    A tenth of the days is quiet; the rest is parted evenly, and an event lasts two fifths of its part.

    Raises
    ------
    EventImpossible
        When an event is unknown, or the rows have not what it changes.

    Examples
    --------
    >>> rows = [Patient("icu-review", {"age": 70}, {})]
    >>> event, = schedule(["older-patients"], 100, rows, Chosen())
    >>> event.begins_h / 24, event.ends_h / 24
    (10.0, 46.0)
    """
    found = []
    first = round(days * QUIET_PART) * DAY_H
    part = (days * DAY_H - first) // max(1, len(names))
    for number, name in enumerate(names):
        make = EVENTS.get(name)
        if make is None:
            raise EventImpossible(f"no event is called that; there are: {', '.join(EVENTS)}")
        change, findings, within = make(patients, chosen)
        begins = first + number * part
        found.append(
            Event(name, change, begins, begins + int(part * LASTING_PART), findings, within)
        )
    return found


Made = tuple[Change, tuple[Finding, ...], int | None]


def _unit_change(patients: Sequence[Patient], chosen: Chosen) -> Made:
    values = sorted(
        float(v) for one in patients if isinstance(v := one.value(chosen.lab), int | float)
    )
    if not values:
        raise EventImpossible(f"no row has {chosen.lab}: choose another feature with --lab")
    few = values[len(values) // 2] < FEW_MILLIGRAMS
    factor = MOLAR_CREATININE if few else 1 / MOLAR_CREATININE
    return UnitChange(chosen.lab, factor), _of(chosen.lab, INPUTS), 200


def _ward_stops(patients: Sequence[Patient], chosen: Chosen) -> Made:
    if not any(chosen.stopped in one.measurements for one in patients):
        raise EventImpossible(f"no row has {chosen.stopped}: choose another feature with --stopped")
    return (
        WardStops(chosen.stopped, chosen.unit),
        _of(chosen.stopped, ("RiskMissingSurge", "RiskFeatureDrift")),
        300,
    )


def _older(patients: Sequence[Patient], chosen: Chosen) -> Made:
    if not any("age" in one.measurements for one in patients):
        raise EventImpossible("no row has an age")
    return OlderPatients(OLDEST_OF), _of("age", ("RiskFeatureDrift",)), None


def _complications(patients: Sequence[Patient], chosen: Chosen) -> Made:
    of_unit = {} if chosen.unit is None else {"unit": chosen.unit}
    return Complications(chosen.unit, WORSE_ODDS), (Finding("RiskCusumSignal", of_unit),), None


def _coding_change(patients: Sequence[Patient], chosen: Chosen) -> Made:
    if chosen.recoded is not None:
        feature, _, rest = chosen.recoded.partition(":")
        category, _, becomes = rest.partition(":")
        if not (feature and category and becomes):
            raise EventImpossible("expected FEATURE:CATEGORY:OTHER for --recoded")
    else:
        feature, category, becomes = _most_common(patients, chosen)
    return CodingChange(feature, category, becomes), _of(feature, INPUTS), None


def _promotion(patients: Sequence[Patient], chosen: Chosen) -> Made:
    if not chosen.promotes:
        raise EventImpossible("a promotion needs a command that promotes: --promote COMMAND")
    return Promotion(), (), None


INPUTS = ("RiskFeatureDrift", "RiskImplausibleSurge", "RiskMissingSurge", "RiskUnseenSurge")

EVENTS: Mapping[str, Callable[[Sequence[Patient], Chosen], Made]] = {
    "unit-change": _unit_change,
    "ward-stops": _ward_stops,
    "older-patients": _older,
    "complications": _complications,
    "coding-change": _coding_change,
    "promotion": _promotion,
}
"""How each event is made from the rows and what was chosen."""


def _of(feature: str, alerts: Sequence[str]) -> tuple[Finding, ...]:
    return tuple(Finding(alert, {"feature": feature}) for alert in alerts)


def _most_common(patients: Sequence[Patient], chosen: Chosen) -> tuple[str, str, str]:
    """The commonest category of what is read, sex left out, and what it is recorded as from now on.

    That is a category of the dictionary that no row has, as of a new code; else the feature's next.
    """
    counts: dict[str, Counter[str]] = {}
    for patient in patients:
        for feature in patient.measurements:
            if chosen.read and feature not in chosen.read:
                continue
            if isinstance(value := patient.value(feature), str) and feature != "sex":
                counts.setdefault(feature, Counter())[value] += 1
    several = {feature: found for feature, found in counts.items() if len(found) > 1}
    if not several:
        raise EventImpossible("no row has a category with another: choose one with --recoded")
    feature = max(several, key=lambda name: several[name].most_common(1)[0][1])
    (first, _), (second, _) = several[feature].most_common(2)
    known = chosen.declared.get(feature, ())
    becomes = next((one for one in known if one not in several[feature]), second)
    return feature, first, becomes
