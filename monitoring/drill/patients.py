"""Patients to replay: lines as `risk-train rows` prints them, drawn anew for every simulated hour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import orjson

INDEX_TIME = "index_time"


class RowsInvalid(Exception):
    """What was given is not what `risk-train rows` prints; the message holds no row."""


@dataclass(frozen=True, slots=True)
class Patient:
    """One row: what is asked, and what became of the patient.

    Attributes
    ----------
    measurements : mapping
        As a request holds them: a bare value, or an object with `value`.
    labels : mapping of str to bool
        Binary outcomes that are known.
    """

    branch_point: str
    measurements: Mapping[str, Any]
    labels: Mapping[str, bool]
    unit: str | None = None
    rest: Mapping[str, Any] = field(default_factory=dict)

    def value(self, feature: str) -> Any:
        """The bare value of a measurement, None where it is missing.

        Examples
        --------
        >>> Patient("icu-review", {"age": 71, "lactate": {"value": 2.5, "unit": "mmol/L"}}, {}).value("lactate")
        2.5
        """
        found = self.measurements.get(feature)
        return found.get("value") if isinstance(found, Mapping) else found


def read_patients(lines: Iterable[bytes | str]) -> list[Patient]:
    """Patients from NDJSON; a numeric outcome and an unknown one are left out of the labels.

    Raises
    ------
    RowsInvalid
        Naming the line, never its content.

    Examples
    --------
    >>> line = '{"branch_point": "icu-review", "request": {"measurements": {"age": 71}}, "labels": {"sepsis": true, "length_of_stay_days": 4.0}}'
    >>> read_patients([line])[0].labels
    {'sepsis': True}
    """
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
            request = dict(row["request"])
            labels = {k: v for k, v in row["labels"].items() if isinstance(v, bool)}
            unit = request.pop("unit", None)
            measured = dict(request.pop("measurements"))
            found.append(Patient(str(row["branch_point"]), measured, labels, unit, request))
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError):
            raise RowsInvalid(
                f"line {number} of the rows is not what `risk-train rows` prints"
            ) from None
    if not found:
        raise RowsInvalid("there are no rows: expected what `risk-train rows SOURCE` prints")
    return found


class Arrivals:
    """Patients as they come: each row once in a random order, then all of them again.

    Parameters
    ----------
    units : tuple of str
        Care units that patients are spread over at random; empty: as the rows say.

    Examples
    --------
    >>> rows = [Patient("icu-review", {"age": age}, {}) for age in (40, 60, 80)]
    >>> arrivals = Arrivals(rows, np.random.default_rng(1))
    >>> sorted(arrivals.next().value("age") for _ in range(3))
    [40, 60, 80]
    """

    def __init__(
        self, patients: list[Patient], rng: np.random.Generator, units: tuple[str, ...] = ()
    ) -> None:
        self._patients, self._rng, self._units = patients, rng, units
        self._order: list[int] = []

    def next(self) -> Patient:
        """The next patient."""
        if not self._order:
            self._order = self._rng.permutation(len(self._patients)).tolist()
        found = self._patients[self._order.pop()]
        if not self._units:
            return found
        unit = self._units[int(self._rng.integers(len(self._units)))]
        return Patient(found.branch_point, found.measurements, found.labels, unit, found.rest)


def arriving(per_day: int, hour: int) -> int:
    """How many patients come in an hour of the simulated time, so that every day has the same number.

    Examples
    --------
    >>> [arriving(6, hour) for hour in range(8)], sum(arriving(100, hour) for hour in range(24))
    ([0, 0, 0, 1, 0, 0, 0, 1], 100)
    """
    return (hour + 1) * per_day // 24 - hour * per_day // 24


def request_at(patient: Patient, now: datetime, outcomes: tuple[str, ...] = ()) -> dict[str, Any]:
    """What is asked about a patient at a simulated time.

    Measurements keep their age. No subject and no episode is sent: a row that comes again is another
    patient.

    Parameters
    ----------
    now : datetime
        In UTC; the index time.
    outcomes : tuple of str
        That are asked for; empty: all.

    Examples
    --------
    >>> from datetime import UTC
    >>> lactate = {"value": 2.5, "time": "2026-01-15T09:00:00Z"}
    >>> patient = Patient("icu-review", {"lactate": lactate}, {}, rest={"index_time": "2026-01-15T12:00:00Z"})
    >>> request_at(patient, datetime(2024, 5, 1, 8, tzinfo=UTC))["measurements"]["lactate"]["time"]
    '2024-05-01T05:00:00Z'
    """
    request: dict[str, Any] = {
        INDEX_TIME: _told(now),
        "measurements": dict(_moved(patient, now)),
    }
    if patient.unit is not None:
        request["unit"] = patient.unit
    if outcomes:
        request["outcomes"] = list(outcomes)
    return request


def _moved(patient: Patient, now: datetime) -> Iterator[tuple[str, Any]]:
    before = patient.rest.get(INDEX_TIME)
    for name, value in patient.measurements.items():
        if isinstance(value, Mapping) and "time" in value:
            age = timedelta()
            if isinstance(before, str):
                age = datetime.fromisoformat(before) - datetime.fromisoformat(value["time"])
            yield name, {**value, "time": _told(now - age)}
        else:
            yield name, value


def _told(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
