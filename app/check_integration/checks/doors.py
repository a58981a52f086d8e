"""One patient, three ways in, one probability; and errors that tell nothing about the patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.check_integration.door import Answer, Door, at, objects
from app.check_integration.ehr import Given
from app.check_integration.fhir_server import Resource
from app.check_integration.findings import Notes
from app.check_integration.invented_patient import InventedPatient

TOLERANCE = 1e-9
SAME = "the same probabilities and numbers to 1e-9"
FORBIDDEN = 403
PROBLEM_JSON, FHIR_JSON = "application/problem+json", "application/fhir+json"
Numbers = Mapping[str, float]


def check_doors(door: Door, given: tuple[Given, ...], notes: Notes) -> None:
    """Ask about each patient over REST and FHIR, and compare with what the card stands for."""
    for one in given:
        if one.card is not None:
            _compare(door, one, notes)
    if not any(one.card is not None for one in given):
        notes.skip("door.same", "the same patient over REST and FHIR", SAME, "no card came")
    _describe(door, notes)
    if given:
        _refused(door, given[0].visit.service.id, notes)


@dataclass(frozen=True, slots=True)
class _Beside:
    """What the card's assessment holds, to lay other ways in beside it."""

    notes: Notes
    service: str
    by_card: Numbers

    def judge(
        self, check: str, asked: str, answer: Answer, numbers: Numbers, expected: str = SAME
    ) -> None:
        if answer.status == FORBIDDEN:
            why = "the credential lacks the scope `assess`"
            self.notes.skip(check, asked, expected, why, self.service)
            return
        faults = _wrong(answer)
        if not faults and not numbers and not self.by_card:
            why = "answered, but no outcome has a number to compare"
            self.notes.skip(check, asked, expected, why, self.service)
            return
        faults = faults or _apart(self.by_card, numbers)
        told = f"{len(numbers)} numbers"
        self.notes.judge(check, asked, expected, faults, told, self.service)


def _compare(door: Door, one: Given, notes: Notes) -> None:
    patient, name = one.visit.patient, one.visit.service.id
    uuid = str((one.card or {}).get("uuid"))
    stored = door.ask("GET", f"/v1/assessments/{uuid}")
    asked = "the card's assessment, GET /v1/assessments/{uuid}"
    if stored.status == FORBIDDEN:
        why = "the credential lacks the scope `read`"
        notes.skip("door.stored", asked, "200", why, name)
        return
    if not notes.judge("door.stored", asked, "200", _wrong(stored), "200", name):
        return
    beside = _Beside(notes, name, _of_rest(stored))
    request = {
        "subject": patient.id,
        "index_time": patient.moment,
        "measurements": dict(patient.measurements),
    }
    rest = door.ask("POST", f"/v1/branch-points/{name}/assessments", request)
    beside.judge("door.rest", "the same patient over REST", rest, _of_rest(rest))
    asked = "the same patient by POST /fhir/$assess"
    if patient.carried:
        why = f"no FHIR resource can hold what the hook carries: {', '.join(patient.carried)}"
        notes.skip("door.fhir", asked, SAME, why, name)
    else:
        answer = door.ask(
            "POST", "/fhir/$assess", _parameters(name, patient), headers={"accept": FHIR_JSON}
        )
        beside.judge("door.fhir", asked, answer, _of_bundle(answer))
    read = door.ask("GET", f"/fhir/RiskAssessment/{uuid}", headers={"accept": FHIR_JSON})
    beside.judge(
        "door.risk-assessment", "the card's GET /fhir/RiskAssessment/{uuid}", read,
        _of_risk_assessment(read.document), "the same, probabilities in percent",
    )  # fmt: skip


def _describe(door: Door, notes: Notes) -> None:
    answer = door.ask("GET", "/fhir/metadata", headers={"accept": FHIR_JSON})
    faults = _wrong(answer)
    if answer.at("resourceType") != "CapabilityStatement":
        faults.append("no CapabilityStatement")
    if not str(answer.at("fhirVersion")).startswith("4.0"):
        faults.append(f"fhirVersion {answer.at('fhirVersion')}")
    notes.judge(
        "door.metadata", "GET /fhir/metadata", "a CapabilityStatement of R4", faults,
        f"FHIR {answer.at('fhirVersion')}",
    )  # fmt: skip


