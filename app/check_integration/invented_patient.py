"""A patient whom nobody is: values from what the service publishes, codes and units likewise.

A number is what the middle fitting patient had (`typical` of GET /v1/models); where no model says
so, and the branch point requires it, it is the middle of the plausible range. So the kit works for a
site's own branch points and features too, and holds no clinical number itself.

What has no code in the dictionary cannot stand in a FHIR resource. A hook of ours carries it in
`context.measurements`; elsewhere it is left out, and the outcomes that require it abstain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from app.check_integration.dictionary import Dictionary
from app.check_integration.door import at
from app.check_integration.fhir_server import Resource

USER = "Practitioner/integration-check-user-1"
AGE, SEX = "age", "sex"
SYSTEMS = MappingProxyType(
    {
        "loinc": "http://loinc.org",
        "npu": "http://npu-terminology.org",
        "snomed": "http://snomed.info/sct",
    }
)
UCUM = "http://unitsofmeasure.org"
SINCE_BIRTHDAY = timedelta(days=150)
"""How long before the index time the patient had a birthday: no edge of a day may change the age."""
WITHOUT_A_WORD = 50
"""Years, where the dictionary knows no age: a Patient resource has a birth date all the same."""
SINCE_MEASURED = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class InventedPatient:
    """One patient at one branch point, in the words of every way in.

    Attributes
    ----------
    resources : tuple of dict
        As the EHR's FHIR server holds them.
    carried : mapping
        What no resource can say: goes into `context.measurements` of a hook that has it.
    measurements : mapping
        All of it, as a REST assessment has it.
    left_out : tuple of str
        Required inputs that neither a resource nor the hook can carry.
    """

    id: str
    encounter_id: str
    index_time: datetime
    resources: tuple[Resource, ...] = field(repr=False)
    carried: Mapping[str, Any] = field(repr=False)
    measurements: Mapping[str, Any] = field(repr=False)
    left_out: tuple[str, ...]

    @property
    def moment(self) -> str:
        """The index time as JSON has it."""
        return _written(self.index_time)


def invent(
    dictionary: Dictionary,
    point: str,
    number: int,
    *,
    name: str,
    carries: bool,
    index_time: datetime,
) -> InventedPatient:
    """Make the patient of one branch point.

    Parameters
    ----------
    number : int
        Of the patient in this run; ids are made of it.
    name : str
        Family name; what the checks look for in every answer.
    carries : bool
        Whether the hook has `context.measurements`.
    index_time : datetime
        With its offset, in whole seconds.
    """
    row = dictionary.points.get(point, {})
    required = [str(feature) for feature in at(row, "required") or ()]
    inputs = dict.fromkeys([*required, *(str(feature) for feature in at(row, "optional") or ())])
    typical = dictionary.typical.get(point, {})
    person, known = _person(dictionary, inputs, typical, index_time)
    patient = f"integration-check-patient-{number}"
    encounter = f"integration-check-encounter-{number}"
    subject = {"reference": f"Patient/{patient}"}
    official = {"use": "official", "family": name, "given": ["Invented"]}
    resources: list[Resource] = [
        {"resourceType": "Patient", "id": patient, "name": [official], **person},
        _encounter(encounter, subject, index_time),
    ]
    said: dict[str, Any] = dict(known)
    carried: dict[str, Any] = {}
    taken = _written(index_time - SINCE_MEASURED)
    for feature in inputs:
        row = dictionary.features.get(feature, {})
        if feature in (AGE, SEX) or (feature not in required and feature not in typical):
            continue
        value = _value(row, typical.get(feature))
        coding = _coding(row)
        if value is None:
            continue
        if row.get("kind") == "number":
            whole = {"value": value, "unit": row.get("unit"), "time": taken}
        else:
            whole = {"value": value, "time": taken}
        if coding is not None and row.get("kind") in ("number", "flag"):
            made = _observation(row, coding, value, taken)
            resources.append({**made, "id": f"check-{number}-{len(resources)}", "subject": subject})
            said[feature] = whole
        elif carries and feature in required:
            carried[feature] = said[feature] = whole
    left_out = tuple(feature for feature in required if feature not in said)
    return InventedPatient(
        patient, encounter, index_time, tuple(resources), carried, said, left_out
    )


def _person(
    dictionary: Dictionary,
    inputs: Mapping[str, None],
    typical: Mapping[str, float],
    index_time: datetime,
) -> tuple[Resource, dict[str, Any]]:
    """Birth date and gender of the Patient; age and sex as REST has them, where they are read."""
    value = _value(dictionary.features.get(AGE, {}), typical.get(AGE))
    years = WITHOUT_A_WORD if value is None else int(value)
    birthday = (index_time - SINCE_BIRTHDAY).date()
    born = birthday.replace(year=birthday.year - years, day=min(birthday.day, 28))
    person: Resource = {"birthDate": born.isoformat()}
    known: dict[str, Any] = {AGE: years} if AGE in inputs else {}
    sexes = at(dictionary.features.get(SEX), "categories") or []
    if SEX in inputs and "female" in sexes:
        person["gender"] = known[SEX] = "female"
    return person, known


def _encounter(encounter: str, subject: Resource, index_time: datetime) -> Resource:
    """A visit, not an admission: days in hospital would be counted from one."""
    return {
        "resourceType": "Encounter",
        "id": encounter,
        "status": "in-progress",
        "class": {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            "code": "AMB",
        },
        "subject": subject,
        "period": {"start": _written(index_time - timedelta(hours=2))},
    }


def _value(row: Mapping[str, Any], typical: float | None) -> Any:
    """A value that the dictionary calls plausible; None where it does not say enough."""
    kind, plausible = row.get("kind"), row.get("plausible")
    if kind == "number" and isinstance(plausible, list) and len(plausible) == 2:
        low, high = plausible
        number = (low + high) / 2 if typical is None else min(max(typical, low), high)
        return round(number) if row.get("integer") else float(f"{number:.4g}")
    if kind == "category" and row.get("categories"):
        return row["categories"][0]
    return False if kind == "flag" else None


def _coding(row: Mapping[str, Any]) -> dict[str, str] | None:
    for system, uri in SYSTEMS.items():
        code = at(row, "codes", system, 0)
        if isinstance(code, str):
            label = at(row, "label", "en")
            return {"system": uri, "code": code, "display": str(label)}
    return None


def _observation(
    row: Mapping[str, Any], coding: Mapping[str, str], value: Any, taken: str
) -> Resource:
    made: Resource = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [dict(coding)]},
        "effectiveDateTime": taken,
    }
    if row.get("kind") == "number":
        unit = str(row.get("unit"))
        made["valueQuantity"] = {"value": value, "unit": unit, "system": UCUM, "code": unit}
    else:
        made["valueBoolean"] = value
    return made


def _written(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
