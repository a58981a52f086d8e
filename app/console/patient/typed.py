"""What somebody typed into the form of a branch point, as the request that every way in asks with. Pure.

Nothing names a patient: there is no field for one, and what the form does not have is not read.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.errors import Problem
from app.schemas.assessment_request import (
    INCLUDES,
    AssessmentRequest,
    read_assessment_request,
)
from models.vocabulary import BranchPoint, Feature, Vocabulary

VALUE, UNIT = "v.", "u."
"""What stands before a feature's name in the names of its two fields."""
IF_FEATURE, IF_VALUE, CARE_UNIT = "if_feature", "if_value", "care_unit"
YES, NO = "yes", "no"
AT = "/measurements/"
UNREADABLE = 422


@dataclass(frozen=True, slots=True)
class Typed:
    """A form that was filled in.

    Attributes
    ----------
    texts, units : mapping
        Feature name to what was typed, and to the unit that was chosen.
    request : AssessmentRequest
        With everything that could be read.
    unreadable : frozenset of str
        Features whose text says nothing that the dictionary knows.
    what_if : AssessmentRequest or None
        The same with one value another.
    changed : str or None
        The feature that is another in `what_if`.
    """

    texts: Mapping[str, str] = field(repr=False)
    units: Mapping[str, str] = field(repr=False)
    request: AssessmentRequest = field(repr=False)
    unreadable: frozenset[str]
    what_if: AssessmentRequest | None = field(default=None, repr=False)
    changed: str | None = None


def inputs_of(point: BranchPoint, vocabulary: Vocabulary) -> list[Feature]:
    """What the form asks for: every input of a branch point but raw codes, which no model reads."""
    features = (vocabulary.features[name] for name in point.features)
    return [feature for feature in features if feature.kind != "code"]


def read_typed(
    form: Mapping[str, str], point: BranchPoint, vocabulary: Vocabulary, language: str
) -> Typed:
    """Read a form; what cannot be read is named, the rest is asked about."""
    texts: dict[str, str] = {}
    units: dict[str, str] = {}
    for feature in inputs_of(point, vocabulary):
        texts[feature.name] = form.get(VALUE + feature.name, "").strip()
        if chosen := form.get(UNIT + feature.name):
            units[feature.name] = chosen
    sent = _measurements(texts, units, vocabulary, language)
    request, unreadable = _readable(sent, form.get(CARE_UNIT) or None, point, vocabulary)
    changed, instead = form.get(IF_FEATURE, ""), form.get(IF_VALUE, "").strip()
    what_if = None
    if changed in texts and instead:
        other = _measurements({changed: instead}, units, vocabulary, language)
        what_if, faulty = _readable({**sent, **other}, None, point, vocabulary)
        if changed in faulty:
            what_if = None
    return Typed(
        texts, units, request, unreadable, what_if, changed if what_if is not None else None
    )


def _measurements(
    texts: Mapping[str, str], units: Mapping[str, str], vocabulary: Vocabulary, language: str
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, text in texts.items():
        feature = vocabulary.features[name]
        if not text:
            continue
        if feature.kind == "number":
            found[name] = {"value": as_number(text, language), "unit": units.get(name)}
        elif feature.kind == "flag":
            found[name] = {YES: True, NO: False}.get(text, text)
        else:
            found[name] = text
    return found


def as_number(text: str, language: str) -> float | str:
    """A number as it is typed in a language; the text itself when it is none.

    A comma is a decimal point in Swedish. In English it could be either, so it is not read at all: a
    platelet count of 1,234 must not become 1.234.

    Examples
    --------
    >>> as_number("7,25", "sv"), as_number("1 234", "sv"), as_number("1,234", "en"), as_number("71", "en")
    (7.25, 1234.0, '1,234', 71.0)
    """
    told = text.replace("\u2212", "-")
    for space in (" ", "\u00a0", "\u202f"):
        told = told.replace(space, "")
    if language == "sv":
        told = told.replace(",", ".")
    try:
        value = float(told)
    except ValueError:
        return text
    return value if math.isfinite(value) and "_" not in told else text


def _readable(
    sent: Mapping[str, Any], care_unit: str | None, point: BranchPoint, vocabulary: Vocabulary
) -> tuple[AssessmentRequest, frozenset[str]]:
    """The request without what is refused, and the names of that."""
    left, refused = dict(sent), frozenset[str]()
    while True:
        document = {"measurements": left, "unit": care_unit, "include": list(INCLUDES[:1])}
        try:
            return read_assessment_request(document, point, vocabulary), refused
        except Problem as problem:
            faulty = _named(problem, left)
            if not faulty:
                raise
            refused |= faulty
            left = {name: value for name, value in left.items() if name not in faulty}


def _named(problem: Problem, sent: Collection[str]) -> frozenset[str]:
    if problem.status != UNREADABLE:
        return frozenset()
    at = (fault.pointer.removeprefix(AT).partition("/")[0] for fault in problem.errors)
    return frozenset(at).intersection(sent)
