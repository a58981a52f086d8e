"""The Patient resource: age at the index time, administrative sex, and whether the patient is dead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from app.fhir.bundle import Entry
from app.fhir.candidates import basis_of
from app.fhir.times import read_date, read_time
from app.schemas.assessment_request import LONGEST_NAME
from models.errors import InvalidValue
from models.vocabulary import Measurement, Vocabulary, set_aside_reason, take

AGE, SEX = "age", "sex"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
PROTECTED = ("R", "V")
"""Restricted and very restricted: how a Patient resource marks a protected identity."""


class Person(NamedTuple):
    """What the patient's own resource says.

    Attributes
    ----------
    deceased : bool
        Whether the patient was dead at the index time.
    """

    measurements: tuple[Measurement, ...]
    set_aside: tuple[tuple[str, str], ...]
    basis: tuple[tuple[str, str], ...]
    deceased: bool


def read_person(
    entries: Sequence[Entry], wanted: Iterable[str], vocabulary: Vocabulary, index_time: datetime
) -> Person:
    """Read every copy of the patient's resource that came; copies that differ cancel each other.

    Age is counted from `birthDate` in completed years at the index time, never from an identifier.
    A birth date that leaves the age open is set aside. `gender` other than male or female is
    missing, as the dictionary has it.
    """
    names = set(wanted)
    said: dict[str, set[object]] = {AGE: set(), SEX: set()}
    set_aside: list[tuple[str, str]] = []
    deceased = False
    for entry in entries:
        resource = entry.resource
        deceased = deceased or _is_deceased(resource, index_time)
        if resource.get("birthDate") is not None and AGE in names:
            age, reason = _age(resource["birthDate"], index_time)
            said[AGE].add(age)
            if reason is not None:
                set_aside.append((AGE, reason))
        gender = resource.get("gender")
        if gender in ("female", "male") and SEX in names:
            said[SEX].add(gender)
    taken, basis = [], []
    for name, values in said.items():
        if len(values) > 1:
            set_aside.append((name, "contradictory_values"))
        elif values and (value := values.pop()) is not None:
            feature = vocabulary.features[name]
            try:
                measurement = Measurement(feature, take(feature, value))
            except InvalidValue:
                set_aside.append((name, "invalid_value"))
                continue
            reason = set_aside_reason(measurement, None)
            if reason is not None:
                set_aside.append((name, reason))
                continue
            taken.append(measurement)
            basis.append((name, basis_of(entries[0])))
    return Person(tuple(taken), tuple(dict.fromkeys(set_aside)), tuple(basis), deceased)


def subject_of(
    entries: Sequence[Entry], *, systems: Sequence[str], otherwise: str | None
) -> str | None:
    """How the patient is named to the pseudonymiser: the best identifier, or else the logical id.

    Identifiers of `systems` (personnummer first) in the patient's own resource are what REST clients
    send too, so that all ways in lead to one pseudonym. Identifiers marked `use = "old"` and ended
    ones are passed over.

    Examples
    --------
    >>> identifier = {"system": "urn:oid:1.2.752.129.2.1.3.1", "value": " 195009072553 "}
    >>> own = Entry({"resourceType": "Patient", "id": "7", "identifier": [identifier]})
    >>> subject_of([own], systems=["urn:oid:1.2.752.129.2.1.3.1"], otherwise="7")
    '195009072553'
    """
    named: dict[str, str] = {}
    for entry in entries:
        given = entry.resource.get("identifier")
        for identifier in given if isinstance(given, list) else ():
            if not isinstance(identifier, Mapping) or identifier.get("use") == "old":
                continue
            system, value = identifier.get("system"), identifier.get("value")
            period = identifier.get("period")
            ended = isinstance(period, Mapping) and period.get("end") is not None
            if isinstance(system, str) and isinstance(value, str) and not ended:
                named.setdefault(system, value.strip())
    for system in systems:
        if 0 < len(named.get(system, "")) <= LONGEST_NAME:
            return named[system]
    return otherwise


def is_protected(patient: Mapping[str, Any]) -> bool:
    """Whether a Patient resource is marked as restricted (`meta.security`).

    Examples
    --------
    >>> label = {"system": CONFIDENTIALITY, "code": "R"}
    >>> is_protected({"meta": {"security": [label]}}), is_protected({})
    (True, False)
    """
    meta = patient.get("meta")
    labels = meta.get("security") if isinstance(meta, Mapping) else None
    return any(
        isinstance(label, Mapping)
        and label.get("system") == CONFIDENTIALITY
        and label.get("code") in PROTECTED
        for label in (labels if isinstance(labels, list) else ())
    )


def _is_deceased(resource: Mapping[str, Any], index_time: datetime) -> bool:
    """Dead by the index time; a death later than it is the future and is not looked at."""
    if resource.get("deceasedBoolean") is True:
        return True
    if resource.get("deceasedDateTime") is None:
        return False
    span = read_time(resource["deceasedDateTime"])
    return span is None or span.earliest <= index_time


def _age(birth_date: object, index_time: datetime) -> tuple[float | None, str | None]:
    days = read_date(birth_date)
    if days is None:
        return None, "invalid_value"
    first, last = (_completed_years(day, index_time.date()) for day in days)
    if last < 0:
        return None, "later_than_index_time"
    if first != last:
        return None, "time_not_precise"
    return float(first), None


def _completed_years(born: date, today: date) -> int:
    """Birthdays had; who is born on 29 February has one on 1 March in other years.

    Examples
    --------
    >>> _completed_years(date(1950, 9, 7), date(2026, 9, 6))
    75
    >>> _completed_years(date(1950, 9, 7), date(2026, 9, 7))
    76
    """
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
