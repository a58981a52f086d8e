"""An assessment request: parsed strictly, taken in the dictionary's terms, every fault named.

All faults of a request are reported together. Nothing that was sent is repeated: an unknown name is
pointed at by its position, because somebody will put a personal number there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

from app.errors import InputError, Problem
from app.schemas.strict_json import parse_json
from models.errors import InvalidValue, UnitNotConvertible
from models.vocabulary import BranchPoint, Measurement, Vocabulary, take

FIELDS = (
    "subject", "episode", "unit", "index_time", "measurements", "outcomes", "include",
    "protected_identity",
)  # fmt: skip
INCLUDES = ("measure_next", "reference")
MEASUREMENT_KEYS = {"value", "unit", "time"}
SET_ASIDE = {
    "implausible_value": "outside the plausible range",
    "later_than_index_time": "taken or recorded after the index time",
    "too_old": "older than its declared maximum age",
    "unit_not_convertible": "in a unit that the dictionary does not list",
    "no_unit": "without a unit",
    "invalid_value": "of a type that the feature does not have",
    "comparator": "known only to be above or below a limit",
    "data_absent": "marked as absent by its source",
    "unknown_code": "a code without a meaning for the feature",
    "ambiguous_code": "its codes mean several things",
    "no_time": "nobody says when it was taken",
    "time_not_precise": "its date leaves too much open",
    "preliminary": "a preliminary result",
    "not_confirmed": "a diagnosis that is not confirmed",
    "contradictory_values": "several values that contradict each other",
}
"""Why a value was passed over on its way out of a patient's chart."""
LONGEST_NAME = 200
MOST_FAULTS = 50
NOT_KNOWN = "is not in the dictionary; GET /v1/features lists all names"
RFC_3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class AssessmentRequest:
    """What a caller asked, identifiers still in it: never leaves `app`, never below `deid`.

    Attributes
    ----------
    measurements : tuple of Measurement
        In the dictionary's terms, none with an age yet.
    times : mapping
        Feature name to the time that was sent beside its value.
    set_aside : tuple of (feature name, reason)
        What could not be taken at all, each reason one of `SET_ASIDE`. Only ways in that cannot
        refuse a request for one bad value among many have any: a chart is not typed by its sender.
    """

    subject: str | None = field(repr=False)
    episode: str | None = field(repr=False)
    unit: str | None = field(repr=False)
    index_time: datetime | None
    measurements: tuple[Measurement, ...]
    outcomes: tuple[str, ...]
    include: tuple[str, ...]
    protected_identity: bool = False
    times: Mapping[str, datetime] = field(default_factory=dict)
    set_aside: tuple[tuple[str, str], ...] = ()


def parse_assessment_request(
    body: bytes, point: BranchPoint, vocabulary: Vocabulary
) -> AssessmentRequest:
    """Parse and check one request body.

    Raises
    ------
    Problem
        400 when it is not JSON; 422 with all faults when it cannot be used.
    """
    return read_assessment_request(parse_json(body), point, vocabulary)


def read_assessment_request(
    document: Any, point: BranchPoint, vocabulary: Vocabulary
) -> AssessmentRequest:
    """Check one request that is no longer, or never was, JSON text.

    Raises
    ------
    Problem
        422 with all faults when it cannot be used.
    """
    faults: list[InputError] = []
    if not isinstance(document, dict):
        faults.append(InputError("", "invalid_value", "expects a JSON object"))
        raise refused(faults)
    for position, key in enumerate(document):
        if key not in FIELDS:
            expected = f"unknown field; known: {', '.join(FIELDS)}"
            faults.append(InputError(f"/{position}", "unknown_field", expected))
    names = {key: read_name(document, key, faults) for key in ("subject", "episode", "unit")}
    index_time = None
    if document.get("index_time") is not None:
        index_time = read_time(document["index_time"], "/index_time", faults)
    measurements, times = read_measurements(document, point, vocabulary, faults)
    request = AssessmentRequest(
        subject=names["subject"],
        episode=names["episode"],
        unit=names["unit"],
        index_time=index_time,
        measurements=measurements,
        outcomes=_choices(document, "outcomes", tuple(point.outcomes), "unknown_outcome", faults),
        include=_choices(document, "include", INCLUDES, "invalid_value", faults),
        protected_identity=_flag(document, "protected_identity", faults),
        times=times,
    )
    if faults:
        raise refused(faults)
    return request


def refused(faults: list[InputError]) -> Problem:
    if len(faults) == 1:
        return Problem(422, f"{faults[0].code}: {faults[0].detail}", faults)
    return Problem(422, f"The request has {len(faults)} faults.", faults[:MOST_FAULTS])


