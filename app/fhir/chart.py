"""A patient's FHIR resources in the dictionary's terms: what may be used, what not, and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from app.fhir.bundle import Entry, Unpacked, unpack
from app.fhir.candidates import Candidate, basis_of, choose
from app.fhir.coding import Coding
from app.fhir.histories import (
    absent_flags,
    read_condition,
    read_encounter,
    read_medication,
    read_procedure,
)
from app.fhir.observations import read_observation
from app.fhir.person import is_protected, read_person, subject_of
from app.fhir.subjects import PatientOf
from app.schemas.assessment_request import LONGEST_NAME
from models.vocabulary import BranchPoint, Measurement, Vocabulary, reason_here

HISTORIES = {
    "Condition": read_condition,
    "MedicationRequest": read_medication,
    "MedicationStatement": read_medication,
    "Procedure": read_procedure,
    "ServiceRequest": read_procedure,
    "Encounter": read_encounter,
}


@dataclass(frozen=True, slots=True)
class Chart:
    """What a patient's FHIR resources say.

    Attributes
    ----------
    measurements : tuple of Measurement
        One a feature at most, in the feature's own unit, coarsened; all may be used.
    times : mapping
        Feature name to when it was taken (UTC, whole seconds); not for what has no moment, such as
        age or a diagnosis.
    set_aside : tuple of (feature name, reason)
        Values that were passed over, each reason once; an older value may be used all the same.
    ignored : mapping
        Reason to how many resources said nothing: `other_patient`, `no_subject`, `not_final`,
        `not_in_dictionary`, `operation_outcome`, `other_type`, `unreadable`, `too_deep`.
    basis : tuple of (feature name, reference)
        Which resource each measurement came from: for `RiskAssessment.basis`, never stored or logged.
    subject : str or None
        As a REST client would name the patient: the same patient must get the same pseudonym whichever
        way in is used. For the pseudonymiser alone.
    deceased : bool
        Whether the patient was dead at the index time.
    protected : bool
        Whether a Patient resource, in a Bundle or not, is marked as restricted. Any one will do: more
        protection never hurts.
    """

    measurements: tuple[Measurement, ...]
    times: Mapping[str, datetime]
    set_aside: tuple[tuple[str, str], ...]
    ignored: Mapping[str, int]
    basis: tuple[tuple[str, str], ...]
    subject: str | None = field(default=None, repr=False)
    deceased: bool = False
    protected: bool = False


def read_chart(
    resources: Iterable[Mapping[str, Any]],
    *,
    patient: str,
    point: BranchPoint,
    vocabulary: Vocabulary,
    coding: Coding,
    index_time: datetime,
) -> Chart:
    """Read what a branch point can use of resources; nothing that was sent makes it fail.

    Parameters
    ----------
    resources : iterable of mapping
        Resources or Bundles. Bundles are best passed whole: only then are references to an entry's
        URL resolved and complete lists of diagnoses seen.
    patient : str
        The context's patient: a logical id, `Patient/<id>`, an absolute URL, or an entry's
        `urn:uuid:`. No other patient's resource is read.
    index_time : datetime
        With a time zone. Nothing taken or recorded later is used.

    Examples
    --------
    >>> from models.vocabulary import load_vocabulary
    >>> from app.fhir.coding import load_coding
    >>> words = load_vocabulary()
    >>> sodium = {
    ...     "resourceType": "Observation", "id": "7", "status": "final",
    ...     "code": {"coding": [{"system": "http://loinc.org", "code": "2951-2"}]},
    ...     "subject": {"reference": "Patient/1"}, "effectiveDateTime": "2026-11-21T06:00:00Z",
    ...     "valueQuantity": {"value": 139, "system": "http://unitsofmeasure.org", "code": "mmol/L"},
    ... }
    >>> chart = read_chart(
    ...     [sodium], patient="1", point=words.branch_points["icu-review"], vocabulary=words,
    ...     coding=load_coding(words), index_time=datetime(2026, 11, 21, 8, tzinfo=UTC),
    ... )
    >>> [(m.feature.name, m.value) for m in chart.measurements], chart.basis
    ([('sodium', 139.0)], (('sodium', 'Observation/7'),))
    """
    index_time = index_time.astimezone(UTC).replace(microsecond=0)
    unpacked = unpack(list(resources))
    whose = PatientOf(patient, unpacked.entries)
    wanted = frozenset(point.features)
    ignored = _unread(unpacked)
    own: list[Entry] = []
    people: list[Entry] = []
    protected = False
    for entry in unpacked.entries:
        kind = entry.resource["resourceType"]
        if kind == "Patient":
            protected = protected or is_protected(entry.resource)
            if whose.is_it(entry):
                people.append(entry)
            else:
                ignored["other_patient"] += 1
        elif kind == "OperationOutcome":
            ignored["operation_outcome"] += 1
        elif kind != "Observation" and kind not in HISTORIES:
            ignored["other_type"] += 1
        elif refusal := whose.refusal(entry):
            ignored[refusal] += 1
        else:
            own.append(entry)
    person = read_person(people, wanted, vocabulary, index_time)
    said: dict[str, list[Candidate]] = defaultdict(list)
    for entry in own:
        for candidate in _candidates(entry, wanted, coding, index_time):
            if isinstance(candidate, str):
                ignored[candidate] += 1
            elif candidate.feature.name in wanted:
                said[candidate.feature.name].append(candidate)
    measurements = list(person.measurements)
    set_aside = list(person.set_aside)
    basis = list(person.basis)
    times: dict[str, datetime] = {}
    for name, candidates in said.items():
        measurement, source, moment, reasons = _settled(candidates, index_time, point)
        set_aside += [(name, reason) for reason in reasons]
        if measurement is None:
            continue
        measurements.append(measurement)
        basis.append((name, source))
        if moment is not None:
            times[name] = moment
    absent = _absent(unpacked, own, wanted, coding)
    for name, source in absent.items():
        if name not in said:
            measurements.append(Measurement(vocabulary.features[name], 0.0))
            basis.append((name, source))
    return Chart(
        tuple(measurements),
        MappingProxyType(times),
        tuple(dict.fromkeys(set_aside)),
        MappingProxyType(dict(ignored)),
        tuple(basis),
        subject_of(
            people,
            systems=coding.identifiers,
            otherwise=whose.logical_id or patient[:LONGEST_NAME] or None,
        ),
        person.deceased,
        protected,
    )


def _unread(unpacked: Unpacked) -> Counter[str]:
    counts = Counter({"unreadable": unpacked.unreadable, "too_deep": unpacked.too_deep})
    return +counts


def _candidates(
    entry: Entry, wanted: Collection[str], coding: Coding, index_time: datetime
) -> Iterator[Candidate | str]:
    kind = entry.resource["resourceType"]
    if kind == "Observation":
        return read_observation(entry, wanted, coding, index_time)
    return HISTORIES[kind](entry, coding, index_time)


def _settled(
    candidates: list[Candidate], index_time: datetime, point: BranchPoint
) -> tuple[Measurement | None, str, datetime | None, tuple[str, ...]]:
    """The measurement of one feature, where it came from, when, and what was passed over.

    An Observation of the feature goes before what codes of other resources let conclude.
    """
    chosen = choose([c for c in candidates if not c.lasting], index_time, point)
    if (candidate := chosen.candidate) is not None and candidate.value is not None:
        found = Measurement(candidate.feature, candidate.value)
        moment = candidate.span.earliest if candidate.span else None
        return found, candidate.basis, moment, chosen.set_aside
    usable: list[tuple[Measurement, str]] = []
    reasons: list[str] = []
    for candidate in candidates:
        if not candidate.lasting:
            continue
        measurement = Measurement(candidate.feature, candidate.value or 0.0)
        reason = candidate.reason or reason_here(measurement, point)
        if reason is None:
            usable.append((measurement, candidate.basis))
        else:
            reasons.append(reason)
    if len({measurement.value for measurement, _ in usable}) > 1:
        reasons, usable = [*reasons, "contradictory_values"], []
    if not usable:
        return None, "", None, tuple(dict.fromkeys([*chosen.set_aside, *reasons]))
    # One resource that counts is enough: that another does not says nothing against it.
    return *usable[0], None, chosen.set_aside


def _absent(
    unpacked: Unpacked, own: list[Entry], wanted: Collection[str], coding: Coding
) -> dict[str, str]:
    """Flags that a complete list of the patient's diagnoses makes false, and what that came from."""
    found: dict[str, str] = {}
    mine = {id(entry.resource) for entry in own}
    for number in unpacked.complete_lists:
        listed = [entry for entry in unpacked.entries if entry.list_number == number]
        if listed and all(id(entry.resource) in mine for entry in listed):
            for feature in absent_flags(listed, wanted, coding):
                found.setdefault(feature.name, basis_of(listed[0]))
    return found
