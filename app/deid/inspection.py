"""What the de-identification makes of a request, field by field; nothing is stored.

The report is made with the code that answers requests, not with a description of it: each field goes
alone through the same parser, the same scrubbing and the same tripwire.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.deid.policy import POLICY
from app.deid.pseudonym import Pseudonymiser
from app.deid.scrub import Deidentified, IdentifierFound, minutes_before, scrub, stored_inputs
from app.errors import Problem
from app.schemas.assessment_request import (
    FIELDS,
    MEASUREMENT_KEYS,
    AssessmentRequest,
    parse_assessment_request,
)
from app.schemas.strict_json import parse_json
from models.tripwire import find_identifiers
from models.vocabulary import IMPLAUSIBLE, BranchPoint, Vocabulary, reason_here, settle

ACCEPTED = 200
FAILED = 500
RULE_BY_KIND = {
    "number": "number_coarsened",
    "category": "category_declared",
    "flag": "flag_kept",
    "code": "code_not_kept",
}
DECLARED = {"outcomes": "outcomes_declared", "include": "include_declared"}
Row = dict[str, Any]


def inspect(
    body: bytes,
    point: BranchPoint,
    vocabulary: Vocabulary,
    *,
    tenant: str,
    care_units: Collection[str],
    now: datetime,
    pseudonymiser: Pseudonymiser,
) -> dict[str, Any]:
    """Show what would become of a request.

    Parameters
    ----------
    body : bytes
        An assessment request, good or bad.

    Returns
    -------
    dict
        `accepted`; `status`, `detail` and `faults` that the endpoint would answer with;
        `policy_version` and `policy_digest`; `actions`, how many fields met which; and `fields`, in
        the order sent: `pointer` (unknown names by their position), `came` (the form of what came
        and the kinds of identifiers seen in it, never the value), `leaves` (what would leave, null
        when nothing does), `action`, `rule`. Of a refused request nothing leaves at all: `leaves`
        then says what would, once the refused fields are mended.
    """
    way = _Way(point, vocabulary, tenant, care_units, now, pseudonymiser)
    status, detail, faults = way.verdict(body)
    try:
        document = parse_json(body)
    except Problem:
        fields = [_row("", _came_bytes(body), None, "anything_else_refused")]
    else:
        fields = list(way.fields(document))
    return {
        "accepted": status == ACCEPTED,
        "status": status,
        "detail": detail,
        "faults": faults,
        "policy_version": POLICY.version,
        "policy_digest": POLICY.digest,
        "actions": dict(Counter(field["action"] for field in fields)),
        "fields": fields,
    }


@dataclass(frozen=True, slots=True)
class _Way:
    """The way of a request through the door, to be gone for the whole and for each field alone."""

    point: BranchPoint
    vocabulary: Vocabulary
    tenant: str
    care_units: Collection[str]
    now: datetime
    pseudonymiser: Pseudonymiser

    def clean(self, request: AssessmentRequest) -> Deidentified:
        return scrub(
            request,
            tenant=self.tenant,
            care_units=self.care_units,
            now=self.now,
            pseudonymiser=self.pseudonymiser,
        )

    def stored(self, clean: Deidentified) -> dict[str, Any]:
        """What would be stored of its measurements."""
        used = settle(clean.measurements, self.point, self.vocabulary.features).used
        stored: dict[str, Any] = json.loads(stored_inputs(used))
        return stored

    def verdict(self, body: bytes) -> tuple[int, str, list[dict[str, str]]]:
        try:
            request = parse_assessment_request(body, self.point, self.vocabulary)
            self.stored(self.clean(request))
        except Problem as problem:
            return problem.status, problem.detail, [fault.document() for fault in problem.errors]
        except IdentifierFound as found:
            return FAILED, str(found), []
        return ACCEPTED, "The request would be answered.", []

    def alone(self, document: Mapping[str, Any]) -> Deidentified | None:
        """Send a piece of the request through; None when it is refused."""
        try:
            whole = json.dumps({"measurements": {}, **document}).encode()
            return self.clean(parse_assessment_request(whole, self.point, self.vocabulary))
        except (Problem, RecursionError):
            return None

    def fields(self, document: Any) -> Iterator[Row]:
        if not isinstance(document, dict):
            yield _row("", form_of_value(document), None, "anything_else_refused")
            return
        protected = document.get("protected_identity") is True
        for position, (name, sent) in enumerate(document.items()):
            if name not in FIELDS:
                came = f"unknown field; {form_of_value(sent, name)}"
                yield _row(f"/{position}", came, None, "anything_else_refused")
            elif name == "measurements":
                yield from self._measurements(sent, document.get("index_time"))
            elif name in DECLARED and isinstance(sent, list):
                yield from self._declared(name, sent)
            elif sent is not None:
                yield self._field(name, sent, protected)

    def _field(self, name: str, sent: Any, protected: bool) -> Row:
        pointer, came = f"/{name}", form_of_value(sent)
        clean = self.alone({name: sent, "protected_identity": protected} | {name: sent})
        if clean is None:
            text = isinstance(sent, str) and name in {"index_time", "protected_identity"}
            rule = "free_text_refused" if text else "anything_else_refused"
            return _row(pointer, came, None, rule)
        if name in {"subject", "episode"}:
            made = clean.subject_id if name == "subject" else clean.episode_id
            if made is not None:
                return _row(pointer, came, made, f"{name}_keyed")
            return _row(pointer, came, None, f"{name}_{'protected' if protected else 'blank'}")
        if name == "unit":
            if clean.unit is not None:
                return _row(pointer, came, clean.unit, "unit_declared")
            undeclared = clean.undeclared_unit
            return _row(pointer, came, None, f"unit_{'undeclared' if undeclared else 'protected'}")
        if name == "index_time":
            return _row(pointer, came, clean.index_time.isoformat(), "index_time_to_the_second")
        return _row(pointer, came, clean.protected, "protected_identity_marked")

    def _declared(self, name: str, sent: list[Any]) -> Iterator[Row]:
        for position, item in enumerate(sent):
            clean = self.alone({name: [item]})
            pointer = f"/{name}/{position}"
            if clean is None:
                yield _row(pointer, form_of_value(item), None, "free_text_refused")
            else:
                yield _row(pointer, form_of_value(item), getattr(clean, name)[0], DECLARED[name])

    def _measurements(self, sent: Any, index_time: Any) -> Iterator[Row]:
        if not isinstance(sent, dict):
            yield _row("/measurements", form_of_value(sent), None, "anything_else_refused")
            return
        anchor = (
            {} if self.alone({"index_time": index_time}) is None else {"index_time": index_time}
        )
        for position, (name, given) in enumerate(sent.items()):
            feature = self.vocabulary.features.get(name)
            if feature is None:
                came = f"unknown name; {form_of_value(given, name)}"
                yield _row(f"/measurements/{position}", came, None, "unknown_name_refused")
            else:
                yield from self._measurement(name, given, anchor)

    def _measurement(self, name: str, given: Any, anchor: Mapping[str, Any]) -> Iterator[Row]:
        pointer = f"/measurements/{name}"
        if not self.vocabulary.can_be_known(name, self.point.id):
            yield _row(pointer, form_of_value(given), None, "not_yet_known")
            return
        parts = given if isinstance(given, dict) else {"value": given}
        value, unit, time = parts.get("value"), parts.get("unit"), parts.get("time")
        at = f"{pointer}/value" if isinstance(given, dict) else pointer

        def through(piece: Mapping[str, Any]) -> Deidentified | None:
            return self.alone({**anchor, "measurements": {name: piece}})

        # The unit decides how the value is read, so they go together when they can.
        unit_good = unit is None or through({"value": 0, "unit": unit}) is not None
        piece = {"value": value, "unit": unit if unit_good else None}
        clean = through(piece)
        timed = None if time is None else through({**piece, "time": time})
        if "value" in parts or not isinstance(given, dict):
            came = form_of_value(value)
            if value is None:
                yield _row(at, came, None, "not_measured")
            elif clean is None:
                text = isinstance(value, str)
                yield _row(at, came, None, "free_text_refused" if text else "anything_else_refused")
            else:
                yield _row(at, came, *self._leaves(timed or clean))
        else:
            yield _row(at, "nothing", None, "anything_else_refused")
        if unit is not None:
            rule = "measurement_unit_converted" if unit_good else "measurement_unit_unknown"
            yield _row(f"{pointer}/unit", form_of_value(unit), None, rule)
        if time is not None:
            yield self._time(f"{pointer}/time", time, name, anchor, timed or clean)
        for position, (key, sent) in enumerate(parts.items()):
            if key not in MEASUREMENT_KEYS:
                came = f"unknown key; {form_of_value(sent, key)}"
                yield _row(f"{pointer}/{position}", came, None, "anything_else_refused")

    def _leaves(self, clean: Deidentified) -> tuple[Any, str]:
        """What leaves of one measurement, and the rule that says so."""
        (measurement,) = clean.measurements
        reason = reason_here(measurement, self.point)
        if reason is not None:
            rule = "implausible" if reason == IMPLAUSIBLE else "untimely"
            return None, f"{rule}_not_kept"
        stored = self.stored(clean).get(measurement.feature.name)
        return (stored and stored["value"]), RULE_BY_KIND[measurement.feature.kind]

    def _time(
        self,
        pointer: str,
        sent: Any,
        name: str,
        anchor: Mapping[str, Any],
        clean: Deidentified | None,
    ) -> Row:
        alone = self.alone({**anchor, "measurements": {name: {"value": None, "time": sent}}})
        if alone is None:
            text = isinstance(sent, str)
            rule = "free_text_refused" if text else "anything_else_refused"
            return _row(pointer, form_of_value(sent), None, rule)
        if clean is not None and clean.measurements:
            (measurement,) = clean.measurements
            kept = self.stored(clean)
            if kept and measurement.age_s is not None:
                left = {"minutes_before": minutes_before(measurement.age_s)}
                return _row(pointer, form_of_value(sent), left, "measurement_time_to_minutes")
        return _row(pointer, form_of_value(sent), None, "measurement_time_unused")


def _row(pointer: str, came: str, leaves: Any, rule: str) -> Row:
    return {
        "pointer": pointer,
        "came": came,
        "leaves": leaves,
        "action": POLICY.rules[rule].action,
        "rule": rule,
    }


def form_of_value(sent: Any, name: str = "") -> str:
    """Form of what came and the kinds of identifiers seen in it, never what it says."""
    try:
        text = json.dumps(sent, ensure_ascii=False)
    except RecursionError:
        text = ""
    return _form(sent) + _seen(name, text)


def _seen(*texts: str) -> str:
    kinds = sorted({found.kind for text in texts for found in find_identifiers(text)})
    return f"; looks like: {', '.join(kinds)}" if kinds else ""


def _form(sent: Any) -> str:
    if sent is None:
        return "null"
    if isinstance(sent, bool):
        return "true or false"
    if isinstance(sent, int):
        return f"whole number, digits: {len(str(abs(sent)))}"
    if isinstance(sent, float):
        return "decimal number"
    if isinstance(sent, str):
        what = "digits" if sent.isdigit() else "letters" if sent.isalpha() else "text"
        return f"string ({what}), characters: {len(sent)}"
    kind = "list" if isinstance(sent, list) else "object"
    return f"{kind}, entries: {len(sent)}"


def _came_bytes(body: bytes) -> str:
    return f"not JSON, bytes: {len(body)}{_seen(body.decode('utf-8', 'replace'))}"
