"""One invented patient as each way in is asked: REST, FHIR `$assess`, and a CDS Hooks call."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from app.cds_hooks.discovery import CdsService
from app.cds_hooks.hook_request import DRAFT_ORDERS, MEASUREMENTS
from app.cds_hooks.hook_request import INDEX_TIME as INDEX_TIME_EXTENSION
from app.cds_hooks.prefetch import (
    ANSWERS,
    ENCOUNTER,
    LABORATORY,
    OBSERVED,
    OTHER_OBSERVED,
    PATIENT,
    RECORDED,
)
from app.examples.patients import INDEX_TIME, TAKEN_AT, ExamplePatient
from models.vocabulary import Feature, Vocabulary

Json = dict[str, Any]
LOINC, NPU, SNOMED = "http://loinc.org", "http://npu-terminology.org", "http://snomed.info/sct"
ICD_10_SE, KVA = "urn:oid:1.2.752.116.1.1.1.1.3", "urn:oid:1.2.752.116.1.3.2.1.4"
UCUM = "http://unitsofmeasure.org"
PATIENT_ID, ENCOUNTER_ID, USER = "example-1", "example-2", "Practitioner/example-3"
HOOK_INSTANCE = "00000000-0000-4000-8000-000000000001"
ADMITTED = "hospital_day"


def rest_request(patient: ExamplePatient, vocabulary: Vocabulary) -> Json:
    """The body of an assessment; what was measured comes with unit and time, the rest bare."""
    measurements: Json = {"age": patient.age, "sex": patient.sex}
    for name, value in patient.values.items():
        feature = vocabulary.features[name]
        measurements[name] = value
        if _code(feature) is not None:
            measurements[name] = {"value": value, "unit": feature.unit, "time": _utc(TAKEN_AT)}
    return {
        "episode": ENCOUNTER_ID,
        "index_time": _utc(INDEX_TIME),
        "measurements": measurements,
        "outcomes": list(patient.outcomes),
    }


def fhir_request(patient: ExamplePatient, vocabulary: Vocabulary) -> Json:
    """Parameters for `$assess`: the same patient, as far as codes can tell."""
    chart = [resource for _, resource in _chart(patient, vocabulary)]
    entries = [{"resource": resource} for resource in (_person(patient), *chart)]
    reference = {"reference": f"Patient/{PATIENT_ID}"}
    return {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "branchPoint", "valueCode": patient.branch_point},
            {"name": "patient", "valueReference": reference},
            {"name": "indexTime", "valueDateTime": _utc(INDEX_TIME)},
            *({"name": "outcome", "valueCode": name} for name in patient.outcomes),
            {
                "name": "bundle",
                "resource": {"resourceType": "Bundle", "type": "collection", "entry": entries},
            },
        ],
    }


def hook_request(patient: ExamplePatient, vocabulary: Vocabulary, service: CdsService) -> Json:
    """A call with every prefetch key answered; our own hooks carry what no resource can tell."""
    chart = _chart(patient, vocabulary)
    context: Json = {"userId": USER, "patientId": PATIENT_ID, "encounterId": ENCOUNTER_ID}
    for field in service.hook.context:
        if field.required and field.field not in context:
            context[field.field] = {"resourceType": "Bundle", "type": "collection"}
    prefetch: Json = dict.fromkeys(service.prefetch)
    prefetch[PATIENT] = _person(patient)
    for kind, resource in chart:
        # Where a key of their own would be one too many, they are asked for with the laboratory's.
        key = LABORATORY if kind == OTHER_OBSERVED and kind not in prefetch else kind
        if key == ENCOUNTER:
            prefetch[key] = resource
            continue
        if resource["resourceType"] == "ServiceRequest" and DRAFT_ORDERS in context:
            orders = context[DRAFT_ORDERS]
            orders["entry"] = [*orders.get("entry", ()), {"resource": resource}]
            continue
        page = prefetch[key] or {"resourceType": "Bundle", "type": "searchset", "entry": []}
        page["entry"].append({"resource": resource})
        prefetch[key] = page
    told = _told(patient, vocabulary)
    if MEASUREMENTS in {field.field for field in service.hook.context} and (
        carried := {name: value for name, value in patient.values.items() if name not in told}
    ):
        context[MEASUREMENTS] = carried
    return {
        "hook": service.hook.name,
        "hookInstance": HOOK_INSTANCE,
        "context": context,
        "extension": {INDEX_TIME_EXTENSION: _utc(INDEX_TIME)},
        "prefetch": prefetch,
    }


def _told(patient: ExamplePatient, vocabulary: Vocabulary) -> set[str]:
    """Inputs that the resources tell."""
    coded = {name for name in patient.values if _code(vocabulary.features[name]) is not None}
    return {*coded, *patient.conditions, *patient.procedures, *patient.answers, ADMITTED}


def _utc(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _code(feature: Feature) -> tuple[str, str] | None:
    """System and code under which a number arrives, LOINC before NPU."""
    for system, name in ((LOINC, "loinc"), (NPU, "npu")):
        if feature.kind == "number" and (codes := feature.codes.get(name)):
            return system, codes[0]
    return None


def _person(patient: ExamplePatient) -> Json:
    return {
        "resourceType": "Patient",
        "id": PATIENT_ID,
        "gender": patient.sex,
        "birthDate": patient.birth_date.isoformat(),
    }


def _chart(patient: ExamplePatient, vocabulary: Vocabulary) -> list[tuple[str, Json]]:
    """Prefetch key and resource of everything that FHIR can tell of the patient, Patient apart."""
    conditions, procedures = (RECORDED[kind][0] for kind in ("condition", "procedure"))
    found = []
    if ADMITTED in patient.values:
        found.append((ENCOUNTER, _stay(patient.values[ADMITTED])))
    for name, value in patient.values.items():
        feature = vocabulary.features[name]
        if (code := _code(feature)) is not None:
            quantity = {"value": value, "system": UCUM, "code": feature.unit}
            key = OBSERVED.get(feature.group, OTHER_OBSERVED)
            found.append((key, _observation(name, code, {"valueQuantity": quantity})))
    for name, snomed in patient.answers.items():
        answer = {"valueCodeableConcept": _concept(SNOMED, snomed)}
        found.append((ANSWERS, _observation(name, (SNOMED, snomed), answer)))
    for name, icd_10 in patient.conditions.items():
        found.append((conditions, _condition(name, icd_10)))
    for name, kva in patient.procedures.items():
        found.append((procedures, _operation(name, kva)))
    return found


def _concept(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def _of_patient(kind: str, name: str) -> Json:
    return {
        "resourceType": kind,
        "id": f"example-{name.replace('_', '-')}",
        "subject": {"reference": f"Patient/{PATIENT_ID}"},
    }


def _observation(name: str, code: tuple[str, str], value: Json) -> Json:
    return _of_patient("Observation", name) | {
        "status": "final",
        "code": _concept(*code),
        "effectiveDateTime": _utc(TAKEN_AT),
        **value,
    }


def _condition(name: str, code: str) -> Json:
    clinical = "http://terminology.hl7.org/CodeSystem/condition-clinical"
    return _of_patient("Condition", name) | {
        "clinicalStatus": _concept(clinical, "active"),
        "code": _concept(ICD_10_SE, code),
        "recordedDate": "2025-03-04",
    }


def _operation(name: str, code: str) -> Json:
    return _of_patient("ServiceRequest", name) | {
        "status": "draft",
        "intent": "order",
        "code": _concept(KVA, code),
        "authoredOn": _utc(TAKEN_AT),
    }


def _stay(day: int) -> Json:
    """An admission that began `day` - 1 midnights ago."""
    return _of_patient("Encounter", ADMITTED) | {
        "id": ENCOUNTER_ID,
        "status": "in-progress",
        "class": {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            "code": "IMP",
        },
        "period": {"start": f"2026-11-{INDEX_TIME.day - day + 1:02}T10:30:00Z"},
    }
