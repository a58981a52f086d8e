"""Diagnoses, drugs, procedures and admissions: what follows from their codes by the rules.

They make a feature true or name a category. That something is absent says nothing, except for
diagnoses where a complete list was sent (the head of `coding.toml` says what that is).

A resource counts only when it could have been known at the index time: `recordedDate` (or `authoredOn`,
`dateAsserted`) and whatever says when it began must not be later; one without any such time counts
only when the server says it held it by then (`meta.lastUpdated`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from app.fhir.bundle import Entry
from app.fhir.candidates import Candidate, basis_of
from app.fhir.coding import Coding, Rule
from app.fhir.times import Span, read_time
from models.vocabulary import Feature

PRESENT = ("active", "recurrence", "relapse")
PAST = ("inactive", "remission", "resolved")
NOT_FINAL, NOT_IN_DICTIONARY = "not_final", "not_in_dictionary"
LATER, NO_TIME = "later_than_index_time", "no_time"
RECENT = timedelta(days=30)
"""How long ago a completed procedure may be to be the operation this is about: product proposal."""


def read_condition(entry: Entry, coding: Coding, index_time: datetime) -> Iterator[Candidate | str]:
    """A diagnosis: present, or past where the rule counts history; never a refuted one."""
    resource = entry.resource
    verification = _codes(resource.get("verificationStatus"))
    clinical = _codes(resource.get("clinicalStatus"))
    if verification & {"refuted", "entered-in-error"} or "code" not in resource:
        yield NOT_FINAL
        return
    rules = coding.rules("condition", resource["code"])
    if not rules:
        yield NOT_IN_DICTIONARY
    reason = _known_by(
        index_time, resource, ("recordedDate", "onsetDateTime"), ("onsetPeriod",), ()
    )
    if verification and "confirmed" not in verification:
        reason = "not_confirmed"
    for rule in rules:
        if not clinical or clinical & set(PRESENT) or (rule.history and clinical & set(PAST)):
            yield _candidate(entry, rule, reason)


def read_medication(
    entry: Entry, coding: Coding, index_time: datetime
) -> Iterator[Candidate | str]:
    """A drug that is being taken: active now, and ordered or stated by the index time."""
    resource = entry.resource
    if resource.get("status") != "active" or resource.get("doNotPerform") is True:
        yield NOT_FINAL
        return
    if resource.get("intent") in ("proposal", "plan", "option"):
        yield NOT_FINAL
        return
    rules = coding.rules("medication", resource.get("medicationCodeableConcept"))
    if not rules:
        yield NOT_IN_DICTIONARY
    reason = _known_by(
        index_time,
        resource,
        ("authoredOn", "dateAsserted", "effectiveDateTime"),
        ("effectivePeriod",),
        ("effectivePeriod",),
    )
    for rule in rules:
        yield _candidate(entry, rule, reason)


def read_procedure(entry: Entry, coding: Coding, index_time: datetime) -> Iterator[Candidate | str]:
    """The operation that this is about: planned, going on, or completed within thirty days."""
    resource = entry.resource
    rules = coding.rules("procedure", resource.get("code"))
    if not rules:
        yield NOT_IN_DICTIONARY
        return
    status = resource.get("status")
    if resource["resourceType"] == "ServiceRequest":
        if status not in ("active", "draft") or resource.get("doNotPerform") is True:
            yield NOT_FINAL
            return
        reason = _known_by(index_time, resource, ("authoredOn",), (), ())
    elif status == "completed":
        reason = _performed_recently(resource, index_time)
    elif status in ("preparation", "in-progress"):
        reason = _known_by(index_time, resource, (), ("performedPeriod",), ())
    else:
        yield NOT_FINAL
        return
    for rule in rules:
        yield _candidate(entry, rule, reason)


def read_encounter(entry: Entry, coding: Coding, index_time: datetime) -> Iterator[Candidate | str]:
    """The day of an admission that lasts at the index time; the day of admission is 1.

    Days change at midnight where the admission was recorded: in the offset of `period.start`.
    """
    resource = entry.resource
    rules = coding.rules("encounter", {"coding": [resource.get("class")]})
    if not rules:
        yield NOT_IN_DICTIONARY
        return
    if resource.get("status") not in ("in-progress", "onleave", "finished"):
        yield NOT_FINAL
        return
    period = resource.get("period")
    text = period.get("start") if isinstance(period, Mapping) else None
    start = read_time(text)
    if not isinstance(text, str) or start is None or len(text) <= len("2026-11-22"):
        for rule in rules:
            yield _candidate(entry, rule, NO_TIME if start is None else "time_not_precise")
        return
    end = read_time(period.get("end")) if isinstance(period, Mapping) else None
    if start.latest > index_time or (end is not None and end.earliest < index_time):
        return  # not the present stay
    zone = datetime.fromisoformat(text).tzinfo
    day = (index_time.astimezone(zone).date() - start.earliest.astimezone(zone).date()).days + 1
    for rule in rules:
        yield _candidate(entry, rule, None)._replace(value=float(day))


def absent_flags(
    entries: Sequence[Entry], wanted: Collection[str], coding: Coding
) -> list[Feature]:
    """Flags that are false because a complete list of diagnoses has none of theirs.

    Parameters
    ----------
    entries : sequence of Entry
        The patient's Conditions that one complete list holds, all of them.
    """
    matched: set[str] = set()
    for entry in entries:
        concept = entry.resource.get("code")
        if not coding.has_prefixes(concept):
            return []
        # Whatever its status or time: a diagnosis that may be meant forbids to say there is none.
        matched |= {rule.feature.name for rule in coding.rules("condition", concept)}
    return [f for f in coding.complete if f.name in wanted and f.name not in matched]


def _candidate(entry: Entry, rule: Rule, reason: str | None) -> Candidate:
    return Candidate(rule.feature, basis_of(entry), rule.value, reason, lasting=True)


def _codes(concept: object) -> set[str]:
    if not isinstance(concept, Mapping) or not isinstance(concept.get("coding"), list):
        return set()
    return {
        coding["code"]
        for coding in concept["coding"]
        if isinstance(coding, Mapping) and isinstance(coding.get("code"), str)
    }


def _known_by(
    index_time: datetime,
    resource: Mapping[str, Any],
    moments: Sequence[str],
    starts: Sequence[str],
    ends: Sequence[str],
) -> str | None:
    """Why a resource must not count at the index time, by its dates and its periods' bounds."""
    given: list[object] = [resource[key] for key in moments if resource.get(key) is not None]
    for keys, bound in ((starts, "start"), (ends, "end")):
        for key in keys:
            period = resource.get(key)
            if isinstance(period, Mapping) and period.get(bound) is not None:
                if bound == "end":
                    end = read_time(period["end"])
                    if end is None or end.earliest < index_time:
                        return NO_TIME if end is None else "too_old"
                    continue
                given.append(period[bound])
    if not given:
        meta = resource.get("meta")
        given = [meta.get("lastUpdated")] if isinstance(meta, Mapping) else []
    spans: list[Span | None] = [read_time(text) for text in given]
    if not spans or None in spans:
        return NO_TIME
    return LATER if any(span and span.latest > index_time for span in spans) else None


def _performed_recently(resource: Mapping[str, Any], index_time: datetime) -> str | None:
    period = resource.get("performedPeriod")
    text = resource.get("performedDateTime")
    if isinstance(period, Mapping):
        text = period.get("end") or period.get("start")
    span = read_time(text)
    if span is None:
        return NO_TIME
    if span.latest > index_time:
        return LATER
    return "too_old" if index_time - span.earliest > RECENT else None
