"""A service call: parsed strictly where a mistake could hurt, tolerantly where clients differ.

Unknown fields and `extension` are ignored, whatever their shape: HealthChain's client sends a list.
A null in an optional field means that it was left out. What was sent is never repeated.

References
----------
CDS Hooks 2.0, section Calling a CDS Service.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from app.cds_hooks.discovery import CdsService
from app.cds_hooks.hooks import TYPES, ContextField
from app.errors import InputError, Problem
from app.schemas.assessment_request import MOST_FAULTS, read_measurements, read_time
from app.schemas.strict_json import parse_quickly
from models.vocabulary import Measurement, Vocabulary

INDEX_TIME = "se.complication-risk.index-time"
"""Extension: assess as of this time instead of now, for tests and for looking back."""
MEASUREMENTS, DRAFT_ORDERS = "measurements", "draftOrders"
UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
FHIR_ID = re.compile(r"[A-Za-z0-9.-]{1,64}", re.ASCII)
USER = re.compile(
    r"(Practitioner|PractitionerRole|Patient|RelatedPerson)/[A-Za-z0-9.-]{1,64}", re.ASCII
)
VISIBLE = re.compile(r"[\x21-\x7e]+")
LONGEST_TOKEN = 16 * 1024
LONGEST_URL = 2000

CONTEXT_INCOMPLETE = "context_incomplete"
PATIENT_NOT_NAMED = "authorization_without_patient"
STRAY_SELECTION = "selection_outside_orders"


@dataclass(frozen=True, slots=True)
class FhirAccess:
    """Where the caller lets us read, and with what; lives as long as the call."""

    server: str = field(repr=False)
    token: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class HookRequest:
    """What a caller sent, identifiers still in it: never leaves `app`, never below `deid`.

    Attributes
    ----------
    context : mapping
        Text fields of the hook's context, by name: what templates are filled with.
    prefetch : mapping
        Key to what was sent under it; a key that was not sent is absent.
    drafts : mapping or None
        The Bundle of orders that are not signed yet: an operation may be planned among them.
    measurements, times : tuple of Measurement, mapping
        What one of our own hooks carries beside FHIR resources.
    notes : tuple of str
        What was tolerated.
    """

    hook_instance: str = field(repr=False)
    patient_id: str = field(repr=False)
    encounter_id: str | None = field(repr=False)
    user: str | None = field(repr=False)
    context: Mapping[str, str] = field(repr=False)
    prefetch: Mapping[str, Any] = field(repr=False)
    access: FhirAccess | None
    index_time: datetime | None
    drafts: Mapping[str, Any] | None = field(default=None, repr=False)
    measurements: tuple[Measurement, ...] = field(default=(), repr=False)
    times: Mapping[str, datetime] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()


def parse_hook_request(body: bytes, service: CdsService, vocabulary: Vocabulary) -> HookRequest:
    """Parse and check one service call.

    Raises
    ------
    Problem
        400 with every fault.
    """
    document = parse_object(body)
    faults: list[InputError] = []
    notes: list[str] = []
    hook = document.get("hook")
    if hook != service.hook.name:
        expected = f"expects `{service.hook.name}`, the hook that discovery lists for this service"
        faults.append(InputError("/hook", "wrong_hook", expected))
    instance = document.get("hookInstance")
    if not isinstance(instance, str) or not UUID.fullmatch(instance):
        faults.append(InputError("/hookInstance", "invalid_value", "expects a UUID"))
        instance = ""
    context = document.get("context")
    if not isinstance(context, dict):
        faults.append(InputError("/context", "invalid_value", "expects an object"))
        context = {}
    texts = _context(context, service, faults, notes)
    prefetch = document.get("prefetch")
    if not isinstance(prefetch, dict | None):
        faults.append(
            InputError("/prefetch", "invalid_value", "expects an object: key to resource")
        )
        prefetch = None
    for position, (key, value) in enumerate((prefetch or {}).items()):
        if not isinstance(value, dict | None):
            at = key if key in service.prefetch else str(position)
            expected = "expects a FHIR resource or null"
            faults.append(InputError(f"/prefetch/{at}", "invalid_value", expected))
    access = _access(document, faults, notes)
    extension = document.get("extension")
    index_time = None
    if isinstance(extension, dict) and extension.get(INDEX_TIME) is not None:
        index_time = read_time(extension[INDEX_TIME], "/extension/index-time", faults)
    measurements, times = _measurements(context, service, vocabulary, faults)
    known = {declared.field for declared in service.hook.context}
    drafts = context.get(DRAFT_ORDERS) if DRAFT_ORDERS in known else None
    refuse(faults)
    return HookRequest(
        hook_instance=instance,
        patient_id=texts["patientId"],
        encounter_id=texts.get("encounterId"),
        user=texts.get("userId"),
        context=MappingProxyType(texts),
        prefetch=MappingProxyType(prefetch or {}),
        access=access,
        index_time=index_time,
        drafts=drafts,
        measurements=measurements,
        times=MappingProxyType(times),
        notes=tuple(notes),
    )


def parse_object(body: bytes) -> dict[str, Any]:
    """One JSON object; its resources can be large, so the quick parser reads it.

    Raises
    ------
    Problem
        400; 413 when it has too many parts.
    """
    document = parse_quickly(body)
    if not isinstance(document, dict):
        raise Problem(400, "The body must be a JSON object.")
    return document


def refuse(faults: list[InputError]) -> None:
    """Raise what was found, if anything."""
    if len(faults) == 1:
        raise Problem(400, f"{faults[0].code}: {faults[0].detail}", faults)
    if faults:
        raise Problem(400, f"The request has {len(faults)} faults.", faults[:MOST_FAULTS])


def _context(
    context: Mapping[str, Any],
    service: CdsService,
    faults: list[InputError],
    notes: list[str],
) -> dict[str, str]:
    texts: dict[str, str] = {}
    for declared in service.hook.context:
        value = context.get(declared.field)
        pointer = f"/context/{declared.field}"
        if value is None:
            if declared.required and not declared.tolerated:
                faults.append(
                    InputError(pointer, "missing", f"is required by `{service.hook.name}`")
                )
            elif declared.required:
                notes.append(CONTEXT_INCOMPLETE)
        elif not isinstance(value, TYPES[declared.type]):
            faults.append(InputError(pointer, "invalid_value", f"expects {_a(declared.type)}"))
        elif isinstance(value, str):
            _text(declared, value, pointer, texts, faults)
    if "selections" in {declared.field for declared in service.hook.context}:
        _see_selections(context, notes)
    return texts


def _text(
    declared: ContextField,
    value: str,
    pointer: str,
    texts: dict[str, str],
    faults: list[InputError],
) -> None:
    name = declared.field
    if name == "userId":
        good, expected = USER.fullmatch(value), "expects a type and an id, such as Practitioner/…"
    elif name in ("patientId", "encounterId"):
        value = value.removeprefix("Patient/" if name == "patientId" else "Encounter/")
        good, expected = FHIR_ID.fullmatch(value), "expects a FHIR id"
    else:
        good, expected = re.fullmatch(r"[\x20-\x7e]{1,200}", value), "expects a reference"
    if not good:
        faults.append(InputError(pointer, "invalid_value", expected))
    else:
        texts[name] = value


def _measurements(
    context: Mapping[str, Any],
    service: CdsService,
    vocabulary: Vocabulary,
    faults: list[InputError],
) -> tuple[tuple[Measurement, ...], dict[str, datetime]]:
    """As a REST assessment has them, where the hook's definition knows the field."""
    known = {declared.field for declared in service.hook.context}
    if MEASUREMENTS not in known or not isinstance(context.get(MEASUREMENTS), dict):
        return (), {}
    found: list[InputError] = []
    taken = read_measurements(context, service.point, vocabulary, found)
    faults += [InputError(f"/context{f.pointer}", f.code, f.detail) for f in found]
    return taken


