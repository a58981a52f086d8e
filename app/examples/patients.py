"""The invented patients that examples are made of: `patients.toml`, loaded and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from models.vocabulary.content import Key, Row, read_toml

FILE = Path(__file__).parent / "patients.toml"
INDEX_TIME = datetime(2026, 11, 21, 8, 15, tzinfo=UTC)
TAKEN_AT = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
"""When everything that has a moment was measured: recent enough for every maximum age."""

_PATIENT = {
    "branch_point": Key(str, required=True),
    "summary": Key(str, required=True),
    "birth_date": Key(str, required=True),
    "sex": Key(str, required=True),
    "outcomes": Key(list, required=True),
    "values": Key(dict, required=True),
    "conditions": Key(dict),
    "procedures": Key(dict),
    "answers": Key(dict),
    "illustration": Key(list, required=True),
}
_ILLUSTRATION = {
    "outcome": Key(str, required=True),
    "base_value": Key((int, float), required=True),
    "cohort": Key((int, float), required=True),
    "reasons": Key(dict, required=True),
}


@dataclass(frozen=True, slots=True)
class Illustration:
    """Invented numbers of one outcome, in log-odds or in the outcome's unit."""

    outcome: str
    base_value: float
    cohort: float
    reasons: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ExamplePatient:
    """One invented patient at one branch point.

    Attributes
    ----------
    values : mapping
        Feature name to value in the dictionary's unit; age and sex apart.
    conditions, procedures, answers : mapping
        Feature name to its code in ICD-10-SE, KVÅ and SNOMED CT.
    """

    branch_point: str
    summary: str
    birth_date: date
    sex: str
    outcomes: tuple[str, ...]
    values: Mapping[str, Any]
    conditions: Mapping[str, str]
    procedures: Mapping[str, str]
    answers: Mapping[str, str]
    illustrations: tuple[Illustration, ...]

    @property
    def age(self) -> int:
        """Completed years at the index time."""
        born, now = self.birth_date, INDEX_TIME.date()
        return now.year - born.year - ((now.month, now.day) < (born.month, born.day))


def load_patients(file: Path = FILE) -> Mapping[str, ExamplePatient]:
    """Load every patient, by branch point in the file's order.

    Raises
    ------
    ContentInvalid
        Naming the row and the rule that does not hold.
    """
    document = read_toml(file)
    document.check({"patient": Key(list, required=True)})
    found: dict[str, ExamplePatient] = {}
    for values in document.values["patient"]:
        row = Row(file.name, f"patient `{values.get('branch_point')}`", values)
        row.check(_PATIENT)
        patient = _patient(row)
        if patient.branch_point in found:
            row.refuse("its branch point has a patient already")
        found[patient.branch_point] = patient
    return found


def _patient(row: Row) -> ExamplePatient:
    values = row.values
    try:
        birth_date = date.fromisoformat(values["birth_date"])
    except ValueError:
        row.refuse("`birth_date` must be written as 1950-05-12")
    return ExamplePatient(
        branch_point=values["branch_point"],
        summary=values["summary"],
        birth_date=birth_date,
        sex=values["sex"],
        outcomes=row.strings("outcomes"),
        values=values["values"],
        conditions=values.get("conditions", {}),
        procedures=values.get("procedures", {}),
        answers=values.get("answers", {}),
        illustrations=tuple(_illustration(row, item) for item in values["illustration"]),
    )


def _illustration(patient: Row, values: Mapping[str, Any]) -> Illustration:
    row = Row(patient.file, f"{patient.label}, illustration", values)
    row.check(_ILLUSTRATION)
    return Illustration(
        values["outcome"], float(values["base_value"]), float(values["cohort"]), values["reasons"]
    )
