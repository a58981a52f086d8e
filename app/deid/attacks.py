"""The guard proves itself by attack: identifiers are planted everywhere, and what leaves is searched.

Every attack goes through the code that answers requests. What is searched afterwards is everything
that could be stored, logged or answered: the inputs as they are stored, pseudonyms, unit, times,
choices, the measurements that a model sees, and the problem document of a refusal.

What no rule can stop is a sender who deliberately spreads a number over three or more measurements,
four digits in each: numbers are what the service is for. Two are not enough, and that is tried.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from app.deid.disguises import PERSON, Disguise, disguises
from app.deid.pseudonym import Pseudonymiser
from app.deid.scrub import IdentifierFound, scrub, stored_inputs
from app.errors import Problem
from app.schemas.assessment_request import parse_assessment_request
from models.tripwire import Haystack, find_identifiers
from models.vocabulary import BranchPoint, Feature, Vocabulary, settle

BLOCKED, ALLOWED = "BLOCKED", "ALLOWED"
INDEX_TIME = "2026-11-21T08:15:00Z"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
Progress = Callable[[int, int], None]


class _Attack(NamedTuple):
    field: str
    encoding: str
    body: bytes
    identifier: str
    # Pieces of a split identifier: it has left when all of them have.
    pieces: tuple[str, ...] = ()


def run_attacks(
    point: BranchPoint,
    vocabulary: Vocabulary,
    *,
    tenant: str,
    care_units: Collection[str],
    now: datetime,
    pseudonymiser: Pseudonymiser,
    progress: Progress | None = None,
) -> list[dict[str, str]]:
    """Plant identifiers into every field of a request, in every disguise, and say what became of it.

    Parameters
    ----------
    progress : callable, optional
        Told after every attack how many are done, and of how many.

    Returns
    -------
    list of dict
        `field`, `encoding` and `verdict`: BLOCKED, or ALLOWED when the identifier, in any form that
        a search can recognise, is in something that leaves.
    """
    attacks = list(_attacks(point, vocabulary))
    verdicts = []
    for done, attack in enumerate(attacks, start=1):
        leaving = _leaving(attack.body, point, vocabulary, tenant, care_units, now, pseudonymiser)
        verdict = ALLOWED if _survives(attack, leaving) else BLOCKED
        verdicts.append({"field": attack.field, "encoding": attack.encoding, "verdict": verdict})
        if progress is not None:
            progress(done, len(attacks))
    return verdicts


def summarise(verdicts: list[dict[str, str]]) -> dict[str, Any]:
    """Count verdicts, and list what was allowed.

    Examples
    --------
    >>> summarise([{"field": "unit", "encoding": "reversed", "verdict": "BLOCKED"}])
    {'tried': 1, 'blocked': 1, 'allowed': 0, 'fields': 1, 'encodings': 1, 'holes': []}
    """
    holes = [verdict for verdict in verdicts if verdict["verdict"] == ALLOWED]
    return {
        "tried": len(verdicts),
        "blocked": len(verdicts) - len(holes),
        "allowed": len(holes),
        "fields": len({verdict["field"] for verdict in verdicts}),
        "encodings": len({verdict["encoding"] for verdict in verdicts}),
        "holes": holes,
    }


def _leaving(
    body: bytes,
    point: BranchPoint,
    vocabulary: Vocabulary,
    tenant: str,
    care_units: Collection[str],
    now: datetime,
    pseudonymiser: Pseudonymiser,
) -> str:
    """Everything that leaves of a request, as one text."""
    try:
        request = parse_assessment_request(body, point, vocabulary)
        clean = scrub(
            request, tenant=tenant, care_units=care_units, now=now, pseudonymiser=pseudonymiser
        )
        leaving: dict[str, Any] = {
            "inputs": stored_inputs(settle(clean.measurements, point, vocabulary.features).used),
            "seen": [[m.feature.name, repr(m.value), m.age_s] for m in clean.measurements],
            "index_time": clean.index_time.isoformat(),
            "outcomes": clean.outcomes,
            "include": clean.include,
            "unit": clean.unit,
            "subject_id": clean.subject_id,
            "episode_id": clean.episode_id,
        }
    except Problem as problem:
        leaving = {"problem": problem.document(), "logged": str(problem)}
    except IdentifierFound as found:
        leaving = {"logged": str(found)}
    return json.dumps(leaving, ensure_ascii=False)


def _survives(attack: _Attack, leaving: str) -> bool:
    if attack.pieces:
        numbers = {number.replace(".", "").strip("-0") for number in NUMBER.findall(leaving)}
        if all(piece.strip("0") in numbers for piece in attack.pieces):
            return True
    return bool(Haystack(leaving).survivors(attack.identifier) or find_identifiers(leaving))


def _attacks(point: BranchPoint, vocabulary: Vocabulary) -> Iterator[_Attack]:
    features = [
        vocabulary.features[name]
        for name in point.features
        if vocabulary.can_be_known(name, point.id)
    ]
    for disguise in disguises():
        for field, document in _planted(disguise, features):
            body = json.dumps(document, ensure_ascii=False).encode()
            yield _Attack(field, disguise.encoding, body, disguise.identifier)
        for field, text in _malformed(json.dumps(disguise.sent, ensure_ascii=False)):
            yield _Attack(field, disguise.encoding, text.encode(), disguise.identifier)
    yield from _times(features)
    yield from _split(features)


def _request(measurements: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    return {"index_time": INDEX_TIME, "measurements": dict(measurements), **fields}


def _planted(disguise: Disguise, features: list[Feature]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Requests that hold a disguised identifier, field by field; the rest of them is good."""
    sent = disguise.sent
    name = sent if isinstance(sent, str) else json.dumps(sent)
    for field in ("subject", "episode", "unit", "index_time", "protected_identity"):
        yield field, _request({}, **{field: sent})
    # An identifier that is declared a care unit would pass; a unit is declared by an administrator.
    yield (
        "every name of a person at once",
        _request({}, subject=sent, episode=sent, unit=sent, protected_identity=True),
    )
    yield "outcomes", _request({}, outcomes=[sent])
    yield "outcomes, not a list", _request({}, outcomes=sent)
    yield "include", _request({}, include=[sent])
    yield "measurements, not an object", {"measurements": sent}
    yield "unknown field", _request({}, note=sent)
    yield "name of an unknown field", _request({}, **{name: 1})
    yield "name of a measurement", _request({name: 1})
    yield "name of a measurement, beside the dictionary", _request({f"age_{name}": 71})
    for feature in features:
        at = f"measurements.{feature.name}"
        good = _good(feature)
        yield f"{at}, bare", _request({feature.name: sent})
        yield f"{at}.value", _request({feature.name: {"value": sent}})
        yield f"{at}.unit", _request({feature.name: {"value": good, "unit": sent}})
        yield f"{at}.time", _request({feature.name: {"value": good, "time": sent}})
        yield f"{at}, nested key", _request({feature.name: {"value": good, "note": sent}})
        yield f"{at}, name of a nested key", _request({feature.name: {"value": good, name: 1}})


