"""Facts of the operation: planned ones, and how it went."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.vocabulary import Feature
from training.pathway.course import DEAD, STATE
from training.pathway.history import History
from training.pathway.parameters import Parameters
from training.pathway.patients import Floats, Patients

# Positions in the dictionary's lists.
ELECTIVE, EXPEDITED, URGENT = 0.0, 1.0, 2.0
OPEN, LAPAROSCOPIC, ROBOT, CONVERTED = 0.0, 1.0, 2.0, 3.0
GENERAL, NEURAXIAL, COMBINED = 0.0, 1.0, 2.0


def plan_facts(
    parameters: Parameters,
    patients: Patients,
    features: Mapping[str, Feature],
    random: np.random.Generator,
) -> dict[str, Floats]:
    """Draw what is known when an operation is planned, shape (n,) each; NaN without a plan."""
    n, traits, rows = patients.count, patients.traits, parameters.procedures
    numbers = parameters.operation
    planned = patients.procedure >= 0

    def category(feature: str, words: list[str]) -> Floats:
        places = np.array([features[feature].categories.index(word) for word in words], float)
        return np.where(planned, places[patients.procedure], np.nan)

    elective = traits["path:elective"] > 0
    pressing = (
        traits["illness"] + random.normal(0.0, numbers.pressing_noise, n) > numbers.pressing_from
    )
    soon = (
        elective & (traits["cancer_operation"] > 0) & (random.random(n) < numbers.expedited_share)
    )
    urgency = np.where(elective, np.where(soon, EXPEDITED, ELECTIVE), URGENT + pressing)
    by_day = random.beta(numbers.hour_early, numbers.hour_late, n)
    by_day = numbers.first_hour + numbers.planned_hours * by_day
    hour = np.where(elective, by_day, random.uniform(0.0, 24.0, n))
    weekday = np.where(elective, random.integers(1, 6, n), random.integers(1, 8, n))
    first = parameters.first_month % 100 - 1
    facts = {
        "procedure_group": category("procedure_group", [row.group for row in rows]),
        "surgical_specialty": category("surgical_specialty", [row.specialty for row in rows]),
        "operative_severity": traits["severity_grade"],
        "rcri_high_risk_surgery": procedure_column(parameters, patients, "high_risk"),
        "operation_urgency": urgency,
        "emergency": 1.0 - traits["path:elective"],
        "operation_hour": np.floor(hour),
        "operation_weekday": weekday.astype(np.float64),
        "operation_month": (first + patients.month) % 12 + 1.0,
    }
    return {name: np.where(planned, values, np.nan) for name, values in facts.items()}


def operation_facts(
    parameters: Parameters, patients: Patients, history: History, random: np.random.Generator
) -> dict[str, Floats]:
    """Draw how the operation went, shape (n,) each.

    `trouble` is how hard it went: it shows in blood loss, pressure and time, and follows the state
    at the end of surgery. `loss_litres` counts blood lost by injury as well.
    """
    n, traits, numbers = patients.count, patients.traits, parameters.operation
    grade = traits["severity_grade"]

    def of(name: str) -> Floats:
        return procedure_column(parameters, patients, name)

    unplanned = (history.start_state == STATE["intensive"]) & (traits["planned_icu"] == 0)
    trouble = random.normal(0.0, numbers.trouble_noise, n)
    trouble += numbers.trouble_if_unplanned_icu * unplanned
    trouble += numbers.trouble_if_complicated * (history.start_state == STATE["complicated"])
    trouble += numbers.trouble_if_dead * (history.start_state == DEAD)

    small = random.random(n) >= of("open")
    major = grade >= numbers.major_from
    robot = small & (random.random(n) < numbers.robot_share * major)
    converted = (
        small
        & ~robot
        & (trouble + random.normal(0.0, numbers.converted_noise, n) > numbers.converted_from)
    )
    approach = np.select([converted, robot, small], [CONVERTED, ROBOT, LAPAROSCOPIC], OPEN)
    spinal = (traits["orthopaedic"] > 0) & (random.random(n) < numbers.neuraxial_share)
    combined = major & (random.random(n) < numbers.combined_share)
    anaesthesia = np.select([spinal, combined], [NEURAXIAL, COMBINED], GENERAL)

    above = grade - numbers.usual_grade
    minutes = np.log(of("minutes")) + numbers.minutes_per_grade * above
    minutes += numbers.minutes_per_trouble * trouble
    minutes += numbers.minutes_noise * random.normal(size=n)
    minutes = np.exp(minutes).clip(numbers.shortest_minutes, numbers.longest_minutes)
    loss = np.log(of("blood_loss_ml")) + numbers.loss_per_grade * above
    loss += numbers.loss_per_trouble * trouble
    bleeding = numbers.loss_per_haemorrhage * np.maximum(traits["haemorrhage"], 0.0)
    loss += bleeding + numbers.loss_noise * random.normal(size=n)
    loss = np.exp(loss).clip(0.0, numbers.largest_loss_ml)
    injured = numbers.injury_litres * traits["path:trauma"]
    injured = injured * np.maximum(traits["haemorrhage"] + parameters.body.bleeding_shift, 0.0)
    litres = np.minimum(np.nan_to_num(loss) / 1000.0 + injured, numbers.most_litres)
    units = litres * numbers.units_per_litre - numbers.units_spared
    units = np.round(units + numbers.units_noise * random.normal(size=n))
    planned = patients.procedure >= 0
    return {
        "trouble": trouble,
        "loss_litres": litres,
        "surgical_approach": np.where(planned, approach, np.nan),
        "anaesthesia_type": np.where(planned, anaesthesia, np.nan),
        "operation_duration": np.round(minutes),
        # Small losses are told to five millilitres, others to ten.
        "estimated_blood_loss": np.where(loss > 100, np.round(loss, -1), np.round(loss / 5) * 5),
        "red_cell_units_transfused": np.where(planned, np.maximum(units, 0.0), np.nan),
    }


def procedure_column(parameters: Parameters, patients: Patients, name: str) -> Floats:
    """A column of the declared operations for every patient, NaN without one, shape (n,)."""
    column = np.array([float(getattr(row, name)) for row in parameters.procedures])
    return np.where(patients.procedure >= 0, column[patients.procedure], np.nan)
