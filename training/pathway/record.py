"""What the record shows at a visit: numbers that follow the state with noise, and what is missing.

Missing for reasons: a panel that nobody needed, a fact that is not known yet, a value that was lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from models.vocabulary import BranchPoint, Feature, Vocabulary
from training.pathway.derived import add_derived, estimated_filtration_rate, significant
from training.pathway.drivers import visit_drivers
from training.pathway.history import History
from training.pathway.injury import injury_facts
from training.pathway.operation import operation_facts, plan_facts
from training.pathway.parameters import Parameters, Scenario
from training.pathway.patients import (
    Flags,
    Floats,
    Patients,
    linear,
    logistic,
    scenario_on,
)
from training.pathway.stay import person_facts, stay_facts
from training.pathway.visits import Scene, months_later

AGED = ("hemoglobin", "creatinine", "albumin", "crp", "wbc")
CODED = (
    "anticoagulant_use", "cancer", "dementia", "diabetes", "digestive_disease", "heart_failure",
    "hypercapnic_respiratory_failure", "insulin_treated_diabetes", "ischaemic_heart_disease",
    "osteoarthritis", "psychiatric_disorder", "pulmonary_disease", "stroke_or_tia_history",
)  # fmt: skip
HEART = ("ischaemic_heart_disease", "heart_failure", "hypertension")
FACTS = {
    "plan": (
        "procedure_group", "surgical_specialty", "operative_severity", "rcri_high_risk_surgery",
        "operation_urgency", "emergency", "operation_hour", "operation_weekday", "operation_month",
    ),
    "operation": ("estimated_blood_loss",),
    "operation_report": (
        "surgical_approach", "anaesthesia_type", "operation_duration", "red_cell_units_transfused",
    ),
    "trauma_record": (
        "dominant_injury_type", "injury_mechanism", "injury_intention", "transport_mode",
        "emergency_procedure_type",
    ),
    "imaging": ("fast_result", "minutes_to_emergency_procedure"),
    "function": ("smoking", "living_situation"),
    "cancer_record": ("malignancy_extent", "cancer_extent"),
    "questionnaire": ("returned_to_work",),
}  # fmt: skip
# Facts of the end of the stay, shown where they are not yet known for the test of what a leak does.
LATER = ("hospital_stay_days", "complication_clavien_dindo")


class Record:
    """Writes down a block's visits."""

    def __init__(
        self,
        parameters: Parameters,
        patients: Patients,
        history: History,
        not_home: Floats,
        vocabulary: Vocabulary,
        random: np.random.Generator,
    ) -> None:
        self._parameters, self._patients = parameters, patients
        self._traits = patients.traits
        self._features, self._points = vocabulary.features, vocabulary.branch_points
        self._random = random
        self._between = random.normal(size=(len(parameters.readings), patients.count))
        traits = patients.traits
        self._facts = {
            **plan_facts(parameters, patients, self._features, random),
            **operation_facts(parameters, patients, history, random),
            **injury_facts(parameters, patients, self._features, random),
            **person_facts(parameters.stay, patients, not_home, random),
            "malignancy_extent": traits["cancer"]
            + traits["cancer_nodal"]
            + (traits["cancer_nodal"] * traits["advanced_cancer"]),
            "cancer_extent": traits["cancer"] + traits["advanced_cancer"],
        }
        self._coding = {name: random.random(patients.count) for name in CODED}

    def visit(self, scene: Scene, course: History) -> dict[str, Floats]:
        """Return the columns of a round of visits: features, their ages, and late facts.

        Parameters
        ----------
        scene : Scene
            The visits, m of them.
        course : History
            The courses of just these patients.

        Returns
        -------
        dict of ndarray, shape (m,)
            NaN where missing.
        """
        point, rows = self._points[scene.branch_point], scene.rows
        facts = {name: values[rows] for name, values in self._facts.items()}
        drivers = visit_drivers(
            self._parameters.body, scene, self._traits, facts["loss_litres"], facts["trouble"]
        )
        switched = self._switched(scene)
        taken, ages = self._panels(scene, drivers, switched)
        values = self._readings(scene, drivers, taken)
        add_derived(values)
        self._add_person(values, taken, scene, drivers, switched)
        for panel, names in FACTS.items():
            for name in names if panel in taken else ():
                values[name] = np.where(taken[panel], facts[name], np.nan)
        if not scene.before:
            self._add_stay(values, scene, course, facts)
        columns = {
            name: _as_reported(self._features[name], values[name])
            for name in point.features
            if name in values
        }
        _change_units(columns, switched)
        for name in AGED:
            panel = self._panel_of(name)
            if name in columns and panel in ages:
                old = np.round(ages[panel], 1)
                columns[f"age_hours:{name}"] = np.where(np.isnan(columns[name]), np.nan, old)
        return columns | self._later(point, scene, course, facts)

    def _switched(self, scene: Scene) -> list[tuple[Scenario, Flags]]:
        """Find at which visits each scenario holds."""
        months = self._patients.month[scene.rows] + months_later(scene.hours)
        hospital = self._patients.hospital[scene.rows]
        return [
            (scenario, scenario_on(self._parameters, scenario, months, hospital))
            for scenario in self._parameters.scenarios
        ]

    def _panel_of(self, name: str) -> str:
        return next(row.panel for row in self._parameters.readings if row.feature == name)

    def _panels(
        self,
        scene: Scene,
        drivers: Mapping[str, Floats],
        switched: Sequence[tuple[Scenario, Flags]],
    ) -> tuple[dict[str, Flags], dict[str, Floats]]:
        """Decide which panels were measured, and how long ago."""
        taken: dict[str, Flags] = {}
        ages: dict[str, Floats] = {}
        place, m = scene.branch_point, len(scene.rows)
        for panel in self._parameters.panels.values():
            if place not in panel.at:
                continue
            log_odds = linear(panel.at[place], panel.effects, drivers)
            here = self._random.random(m) < logistic(log_odds + drivers["hospital_measuring"])
            if panel.only:
                here &= drivers[panel.only] > 0
            for scenario, on in switched:
                if panel.name in scenario.stop and (not scenario.at or place in scenario.at):
                    here &= ~on
            taken[panel.name] = here
            if place in panel.age_hours:
                ages[panel.name] = self._random.exponential(panel.age_hours[place], m)
        return taken, ages

    def _readings(
        self, scene: Scene, drivers: Mapping[str, Floats], taken: Mapping[str, Flags]
    ) -> dict[str, Floats]:
        values: dict[str, Floats] = {}
        m = len(scene.rows)
        for number, row in enumerate(self._parameters.readings):
            if row.panel not in taken:
                continue
            log = row.scale == "log"
            value = linear(np.log(row.mean) if log else row.mean, row.effects, drivers)
            if row.between:
                value += row.between * self._between[number, scene.rows]
            if row.noise:
                value += row.noise * self._random.normal(size=m)
            if log:
                value = np.exp(value)
            if row.lowest is not None or row.highest is not None:
                value = np.clip(value, row.lowest, row.highest)
            if row.cuts:
                value = np.searchsorted(np.array(row.cuts), value).astype(np.float64)
            elif self._features[row.feature].kind == "flag":
                value = (value > 0).astype(np.float64)
            lost = self._random.random(m) < self._parameters.lost
            values[row.feature] = np.where(taken[row.panel] & ~lost, value, np.nan)
        return values

    def _add_person(
        self,
        values: dict[str, Floats],
        taken: Mapping[str, Flags],
        scene: Scene,
        drivers: Mapping[str, Floats],
        switched: Sequence[tuple[Scenario, Flags]],
    ) -> None:
        share = drivers["hospital_coding"]
        for scenario, on in switched:
            share = share * np.where(on, scenario.coding, 1.0)
        age = np.floor(drivers["age"])
        values["age"], values["sex"] = age, drivers["male"]
        for name in CODED:
            coded = drivers[name] * (self._coding[name][scene.rows] < share)
            values[name] = np.where(taken["history"], coded, np.nan)
        heart = np.max([drivers[name] for name in HEART], axis=0)
        coded = heart * (self._coding["ischaemic_heart_disease"][scene.rows] < share)
        values["cardiovascular_disease"] = np.where(taken["history"], coded, np.nan)
        if "creatinine" in values:
            values["egfr"] = estimated_filtration_rate(values["creatinine"], age, drivers["male"])

    def _add_stay(
        self,
        values: dict[str, Floats],
        scene: Scene,
        course: History,
        facts: Mapping[str, Floats],
    ) -> None:
        operated = self._traits["operated"][scene.rows]
        share, draw = facts["ventilated_share"], facts["grade_draw"]
        values |= stay_facts(self._parameters.stay, course, scene.day, operated, share, draw)
        if self._points[scene.branch_point].stage > self._points["discharge"].stage:
            values["days_since_discharge"] = (scene.day - course.stay_end).astype(np.float64)
            values["discharge_destination"] = facts["discharge_destination"]

    def _later(
        self, point: BranchPoint, scene: Scene, course: History, facts: Mapping[str, Floats]
    ) -> dict[str, Floats]:
        later: dict[str, Floats] = {}
        if point.stage < self._points["discharge"].stage:
            operated = self._traits["operated"][scene.rows]
            share, draw = facts["ventilated_share"], facts["grade_draw"]
            end = stay_facts(self._parameters.stay, course, course.stay_end, operated, share, draw)
            later |= {name: end[name] for name in LATER}
            later["discharge_destination"] = facts["discharge_destination"]
        never = self._traits["cancelled"][scene.rows] > 0
        return {f"later:{name}": np.where(never, np.nan, late) for name, late in later.items()}


def _change_units(columns: dict[str, Floats], switched: Sequence[tuple[Scenario, Flags]]) -> None:
    for scenario, on in switched:
        for name, factor in scenario.unit_change.items():
            if name in columns:
                changed = significant(columns[name] * factor)
                columns[name] = np.where(on, changed, columns[name])


def _as_reported(feature: Feature, value: Floats) -> Floats:
    """Whole numbers where only those have a meaning, others with three significant digits."""
    if feature.kind != "number":
        return value
    return np.round(value) if feature.integer else significant(value)