def _good(feature: Feature) -> Any:
    if feature.kind == "category":
        return feature.categories[0]
    if feature.kind == "flag":
        return True
    return None if feature.plausible is None else feature.plausible[0]


def _malformed(sent: str) -> Iterator[tuple[str, str]]:
    """Bodies that are no request at all; `sent` is a piece of JSON."""
    whole = f'"index_time": "{INDEX_TIME}", "measurements": {{'
    yield "the whole body", sent
    yield "a list for a body", f"[{sent}]"
    yield "malformed JSON", f'{{{whole}"age": {sent}'
    yield "malformed JSON, without quotes", f"{{{whole}age: {sent.strip(chr(34))}}}}}"
    yield "after the end of the JSON", f"{{{whole}}}}} {sent}"
    yield "duplicate field", f'{{"subject": {sent}, "subject": {sent}, {whole}}}}}'
    yield "duplicate measurement", f'{{{whole}"age": 71, "age": {sent}}}}}'


def _times(features: list[Feature]) -> Iterator[_Attack]:
    """An identifier in what an RFC 3339 time has room for: fraction, date, offset."""
    last = PERSON[8:]
    date = f"{PERSON[:4]}-{PERSON[4:6]}-{PERSON[6:8]}"
    times = {
        "fraction of a second": f"2026-11-21T08:15:00.{PERSON[2:11]}Z",
        "date and time of day": f"{date}T{last[:2]}:{last[2:]}:00Z",
        "date and fraction": f"{date}T00:00:00.{last}Z",
        "date and offset": f"{date}T00:00:00+{last[:2]}:{last[2:]}",
        "second and fraction": f"2026-11-21T{PERSON[2:4]}:{PERSON[4:6]}:00.{PERSON[6:]}Z",
    }
    for encoding, time in times.items():
        body = json.dumps({"index_time": time, "measurements": {}}).encode()
        yield _Attack("index_time", encoding, body, PERSON)
        for feature in features:
            given = {feature.name: {"value": _good(feature), "time": time}}
            body = json.dumps(_request(given)).encode()
            yield _Attack(f"measurements.{feature.name}.time", encoding, body, PERSON)


def _split(features: list[Feature]) -> Iterator[_Attack]:
    """An identifier spread over two numbers, each written so that it is plausible where it stands."""
    numbers = [feature for feature in features if feature.kind == "number"]
    ten = PERSON[2:]
    for left, right in pairwise(numbers):
        for cut in (4, 5, 6):
            pieces = (ten[:cut], ten[cut:])
            given: dict[str, Any] = {
                left.name: _plausible(pieces[0], left),
                right.name: _plausible(pieces[1], right),
            }
            yield _Attack(
                f"measurements.{left.name} and measurements.{right.name}",
                f"split over two numbers, {cut} and {len(ten) - cut} digits",
                json.dumps(_request(given)).encode(),
                PERSON,
                pieces,
            )
    index_time = datetime.fromisoformat(INDEX_TIME).astimezone(UTC)
    for feature in numbers:
        time = index_time - timedelta(minutes=int(ten[:6]))
        given = {feature.name: {"value": _plausible(ten[6:], feature), "time": time.isoformat()}}
        yield _Attack(
            f"measurements.{feature.name}",
            "split over value and time",
            json.dumps(_request(given)).encode(),
            PERSON,
            (ten[:6], ten[6:]),
        )


def _plausible(digits: str, feature: Feature) -> float:
    """The digits with the decimal point where the feature's plausible range wants it."""
    lowest, highest = feature.plausible or (0.0, 1.0)
    for point in range(len(digits), -1, -1):
        number = float(f"{digits[:point]}.{digits[point:]}")
        if lowest <= number <= highest:
            return number
    return float(digits)
