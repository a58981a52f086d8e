"""Observations: whole ones and their components, by exact code, unit and status."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from app.fhir.bundle import Entry
from app.fhir.candidates import Candidate, basis_of, reported_at
from app.fhir.coding import Coding, Meaning
from app.fhir.times import Span, read_time
from app.fhir.values import NotUsable, has_value, read_value

USABLE = ("final", "amended", "corrected")
PRELIMINARY = "preliminary"
NOT_IN_DICTIONARY, NOT_FINAL = "not_in_dictionary", "not_final"
AGE, LATER = "age", "later_than_index_time"


def read_observation(
    entry: Entry, wanted: Collection[str], coding: Coding, index_time: datetime
) -> Iterator[Candidate | str]:
    """What an Observation says about wanted features; a bare string says why it was ignored."""
    resource = entry.resource
    status = resource.get("status")
    if status not in USABLE and status != PRELIMINARY:
        yield NOT_FINAL
        return
    known, span = False, None
    for holder, meanings in _holders(resource, coding):
        if not meanings:
            continue
        if not known:
            known, span = True, _taken(resource)
        for name, meaning in meanings.items():
            # Age is counted from the date of birth; an Observation of it was true on another day.
            if name not in wanted or name == AGE:
                continue
            if holder is resource and resource.get("component") and not has_value(holder):
                continue  # a panel: its components speak
            several = len(meanings) > 1
            yield _candidate(entry, holder, meaning, span, coding, index_time, ambiguous=several)
    if not known:
        yield NOT_IN_DICTIONARY


def _holders(
    resource: Mapping[str, Any], coding: Coding
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Meaning]]]:
    """The Observation and its components, each with the features that its code names."""
    meanings = coding.meanings(resource.get("code"))
    if not meanings and "valueCodeableConcept" in resource:
        meanings = coding.self_described(resource["valueCodeableConcept"])
    yield resource, meanings
    components = resource.get("component")
    if isinstance(components, list):
        for component in components:
            if isinstance(component, dict):
                yield component, coding.meanings(component.get("code"))


def _candidate(
    entry: Entry,
    holder: Mapping[str, Any],
    meaning: Meaning,
    span: Span | None,
    coding: Coding,
    index_time: datetime,
    *,
    ambiguous: bool,
) -> Candidate:
    feature = meaning.feature
    if entry.resource["status"] == PRELIMINARY:
        return Candidate(feature, "", None, PRELIMINARY, span)
    if ambiguous:
        return Candidate(feature, "", None, "ambiguous_code", span)

    def read() -> Candidate:
        try:
            value, own_unit = read_value(holder, meaning, coding)
        except NotUsable as refusal:
            return Candidate(feature, "", None, refusal.reason, span)
        report = read_time(entry.resource.get("issued"))
        if report is not None and report.earliest > index_time:
            # Taken before, but nobody could have known it then.
            return Candidate(feature, "", None, LATER, span)
        issued = reported_at(entry.resource)
        return Candidate(feature, basis_of(entry), value, None, span, issued, own_unit)

    return Candidate(feature, "", span=span, read=read)


def _taken(resource: Mapping[str, Any]) -> Span | None:
    """When it was measured; `issued` is when it was reported and says nothing about that."""
    for key in ("effectiveDateTime", "effectiveInstant"):
        if key in resource:
            return read_time(resource[key])
    period = resource.get("effectivePeriod")
    return read_time(period.get("end")) if isinstance(period, dict) else None
