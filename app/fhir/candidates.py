"""What resources say about features, each with its time, before the newest usable one is chosen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from app.fhir.bundle import Entry
from app.fhir.times import Span, read_time
from models.vocabulary import BranchPoint, Feature, Measurement, reason_here


class Candidate(NamedTuple):
    """One statement about a feature.

    Attributes
    ----------
    value : float or None
        As `models.vocabulary.take` makes it; None when it must not be used.
    reason : str or None
        Why it must not be used.
    span : Span or None
        When it was taken; None when nobody said.
    issued : datetime or None
        When it was reported: of two values of one moment the later report counts.
    own_unit : bool
        Whether it came in the feature's own unit: preferred to the same result converted.
    lasting : bool
        Whether it holds without a moment of its own, as a diagnosis does.
    read : callable, optional
        Gives the statement with its value; called for the newest ones only, because a long stay has
        thousands of values that nobody will use.
    """

    feature: Feature
    basis: str
    value: float | None = None
    reason: str | None = None
    span: Span | None = None
    issued: datetime | None = None
    own_unit: bool = True
    lasting: bool = False
    read: Callable[[], Candidate] | None = None


class Chosen(NamedTuple):
    """The value of a feature, if any, and the reasons why newer ones were passed over."""

    candidate: Candidate | None
    set_aside: tuple[str, ...]


def basis_of(entry: Entry) -> str:
    """`Observation/123`; the type alone where there is no id."""
    kind, identity = entry.resource["resourceType"], entry.resource.get("id")
    return f"{kind}/{identity}" if isinstance(identity, str) else str(kind)


def reported_at(resource: Any) -> datetime | None:
    """When a resource was issued or last changed, for choosing between values of one moment."""
    meta = resource.get("meta")
    updated = meta.get("lastUpdated") if isinstance(meta, dict) else None
    for text in (resource.get("issued"), updated):
        span = read_time(text)
        if span is not None:
            return span.latest
    return None


def choose(candidates: list[Candidate], index_time: datetime, point: BranchPoint) -> Chosen:
    """The newest candidate that may be used, and why newer ones may not.

    Whatever cannot be placed in time is passed over and named. Of values of one moment the one
    reported last counts, then the one in the feature's own unit; if they still differ, nobody can
    say which is right, and all of that moment are passed over.
    """
    set_aside = [c.reason or "no_time" for c in candidates if c.span is None]
    timed = [(c.span, c) for c in candidates if c.span is not None]
    timed.sort(key=lambda pair: pair[0].earliest, reverse=True)
    position = 0
    while position < len(timed):
        moment = timed[position][0].earliest
        group = []
        while position < len(timed) and timed[position][0].earliest == moment:
            span, candidate = timed[position]
            position += 1
            if span.earliest > index_time:
                set_aside.append("later_than_index_time")
                continue
            if candidate.read is not None:
                candidate = candidate.read()
            reason = _refusal(candidate, span, index_time, point)
            if reason is None:
                group.append(candidate)
            else:
                set_aside.append(reason)
        if group:
            best = max(_rank(candidate) for candidate in group)
            leading = [candidate for candidate in group if _rank(candidate) == best]
            if all(candidate.value == leading[0].value for candidate in leading):
                return Chosen(leading[0], tuple(dict.fromkeys(set_aside)))
            set_aside.append("contradictory_values")
    return Chosen(None, tuple(dict.fromkeys(set_aside)))


def _rank(candidate: Candidate) -> tuple[float, bool]:
    return (candidate.issued.timestamp() if candidate.issued else 0.0, candidate.own_unit)


def _refusal(
    candidate: Candidate, span: Span, index_time: datetime, point: BranchPoint
) -> str | None:
    if candidate.reason is not None or candidate.value is None:
        return candidate.reason or "invalid_value"
    if span.latest > index_time or not span.day:
        return "later_than_index_time" if span.day and _is_moment(span) else "time_not_precise"
    age_s = int((index_time - span.earliest).total_seconds())
    return reason_here(Measurement(candidate.feature, candidate.value, age_s), point)


def _is_moment(span: Span) -> bool:
    return (span.latest - span.earliest).total_seconds() <= 1
