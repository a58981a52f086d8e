"""What goes wrong in a drill: an event is a change of what is sent, or of what becomes of patients.

To add one: a class here, and a row in `catalogue.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from monitoring.drill.patients import Patient

MOLAR_CREATININE = 88.4
"""µmol/L in 1 mg/dL of creatinine (molar mass 113.12 g/mol)."""


@dataclass(frozen=True, slots=True)
class Change:
    """Nothing changes; the kinds below each change one thing."""

    def choose(self, draw: Callable[[], Patient]) -> Patient:
        """Who comes next."""
        return draw()

    def recorded(self, patient: Patient) -> Patient:
        """What is sent about a patient."""
        return patient

    def happened(self, patient: Patient, p: float, event: bool, rng: np.random.Generator) -> bool:
        """What becomes of a patient whose predicted probability is p."""
        return event


@dataclass(frozen=True, slots=True)
class UnitChange(Change):
    """A laboratory sends a feature in another unit and does not say so.

    Examples
    --------
    >>> UnitChange("creatinine", 88.4).recorded(Patient("icu-review", {"creatinine": 1.0}, {})).measurements
    {'creatinine': 88.4}
    """

    feature: str
    factor: float

    def recorded(self, patient: Patient) -> Patient:
        value = patient.value(self.feature)
        if value is None:
            return patient
        return _with(patient, self.feature, float(f"{value * self.factor:.4g}"))


@dataclass(frozen=True, slots=True)
class WardStops(Change):
    """A ward no longer measures a feature; `unit` None: nowhere is it measured.

    Examples
    --------
    >>> patient = Patient("icu-review", {"age": 71, "lactate": 2.0}, {}, "ward-1")
    >>> WardStops("lactate", "ward-1").recorded(patient).measurements
    {'age': 71}
    """

    feature: str
    unit: str | None

    def recorded(self, patient: Patient) -> Patient:
        if self.unit not in (None, patient.unit) or self.feature not in patient.measurements:
            return patient
        kept = {k: v for k, v in patient.measurements.items() if k != self.feature}
        return replace(patient, measurements=kept)


@dataclass(frozen=True, slots=True)
class OlderPatients(Change):
    """The case mix ages: whoever comes is the oldest of some; nobody is changed, so labels stay true.

    Examples
    --------
    >>> ages = iter([50, 80, 60])
    >>> OlderPatients(3).choose(lambda: Patient("icu-review", {"age": next(ages)}, {})).value("age")
    80
    """

    of: int

    def choose(self, draw: Callable[[], Patient]) -> Patient:
        return max((draw() for _ in range(self.of)), key=lambda one: one.value("age") or 0)


@dataclass(frozen=True, slots=True)
class Complications(Change):
    """A care unit's patients have the event with other odds; `unit` None: all of them.

    Who had no event gets one with the probability (R - 1) p / (1 + (R - 1) p): if p is true, the odds
    are then R times as high.

    Examples
    --------
    >>> worse = Complications("ward-1", 2.0)
    >>> round(worse.added(0.25), 4)  # 0.25 + 0.75 * 0.2 = 0.4: odds of 1/3 have become 2/3
    0.2
    """

    unit: str | None
    odds_ratio: float

    def added(self, p: float) -> float:
        """The probability with which a patient without the event gets one."""
        more = (self.odds_ratio - 1) * p
        return more / (1 + more)

    def happened(self, patient: Patient, p: float, event: bool, rng: np.random.Generator) -> bool:
        if event or self.unit not in (None, patient.unit):
            return event
        return bool(rng.random() < self.added(p))


@dataclass(frozen=True, slots=True)
class CodingChange(Change):
    """A category is recorded as another.

    Examples
    --------
    >>> CodingChange("sex", "male", "female").recorded(Patient("icu-review", {"sex": "male"}, {})).measurements
    {'sex': 'female'}
    """

    feature: str
    category: str
    becomes: str

    def recorded(self, patient: Patient) -> Patient:
        if patient.value(self.feature) != self.category:
            return patient
        return _with(patient, self.feature, self.becomes)


@dataclass(frozen=True, slots=True)
class Promotion(Change):
    """Another version of a model answers from now on; the patients are the same."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An alert that an event is there to be found by.

    Attributes
    ----------
    labels : mapping
        What the alert's labels must be as well.
    """

    alert: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Event:
    """A change with its time and the alerts that should find it; none: no alert should fire.

    Attributes
    ----------
    begins_h, ends_h : int
        Simulated hours since the drill began; the end is the first hour without the change.
    within : int or None
        Patients within which it should be found; None where nothing is promised.
    """

    name: str
    change: Change
    begins_h: int
    ends_h: int
    findings: tuple[Finding, ...]
    within: int | None = None

    @property
    def unit(self) -> str | None:
        """The care unit that it is about; None: all patients."""
        return self.change.unit if isinstance(self.change, WardStops | Complications) else None

    def is_on(self, hour: int) -> bool:
        """Whether the change is there in an hour.

        Examples
        --------
        >>> event = Event("x", Change(), 24, 48, ())
        >>> [event.is_on(hour) for hour in (23, 24, 47, 48)]
        [False, True, True, False]
        """
        return self.begins_h <= hour < self.ends_h


def _with(patient: Patient, feature: str, value: Any) -> Patient:
    before = patient.measurements[feature]
    after = {**before, "value": value} if isinstance(before, Mapping) else value
    return replace(patient, measurements={**patient.measurements, feature: after})
