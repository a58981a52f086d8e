"""What a walked course says about any day: the state then, and what happened in a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.pathway.course import (
    BAY,
    BIT,
    DEAD,
    HOME,
    INDEX_STAY,
    NEVER,
    STATE,
    Step,
)
from training.pathway.patients import Floats, Integers

KEY = 2 * NEVER


@dataclass(frozen=True, slots=True)
class Walked:
    """All steps of a block in order of patient and time; fields as in `Step`."""

    who: Integers
    day: Integers
    since: Integers
    source: Integers
    target: Integers
    marks: Integers
    spell: Integers


@dataclass(frozen=True, slots=True)
class Moment:
    """The state of every patient of a block on a day each.

    Attributes
    ----------
    state : ndarray of int, shape (n,)
        `DEAD` for the dead.
    spell : ndarray of int, shape (n,)
        Complications of the present spell, as bits.
    """

    state: Integers
    spell: Integers


class History:
    """A block's courses, asked by day. Days count from the start; all arrays have shape (n,)."""

    def __init__(self, walked: Walked, count: int) -> None:
        self.count = count
        self._walked = walked
        self._key = walked.who * KEY + walked.day
        self._hits = np.flatnonzero(walked.marks)
        first = np.searchsorted(walked.who, np.arange(count))
        self.start_state = walked.target[first]
        self.died_in_bay = walked.source[first] == BAY
        self.death = np.full(count, NEVER)
        died = walked.target == DEAD
        self.death[walked.who[died]] = walked.day[died]
        self.stay_end = np.full(count, NEVER)
        self.end_state = np.full(count, DEAD)
        ends = (walked.source < INDEX_STAY.stop) & (walked.target >= INDEX_STAY.stop)
        self.stay_end[walked.who[ends]] = walked.day[ends]
        self.end_state[walked.who[ends]] = walked.target[ends]

    @classmethod
    def of(cls, steps: Sequence[Step]) -> History:
        """Put the steps of a walk in order of patient and time."""
        order = np.argsort(np.concatenate([step.who for step in steps]), kind="stable")

        def flat(name: str) -> Integers:
            joined: Integers = np.concatenate([getattr(step, name) for step in steps])[order]
            return joined

        return cls(Walked(*(flat(name) for name in Walked.__slots__)), len(steps[0].who))

    def take(self, rows: Integers) -> History:
        """Return the courses of some patients alone, renumbered from 0; `rows` ascends."""
        place = np.full(self.count, -1)
        place[rows] = np.arange(len(rows))
        kept = np.flatnonzero(place[self._walked.who] >= 0)
        columns = {name: getattr(self._walked, name)[kept] for name in Walked.__slots__}
        columns["who"] = place[columns["who"]]
        return History(Walked(**columns), len(rows))

    def at(self, day: Integers) -> Moment:
        asked = np.arange(self.count) * KEY + np.minimum(day, KEY - 1)
        place = np.searchsorted(self._key, asked, side="right") - 1
        return Moment(self._walked.target[place], self._walked.spell[place])

    def marks(self, after: Integers, until: Integers) -> Integers:
        """Complications on the days `after < day <= until`, as bits."""
        bits = np.zeros(self.count, dtype=np.int64)
        who, day = self._walked.who[self._hits], self._walked.day[self._hits]
        inside = (day > after[who]) & (day <= until[who])
        np.bitwise_or.at(bits, who[inside], self._walked.marks[self._hits][inside])
        return bits

    def enters(self, state: str, after: Integers, until: Integers) -> Floats:
        """Whether the patient comes into a state in the window: 0 or 1."""
        found = np.zeros(self.count)
        arrivals = np.flatnonzero(self._walked.target == STATE[state])
        who, day = self._walked.who[arrivals], self._walked.day[arrivals]
        found[who[(day > after[who]) & (day <= until[who])]] = 1.0
        return found

    def days_in(self, states: Sequence[int], after: Integers, until: Integers) -> Floats:
        """Count the days `after < day <= until` that end in one of the states."""
        # START and BAY, -1 and -2, fall on the two places at the end.
        wanted = np.zeros(DEAD + 3, dtype=bool)
        wanted[list(states)] = True
        left = np.flatnonzero(wanted[self._walked.source])
        who = self._walked.who[left]
        first = np.maximum(self._walked.since[left], after[who] + 1)
        last = np.minimum(self._walked.day[left] - 1, until[who])
        days = np.maximum(last - first + 1, 0).astype(np.float64)
        return np.bincount(who, weights=days, minlength=self.count).astype(np.float64)

    def days_at_home(self, day: Integers, window: int) -> Floats:
        """Days alive and out of hospital in the window, 0 for those who die in it."""
        until = day + window
        days = self.days_in(HOME, day, until)
        return np.where(self.death <= until, 0.0, days)


def has(bits: Integers, outcome: str) -> Floats:
    """Whether a complication is among the bits: 0 or 1."""
    found: Floats = ((bits & BIT[outcome]) != 0).astype(np.float64)
    return found
