"""Single numbers of the simulation, a row with its meaning and its source for each.

The fields below are what the code needs; the files say what they are and who says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isfinite
from types import MappingProxyType
from typing import Any, TypeVar

from training.errors import SourceInvalid

KEYS = {"name", "value", "meaning", "source"}
Numbers = TypeVar(
    "Numbers", bound="InjuryNumbers | OperationNumbers | StayNumbers | BodyNumbers | ClockNumbers"
)


@dataclass(frozen=True, slots=True)
class InjuryNumbers:
    """What an injury looks like, and what the trauma bay does about it. Each field is a row of `parameters/injury.toml`."""

    mechanisms_young: Mapping[str, float]
    mechanisms_elder: Mapping[str, float]
    mechanisms_penetrating: Mapping[str, float]
    intentions_blunt: Mapping[str, float]
    intentions_penetrating: Mapping[str, float]
    severity_of_brain: float
    fast_noise: float
    fast_positive: float
    fast_inconclusive: float
    emergency_procedure_from: float
    craniotomy_from: float
    laparotomy_from: float
    radiology_from: float
    minutes_to_procedure: float
    minutes_per_bleeding: float
    minutes_noise: float
    helicopter_from: float
    elder_share: float


@dataclass(frozen=True, slots=True)
class OperationNumbers:
    """When operations take place, and how they go. Each field is a row of `parameters/operation.toml`."""

    emergency_spread: float
    pressing_noise: float
    pressing_from: float
    expedited_share: float
    first_hour: float
    planned_hours: float
    hour_early: float
    hour_late: float
    trouble_noise: float
    trouble_if_unplanned_icu: float
    trouble_if_complicated: float
    trouble_if_dead: float
    robot_share: float
    major_from: float
    converted_noise: float
    converted_from: float
    neuraxial_share: float
    combined_share: float
    usual_grade: float
    minutes_per_grade: float
    minutes_per_trouble: float
    minutes_noise: float
    shortest_minutes: float
    longest_minutes: float
    loss_per_grade: float
    loss_per_trouble: float
    loss_per_haemorrhage: float
    loss_noise: float
    largest_loss_ml: float
    injury_litres: float
    most_litres: float
    units_per_litre: float
    units_spared: float
    units_noise: float


@dataclass(frozen=True, slots=True)
class StayNumbers:
    """Habits, housing, and what the stay leaves in the record. Each field is a row of `parameters/stay.toml`."""

    former_smokers: float
    help_noise: float
    help_of_dementia: float
    nursing_home_from: float
    home_care_from: float
    rehabilitation_up_to: float
    nursing_home_up_to: float
    other_ward_up_to: float
    ventilated: float
    ventilated_effects: Mapping[str, float]
    work: float
    work_effects: Mapping[str, float]
    work_after_elsewhere: float
    working_age_below: float
    grade_ivb_share: float
    grade_iiib_share: float
    grade_ii_share: float


@dataclass(frozen=True, slots=True)
class BodyNumbers:
    """What the state of a patient does to the body, day by day. Each field is a row of `parameters/body.toml`."""

    illness_at_rest: float
    illness_days: float
    bleeding_shift: float
    bleeding_before: float
    bleeding_before_injured: float
    bleeding_after: float
    stress_of_injury: float
    blood_days: float
    extent: float
    extent_per_grade: float
    extent_without_operation: float
    extent_per_injury: float
    rise_day_0: float
    rise_day_1: float
    peak_day: float
    stress_days: float


@dataclass(frozen=True, slots=True)
class ClockNumbers:
    """When things happen before and around the start. Each field is a row of `parameters/clock.toml`."""

    wait_shape: float
    wait_weeks: float
    cancer_wait_days: float
    acute_from_hours: float
    acute_to_hours: float
    very_ill_from: float
    very_ill_share: float
    bay_arrival_hours: float
    bay_from_hours: float
    bay_to_hours: float
    theatre_from_hours: float
    theatre_to_hours: float
    clinic_from_days: float
    clinic_to_days: float
    clinic_share: float
    start_hour: float
    operated_from_hours: float
    operated_to_hours: float
    discharge_hours: float


def read_numbers(kind: type[Numbers], file: str, content: Mapping[str, Any]) -> Numbers:
    """Fill one of the classes above from the rows of its file.

    Raises
    ------
    SourceInvalid
        Naming the file and the row that is missing, unknown, twice there, without a word on its
        meaning or source, or no number.
    """
    wanted = {field.name: field.type for field in fields(kind)}
    found: dict[str, Any] = {}
    for row in content.get("number", []):
        name = row.get("name")
        where = f"{file}.toml, number `{name}`"
        if set(row) != KEYS:
            raise SourceInvalid(f"{where}: needs {', '.join(sorted(KEYS))}, and nothing else")
        if name not in wanted:
            raise SourceInvalid(f"{where}: the simulation has no use for it")
        if name in found:
            raise SourceInvalid(f"{where}: is declared twice")
        for key in ("meaning", "source"):
            if not isinstance(row[key], str) or not row[key].strip():
                raise SourceInvalid(f"{where}: `{key}` is empty")
        found[name] = _value(row["value"], table=wanted[name] != "float", where=where)
    if missing := [name for name in wanted if name not in found]:
        raise SourceInvalid(f"{file}.toml lacks the numbers: {', '.join(missing)}")
    return kind(**found)


def _value(value: Any, *, table: bool, where: str) -> float | Mapping[str, float]:
    if table:
        if not isinstance(value, Mapping) or not value:
            raise SourceInvalid(f"{where}: `value` must be a table of numbers")
        return MappingProxyType({name: _number(part, where) for name, part in value.items()})
    return _number(value, where)


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise SourceInvalid(f"{where}: `value` must be a number")
    return float(value)
