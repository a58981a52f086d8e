"""What the record shows at a visit: numbers that follow the state with noise, and what is missing.

Rows of `readings.toml` give all that is a sum of drivers; this file knows the rest: what follows
exactly from other values, and facts of operation, injury and stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.vocabulary import BranchPoint, Feature, Vocabulary
from training.pathway.course import DEAD, INDEX_STAY, STATE, STATES
from training.pathway.history import History, Moment, has
from training.pathway.parameters import Parameters
from training.pathway.patients import (
    Flags,
    Floats,
    Integers,
    Patients,
    linear,
    logistic,
    scenario_on,
)

MMHG_PER_KPA = 7.50062
AGED = ("hemoglobin", "creatinine", "albumin", "crp", "wbc")
ILLNESS_AT_REST = -0.4


@dataclass(frozen=True, slots=True)
class Scene:
    """One visit for every patient of a block.

    Attributes
    ----------
    branch_point : str
    before : bool
        Before the operation, or in the trauma bay or earlier.
    day : ndarray of int, shape (n,)
        Days since the start.
    moment : Moment
        State then; state -1 before the start.
    hours : ndarray, shape (n,)
        Since the episode began.
    """

    branch_point: str
    before: bool
    day: Integers
    moment: Moment
    hours: Floats


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
        self._parameters, self._patients, self._history = parameters, patients, history
        self._features = vocabulary.features
        self._points = vocabulary.branch_points
        self._random = random
        self._n = patients.count
        self._not_home = not_home
        self._between = random.normal(size=(len(parameters.readings), self._n))
        self._facts = self._draw_facts()
        self._on = [
            scenario_on(parameters, row.start, row.hospital, patients.month, patients.hospital)
            for row in parameters.scenarios
        ]
        coding = patients.traits["hospital_coding"].copy()
        for scenario, on in zip(parameters.scenarios, self._on, strict=True):
            coding *= np.where(on, scenario.coding, 1.0)
        self._coded = {name: random.random(self._n) < coding for name in sorted(_FLAGS)}

    # ------------------------------------------------------------------ one visit

    def visit(self, scene: Scene, rows: Integers) -> dict[str, Floats]:
        """Return the columns of a visit for the chosen patients: features, ages, late features."""
        point = self._points[scene.branch_point]
        drivers = self._drivers(scene, rows)
        taken, ages = self._panels(scene, drivers, rows)
        values = self._readings(drivers, taken, rows)
        self._follow(values)
        self._add_traits(values, taken, rows)
        self._add_facts(values, taken, scene, rows)
        columns: dict[str, Floats] = {}
        for name in point.features:
            if name in values:
                columns[name] = self._dictionary(self._features[name], values[name])
        self._report(columns, rows)
        for name in AGED:
            panel = _PANEL_OF.get(name) or self._panel_of(name)
            if name in columns and panel in ages:
                columns[f"age_hours:{name}"] = np.where(
                    np.isnan(columns[name]), np.nan, np.round(ages[panel], 1)
                )
        columns |= self._later(point, rows)
        return columns

    def _panel_of(self, name: str) -> str:
        return next(row.panel for row in self._parameters.readings if row.feature == name)

    def _drivers(self, scene: Scene, rows: Integers) -> dict[str, Floats]:
        drivers = {name: values[rows] for name, values in self._patients.traits.items()}
        state, spell = scene.moment.state[rows], scene.moment.spell[rows]
        for name in STATES:
            drivers[name] = (state == STATE[name]).astype(np.float64)
        if scene.before:
            spell = np.zeros_like(spell)
        drivers["infection"] = has(spell, "sepsis")
        drivers["lung_infection"] = has(spell, "pneumonia")
        drivers["kidney_injury"] = has(spell, "acute_kidney_injury")
        drivers["heart_injury"] = has(spell, "myocardial_injury")
        drivers["delirious"] = has(spell, "delirium")
        day = scene.day[rows].astype(np.float64)
        acute = 1.0 - drivers["path:elective"]
        blood = np.maximum(drivers["haemorrhage"] + 0.3, 0.0) * acute
        grade = drivers["severity_grade"]
        if scene.before:
            drivers["bleeding"] = blood * (0.4 + 0.6 * drivers["path:trauma"])
            drivers["stress"] = 0.15 * drivers["path:trauma"] + 0.0 * day
            drivers["blood_loss"] = np.zeros_like(day)
            drivers["trouble"] = np.zeros_like(day)
            drivers["anaesthesia"] = np.zeros_like(day)
        else:
            drivers["bleeding"] = blood * 0.5 * np.exp(-day)
            rise = np.where(day == 0, 0.15, np.where(day == 1, 0.75, 1.0))
            extent = np.where(drivers["operated"] > 0, 0.45 + 0.18 * grade, 0.35)
            extent = extent + 0.08 * np.maximum(drivers["injury"], 0.0)
            drivers["stress"] = extent * rise * np.exp(-np.maximum(day - 3, 0) / 5.0)
            loss = self._facts["loss_litres"][rows]
            drivers["blood_loss"] = loss * np.exp(-day / 20.0)
            drivers["trouble"] = self._facts["trouble"][rows]
            drivers["anaesthesia"] = (scene.branch_point == "end-of-surgery") + 0.0 * day
        fading = np.ones_like(day) if scene.before else np.exp(-day / 6.0)
        drivers["illness"] = ILLNESS_AT_REST + (drivers["illness"] - ILLNESS_AT_REST) * fading
        return drivers

    def _panels(
        self, scene: Scene, drivers: Mapping[str, Floats], rows: Integers
    ) -> tuple[dict[str, Flags], dict[str, Floats]]:
        taken: dict[str, Flags] = {}
        ages: dict[str, Floats] = {}
        place = scene.branch_point
        for panel in self._parameters.panels.values():
            uniform, wait = self._random.random(len(rows)), self._random.random(len(rows))
            if place not in panel.at:
                continue
            log_odds = linear(panel.at[place], panel.effects, drivers)
            here = uniform < logistic(log_odds + drivers["hospital_measuring"])
            if panel.only:
                here &= drivers[panel.only] > 0
            for scenario, on in zip(self._parameters.scenarios, self._on, strict=True):
                if panel.name in scenario.stop and (not scenario.at or place in scenario.at):
                    here &= ~on[rows]
            taken[panel.name] = here
            if place in panel.age_hours:
                ages[panel.name] = -panel.age_hours[place] * np.log1p(-wait)
        return taken, ages

    def _readings(
        self, drivers: Mapping[str, Floats], taken: Mapping[str, Flags], rows: Integers
    ) -> dict[str, Floats]:
        values: dict[str, Floats] = {}
        for number, row in enumerate(self._parameters.readings):
            if row.panel not in taken:
                continue
            log = row.scale == "log"
            total = linear(np.log(row.mean) if log else row.mean, row.effects, drivers)
            if row.between:
                total += row.between * self._between[number, rows]
            if row.noise:
                total += row.noise * self._random.normal(size=len(rows))
            value = np.exp(total) if log else total
            if row.lowest is not None or row.highest is not None:
                value = np.clip(value, row.lowest, row.highest)
            if row.cuts:
                value = np.searchsorted(np.array(row.cuts), value).astype(np.float64)
            elif self._features[row.feature].kind == "flag":
                value = (value > 0).astype(np.float64)
            lost = self._random.random(len(rows)) < self._parameters.lost
            values[row.feature] = np.where(taken[row.panel] & ~lost, value, np.nan)
        return values

    # ------------------------------------------------------------------ what follows from others

    def _follow(self, values: dict[str, Floats]) -> None:
        """Add what follows exactly from values that are there."""

        def both(*names: str) -> bool:
            return all(name in values for name in names)

        if both("height", "bmi"):
            values["weight"] = values["bmi"] * (values["height"] / 100.0) ** 2
        if both("sbp", "dbp"):
            values["dbp"] = np.minimum(values["dbp"], values["sbp"] - 8.0)
            values["map"] = (values["sbp"] + 2.0 * values["dbp"]) / 3.0
        if both("gcs_eye", "gcs_motor", "gcs_verbal"):
            parts = [np.round(values[f"gcs_{name}"]) for name in ("eye", "motor", "verbal")]
            values["gcs_total"] = np.asarray(sum(parts))
        if both("hemoglobin"):
            values["hematocrit"] = values["hemoglobin"] * 0.003
        if both("ph", "pco2"):
            # Henderson-Hasselbalch with pK 6.1 and 0.0307 mmol/L/mmHg.
            carbonic = 0.0307 * MMHG_PER_KPA * values["pco2"]
            values["bicarbonate"] = carbonic * 10.0 ** (values["ph"] - 6.1)
        if both("po2", "fio2"):
            values["pao2_fio2_ratio"] = np.minimum(
                values["po2"] * MMHG_PER_KPA / values["fio2"], 880.0
            )
        if both("prehospital_sbp"):
            points = np.searchsorted([0.5, 49.5, 75.5, 89.5], values["prehospital_sbp"])
            values["prehospital_sbp_rts"] = _where_known(values["prehospital_sbp"], points)
        if both("prehospital_resp_rate"):
            rate = values["prehospital_resp_rate"]
            points = np.select([rate < 0.5, rate < 5.5, rate < 9.5, rate < 29.5], [0, 1, 2, 4], 3)
            values["prehospital_resp_rate_rts"] = _where_known(rate, points)

    def _add_traits(
        self, values: dict[str, Floats], taken: Mapping[str, Flags], rows: Integers
    ) -> None:
        traits = self._patients.traits
        always, history = taken["always"], taken["history"]

        def show(name: str, value: Floats, when: Flags) -> None:
            values[name] = np.where(when, value, np.nan)

        show("age", np.floor(traits["age"][rows]), always)
        show("sex", traits["male"][rows], always)
        for name in sorted(_FLAGS):
            show(name, traits[_FLAGS[name]][rows] * self._coded[name][rows], history)
        heart = np.maximum(traits["ischaemic_heart_disease"], traits["heart_failure"])
        heart = np.maximum(heart, traits["hypertension"])[rows]
        show("cardiovascular_disease", heart * self._coded["heart_failure"][rows], history)
        if "function" in taken:
            show("smoking", self._facts["smoking"][rows], taken["function"])
            show("living_situation", self._facts["living"][rows], taken["function"])
        extent = traits["cancer"] + traits["cancer_nodal"] + traits["advanced_cancer"]
        if "cancer_record" in taken:
            show("malignancy_extent", extent[rows], taken["cancer_record"])
            spread = traits["cancer"] + traits["advanced_cancer"]
            show("cancer_extent", spread[rows], taken["cancer_record"])
        if "creatinine" in values:
            values["egfr"] = _egfr(
                values["creatinine"], np.floor(traits["age"][rows]), traits["male"][rows]
            )

    # ------------------------------------------------------------------ facts

    def _add_facts(
        self, values: dict[str, Floats], taken: Mapping[str, Flags], scene: Scene, rows: Integers
    ) -> None:
        facts, history = self._facts, self._history
        for panel, names in _FACTS.items():
            if panel not in taken:
                continue
            for name in names:
                values[name] = np.where(taken[panel], facts[name][rows], np.nan)
        if scene.branch_point in ("recovery-follow-up",):
            since = (scene.day - history.stay_end)[rows].astype(np.float64)
            values["days_since_discharge"] = since
            work = facts["returned_to_work"][rows]
            asked = taken["questionnaire"] & (self._patients.traits["age"][rows] < 66)
            values["returned_to_work"] = np.where(asked, work, np.nan)
            values["discharge_destination"] = facts["destination"][rows]
        if scene.before:
            return
        day = scene.day
        stay = np.minimum(history.stay_end, day)
        values["hospital_day"] = (stay + 1)[rows].astype(np.float64)
        operated = self._patients.traits["operated"][rows] > 0
        values["postoperative_day"] = np.where(operated, day[rows], np.nan).astype(np.float64)
        values["hospital_stay_days"] = stay[rows].astype(np.float64)
        bits = history.marks(np.full(self._n, -1), stay)
        values["complication_clavien_dindo"] = self._clavien(bits, stay)[rows]
        intensive = history.days_in([STATE["intensive"]], np.full(self._n, -1), stay)
        values["ventilator_days"] = np.round(intensive * facts["ventilated"])[rows]
        values["highest_care_level"] = np.where(
            intensive > 0, 4.0, np.where(self._patients.traits["operated"] > 0, 2.0, 1.0)
        )[rows]

    def _clavien(self, bits: Integers, until: Integers) -> Floats:
        """Worst grade so far, as a position in the dictionary's list."""
        draw = self._facts["grade_draw"]
        grade = np.zeros(self._n)
        grade = np.where(has(bits, "any_complication") > 0, 1.0 + (draw < 0.65), grade)
        major = has(bits, "major_complication") > 0
        grade = np.where(major, 3.0 + (draw < 0.4), grade)
        grade = np.where(has(bits, "reoperation_30d") > 0, 4.0, grade)
        critical = self._history.enters("intensive", np.full(self._n, -1), until) * major > 0
        return np.where(critical, 5.0 + (draw < 0.3), grade)

    def _draw_facts(self) -> dict[str, Floats]:
        """Draw what is settled once per episode, shape (n,) each."""
        random, n, traits = self._random, self._n, self._patients.traits
        history, procedures = self._history, self._parameters.procedures
        procedure = self._patients.procedure

        def of(name: str) -> Floats:
            column = np.array([float(getattr(row, name)) for row in procedures])
            return np.where(procedure >= 0, column[procedure], np.nan)

        def category(feature: str, words: list[str]) -> Floats:
            places = [self._features[feature].categories.index(word) for word in words]
            return np.where(procedure >= 0, np.array(places, float)[procedure], np.nan)

        emergency, trauma = traits["path:emergency"], traits["path:trauma"]
        unplanned = (history.start_state == STATE["intensive"]) & (traits["planned_icu"] == 0)
        trouble = random.normal(0.0, 0.7, n) + 1.9 * unplanned
        trouble += 1.0 * (history.start_state == STATE["complicated"])
        trouble += 2.5 * (history.start_state == DEAD)
        facts: dict[str, Floats] = {"trouble": trouble}
        facts["procedure_group"] = category("procedure_group", [r.group for r in procedures])
        facts["surgical_specialty"] = category(
            "surgical_specialty", [r.specialty for r in procedures]
        )
        grade = traits["severity_grade"]
        facts["operative_severity"] = np.where(procedure >= 0, grade, np.nan)
        facts["rcri_high_risk_surgery"] = of("high_risk")
        pressing = traits["illness"] + random.normal(0.0, 0.5, n) > 1.6
        urgency = np.where(traits["path:elective"] > 0, 0.0, 2.0 + pressing)
        soon = (traits["path:elective"] > 0) & (traits["cancer_operation"] > 0)
        urgency = np.where(soon & (random.random(n) < 0.5), 1.0, urgency)
        facts["operation_urgency"] = np.where(procedure >= 0, urgency, np.nan)
        facts["emergency"] = np.where(procedure >= 0, 1.0 - traits["path:elective"], np.nan)
        acute_hour = random.uniform(0.0, 24.0, n)
        planned_hour = 8.0 + 7.0 * random.beta(1.3, 1.8, n)
        facts["operation_hour"] = np.floor(
            np.where(emergency + trauma > 0, acute_hour, planned_hour)
        )
        facts["operation_weekday"] = np.where(
            emergency + trauma > 0, random.integers(1, 8, n), random.integers(1, 6, n)
        ).astype(np.float64)
        first = self._parameters.first_month % 100 - 1
        facts["operation_month"] = (first + self._patients.month) % 12 + 1.0

        open_share = of("open")
        approach = np.where(random.random(n) < open_share, 0.0, 1.0)
        robot = (approach == 1) & (random.random(n) < 0.3 * (grade >= 2))
        approach = np.where(robot, 2.0, approach)
        convert = (approach == 1) & (trouble + random.normal(0, 0.6, n) > 1.6)
        facts["surgical_approach"] = np.where(
            procedure >= 0, np.where(convert, 3.0, approach), np.nan
        )
        neuraxial = (traits["orthopaedic"] > 0) & (random.random(n) < 0.55)
        combined = (grade >= 2) & (random.random(n) < 0.25)
        facts["anaesthesia_type"] = np.where(
            procedure >= 0, np.where(neuraxial, 1.0, np.where(combined, 2.0, 0.0)), np.nan
        )
        facts["operation_duration"] = np.round(
            np.exp(np.log(of("minutes")) + 0.20 * (grade - 1.8) + 0.10 * trouble
                   + 0.25 * random.normal(size=n)).clip(10, 1400)
        )  # fmt: skip
        loss = np.exp(
            np.log(of("blood_loss_ml")) + 0.40 * (grade - 1.8) + 0.35 * trouble
            + 0.40 * np.maximum(traits["haemorrhage"], 0) + 0.55 * random.normal(size=n)
        ).clip(0, 15000)  # fmt: skip
        facts["estimated_blood_loss"] = np.where(
            loss > 100, np.round(loss, -1), np.round(loss / 5) * 5
        )
        injured = 0.25 * trauma * np.maximum(traits["haemorrhage"] + 0.3, 0.0)
        facts["loss_litres"] = np.minimum(np.nan_to_num(loss) / 1000.0 + injured, 4.0)
        units = facts["loss_litres"] * 1.3 - 0.9 + 0.35 * random.normal(size=n)
        facts["red_cell_units_transfused"] = np.maximum(np.round(units), 0.0)

        smoker = traits["smoker"] > 0
        facts["smoking"] = np.where(smoker, 2.0, (random.random(n) < 0.38).astype(float))
        living = np.where(traits["lives_alone"] > 0, 0.0, 1.0)
        helped = traits["frailty"] + 0.6 * random.normal(size=n)
        living = np.where(helped > 1.7, 2.0, living)
        facts["living"] = np.where(helped + 0.8 * traits["dementia"] > 2.6, 4.0, living)
        facts["ventilated"] = 1.0 / (1.0 + np.exp(-(-0.3 + 0.9 * traits["brain"]
                                                   + 0.4 * traits["illness"] + 0.4 * traits["lung"])))  # fmt: skip
        facts["grade_draw"] = random.random(n)
        self._draw_injury(facts, random)
        away = random.random(n)
        where = np.select([away < 0.45, away < 0.75, away < 0.97], [1.0, 2.0, 3.0], 5.0)
        facts["destination"] = np.where(self._not_home > 0, where, 0.0)
        facts["destination"] = np.where(np.isnan(self._not_home), np.nan, facts["destination"])
        chance = 0.9 - 0.5 * traits["frailty"] + 0.6 * traits["resilience"] - 0.5 * traits["injury"]
        chance -= 0.8 * np.nan_to_num(self._not_home)
        facts["returned_to_work"] = (chance + random.normal(size=n) > 0).astype(np.float64)
        return facts

    def _draw_injury(self, facts: dict[str, Floats], random: np.random.Generator) -> None:
        n, traits = self._n, self._patients.traits
        sharp = traits["penetrating"]
        facts["dominant_injury_type"] = sharp
        words = self._features["injury_mechanism"].categories
        draw = random.random(n)

        def place(word: str) -> float:
            return float(words.index(word))

        young = np.select(
            [draw < 0.27, draw < 0.39, draw < 0.50, draw < 0.58, draw < 0.72, draw < 0.84],
            [place("traffic_motor_vehicle"), place("traffic_motorcycle"), place("traffic_bicycle"),
             place("traffic_pedestrian"), place("fall_from_height"), place("fall_same_level")],
            place("struck_by_blunt_object"),
        )  # fmt: skip
        old = np.select(
            [draw < 0.62, draw < 0.80, draw < 0.90],
            [place("fall_same_level"), place("fall_from_height"), place("traffic_motor_vehicle")],
            place("traffic_pedestrian"),
        )
        pierced = np.where(draw < 0.35, place("shot"), place("stabbed"))
        blunt = np.where(traits["trauma_elder"] > 0, old, young)
        facts["injury_mechanism"] = np.where(sharp > 0, pierced, blunt)
        intent = random.random(n)
        facts["injury_intention"] = np.where(
            sharp > 0,
            np.where(intent < 0.75, 2.0, 1.0),
            np.where(intent < 0.92, 0.0, np.where(intent < 0.96, 1.0, 2.0)),
        )
        severe = traits["injury"] + 0.6 * traits["brain"] + random.normal(size=n)
        facts["transport_mode"] = np.where(severe > 2.4, 1.0, 0.0)
        bleeding = np.maximum(traits["haemorrhage"] + 0.3, 0.0)
        seen = bleeding + 0.5 * random.normal(size=n)
        facts["fast_result"] = np.where(seen > 1.3, 1.0, np.where(seen > 1.15, 2.0, 0.0))
        acts = (traits["operated"] > 0) & (severe + bleeding > 1.2)
        kind = np.select(
            [traits["brain"] > 1.0, bleeding > 1.1, bleeding > 0.7], [6.0, 2.0, 5.0], 8.0
        )
        facts["emergency_procedure_type"] = np.where(acts, kind, 0.0)
        minutes = np.exp(np.log(75.0) - 0.3 * bleeding + 0.4 * random.normal(size=n))
        facts["minutes_to_emergency_procedure"] = np.where(acts, np.round(minutes), np.nan)

    # ------------------------------------------------------------------ last steps

    def _dictionary(self, feature: Feature, value: Floats) -> Floats:
        """Whole numbers where only those have a meaning, others as a laboratory reports them."""
        if feature.kind != "number":
            return value
        if feature.integer:
            return np.round(value)
        return _significant(value)

    def _report(self, columns: dict[str, Floats], rows: Integers) -> None:
        """Apply what a scenario changes between the device and the record."""
        for scenario, on in zip(self._parameters.scenarios, self._on, strict=True):
            for name, factor in scenario.unit_change.items():
                if name in columns:
                    columns[name] = np.where(on[rows], columns[name] * factor, columns[name])

    def _later(self, point: BranchPoint, rows: Integers) -> dict[str, Floats]:
        """Facts that only the end of the stay will tell, for the test that shows what a leak does."""
        history = self._history
        later: dict[str, Floats] = {}
        unknown = (self._patients.traits["cancelled"] > 0)[rows]
        if point.stage < self._points["discharge"].stage:
            end = history.stay_end
            bits = history.marks(np.full(self._n, -1), end)
            later["hospital_stay_days"] = end.astype(np.float64)[rows]
            later["complication_clavien_dindo"] = self._clavien(bits, end)[rows]
        if point.stage < self._points["recovery-follow-up"].stage:
            later["discharge_destination"] = self._facts["destination"][rows]
        return {f"later:{name}": np.where(unknown, np.nan, v) for name, v in later.items()}