def read_name(document: Mapping[str, Any], key: str, faults: list[InputError]) -> str | None:
    value = document.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME:
        expected = f"expects a string of 1 to {LONGEST_NAME} characters"
        faults.append(InputError(f"/{key}", "invalid_value", expected))
        return None
    return value


def _flag(document: Mapping[str, Any], key: str, faults: list[InputError]) -> bool:
    value = document.get(key)
    if value is None or isinstance(value, bool):
        return bool(value)
    faults.append(InputError(f"/{key}", "invalid_value", "expects true or false"))
    return False


def read_time(value: Any, pointer: str, faults: list[InputError]) -> datetime | None:
    """Read a time in UTC, to the second: nine digits of a fraction are room for an identifier."""
    if isinstance(value, str) and RFC_3339.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC).replace(microsecond=0)
        except (ValueError, OverflowError):
            pass
    expected = "expects an RFC 3339 time with offset, such as 2026-11-21T08:15:00Z"
    faults.append(InputError(pointer, "invalid_value", expected))
    return None


def _choices(
    document: Mapping[str, Any],
    key: str,
    allowed: tuple[str, ...],
    code: str,
    faults: list[InputError],
) -> tuple[str, ...]:
    sent = document.get(key)
    if sent is None:
        return ()
    if not isinstance(sent, list):
        faults.append(InputError(f"/{key}", "invalid_value", "expects a list of strings"))
        return ()
    for position, item in enumerate(sent):
        if not isinstance(item, str) or item not in allowed:
            expected = f"expects one of: {', '.join(allowed)}"
            faults.append(InputError(f"/{key}/{position}", code, expected))
    return tuple(dict.fromkeys(item for item in sent if isinstance(item, str) and item in allowed))


def read_measurements(
    document: Mapping[str, Any],
    point: BranchPoint,
    vocabulary: Vocabulary,
    faults: list[InputError],
) -> tuple[tuple[Measurement, ...], dict[str, datetime]]:
    """Take a document's `measurements` in the dictionary's terms, with the times that were sent."""
    sent = document.get("measurements")
    if not isinstance(sent, dict):
        faults.append(
            InputError("/measurements", "invalid_value", "expects an object: feature to value")
        )
        return (), {}
    taken: list[Measurement] = []
    times: dict[str, datetime] = {}
    for position, (name, given) in enumerate(sent.items()):
        feature = vocabulary.features.get(name)
        if feature is None:
            # Near names of faults that nobody will be shown are not worth the time they cost.
            expected = _near(name, vocabulary) if len(faults) < MOST_FAULTS else NOT_KNOWN
            faults.append(InputError(f"/measurements/{position}", "unknown_feature", expected))
            continue
        pointer = f"/measurements/{name}"
        if not vocabulary.can_be_known(name, point.id):
            expected = f"is known from `{feature.earliest}` on, not at `{point.id}`"
            faults.append(InputError(pointer, "not_available_at_branch_point", expected))
            continue
        value, unit, time = given, None, None
        if isinstance(given, dict):
            unit, time = _unit_and_time(given, pointer, faults)
            value = given.get("value")
        if value is None:
            continue  # not measured
        try:
            taken.append(Measurement(feature, take(feature, value, unit)))
            if time is not None:
                times[name] = time
        except UnitNotConvertible as error:
            faults.append(InputError(pointer, "unit_not_convertible", str(error)))
        except InvalidValue as error:
            faults.append(InputError(pointer, "invalid_value", str(error)))
    return tuple(taken), times


def _unit_and_time(
    sent: Mapping[str, Any], pointer: str, faults: list[InputError]
) -> tuple[str | None, datetime | None]:
    if not MEASUREMENT_KEYS.issuperset(sent) or "value" not in sent:
        expected = "expects `value`, and may have `unit` and `time`"
        faults.append(InputError(pointer, "invalid_value", expected))
    unit = sent.get("unit")
    if unit is not None and not isinstance(unit, str):
        faults.append(InputError(f"{pointer}/unit", "invalid_value", "expects a string"))
        unit = None
    time = sent.get("time")
    return unit, None if time is None else read_time(time, f"{pointer}/time", faults)


def _near(name: str, vocabulary: Vocabulary) -> str:
    """Dictionary names like the one sent; long strings are no typing error and are not compared."""
    near = get_close_matches(name.lower(), vocabulary.features, n=3) if len(name) <= 64 else []
    if not near:
        return NOT_KNOWN
    return f"is not in the dictionary; near names: {', '.join(near)}"
