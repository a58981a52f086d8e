"""What a walked course says about any day: the state then, and what happened in a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.pathway.course import (
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

    def __init__(self, steps: Sequence[Step]) -> None:
        self.count = len(steps[0].who)
        self.start_state = steps[0].target
        who = np.concatenate([step.who for step in steps])
        order = np.argsort(who, kind="stable")  # the steps of a patient stay in order of time

        def flat(name: str) -> Integers:
            joined: Integers = np.concatenate([getattr(step, name) for step in steps])[order]
            return joined

        self._who, self._day, self._since = flat("who"), flat("day"), flat("since")
        self._source, self._target = flat("source"), flat("target")
        self._marks, self._spell = flat("marks"), flat("spell")
        self._key = self._who * KEY + self._day
        self._hits = np.flatnonzero(self._marks)
        self.death = np.full(self.count, NEVER)
        died = self._target == DEAD
        self.death[self._who[died]] = self._day[died]
        self.stay_end = np.full(self.count, NEVER)
        self.end_state = np.full(self.count, -1)
        ends = (self._source < INDEX_STAY.stop) & (self._target >= INDEX_STAY.stop)
        self.stay_end[self._who[ends]] = self._day[ends]
        self.end_state[self._who[ends]] = self._target[ends]

    def at(self, day: Integers) -> Moment:
        asked = np.arange(self.count) * KEY + np.minimum(day, KEY - 1)
        place = np.searchsorted(self._key, asked, side="right") - 1
        return Moment(self._target[place], self._spell[place])

    def marks(self, after: Integers, until: Integers) -> Integers:
        """Complications on the days `after < day <= until`, as bits."""
        bits = np.zeros(self.count, dtype=np.int64)
        who, day = self._who[self._hits], self._day[self._hits]
        inside = (day > after[who]) & (day <= until[who])
        np.bitwise_or.at(bits, who[inside], self._marks[self._hits][inside])
        return bits

    def enters(self, state: str, after: Integers, until: Integers) -> Floats:
        """Whether the patient comes into a state in the window: 0 or 1."""
        found = np.zeros(self.count)
        arrivals = np.flatnonzero(self._target == STATE[state])
        who, day = self._who[arrivals], self._day[arrivals]
        found[who[(day > after[who]) & (day <= until[who])]] = 1.0
        return found

    def days_in(self, states: Sequence[int], after: Integers, until: Integers) -> Floats:
        """Count the days `after < day <= until` that end in one of the states."""
        wanted = np.zeros(DEAD + 1, dtype=bool)
        wanted[list(states)] = True
        # A source of -1, the start, falls on DEAD: nobody leaves that.
        left = np.flatnonzero(wanted[self._source])
        who = self._who[left]
        first = np.maximum(self._since[left], after[who] + 1)
        last = np.minimum(self._day[left] - 1, until[who])
        days = np.maximum(last - first + 1, 0).astype(np.float64)
        total: Floats = np.bincount(who, weights=days, minlength=self.count)
        return total

    def days_at_home(self, day: Integers, window: int) -> Floats:
        """Days alive and out of hospital in the window, 0 for those who die in it."""
        until = day + window
        days = self.days_in(HOME, day, until)
        return np.where(self.death <= until, 0.0, days)


def has(bits: Integers, outcome: str) -> Floats:
    """Whether a complication is among the bits: 0 or 1."""
    return ((bits & BIT[outcome]) != 0).astype(np.float64)
