"""Who comes to a branch point when: by past and present only, never by what will happen.

Otherwise having the visit would itself tell about the future, and the exported risks would be wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.pathway.course import DEAD, STATE
from training.pathway.history import History
from training.pathway.numbers import ClockNumbers
from training.pathway.parameters import Visit
from training.pathway.patients import Floats, Integers, Patients, linear, logistic
from training.pathway.truth import ALERT, BEFORE

LAST_VISIT = 850
NOT_YET = -1


HOURS_PER_MONTH = 730.5


def months_later(hours: Floats) -> Integers:
    """Whole months, of 730.5 hours on the average, since an episode began."""
    months: Integers = (hours // HOURS_PER_MONTH).astype(np.int64)
    return months


@dataclass(frozen=True, slots=True)
class Scene:
    """One round of visits: those patients of a block who have it.

    Attributes
    ----------
    branch_point : str
    before : bool
        Before the operation, or in the trauma bay or earlier: the start is still to come.
    rows : ndarray of int, shape (m,)
        Positions in the block, ascending.
    day : ndarray of int, shape (m,)
        Days since the start; 0 before it.
    state, spell : ndarray of int, shape (m,)
        State of the chain (`NOT_YET` before the start) and complications of the present spell.
    table_row : ndarray of int, shape (m,)
        Row of the tables of `training.pathway.truth`.
    hours, waits : ndarray, shape (m,)
        Hours since the episode began; days in hospital until the start, where these count.
    """

    branch_point: str
    before: bool
    rows: Integers
    day: Integers
    state: Integers
    spell: Integers
    table_row: Integers
    hours: Floats
    waits: Floats

    @property
    def after(self) -> Integers:
        """Windows hold the days `after < d`: before the start, its own complications count."""
        return self.day - 1 if self.before else self.day


class Clock:
    """When things happen, in hours since the episode began, shape (n,) each."""

    def __init__(
        self, numbers: ClockNumbers, patients: Patients, random: np.random.Generator
    ) -> None:
        self.numbers = numbers
        n, traits = patients.count, patients.traits
        elective, trauma = traits["path:elective"] > 0, traits["path:trauma"] > 0
        weeks = np.ceil(random.gamma(numbers.wait_shape, numbers.wait_weeks, n)) * 7.0
        soon = np.minimum(weeks, numbers.cancer_wait_days)
        wait = np.where(traits["cancer_operation"] > 0, soon, weeks)
        hurried = np.where(traits["illness"] > numbers.very_ill_from, numbers.very_ill_share, 1.0)
        acute = random.uniform(numbers.acute_from_hours, numbers.acute_to_hours, n) * hurried
        in_bay = random.uniform(numbers.bay_from_hours, numbers.bay_to_hours, n)
        self.bay_exit = numbers.bay_arrival_hours + in_bay
        before = random.uniform(numbers.clinic_from_days, numbers.clinic_to_days, n)
        self.clinic = np.where(elective, (wait - before) * 24.0, numbers.clinic_share * acute)
        way = random.uniform(numbers.theatre_from_hours, numbers.theatre_to_hours, n)
        injured_or_ill = np.where(trauma, self.bay_exit + way, acute)
        self.start = np.where(elective, wait * 24.0 + numbers.start_hour, injured_or_ill)
        self.in_theatre = random.uniform(numbers.operated_from_hours, numbers.operated_to_hours, n)
        # Before an emergency operation the patient is in hospital, and knows for how long.
        self.waits = np.where(traits["path:emergency"] > 0, acute / 24.0, 0.0)
        self.jitter = random.uniform(-1.0, 1.0, n)


def plan(
    visit: Visit,
    patients: Patients,
    history: History,
    clock: Clock,
    random: np.random.Generator,
) -> Scene:
    """Find who has a declared visit, when, and in which state."""
    chance = logistic(linear(visit.chance, visit.effects, patients.traits))
    who = random.random(patients.count) < chance
    if visit.path:
        who &= patients.traits[f"path:{visit.path}"] > 0
    if visit.day is None and visit.after_discharge is None:
        return _before(visit, who, history, clock)
    return _after(visit, who, patients, history, clock)


def _before(visit: Visit, who: np.ndarray, history: History, clock: Clock) -> Scene:
    alert = visit.at == "trauma-alert"
    if not alert:
        who &= ~history.died_in_bay
    rows = np.flatnonzero(who)
    hours, waited = {
        "surgery-decision": (np.zeros(len(rows)), 0.0),
        "preoperative-clinic": (clock.clinic[rows], clock.numbers.clinic_share),
        "trauma-alert": (np.zeros(len(rows)), 0.0),
        "trauma-bay-exit": (clock.bay_exit[rows], 0.0),
    }[visit.at]
    zero = np.zeros(len(rows), dtype=np.int64)
    return Scene(
        branch_point=visit.at,
        before=True,
        rows=rows,
        day=zero,
        state=zero + NOT_YET,
        spell=zero,
        table_row=zero + (ALERT if alert else BEFORE),
        hours=hours,
        waits=np.round(clock.waits[rows] * (1.0 - waited), 2),
    )


def _after(
    visit: Visit, who: np.ndarray, patients: Patients, history: History, clock: Clock
) -> Scene:
    who &= patients.traits["cancelled"] == 0
    if visit.day is not None:
        day = np.full(patients.count, visit.day)
        who &= history.stay_end > day
    else:
        shift = np.round(clock.jitter * visit.jitter).astype(np.int64)
        day = history.stay_end + (visit.after_discharge or 0) + shift
        who &= (history.end_state != DEAD) & (day < LAST_VISIT)
    if visit.at == "end-of-surgery":
        who &= patients.traits["operated"] > 0
    moment = history.at(np.where(who, day, 0))
    who &= moment.state != DEAD
    if visit.states:
        who &= np.isin(moment.state, [STATE[name] for name in visit.states])
    rows = np.flatnonzero(who)
    hours = clock.start[rows] + 24.0 * day[rows]
    if visit.at == "end-of-surgery":
        hours += clock.in_theatre[rows]
    elif visit.at == "discharge":
        hours += clock.numbers.discharge_hours
    return Scene(
        branch_point=visit.at,
        before=False,
        rows=rows,
        day=day[rows],
        state=moment.state[rows],
        spell=moment.spell[rows],
        table_row=moment.state[rows],
        hours=hours,
        waits=np.zeros(len(rows)),
    )
