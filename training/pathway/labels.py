"""Labels and true risks of one round of visits, by the definitions of `outcomes.toml`.

A label is null where the definition leaves the row out. Its true risk is null as well where that is
already plain at the index time (a sepsis that is there cannot begin); where it shows only later (died
before discharge, no answer), the true risk is that of the label *given that there is one*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from training.pathway.course import DEAD, HORIZON, MARKS, STATE, Chain
from training.pathway.history import History, has
from training.pathway.parameters import Parameters
from training.pathway.patients import Flags, Floats, Integers, Patients
from training.pathway.truth import label_response, operation_cost, terminal, truths
from training.pathway.visits import Scene

PRESENT = ("acute_kidney_injury", "sepsis", "pneumonia")
NEEDS_OPERATION = ("surgical_site_infection", "reoperation_30d")
DEATH = {"death_30d": 30, "death_60d": 60, "death_180d": 180}
RECOVERY = {"poor_recovery_90d": 90, "poor_recovery_365d": 365, "severe_disability_60d": 60}
PROLONGED_DAYS = 14


class Outcomes:
    """Everything about a block that its labels need: drawn once, so that visits agree."""

    def __init__(
        self,
        parameters: Parameters,
        patients: Patients,
        chain: Chain,
        history: History,
        random: np.random.Generator,
    ) -> None:
        n = patients.count
        self._parameters, self._traits = parameters, patients.traits
        self._tables = truths(parameters, patients, chain)
        self._operation_cost = operation_cost(parameters, patients)
        missing = parameters.missing_label
        self._untold = {
            name: random.random(n) < missing[reason]
            for name, reason in (
                ("vital", "unknown_vital_status"),
                ("acute_kidney_injury", "creatinine_never_repeated"),
                ("myocardial_injury", "troponin_never_taken"),
                ("delirium", "delirium_never_screened"),
                ("severe_disability_60d", "no_answer_60d"),
            )
        }
        response = label_response(parameters, patients)
        for name in ("poor_recovery_90d", "poor_recovery_365d"):
            self._untold[name] = random.random(n) >= response
        self._recovery = {name: terminal(parameters, patients, name) for name in RECOVERY}
        self._draw = {name: random.random(n) for name in RECOVERY}
        elsewhere = terminal(parameters, patients, "not_discharged_home")
        left_alive = history.end_state != DEAD
        chance = elsewhere[np.where(left_alive, history.end_state, 0), np.arange(n)]
        drawn = (random.random(n) < chance).astype(np.float64)
        self.not_home = np.where(left_alive, drawn, np.nan)

    def of(
        self, names: Sequence[str], scene: Scene, course: History
    ) -> tuple[dict[str, Floats], dict[str, Floats]]:
        """Return labels and true risks, NaN where there is none.

        Parameters
        ----------
        names : sequence of str
            Outcomes of the branch point.
        scene : Scene
            The visits, m of them.
        course : History
            The courses of just these patients.

        Returns
        -------
        labels, truths : dict of ndarray, shape (m,)
        """
        labels, true = {}, {}
        horizons = {HORIZON.get(name, 30) for name in names if name in MARKS}
        bits = {days: course.marks(scene.after, scene.day + days) for days in sorted(horizons)}
        never = self._traits["cancelled"][scene.rows] > 0
        for name in names:
            truth = self._tables[name][scene.table_row, scene.rows]
            if name == "length_of_stay_days":
                truth = truth + scene.waits
            excluded = self._excluded(name, scene)
            label = self._label(name, scene, course, bits)
            labels[name] = np.where(excluded | never, np.nan, label)
            true[name] = np.where(excluded, np.nan, truth)
        return labels, true

    def _excluded(self, name: str, scene: Scene) -> Flags:
        if name in PRESENT:
            present: Flags = has(scene.spell, name) > 0
            return present
        if name in NEEDS_OPERATION:
            unoperated: Flags = self._traits["has_plan"][scene.rows] == 0
            return unoperated
        return np.zeros(len(scene.rows), dtype=bool)

    def _label(
        self, name: str, scene: Scene, course: History, bits: Mapping[int, Integers]
    ) -> Floats:
        if name in MARKS:
            return self._mark(name, scene, course, bits)
        if name in DEATH:
            died = (course.death <= scene.day + DEATH[name]).astype(np.float64)
            return np.where(self._untold["vital"][scene.rows], np.nan, died)
        if name in RECOVERY:
            return self._recovered(name, scene, course)
        return self._stay(name, scene, course)

    def _mark(
        self, name: str, scene: Scene, course: History, bits: Mapping[int, Integers]
    ) -> Floats:
        horizon = HORIZON.get(name, 30)
        label = has(bits[horizon], name)
        if name in ("any_complication", "major_complication"):
            return np.maximum(label, course.death <= scene.day + horizon)
        if name not in self._untold:
            return label
        untold = self._untold[name][scene.rows]
        if name == "myocardial_injury":
            untold = untold & (label == 0)
        return np.where(untold, np.nan, label)

    def _recovered(self, name: str, scene: Scene, course: History) -> Floats:
        end = scene.day + RECOVERY[name]
        dead = course.death <= end
        state = np.where(dead, 0, course.at(end).state)
        chance = self._recovery[name][state, scene.rows]
        poor = (self._draw[name][scene.rows] < chance).astype(np.float64)
        alive = np.where(self._untold[name][scene.rows], np.nan, poor)
        return np.where(dead, np.nan if name == "severe_disability_60d" else 1.0, alive)

    def _stay(self, name: str, scene: Scene, course: History) -> Floats:
        left = np.maximum(course.stay_end - scene.day, 0).astype(np.float64)
        left_alive = course.end_state != DEAD
        if name == "length_of_stay_days":
            return left + scene.waits
        if name == "prolonged_stay":
            return (left > PROLONGED_DAYS).astype(np.float64)
        if name == "death_in_hospital":
            died: Floats = (~left_alive).astype(np.float64)
            return died
        if name == "not_discharged_home":
            return self.not_home[scene.rows]
        if name == "days_at_home_30d":
            return course.days_at_home(scene.day, 30)
        if name == "readmission_30d":
            clock = np.maximum(scene.day, course.stay_end)
            again = course.enters("readmitted", clock, clock + 30)
            return np.where(left_alive, again, np.nan)
        return self._cost(scene, course, left)

    def _cost(self, scene: Scene, course: History, left: Floats) -> Floats:
        """Cost in kronor; a day is paid for in the place where it begins, as in the truth."""
        cost = self._parameters.cost
        ward, intensive = cost["ward_day_sek"], cost["intensive_day_sek"]
        begun = course.days_in([STATE["intensive"]], scene.day - 1, course.stay_end)
        total: Floats = ward * left + (intensive - ward) * begun
        if scene.before:
            total += self._operation_cost[scene.rows]
        return total
