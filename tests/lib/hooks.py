"""An EHR that speaks CDS Hooks: a patient, a FHIR server, tokens for the exact URL, checked answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from app.check_integration.door import empties
from tests.lib.fhir import bundle, observation, patient
from tests.lib.fhir_server import TOKEN, FhirServer
from tests.lib.tokens import BASE_URL, KeyPair, claims

ICU = "icu-review"
INDEX_TIME = "2026-11-21T08:00:00Z"
PERSONNUMMER = "195009072553"
PERSONNUMMER_URI = "http://electronichealth.se/identifier/personnummer"
PATIENT = patient(identifier=[{"system": PERSONNUMMER_URI, "value": PERSONNUMMER}])
VITAL_SIGNS = (
    observation("8867-4", 104, "/min"),
    observation("8478-0", 72, "mm[Hg]"),
    observation("9279-1", 24, "/min"),
    observation("8310-5", 38.1, "Cel"),
)
LABORATORY = (observation("2160-0", 124, "umol/L"), observation("2951-2", 139, "mmol/L"))
CHART = (PATIENT, *VITAL_SIGNS, *LABORATORY)
"""All that an ICU review needs, and a little more; patient 1, two hours before the index time."""
KEYS = (
    "patient", "encounter", "vital-signs", "laboratory", "observations", "conditions", "procedures",
    "medications",
)  # fmt: skip
FAILURE = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
"""What a client puts under a key when its own search failed."""
Json = dict[str, Any]


def searchset(*resources: Json, **other: Any) -> Json:
    """What a search brings; without an entry where nothing was found."""
    found = {**bundle(*resources), "type": "searchset", "total": len(resources), **other}
    return found if resources else {k: v for k, v in found.items() if k != "entry"}


def prefetch(**changed: Any) -> Json:
    """Every key of the ICU review answered, with the values of `CHART`; `_` stands for `-`."""
    whole: Json = dict.fromkeys(KEYS)
    whole |= {
        "patient": PATIENT,
        "vital-signs": searchset(*VITAL_SIGNS),
        "laboratory": searchset(*LABORATORY),
        "conditions": searchset(),
    }
    return whole | {name.replace("_", "-"): value for name, value in changed.items()}


def without(document: Json, *keys: str) -> Json:
    return {key: value for key, value in document.items() if key not in keys}


def hook_call(**changed: Any) -> Json:
    """A good call of the ICU review; a field given as None is left out."""
    whole = {
        "hook": "patient-view",
        "hookInstance": str(uuid4()),
        "context": {"userId": "Practitioner/p7", "patientId": "1", "encounterId": "e1"},
        "extension": {"se.complication-risk.index-time": INDEX_TIME},
        "prefetch": prefetch(),
        **changed,
    }
    return {key: value for key, value in whole.items() if value is not None}


def access(server: FhirServer, **changed: Any) -> Json:
    """The fields that let a service read from a server."""
    authorization = {
        "access_token": TOKEN,
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "user/Patient.read user/Observation.read",
        "subject": "cds-service",
        **changed,
    }
    return {
        "fhirServer": server.base,
        "fhirAuthorization": {k: v for k, v in authorization.items() if v is not None},
    }


ACTION_FIELDS = {
    "create": {"type", "description", "resource"},
    "update": {"type", "description", "resource"},
    "delete": {"type", "description", "resourceId"},
}


def card_faults(card: Json) -> Iterator[str]:
    """Rows of the checklist that a card breaks; looked for in every card of every test."""
    source = card.get("source", {})
    if not 0 < len(card.get("summary", "")) < 140 or not source.get("label"):
        yield "F1"
    if card.get("indicator") not in ("info", "warning", "critical"):
        yield "F1"
    if not isinstance(card.get("detail", ""), str) or "<" in card.get("detail", ""):
        yield "F2"
    suggestions = card.get("suggestions", [])
    behaviour = card.get("selectionBehavior")
    if suggestions and behaviour not in ("at-most-one", "any"):
        yield "F4"
    if behaviour == "at-most-one" and sum(s.get("isRecommended", False) for s in suggestions) > 1:
        yield "F5"
    for suggestion in suggestions:
        if not suggestion.get("label") or not suggestion.get("uuid"):
            yield "F6"
        if not suggestion.get("actions", [None]):
            yield "F6"
        for action in suggestion.get("actions", ()):
            if action.keys() != ACTION_FIELDS.get(action.get("type")):
                yield "F7"
        if "actionSelectionBehavior" in suggestion:
            yield "F8"  # of version 3, and nobody said that this client knows it
    if not all(reason.get("display") for reason in card.get("overrideReasons", ())):
        yield "F9"
    for link in card.get("links", ()):
        if link.get("type") not in ("absolute", "smart") or not link.get("label"):
            yield "F10"
        if ("appContext" in link and link["type"] != "smart") or link.get("autolaunchable"):
            yield "F10"
    if not source.get("url", "https://").startswith(("https://", "http://")):
        yield "F11"
    if not source.get("topic", {}).get("code"):
        yield "F12"


@dataclass
class Ehr:
    """One client of one tenant; every answer is looked at before a test sees it.

    Attributes
    ----------
    key : KeyPair or None
        Signs a token for each call; None sends none.
    """

    http: httpx.Client
    issuer: str = ""
    key: KeyPair | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def token(self, path: str, **changed: Any) -> str:
        """A token for the exact URL, as the specification has it."""
        if self.key is None:
            raise AssertionError("this client has no key")
        said = claims(iss=self.issuer, aud=BASE_URL + path, client_id=None, scope=None, **changed)
        return self.key.token(said)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """One request; its answer is JSON without anything empty, and repeats no identifier."""
        sent = {**self.headers, **headers}
        if self.key is not None and "authorization" not in sent:
            sent["authorization"] = f"Bearer {self.token(path)}"
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        if content is not None:
            sent.setdefault("content-type", "application/json")
        answer = self.http.request(
            method, path, content=content, headers={k.replace("_", "-"): v for k, v in sent.items()}
        )
        assert answer.headers["content-type"] == "application/json"
        document = answer.json()
        assert list(empties(document)) == []
        assert PERSONNUMMER not in answer.text
        assert [fault for card in document.get("cards", ()) for fault in card_faults(card)] == []
        if not answer.is_success:
            assert document["resourceType"] == "OperationOutcome"
            assert {issue["severity"] for issue in document["issue"]} == {"error"}
        return answer

    def discover(self) -> list[Json]:
        services: list[Json] = self.ask("GET", "/cds-services").json()["services"]
        return services

    def call(self, body: Any, service: str = ICU, **headers: str) -> httpx.Response:
        return self.ask("POST", f"/cds-services/{service}", body, **headers)

    def card(self, body: Any, service: str = ICU, **headers: str) -> Json:
        """The one card of a call that is answered."""
        answer = self.call(body, service, **headers)
        assert answer.status_code == 200, answer.text
        (card,) = answer.json()["cards"]
        assert isinstance(card, dict)
        return card

    def give_feedback(self, *reports: Json, service: str = ICU) -> httpx.Response:
        return self.ask("POST", f"/cds-services/{service}/feedback", {"feedback": list(reports)})


def report(given: Json, outcome: str = "overridden", /, **changed: Any) -> Json:
    """What became of a card; a field given as None is left out."""
    whole = {
        "card": given["uuid"],
        "outcome": outcome,
        "outcomeTimestamp": "2026-11-21T08:01:00Z",
        **changed,
    }
    return {key: value for key, value in whole.items() if value is not None}


def risks(card: Json) -> dict[str, str]:
    """Outcome to its row of the card's table."""
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", card["detail"], re.MULTILINE)
    return {name: rest for name, rest in rows if "---" not in name and name != "Outcome"}


def issues(answer: httpx.Response) -> str:
    """Everything that an OperationOutcome says."""
    return "\n".join(issue["diagnostics"] for issue in answer.json()["issue"])