def _refused(door: Door, point: str, notes: Notes) -> None:
    name = door.canaries.name
    broken = f'{{"measurements": {{"{name}": '.encode()
    unknown = {"measurements": {name: name}}
    for check, asked, path, body, statuses in (
        ("door.problem", "REST: no JSON", f"/v1/branch-points/{point}/assessments", broken, (400,)),
        ("door.problem", "REST: a name that is no feature",
         f"/v1/branch-points/{point}/assessments", unknown, (422,)),
        ("door.outcome", "FHIR: no JSON", "/fhir/$assess", broken, (400,)),
        ("door.outcome", "FHIR: another resource", "/fhir/$assess",
         {"resourceType": name}, (400, 422)),
        ("door.outcome", "CDS Hooks: no JSON", f"/cds-services/{point}", broken, (400,)),
    ):  # fmt: skip
        answer = door.ask("POST", path, body)
        expected = " or ".join(map(str, statuses))
        if answer.status == FORBIDDEN:
            why = "the credential lacks the scope `assess`"
            notes.skip(check, f"{asked}: POST {path}", expected, why)
            continue
        faults = [] if answer.status in statuses else [f"answered {answer.status}"]
        if check == "door.problem":
            faults += _problem_faults(answer)
            expected += ", application/problem+json"
        else:
            if answer.at("resourceType") != "OperationOutcome":
                faults.append("no OperationOutcome")
            expected += ", OperationOutcome"
        notes.judge(check, f"{asked}: POST {path}", expected, faults, f"{answer.status}")


def check_echoes(door: Door, notes: Notes) -> None:
    """Whether any answer of the whole run held a name, a token or a comment that was sent."""
    notes.judge(
        "door.echo", "every answer of this run",
        "none repeats a name, a token, a comment or a refused value",
        [f"{echo} was repeated" for echo in dict.fromkeys(door.echoes)], "none does",
    )  # fmt: skip


def _problem_faults(answer: Answer) -> list[str]:
    faults = [f"no `{key}`" for key in ("type", "title", "status") if answer.at(key) is None]
    if answer.media_type != PROBLEM_JSON:
        faults.append(f"content type {answer.media_type or 'missing'}")
    return faults


def _parameters(point: str, patient: InventedPatient) -> Resource:
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": resource} for resource in patient.resources],
    }
    return {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "branchPoint", "valueCode": point},
            {"name": "patient", "valueReference": {"reference": f"Patient/{patient.id}"}},
            {"name": "indexTime", "valueDateTime": patient.moment},
            {"name": "bundle", "resource": bundle},
        ],
    }


def _of_rest(answer: Answer) -> Numbers:
    found = {}
    for outcome in objects(answer.at("outcomes")):
        number = outcome.get("probability", outcome.get("value"))
        if isinstance(number, int | float):
            found[str(outcome.get("outcome"))] = float(number)
    return found


def _of_bundle(answer: Answer) -> Numbers:
    for entry in objects(answer.at("entry")):
        resource = entry.get("resource")
        if isinstance(resource, dict) and resource.get("resourceType") == "RiskAssessment":
            return _of_risk_assessment(resource)
    return {}


def _of_risk_assessment(resource: Any) -> Numbers:
    """In R4 a probability is a percentage; an expected number stands in an extension."""
    found = {}
    for prediction in objects(at(resource, "prediction")):
        name = at(prediction, "outcome", "coding", 0, "code")
        percent = prediction.get("probabilityDecimal")
        expected = at(prediction, "extension", 0, "valueQuantity", "value")
        if isinstance(percent, int | float):
            found[str(name)] = percent / 100
        elif isinstance(expected, int | float):
            found[str(name)] = float(expected)
    return found


def _apart(one: Numbers, other: Numbers) -> list[str]:
    """Where two ways in do not agree.

    Examples
    --------
    >>> _apart({"death_30d": 0.1}, {"death_30d": 0.1 + 2e-10})
    []
    >>> _apart({"death_30d": 0.1}, {})
    ['death_30d is answered one way only']
    """
    faults = [f"{name} is answered one way only" for name in sorted(one.keys() ^ other.keys())]
    for name in sorted(one.keys() & other.keys()):
        difference = abs(one[name] - other[name])
        if difference > TOLERANCE:
            faults.append(f"{name} differs by {difference:.1e}")
    return faults


def _wrong(answer: Answer) -> list[str]:
    return [] if answer.status == 200 else [f"answered {answer.status}"]
