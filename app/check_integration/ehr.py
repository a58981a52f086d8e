"""The EHR that the kit plays: resolves templates against its own store and writes the calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from app.cds_hooks.hooks import Hook, Hooks, load_hooks
from app.check_integration.door import Answer, Door, at
from app.check_integration.fhir_server import FhirStore
from app.check_integration.invented_patient import USER, InventedPatient

INDEX_TIME = "se.complication-risk.index-time"
MEASUREMENTS = "measurements"
EMPTY_BUNDLE = {"resourceType": "Bundle", "type": "collection"}
KNOWN_HOOKS: Hooks = load_hooks()
"""HL7's hook definitions, and the form of a site's own."""


@dataclass(frozen=True, slots=True)
class Service:
    """One row of the discovery document whose shape was found good."""

    id: str
    hook: str
    prefetch: Mapping[str, str]

    @property
    def path(self) -> str:
        return f"/cds-services/{self.id}"

    @property
    def definition(self) -> Hook | None:
        return KNOWN_HOOKS.get(self.hook)

    @property
    def carries(self) -> bool:
        """Whether the hook's context has room for measurements that no resource holds."""
        definition = self.definition
        return definition is not None and MEASUREMENTS in {f.field for f in definition.context}


@dataclass(frozen=True, slots=True)
class Visit:
    """One service and the patient it is asked about; makes the calls of that hook."""

    service: Service
    patient: InventedPatient
    store: FhirStore = field(repr=False)

    def call(self, **changed: Any) -> dict[str, Any]:
        """A good call with prefetch; a field given as None is left out."""
        whole = {
            "hook": self.service.hook,
            "hookInstance": str(uuid4()),
            "context": self.context(),
            "extension": {INDEX_TIME: self.patient.moment},
            "prefetch": self.prefetch(),
            **changed,
        }
        return {key: value for key, value in whole.items() if value is not None}

    def context(self) -> dict[str, Any]:
        """Every field that the hook requires, and those that a template may want."""
        definition, filled = self.service.definition, self._filled
        if definition is None:
            return filled
        said: dict[str, Any] = {}
        for known in definition.context:
            if known.field in filled:
                said[known.field] = filled[known.field]
            elif known.field == MEASUREMENTS:
                if self.patient.carried:
                    said[known.field] = dict(self.patient.carried)
            elif known.required:
                blank: dict[str, Any] = {"array": [], "object": EMPTY_BUNDLE, "string": USER}
                said[known.field] = blank[known.type]
        return said

    def prefetch(self) -> dict[str, Any]:
        """Each template resolved by the EHR; null where it asked and found nothing."""
        answered = {}
        for key, template in self.service.prefetch.items():
            status, resource = self.store.look_up(self._resolved(template))
            answered[key] = resource if status == 200 else None
        return answered

    @property
    def _filled(self) -> dict[str, Any]:
        patient = self.patient
        return {"userId": USER, "patientId": patient.id, "encounterId": patient.encounter_id}

    def _resolved(self, template: str) -> str:
        for name, value in self._filled.items():
            template = template.replace(f"{{{{context.{name}}}}}", value)
        return template

    def access(self, base: str | None = None) -> dict[str, Any]:
        """The fields that let a service read from the EHR's server."""
        return {
            "fhirServer": base or self.store.base,
            "fhirAuthorization": {
                "access_token": self.store.token,
                "token_type": "Bearer",
                "expires_in": 300,
                "scope": "user/*.read",
                "subject": "integration-check",
            },
        }


@dataclass(frozen=True, slots=True)
class Given:
    """The card that a good call was answered with; None when there was nothing to say."""

    visit: Visit
    card: Mapping[str, Any] | None = field(repr=False)


def the_card(answer: Answer) -> Mapping[str, Any] | None:
    """The first card of an answer."""
    card = answer.at("cards", 0)
    return card if isinstance(card, dict) else None


def send(door: Door, visit: Visit, **changed: Any) -> Answer:
    """Call the service of a visit."""
    return door.ask("POST", visit.service.path, visit.call(**changed))


def issues(answer: Answer) -> str:
    """Everything that an OperationOutcome says; empty when the body is none."""
    if answer.at("resourceType") != "OperationOutcome":
        return ""
    found = answer.at("issue")
    rows = found if isinstance(found, list) else []
    return " ".join(str(at(row, key)) for row in rows for key in ("diagnostics", "details"))
