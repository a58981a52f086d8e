"""What becomes of something that could be sent: a REST request, FHIR resources or a CDS Hooks call.

All three end as the one request that every way in asks with; what leaves of that is told by the same
inspection. Nothing is stored, logged or asked of another server.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from app.cds_hooks.discovery import CdsService
from app.cds_hooks.hook_request import parse_hook_request
from app.deid.inspection import form_of_value, inspect
from app.deid.pseudonym import Pseudonymiser
from app.errors import InputError, Problem
from app.fhir import Asked, Coding, read_assess_operation, read_chart
from app.fhir.assess_operation import PARAMETERS
from app.fhir.inspection import InspectedResource, inspect_chart
from app.schemas.assessment_request import AssessmentRequest
from app.schemas.strict_json import parse_quickly
from app.services.answer_hook import with_measurements
from app.services.assess_chart import question_of_chart
from models.vocabulary import BranchPoint, Vocabulary

REST, FHIR, HOOK = "rest", "fhir", "hook"
ACCEPTED = 200
NOT_FHIR = "not_kept"
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Site:
    """Whose request it would be, and what the service knows there."""

    tenant: str
    care_units: Collection[str]
    pseudonymiser: Pseudonymiser = field(repr=False)
    coding: Coding = field(repr=False)
    service: CdsService | None


@dataclass(frozen=True, slots=True)
class InspectedSent:
    """What became of it.

    Attributes
    ----------
    way : str
        `rest`, `fhir` or `hook`.
    status, detail, faults
        What the way in would answer.
    rows : sequence of mapping
        `pointer`, `came`, `leaves`, `action`, `rule` of everything outside the resources.
    resources : tuple of InspectedResource
    leaving : mapping
        Feature name to the row that says what leaves of it.
    """

    way: str
    status: int
    detail: str
    faults: Sequence[Mapping[str, str]]
    rows: Sequence[Row]
    resources: tuple[InspectedResource, ...] = ()
    leaving: Mapping[str, Row] = field(default_factory=dict)


def way_of(body: bytes) -> str:
    """Which way in a text is meant for; what is none of the others is a REST request.

    Examples
    --------
    >>> way_of(b'{"measurements": {}}'), way_of(b'{"resourceType": "Bundle"}'), way_of(b'{"hook": 1}')
    ('rest', 'fhir', 'hook')
    >>> way_of(b'nonsense')
    'rest'
    """
    try:
        document = parse_quickly(body)
    except Problem:
        return REST
    if isinstance(document, dict) and "resourceType" in document:
        return FHIR
    if isinstance(document, dict) and ("hook" in document or "hookInstance" in document):
        return HOOK
    return REST


def inspect_sent(
    body: bytes, point: BranchPoint, vocabulary: Vocabulary, site: Site, now: datetime
) -> InspectedSent:
    """Look at a text as the way in would that it is meant for.

    Parameters
    ----------
    now : datetime
        In UTC.
    """
    way = way_of(body)
    through = partial(
        inspect,
        point=point,
        vocabulary=vocabulary,
        tenant=site.tenant,
        care_units=site.care_units,
        now=now,
        pseudonymiser=site.pseudonymiser,
    )
    if way == REST:
        found = through(body)
        return InspectedSent(
            way, found["status"], found["detail"], found["faults"], found["fields"]
        )
    try:
        if way == FHIR:
            asked, sent, request = _of_fhir(body, point, vocabulary, site, now)
            pointers = _of_parameters(parse_quickly(body))
        else:
            asked, sent, request = _of_hook(body, point, vocabulary, site, now)
            pointers = {"subject": "/context/patientId", "episode": "/context/encounterId"}
    except Problem as problem:
        faults = [fault.document() for fault in problem.errors]
        return InspectedSent(way, problem.status, problem.detail, faults, ())
    index_time = asked.index_time or now.replace(microsecond=0)
    found = through(json.dumps(_as_rest(request, index_time)).encode())
    by_feature: dict[str, Row] = {}
    rows: list[Row] = []
    for row in found["fields"]:
        _, top, *rest = row["pointer"].split("/")
        if top == "measurements":
            if rest[1:2] == ["value"]:
                by_feature[rest[0]] = row
            elif rest[1:2] == ["time"] and rest[0] in by_feature and row["leaves"]:
                by_feature[rest[0]] = {**by_feature[rest[0]], **row["leaves"]}
        elif top in pointers:
            rows.append({**row, "pointer": pointers[top]})
    rows += _passed_over(parse_quickly(body), way, {row["pointer"] for row in rows})
    read = partial(
        read_chart,
        patient=asked.patient,
        point=point,
        vocabulary=vocabulary,
        coding=site.coding,
        index_time=index_time,
    )
    resources = inspect_chart(sent, read)
    if way == HOOK:
        carried = {name for one in resources for name in one.taken}
        rows += [
            {**row, "pointer": f"/context/measurements/{name}"}
            for name, row in by_feature.items()
            if name not in carried
        ]
    return InspectedSent(
        way, found["status"], found["detail"], found["faults"], rows, resources, by_feature
    )


def _of_fhir(
    body: bytes, point: BranchPoint, vocabulary: Vocabulary, site: Site, now: datetime
) -> tuple[Asked, list[tuple[str, object]], AssessmentRequest]:
    asked = replace(read_assess_operation(body, point.id), branch_point=point.id)
    question = question_of_chart(asked, point, vocabulary, site.coding, now)
    document = parse_quickly(body)
    if document.get("resourceType") == "Bundle":
        return asked, [("", document)], question.request
    given = document.get("parameter", [])
    sent = [
        (f"/parameter/{position}/resource", item["resource"])
        for position, item in enumerate(given)
        if isinstance(item, dict) and isinstance(item.get("resource"), dict)
    ]
    return asked, sent, question.request


def _of_hook(
    body: bytes, point: BranchPoint, vocabulary: Vocabulary, site: Site, now: datetime
) -> tuple[Asked, list[tuple[str, object]], AssessmentRequest]:
    """What the call itself brings; what it would have us read elsewhere is not read."""
    if site.service is None:
        detail = "no CDS Hooks service stands at this branch point"
        raise Problem(404, detail, [InputError("", "no_service", detail)])
    call = parse_hook_request(body, site.service, vocabulary)
    sent: list[tuple[str, object]] = [
        (f"/prefetch/{key}", call.prefetch[key])
        for key in site.service.prefetch
        if call.prefetch.get(key) is not None
    ]
    if call.drafts is not None:
        sent.append(("/context/draftOrders", call.drafts))
    asked = Asked(
        point.id,
        tuple(given for _, given in sent if isinstance(given, Mapping)),
        call.patient_id,
        call.index_time,
        episode=call.encounter_id,
    )
    question = question_of_chart(asked, point, vocabulary, site.coding, now)
    return asked, sent, with_measurements(question.request, call)


def _as_rest(request: AssessmentRequest, index_time: datetime) -> dict[str, Any]:
    """A request as a REST client would have written it."""
    measurements: dict[str, Any] = {}
    for feature, value, _ in request.measurements:
        measurements[feature.name] = {"value": feature.show(value)}
        if (taken := request.times.get(feature.name)) is not None:
            measurements[feature.name]["time"] = taken.astimezone(UTC).isoformat()
    return {
        "protected_identity": request.protected_identity,
        "subject": request.subject,
        "episode": request.episode,
        "unit": request.unit,
        "index_time": index_time.astimezone(UTC).isoformat(),
        "outcomes": list(request.outcomes),
        "measurements": measurements,
    }


def _of_parameters(document: Mapping[str, Any]) -> dict[str, str]:
    """Where in Parameters the parts of the request stand that are no measurement."""
    names = {"patient": "subject", "indexTime": "index_time", "outcome": "outcomes"}
    names |= {"episode": "episode", "unit": "unit", "protectedIdentity": "protected_identity"}
    found = {"subject": "Patient"}
    given = document.get("parameter")
    for position, item in enumerate(given if isinstance(given, list) else ()):
        name = item.get("name") if isinstance(item, dict) else None
        if isinstance(name, str) and name in names:
            found[names[name]] = f"/parameter/{position} ({name})"
    return found


def _passed_over(document: Mapping[str, Any], way: str, told: set[str]) -> list[Row]:
    """What stands outside the resources and leaves nothing."""
    rows: list[Row] = []

    def add(pointer: str, value: object, name: str = "") -> None:
        if pointer not in told:
            rows.append({"pointer": pointer, "came": form_of_value(value, name), "leaves": None,
                         "action": "drop", "rule": NOT_FHIR})  # fmt: skip

    known: tuple[str, ...]
    if way == FHIR:
        known = ("resourceType", "parameter", "entry", "type", "id", "meta", "total", "link",
                 "identifier", "timestamp", "signature")  # fmt: skip
        given = document.get("parameter")
        for position, item in enumerate(given if isinstance(given, list) else ()):
            name = item.get("name") if isinstance(item, dict) else None
            if name in PARAMETERS:
                value = next((v for k, v in item.items() if k.startswith("value")), None)
                if f"/parameter/{position} ({name})" not in told:
                    add(f"/parameter/{position} ({name})", value)
        _add_unread(document, "", known, ("resourceType", "parameter", "entry", "type"), add)
        return rows
    known = ("hook", "hookInstance", "context", "prefetch", "fhirServer", "fhirAuthorization",
             "extension")  # fmt: skip
    _add_unread(document, "", known, ("hook", "context", "prefetch"), add)
    context = document.get("context")
    if isinstance(context, Mapping):
        fields = ("userId", "patientId", "encounterId", "draftOrders", "measurements", "selections")
        _add_unread(context, "/context", fields, ("draftOrders", "measurements"), add)
    return rows


def _add_unread(
    part: Mapping[str, Any], at: str, known: Collection[str], inside: Collection[str], add: Any
) -> None:
    """Every member that is not looked into; one whose name nobody declares, by its position."""
    for position, (name, value) in enumerate(part.items()):
        if name not in inside:
            add(f"{at}/{name if name in known else position}", value, "" if name in known else name)