_FLAGS = {
    name: name
    for name in (
        "diabetes", "insulin_treated_diabetes", "dementia", "ischaemic_heart_disease",
        "heart_failure", "stroke_or_tia_history", "pulmonary_disease", "digestive_disease",
        "hypercapnic_respiratory_failure", "osteoarthritis", "psychiatric_disorder",
        "anticoagulant_use", "cancer",
    )
}  # fmt: skip
_FACTS = {
    "plan": (
        "procedure_group", "surgical_specialty", "operative_severity", "rcri_high_risk_surgery",
        "operation_urgency", "emergency", "operation_hour", "operation_weekday", "operation_month",
    ),
    "operation_report": (
        "surgical_approach", "anaesthesia_type", "operation_duration", "red_cell_units_transfused",
    ),
    "operation": ("estimated_blood_loss",),
    "trauma_record": (
        "dominant_injury_type", "injury_mechanism", "injury_intention", "transport_mode",
        "emergency_procedure_type",
    ),
    "imaging": ("fast_result", "minutes_to_emergency_procedure"),
}  # fmt: skip
_PANEL_OF: dict[str, str] = {}


def _where_known(known: Floats, value: np.ndarray) -> Floats:
    return np.where(np.isnan(known), np.nan, value.astype(np.float64))


def _egfr(creatinine_umol_per_l: Floats, age_years: Floats, male: Floats) -> Floats:
    """Estimated glomerular filtration rate in mL/min/1.73 m2.

    References
    ----------
    CKD-EPI 2021 creatinine equation, Inker et al., N Engl J Med 2021;385:1737-1749.
    """
    milligrams = creatinine_umol_per_l / 88.4
    kappa = np.where(male > 0, 0.9, 0.7)
    alpha = np.where(male > 0, -0.302, -0.241)
    ratio = milligrams / kappa
    rate = 142.0 * np.minimum(ratio, 1.0) ** alpha * np.maximum(ratio, 1.0) ** -1.2
    result: Floats = rate * 0.9938**age_years * np.where(male > 0, 1.0, 1.012)
    return np.minimum(result, 195.0)


def _significant(value: Floats) -> Floats:
    """Round to three significant digits, vitals and laboratory values alike."""
    with np.errstate(divide="ignore", invalid="ignore"):
        power = 2 - np.floor(np.log10(np.abs(value)))
    power = np.where(np.isfinite(power), power, 0.0)
    scale = 10.0**power
    result: Floats = np.round(value * scale) / scale
    return result


_ = INDEX_STAY
