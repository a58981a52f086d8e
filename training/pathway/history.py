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
        self.steps = steps
        n = len(steps[0].who)
        self.count = n
        self.start_state = steps[0].target
        self.start_marks = steps[0].marks
        self.death = np.full(n, NEVER)
        self.stay_end = np.full(n, NEVER)
        self.end_state = np.full(n, -1)
        for step in steps:
            died = step.target == DEAD
            self.death[step.who[died]] = step.day[died]
            inside = (step.source < INDEX_STAY.stop) | (step.source == -1)
            ends = inside & (step.target >= INDEX_STAY.stop)
            self.stay_end[step.who[ends]] = step.day[ends]
            self.end_state[step.who[ends]] = step.target[ends]

    def at(self, day: Integers) -> Moment:
        state = np.full(self.count, -1)
        spell = np.zeros(self.count, dtype=np.int64)
        for step in self.steps:
            here = step.day <= day[step.who]
            state[step.who[here]] = step.target[here]
            spell[step.who[here]] = step.spell[here]
        return Moment(state, spell)

    def marks(self, after: Integers, until: Integers) -> Integers:
        """Complications on the days `after < day <= until`, as bits."""
        bits = np.zeros(self.count, dtype=np.int64)
        for step in self.steps:
            inside = (step.day > after[step.who]) & (step.day <= until[step.who])
            bits[step.who[inside]] |= step.marks[inside]
        return bits

    def enters(self, state: str, after: Integers, until: Integers) -> Floats:
        """Whether the patient comes into a state in the window: 0 or 1."""
        found = np.zeros(self.count)
        for step in self.steps:
            inside = (step.day > after[step.who]) & (step.day <= until[step.who])
            found[step.who[inside & (step.target == STATE[state])]] = 1.0
        return found

    def days_in(self, states: Sequence[int], after: Integers, until: Integers) -> Floats:
        """Count the days `after < day <= until` that end in one of the states."""
        total = np.zeros(self.count)
        for step in self.steps[1:]:
            counted = np.isin(step.source, states)
            who = step.who[counted]
            first = np.maximum(step.since[counted], after[who] + 1)
            last = np.minimum(step.day[counted] - 1, until[who])
            total[who] += np.maximum(last - first + 1, 0)
        return total

    def days_at_home(self, day: Integers, window: int) -> Floats:
        """Days alive and out of hospital in the window, 0 for those who die in it."""
        until = day + window
        days = self.days_in(HOME, day, until)
        return np.where(self.death <= until, 0.0, days)


def has(bits: Integers, outcome: str) -> Floats:
    """Whether a complication is among the bits: 0 or 1."""
    return ((bits & BIT[outcome]) != 0).astype(np.float64)
