"""The course of a patient: a Markov chain in steps of one day, and one walk through it.

States of the index stay are `early`, `late` (no complication so far), `complicated`, `intensive`
and `recovering` (after a complication). `convalescent` and `sequelae` are where a stay ends alive,
`settled` is everyday life, `readmitted` is another stay. `dead` ends everything.

In a day at most one transition happens. A transition with a kind is a *hit*: it can bring
complications, each with its own probability (a *mark*). Given the traits, the chain has no memory
but its state, so every probability about the future follows from the state alone
(`training.pathway.truth`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training.pathway.parameters import Mark, Move, Parameters
from training.pathway.patients import (
    Floats,
    Integers,
    Patients,
    linear,
    logistic,
    scenario_on,
)

STATES = (
    "early", "late", "recovering", "complicated", "intensive",
    "convalescent", "sequelae", "settled", "readmitted",
)  # fmt: skip
STATE = {name: position for position, name in enumerate(STATES)}
INDEX_STAY = range(5)
HOME = (STATE["convalescent"], STATE["sequelae"], STATE["settled"])
DEAD = len(STATES)
# Shortest horizon first: the recursion drops an outcome once its horizon is reached.
MARKS = (
    "acute_kidney_injury", "delirium", "unplanned_icu", "any_complication", "major_complication",
    "reoperation_30d", "sepsis", "surgical_site_infection", "pneumonia", "venous_thromboembolism",
    "myocardial_injury", "stroke",
)  # fmt: skip
HORIZON = {"acute_kidney_injury": 7, "delirium": 7, "unplanned_icu": 14}
BIT = {name: 1 << position for position, name in enumerate(MARKS)}
LAST_DAY = 900
NEVER = 10**6
START, BAY = -1, -2  # where the first step comes from: the start, or death before it


@dataclass(frozen=True, slots=True)
class Arrow:
    """One transition for every patient of a block.

    Attributes
    ----------
    source, target : int
        States; source `START` for the start.
    probability : ndarray, shape (n,)
        Per day, or of the start.
    marks : ndarray, shape (len(MARKS), n), or None
        Probability of each complication when the transition happens; None when it is no hit.
    """

    source: int
    target: int
    probability: Floats
    marks: Floats | None


@dataclass(frozen=True, slots=True)
class Chain:
    """The chain of every patient of a block; `stay[s]` is the daily probability of no transition."""

    arrows: tuple[tuple[Arrow, ...], ...]
    stay: tuple[Floats, ...]
    starts: tuple[Arrow, ...]
    death_before_start: Floats


@dataclass(frozen=True, slots=True)
class Step:
    """Those patients of a block who make their next transition.

    Attributes
    ----------
    who : ndarray of int, shape (m,)
    day, since, source, target : ndarray of int, shape (m,)
        On `day` they are in `target` for the first time; they had been in `source` since `since`.
        The first source is `START`, or `BAY` for those who died before the start.
    marks, spell : ndarray of int, shape (m,)
        Complications that the transition brought, and all since the patient was last well (bits).
    """

    who: Integers
    day: Integers
    since: Integers
    source: Integers
    target: Integers
    marks: Integers
    spell: Integers


def build_chain(parameters: Parameters, patients: Patients) -> Chain:
    """Turn the declared rates into probabilities for every patient.

    Rates r of a state become `p_i = r_i / R * (1 - exp(-R))` with R their sum, so that the
    probabilities of a day never exceed one.
    """
    marks = _marks_by_kind(parameters, patients)
    scaled = _scenario_factors(parameters, patients)
    arrows: list[tuple[Arrow, ...]] = []
    stay: list[Floats] = []
    for state in STATES:
        moves = [move for move in parameters.transitions if move.source_state == state]
        rates = [
            np.minimum(_rate(move, patients.traits) * scaled.get(move.kind or "", 1.0), 4.0)
            for move in moves
        ]
        total = np.sum(rates, axis=0)
        any_move = -np.expm1(-total)
        found = [
            Arrow(STATE[state], _position(move.target), rate / total * any_move,
                  _marks_of(move, marks))
            for move, rate in zip(moves, rates, strict=True)
        ]  # fmt: skip
        arrows.append(tuple(found))
        stay.append(1.0 - any_move)
    weights = []
    for move in parameters.starts:
        weight = _rate(move, patients.traits) * patients.traits[f"path:{move.path}"]
        weight *= scaled.get(move.kind or "", 1.0)
        weights.append(weight * patients.traits[move.only] if move.only else weight)
    total = 1.0 + np.sum(weights, axis=0)
    starts = [Arrow(START, STATE["early"], 1.0 / total, None)]
    starts += [
        Arrow(START, _position(move.target), weight / total, _marks_of(move, marks))
        for move, weight in zip(parameters.starts, weights, strict=True)
    ]
    bay = parameters.trauma_bay_death
    before = -np.expm1(-_rate(bay, patients.traits)) * patients.traits["path:trauma"]
    return Chain(tuple(arrows), tuple(stay), tuple(starts), before)


def walk(chain: Chain, random: np.random.Generator) -> list[Step]:
    """Draw one course per patient, as the list of all first transitions, all second ones, and so on.

    The first entry is the start on day 0. Courses end with death or after `LAST_DAY`.
    """
    count = len(chain.death_before_start)
    everyone = np.arange(count)
    died = random.random(count) < chain.death_before_start
    limits = np.cumsum([arrow.probability for arrow in chain.starts], axis=0)
    chosen = np.minimum((random.random(count) >= limits).sum(axis=0), len(chain.starts) - 1)
    target = np.where(died, DEAD, np.array([arrow.target for arrow in chain.starts])[chosen])
    uniform = random.random((len(MARKS), count))
    bits = np.zeros(count, dtype=np.int64)
    for position, arrow in enumerate(chain.starts):
        if arrow.marks is not None:
            here = np.flatnonzero((chosen == position) & ~died)
            bits[here] = _draw_marks(arrow.marks[:, here], uniform[:, here])
    zero = np.zeros(count, dtype=np.int64)
    steps = [Step(everyone, zero, zero, np.where(died, BAY, START), target, bits, bits)]
    while True:
        last = steps[-1]
        alive = (last.target != DEAD) & (last.day < LAST_DAY)
        if not alive.any():
            return steps
        steps.append(
            _next(chain, last.who[alive], last.day[alive], last.target[alive], last.spell[alive],
                  random)
        )  # fmt: skip


def _next(
    chain: Chain,
    who: Integers,
    since: Integers,
    state: Integers,
    spell: Integers,
    random: np.random.Generator,
) -> Step:
    count = len(who)
    wait, choice = random.random(count), random.random(count)
    uniform = random.random((len(MARKS), count))
    days = np.zeros(count, dtype=np.int64)
    target = np.zeros(count, dtype=np.int64)
    bits = np.zeros(count, dtype=np.int64)
    for position, arrows in enumerate(chain.arrows):
        here = np.flatnonzero(state == position)
        if not len(here):
            continue
        patient = who[here]
        stay = chain.stay[position][patient]
        # Geometric by inversion: P(days > d) = stay^d.
        days[here] = np.minimum(1 + np.floor(np.log(1.0 - wait[here]) / np.log(stay)), NEVER)
        limits = np.cumsum([arrow.probability[patient] for arrow in arrows], axis=0)
        chosen = (choice[here] * limits[-1] >= limits).sum(axis=0)
        chosen = np.minimum(chosen, len(arrows) - 1)
        for number, arrow in enumerate(arrows):
            taken = here[chosen == number]
            target[taken] = arrow.target
            if arrow.marks is not None and len(taken):
                bits[taken] = _draw_marks(arrow.marks[:, who[taken]], uniform[:, taken])
    carries = np.isin(target, (STATE["complicated"], STATE["intensive"], STATE["readmitted"]))
    return Step(
        who, since + days, since, state, target, bits, np.where(carries, spell | bits, 0)
    )  # fmt: skip


def _draw_marks(probability: Floats, uniform: Floats) -> Integers:
    """Draw the complications of a hit; a reoperation is one of the major complications."""
    drawn = uniform < probability
    reoperation, major = MARKS.index("reoperation_30d"), MARKS.index("major_complication")
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(probability[major] > 0, probability[reoperation] / probability[major], 0)
    drawn[reoperation] = drawn[major] & (uniform[reoperation] < share)
    weights = np.array([1 << position for position in range(len(MARKS))])
    bits: Integers = (drawn * weights[:, None]).sum(axis=0)
    return bits


def _marks_by_kind(parameters: Parameters, patients: Patients) -> Mapping[str, Floats]:
    kinds = {move.kind for move in (*parameters.transitions, *parameters.starts) if move.kind}
    table = {kind: np.zeros((len(MARKS), patients.count)) for kind in kinds}
    effects = {
        mark.outcome: linear(0.0, mark.effects, patients.traits) for mark in parameters.marks
    }
    for mark in parameters.marks:
        for kind, probability in mark.by_kind.items():
            table[kind][MARKS.index(mark.outcome)] = _mark(
                mark, probability, effects[mark.outcome], patients, table[kind]
            )
    for kind in kinds - {"admission", "planned"}:
        table[kind][MARKS.index("any_complication")] = 1.0
    return table


def _mark(
    mark: Mark, probability: float, effects: Floats, patients: Patients, kind: Floats
) -> Floats:
    if probability >= 1.0:
        return np.ones(patients.count)
    chance = logistic(np.log(probability / (1.0 - probability)) + effects)
    if mark.only:
        chance = chance * patients.traits[mark.only]
    if mark.within:
        chance = chance * kind[MARKS.index(mark.within)]
    return chance


def _marks_of(move: Move, table: Mapping[str, Floats]) -> Floats | None:
    if move.kind is None or move.kind == "planned":
        return None
    marks = table[move.kind]
    if move.target == "intensive" and move.source_state != "intensive":
        marks = marks.copy()
        marks[MARKS.index("unplanned_icu")] = 1.0
    return marks


def _scenario_factors(parameters: Parameters, patients: Patients) -> dict[str, Floats]:
    house = np.exp(patients.traits["hospital_harm"])
    factors = {"complication": house, "critical": house}
    for scenario in parameters.scenarios:
        on = scenario_on(parameters, scenario, patients.month, patients.hospital)
        for kind, factor in scenario.rates.items():
            factors[kind] = factors.get(kind, np.ones(patients.count)) * np.where(on, factor, 1.0)
    return factors


def _rate(move: Move, traits: Mapping[str, Floats]) -> Floats:
    rate: Floats = move.rate * np.exp(linear(0.0, move.effects, traits))
    return rate


def _position(state: str) -> int:
    return DEAD if state == "dead" else STATE[state]
