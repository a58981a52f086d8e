"""Who the patients are: traits, hospital, path and operation, before anything has happened.

The traits carry the risk; what is measured later shows them with noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.errors import SourceInvalid
from training.pathway.parameters import PATHS, Chance, Parameters, Scenario

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

AGE_CENTRE, AGE_SCALE = 65.0, 15.0


@dataclass(frozen=True, slots=True)
class Patients:
    """One block of episodes.

    Attributes
    ----------
    traits : mapping of ndarray, shape (n,)
        Every driver that does not change during the episode.
    hospital, procedure : ndarray of int, shape (n,)
        Positions in the parameters; procedure -1 where there is none.
    month : ndarray of int, shape (n,)
        Month in which the episode begins, counted from the first month.
    earlier : ndarray of int, shape (n,)
        Position of the same person's earlier episode, -1 where there is none.
    """

    traits: Mapping[str, Floats]
    hospital: Integers
    procedure: Integers
    month: Integers
    earlier: Integers

    @property
    def count(self) -> int:
        return len(self.hospital)


def linear(intercept: float, effects: Mapping[str, float], drivers: Mapping[str, Floats]) -> Floats:
    """Return `intercept + sum of effect x driver`, shape (n,).

    Raises
    ------
    SourceInvalid
        When an effect names a driver that is not known at this point.

    Examples
    --------
    >>> linear(1.0, {"age_z": 0.5}, {"age_z": np.array([0.0, 2.0])})
    array([1., 2.])
    """
    total: Floats = np.full(len(next(iter(drivers.values()))), intercept)
    for name, effect in effects.items():
        if name not in drivers:
            raise SourceInvalid(f"the simulation has no driver `{name}` here")
        total += effect * drivers[name]
    return total


def logistic(log_odds: Floats) -> Floats:
    """Return the probability of a log-odds.

    Examples
    --------
    >>> float(logistic(np.array([0.0]))[0])
    0.5
    """
    result: Floats = 1.0 / (1.0 + np.exp(-log_odds))
    return result


def happens(chance: Chance, drivers: Mapping[str, Floats], random: np.random.Generator) -> Floats:
    """Draw 0 or 1 with the probability of a declared chance."""
    probability = logistic(linear(chance.chance, chance.effects, drivers))
    return (random.random(len(probability)) < probability).astype(np.float64)


def draw_patients(parameters: Parameters, count: int, random: np.random.Generator) -> Patients:
    """Draw a block of patients with everything that is settled before the first branch point."""
    shares = np.array([house.share for house in parameters.hospitals])
    hospital = _choose(np.tile(shares, (count, 1)), random)
    by_path = np.array([[house.path[path] for path in PATHS] for house in parameters.hospitals])
    path = _choose(by_path[hospital], random)
    month = random.integers(0, parameters.months, count)
    earlier = _earlier_episodes(parameters, month, random)
    returns = np.flatnonzero(earlier >= 0)
    before = earlier[returns]
    gap = month[returns] - month[before]
    hospital[returns] = hospital[before]
    at = {f"path:{name}": (path == i).astype(np.float64) for i, name in enumerate(PATHS)}
    traits: dict[str, Floats] = dict(at)
    traits["hospital_case_mix"] = _of(parameters, "case_mix")[hospital]
    traits["hospital_harm"] = _of(parameters, "harm")[hospital]
    traits["hospital_measuring"] = _of(parameters, "measuring")[hospital]
    traits["hospital_response"] = _of(parameters, "response")[hospital]
    traits["hospital_coding"] = _of(parameters, "coding")[hospital]
    # Injured patients are of two kinds: the young of traffic and violence, the old of falls.
    traits["trauma_elder"] = at["path:trauma"] * (
        random.random(count) < parameters.injury.elder_share
    )
    traits["emergency_spread"] = at["path:emergency"] * random.normal(
        0.0, parameters.operation.emergency_spread, count
    )
    for trait in parameters.traits:
        moved = np.zeros(count)
        for scenario in parameters.scenarios:
            if trait.name in scenario.shift:
                moved += scenario.shift[trait.name] * scenario_on(
                    parameters, scenario, month, hospital
                )
        if trait.kind == "normal":
            value = linear(trait.mean, trait.effects, traits) + trait.sd * random.normal(size=count)
            value = np.clip(value + moved, trait.minimum, trait.maximum)
        else:
            chance = logistic(linear(trait.intercept, trait.effects, traits) + moved)
            value = (random.random(count) < chance).astype(np.float64)
        value = value * traits[trait.only] if trait.only else value
        if trait.name in parameters.person:
            value[returns] = value[before]
        if trait.name == "age":
            value[returns] += gap / 12.0
            traits["age_z"] = (value - AGE_CENTRE) / AGE_SCALE
        traits[trait.name] = value
    procedure = _operations(parameters, path, traits, random)
    return Patients(traits, hospital, procedure, month, earlier)


def _earlier_episodes(
    parameters: Parameters, month: Integers, random: np.random.Generator
) -> Integers:
    """Make some episodes the second one of a person; `month` is moved to come after the first."""
    count = len(month)
    second = random.random(count) < parameters.second_episode_share
    first = random.integers(0, count, count)
    later = month[first] + parameters.months_between + random.integers(0, 12, count)
    second &= ~second[first] & (later < parameters.months)
    # A third episode could meet a person who died in the second: one return each.
    places = np.flatnonzero(second)
    _, kept = np.unique(first[places], return_index=True)
    earlier = np.full(count, -1)
    earlier[places[kept]] = first[places[kept]]
    month[places[kept]] = later[places[kept]]
    return earlier


def scenario_on(
    parameters: Parameters, scenario: Scenario, month: Integers, hospital: Integers
) -> Flags:
    """Say where a scenario holds: from its month on, in its hospital.

    `month` counts from the first month of the parameters: of the episode's beginning for what
    changes patients, of the visit for what changes the record.
    """
    first = parameters.first_month
    begins = (scenario.start // 100 - first // 100) * 12 + scenario.start % 100 - first % 100
    on: Flags = month >= begins
    if scenario.hospital is not None:
        names = [house.name for house in parameters.hospitals]
        here = names.index(scenario.hospital) if scenario.hospital in names else -1
        on &= hospital == here
    return on


def _operations(
    parameters: Parameters, path: Integers, traits: dict[str, Floats], random: np.random.Generator
) -> Integers:
    count = len(path)
    operated_trauma = happens(parameters.trauma_operation, traits, random)
    traits["has_plan"] = np.where(path == 2, operated_trauma, 1.0)
    shares = np.array(
        [[getattr(row, name) for row in parameters.procedures] for name in PATHS], dtype=float
    )
    chosen = _choose(shares[path], random)
    procedure: Integers = np.where(traits["has_plan"] > 0, chosen, -1)
    rows = parameters.procedures

    def of(name: str) -> Floats:
        values = np.array([float(getattr(row, name)) for row in rows])
        return np.where(procedure >= 0, values[procedure], 0.0)

    extent = of("severity") + random.normal(0.0, 0.45, count)
    # Injured patients without an operation have no severity of operation; 0 is the average.
    traits["severity_grade"] = np.where(procedure >= 0, np.clip(np.round(extent), 0, 3), 0.0)
    traits["severity"] = np.where(procedure >= 0, (extent - 1.8) / 0.8, -0.5)
    traits["contamination"] = np.where(
        procedure >= 0,
        of("contaminated") * 2.0 - 0.6 + 0.4 * random.normal(size=count)
        + 0.35 * np.maximum(traits["illness"], 0.0),
        -0.6,
    )  # fmt: skip
    traits["orthopaedic"] = np.where(
        np.array([row.specialty == "orthopaedic" for row in rows])[procedure] & (procedure >= 0),
        1.0, 0.0,
    )  # fmt: skip
    traits["cancer_operation"] = (random.random(count) < of("cancer")).astype(np.float64)
    other = random.random(count) < logistic(-3.2 + 0.5 * traits["age_z"])
    traits["cancer"] = np.maximum(traits["cancer_operation"], other)
    extent_of_cancer = random.random(count)
    traits["cancer_nodal"] = traits["cancer"] * (extent_of_cancer < 0.33)
    traits["advanced_cancer"] = traits["cancer"] * (extent_of_cancer < 0.10)
    traits["short_stay"] = (
        (traits["severity_grade"] <= 1) & (random.random(count) < 0.75)
    ).astype(np.float64)  # fmt: skip
    traits["planned_icu"] = happens(parameters.planned_icu, traits, random) * (path != 2)
    traits["cancelled"] = happens(parameters.cancelled, traits, random) * (path == 0)
    traits["operated"] = traits["has_plan"] * (1.0 - traits["cancelled"])
    return procedure


def _of(parameters: Parameters, name: str) -> Floats:
    return np.array([getattr(house, name) for house in parameters.hospitals], dtype=np.float64)


def _choose(weights: Floats, random: np.random.Generator) -> Integers:
    limits = np.cumsum(weights, axis=1)
    drawn = random.random(len(weights)) * limits[:, -1]
    chosen: Integers = (drawn[:, None] >= limits).sum(axis=1)
    last: Integers = np.minimum(chosen, weights.shape[1] - 1)
    return last
