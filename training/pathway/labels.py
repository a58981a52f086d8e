"""Labels and true risks of one visit, by the definitions of `outcomes.toml`.

A label is null where the definition leaves the row out. Its true risk is null as well where that is
already plain at the index time (a sepsis that is there cannot begin); where it shows only later (died
before discharge, no answer), the true risk is that of the label *given that there is one*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.pathway.course import DEAD, HORIZON, MARKS, NEVER, STATE, Chain
from training.pathway.history import History, Moment, has
from training.pathway.parameters import Parameters
from training.pathway.patients import Floats, Integers, Patients
from training.pathway.truth import (
    ALERT,
    BEFORE,
    label_response,
    operation_cost,
    terminal,
    truths,
)

PRESENT = ("acute_kidney_injury", "sepsis", "pneumonia")
NEEDS_OPERATION = ("surgical_site_infection", "reoperation_30d")
DEATH = {"death_30d": 30, "death_60d": 60, "death_180d": 180}
RECOVERY = {"poor_recovery_90d": 90, "poor_recovery_365d": 365, "severe_disability_60d": 60}


@dataclass(frozen=True, slots=True)
class Asked:
    """When a visit asks: the table row and the day from which windows run, shape (n,) each.

    Attributes
    ----------
    row : ndarray of int
        State, `BEFORE` or `ALERT`: a row of the tables of `truths`.
    after, day : ndarray of int
        Windows hold the days `after < d <= day + horizon`; `after` is -1 before the start, whose
        own complications count, and `day` otherwise.
    moment : Moment
    waits : ndarray
        Days in hospital until the start, for those who are in hospital already.
    """

    row: Integers
    after: Integers
    day: Integers
    moment: Moment
    waits: Floats


class Outcomes:
    """Everything about a block that its labels need: drawn once, so that visits agree."""

    def __init__(
        self,
        parameters: Parameters,
        patients: Patients,
        chain: Chain,
        history: History,
        died_in_bay: Floats,
        random: np.random.Generator,
    ) -> None:
        n = patients.count
        self._parameters, self._patients, self._history = parameters, patients, history
        self._tables: Mapping[str, Floats] = truths(parameters, patients, chain)
        self._bay = died_in_bay > 0
        self.death = np.where(self._bay, 0, history.death)
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
        end = history.end_state
        alive = (end >= 0) & (end != DEAD)
        chance = elsewhere[np.where(alive, end, 0), np.arange(n)]
        drawn = (random.random(n) < chance).astype(np.float64)
        self.left_alive = alive & ~self._bay
        self.not_home = np.where(self.left_alive, drawn, np.nan)

    def of(
        self, names: Sequence[str], asked: Asked, rows: Integers
    ) -> tuple[dict[str, Floats], dict[str, Floats]]:
        """Return labels and true risks of the chosen patients, NaN where there is none."""
        labels, true = {}, {}
        bits = {
            days: self._history.marks(asked.after, asked.day + days)
            for days in sorted({HORIZON.get(name, 30) for name in names if name in MARKS})
        }
        for name in names:
            label = self._label(name, asked, bits)
            table = self._tables[name]
            truth = table[asked.row, np.arange(table.shape[1])]
            if name == "length_of_stay_days":
                truth = truth + asked.waits
            excluded = self._excluded(name, asked)
            label = np.where(excluded | (self._patients.traits["cancelled"] > 0), np.nan, label)
            labels[name] = label[rows]
            true[name] = np.where(excluded, np.nan, truth)[rows]
        return labels, true

    def _excluded(self, name: str, asked: Asked) -> np.ndarray:
        none = np.zeros(self._patients.count, dtype=bool)
        if name in PRESENT:
            return has(asked.moment.spell, name) > 0
        if name in NEEDS_OPERATION:
            return self._patients.traits["has_plan"] == 0
        return none

    def _label(self, name: str, asked: Asked, bits: Mapping[int, Integers]) -> Floats:
        if name in MARKS:
            return self._mark(name, asked, bits)
        if name in DEATH:
            died = (self.death <= asked.day + DEATH[name]).astype(np.float64)
            return np.where(self._untold["vital"], np.nan, died)
        if name in RECOVERY:
            return self._recovered(name, asked)
        return self._stay(name, asked)

    def _mark(self, name: str, asked: Asked, bits: Mapping[int, Integers]) -> Floats:
        horizon = HORIZON.get(name, 30)
        label = has(bits[horizon], name)
        label = np.where(self._bay, 0.0, label)
        if name in ("any_complication", "major_complication"):
            return np.maximum(label, self.death <= asked.day + horizon)
        if name == "myocardial_injury":
            return np.where(self._untold[name] & (label == 0), np.nan, label)
        if name in self._untold:
            return np.where(self._untold[name], np.nan, label)
        return label

    def _recovered(self, name: str, asked: Asked) -> Floats:
        end = asked.day + RECOVERY[name]
        state = self._history.at(end).state
        dead = self.death <= end
        chance = self._recovery[name][np.where(dead, 0, state), np.arange(len(state))]
        poor = (self._draw[name] < chance).astype(np.float64)
        alive = np.where(self._untold[name], np.nan, poor)
        return np.where(dead, np.nan if name == "severe_disability_60d" else 1.0, alive)

    def _stay(self, name: str, asked: Asked) -> Floats:
        history = self._history
        end = np.where(self._bay, 0, history.stay_end)
        left = np.maximum(end - asked.day, 0).astype(np.float64)
        if name == "length_of_stay_days":
            return left + asked.waits
        if name == "prolonged_stay":
            return (left > 14).astype(np.float64)
        if name == "death_in_hospital":
            return (~self.left_alive).astype(np.float64)
        if name == "not_discharged_home":
            return self.not_home
        if name == "days_at_home_30d":
            return np.where(self._bay, 0.0, history.days_at_home(asked.day, 30))
        if name == "readmission_30d":
            clock = np.maximum(asked.day, np.where(self.left_alive, end, NEVER))
            again = history.enters("readmitted", clock, clock + 30)
            return np.where(self.left_alive, again, np.nan)
        return self._cost(asked, end)

    def _cost(self, asked: Asked, end: Integers) -> Floats:
        cost = self._parameters.cost
        days = np.maximum(end - asked.day, 0)
        total = cost["ward_day_sek"] * days
        # A day is paid where it begins, as in the truth.
        first = asked.day - 1
        begun = self._history.days_in([STATE["intensive"]], first, end)
        total = total + (cost["intensive_day_sek"] - cost["ward_day_sek"]) * begun
        before = (asked.row == BEFORE) | (asked.row == ALERT)
        return total + before * operation_cost(self._parameters, self._patients)