def _see_selections(context: Mapping[str, Any], notes: list[str]) -> None:
    """A selection that no draft order has is tolerated and noted."""
    selections, orders = context.get("selections"), context.get(DRAFT_ORDERS)
    if not isinstance(selections, list) or not isinstance(orders, dict):
        return
    entries = orders.get("entry")
    held = {
        f"{resource.get('resourceType')}/{resource.get('id')}"
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and isinstance(resource := entry.get("resource"), dict)
    }
    if not all(isinstance(chosen, str) and chosen in held for chosen in selections):
        notes.append(STRAY_SELECTION)


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "ao" else f"a {kind}"


def _access(
    document: Mapping[str, Any], faults: list[InputError], notes: list[str]
) -> FhirAccess | None:
    server, authorization = document.get("fhirServer"), document.get("fhirAuthorization")
    if server is not None and (not isinstance(server, str) or not 0 < len(server) <= LONGEST_URL):
        faults.append(InputError("/fhirServer", "invalid_value", "expects the server's base URL"))
        server = None
    if authorization is None:
        return None if server is None else FhirAccess(server, None)
    here = "/fhirAuthorization"
    if not isinstance(authorization, dict):
        faults.append(InputError(here, "invalid_value", "expects an object"))
        return None
    if document.get("fhirServer") is None:
        faults.append(InputError(here, "without_server", "needs `fhirServer` beside it"))
    for key in ("access_token", "scope", "subject"):
        value = authorization.get(key)
        if not isinstance(value, str) or not value:
            faults.append(InputError(f"{here}/{key}", "invalid_value", "expects a string"))
    token = authorization.get("access_token")
    if isinstance(token, str) and not (len(token) <= LONGEST_TOKEN and VISIBLE.fullmatch(token)):
        faults.append(InputError(f"{here}/access_token", "invalid_value", "expects a token"))
    kind = authorization.get("token_type")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        faults.append(InputError(f"{here}/token_type", "invalid_value", "expects `Bearer`"))
    expires = authorization.get("expires_in")
    if isinstance(expires, bool) or not isinstance(expires, int):
        faults.append(InputError(f"{here}/expires_in", "invalid_value", "expects whole seconds"))
    scope = authorization.get("scope")
    if isinstance(scope, str) and "patient/" in scope and authorization.get("patient") is None:
        notes.append(PATIENT_NOT_NAMED)
    if server is None or not isinstance(token, str):
        return None
    return FhirAccess(server, token)
