"""Episodes through the nine branch points, a block at a time.

A block always holds `BLOCK` episodes and has a random stream of its own, so an episode is the same
whatever was asked before, beside or after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from models.vocabulary import Vocabulary, load_vocabulary
from training.pathway.course import DEAD, NEVER, STATE, build_chain, walk
from training.pathway.history import History, Moment
from training.pathway.labels import Asked, Outcomes
from training.pathway.parameters import Parameters, Visit
from training.pathway.patients import (
    Floats,
    Integers,
    Patients,
    draw_patients,
    linear,
    logistic,
)
from training.pathway.record import Record, Scene
from training.pathway.truth import ALERT, BEFORE

BLOCK = 4096
VISITS_PER_EPISODE = 64
UNIT = {
    "surgery-decision": "clinic", "preoperative-clinic": "preoperative-clinic",
    "trauma-alert": "emergency-department", "trauma-bay-exit": "emergency-department",
    "end-of-surgery": "theatre", "ward-round": "ward", "icu-review": "icu",
    "discharge": "ward", "recovery-follow-up": "follow-up",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Visits:
    """All visits of some episodes at one branch point, in order of episode and visit.

    Attributes
    ----------
    branch_point : str
    keys : mapping of ndarray, shape (n,)
        `row`, `episode`, `patient`, `month`, `visit` (integers), `hours`, and `hospital`, `unit` as
        strings.
    columns : mapping of ndarray, shape (n,)
        Features, `age_hours:`, `later:`, `label:` and `truth:` columns as numbers, NaN where
        missing; a category is its position in the dictionary's list, a flag 0 or 1.
    """

    branch_point: str
    keys: Mapping[str, np.ndarray]
    columns: Mapping[str, Floats]

    def __len__(self) -> int:
        return len(self.keys["row"])


def simulate_episodes(
    parameters: Parameters,
    seed: int,
    first: int,
    count: int,
    vocabulary: Vocabulary | None = None,
) -> dict[str, Visits]:
    """Simulate the episodes `first` to `first + count - 1`.

    Parameters
    ----------
    parameters : Parameters
        As loaded by `load_parameters`.
    seed : int
        Same seed and parameters, same episodes.
    first, count : int
        Which episodes; the result does not depend on how a range is cut.

    Returns
    -------
    dict of Visits
        By branch point, every declared one that the simulation knows.
    """
    words = vocabulary or load_vocabulary()
    found: dict[str, list[Visits]] = {}
    for block in range(first // BLOCK, (first + count - 1) // BLOCK + 1):
        for name, visits in simulate_block(parameters, seed, block, words).items():
            inside = (visits.keys["episode"] >= first) & (visits.keys["episode"] < first + count)
            found.setdefault(name, []).append(_take(visits, inside))
    return {name: _joined(name, parts) for name, parts in found.items()}


def simulate_block(
    parameters: Parameters, seed: int, block: int, words: Vocabulary
) -> dict[str, Visits]:
    """Simulate one block of `BLOCK` episodes with its own random stream."""
    streams = [
        np.random.Generator(np.random.Philox(child))
        for child in np.random.SeedSequence((seed, block)).spawn(6)
    ]
    patients = draw_patients(parameters, BLOCK, streams[0])
    chain = build_chain(parameters, patients)
    history = History(walk(chain, streams[1]))
    bay = (streams[2].random(BLOCK) < chain.death_before_start).astype(np.float64)
    outcomes = Outcomes(parameters, patients, chain, history, bay, streams[3])
    clock = _Clock(patients, streams[4])
    record = Record(parameters, patients, history, outcomes.not_home, words, streams[5])
    parts: dict[str, list[tuple[Integers, Floats, dict[str, Floats]]]] = {}
    for visit in parameters.visits:
        scene, asked, who = _scene(visit, patients, history, clock, bay, streams[4])
        rows = np.flatnonzero(who)
        point = words.branch_points[visit.at]
        columns = record.visit(scene, rows)
        labels, true = outcomes.of(list(point.outcomes), asked, rows)
        columns |= {f"label:{name}": values for name, values in labels.items()}
        columns |= {f"truth:{name}": values for name, values in true.items()}
        parts.setdefault(visit.at, []).append((rows, scene.hours[rows], columns))
    return _assemble(parameters, patients, block, parts)


class _Clock:
    """When things happen, in hours since the episode began, shape (n,) each."""

    def __init__(self, patients: Patients, random: np.random.Generator) -> None:
        n, traits = patients.count, patients.traits
        elective, trauma = traits["path:elective"] > 0, traits["path:trauma"] > 0
        weeks = np.ceil(random.gamma(2.0, 3.0, n)) * 7.0
        wait = np.where(traits["cancer_operation"] > 0, np.minimum(weeks, 28.0), weeks)
        acute = random.uniform(2.0, 30.0, n) * np.where(traits["illness"] > 1.5, 0.4, 1.0)
        self.alert = np.zeros(n)
        self.bay_exit = 0.4 + random.uniform(0.4, 1.4, n)
        self.clinic = np.where(elective, (wait - random.uniform(1.0, 6.9, n)) * 24.0, 0.6 * acute)
        to_theatre = self.bay_exit + random.uniform(0.1, 2.0, n)
        self.start = np.where(elective, wait * 24.0 + 9.0, np.where(trauma, to_theatre, acute))
        self.theatre = random.uniform(1.0, 5.0, n)
        # Days in hospital before an emergency operation, known when it is planned.
        self.waits = np.where(traits["path:emergency"] > 0, np.round(acute / 24.0, 2), 0.0)
        self.jitter = random.uniform(-1.0, 1.0, n)


def _scene(
    visit: Visit,
    patients: Patients,
    history: History,
    clock: _Clock,
    bay: Floats,
    random: np.random.Generator,
) -> tuple[Scene, Asked, np.ndarray]:
    """Find who has the visit, when, and in which state: from past and present only."""
    n, traits = patients.count, patients.traits
    zero = np.zeros(n, dtype=np.int64)
    chance = logistic(linear(visit.chance, visit.effects, traits))
    who = random.random(n) < chance
    if visit.path:
        who &= traits[f"path:{visit.path}"] > 0
    if visit.day is None and visit.after_discharge is None:
        alert = visit.at == "trauma-alert"
        if not alert:
            who &= bay == 0
        hours = {
            "surgery-decision": np.zeros(n), "preoperative-clinic": clock.clinic,
            "trauma-alert": clock.alert, "trauma-bay-exit": clock.bay_exit,
        }[visit.at]  # fmt: skip
        moment = Moment(np.full(n, -1), zero)
        early = 0.6 * clock.waits if visit.at == "preoperative-clinic" else 0.0
        asked = Asked(
            np.full(n, ALERT if alert else BEFORE), zero - 1, zero, moment,
            np.round(clock.waits - early, 2),
        )  # fmt: skip
        return Scene(visit.at, True, zero, moment, hours), asked, who
    who &= (bay == 0) & (traits["cancelled"] == 0)
    if visit.day is not None:
        day = np.full(n, visit.day)
        in_stay = history.stay_end > day
        who &= in_stay
    else:
        end = np.minimum(history.stay_end, NEVER)
        shift = np.round(clock.jitter * visit.jitter).astype(np.int64)
        day = end + (visit.after_discharge or 0) + shift
        who &= (history.end_state >= 0) & (history.end_state != DEAD) & (day < 850)
        day = np.where(who, day, 0)
    moment = history.at(day)
    who &= moment.state != DEAD
    if visit.states:
        who &= np.isin(moment.state, [STATE[name] for name in visit.states])
    if visit.at == "end-of-surgery":
        who &= traits["operated"] > 0
        hours = clock.start + clock.theatre
    else:
        hours = clock.start + 24.0 * day + (0.5 if visit.at == "discharge" else 0.0)
    asked = Asked(np.where(who, moment.state, 0), day, day, moment, np.zeros(n))
    return Scene(visit.at, False, day, moment, hours), asked, who


def _assemble(
    parameters: Parameters,
    patients: Patients,
    block: int,
    parts: Mapping[str, list[tuple[Integers, Floats, dict[str, Floats]]]],
) -> dict[str, Visits]:
    """Join a block's visits by branch point and number them within each episode by time."""
    everything = [(rows, hours) for visits in parts.values() for rows, hours, _ in visits]
    rows = np.concatenate([rows for rows, _ in everything])
    hours = np.concatenate([hours for _, hours in everything])
    order = np.lexsort((hours, rows))
    starts = np.searchsorted(rows[order], rows[order])
    number = np.empty(len(rows), dtype=np.int64)
    number[order] = np.arange(len(rows)) - starts
    names = np.array([house.name for house in parameters.hospitals], dtype=object)
    found: dict[str, Visits] = {}
    at = 0
    for place, visits in parts.items():
        size = sum(len(rows) for rows, _, _ in visits)
        own, here, when = number[at : at + size], rows[at : at + size], hours[at : at + size]
        at += size
        sort = np.lexsort((own, here))
        here, own, when = here[sort], own[sort], when[sort]
        episode = block * BLOCK + here
        hospital = names[patients.hospital[here]]
        month = parameters.first_month % 100 - 1 + patients.month[here] + (when // 730).astype(int)
        columns = _stack([columns for _, _, columns in visits], [len(r) for r, _, _ in visits])
        found[place] = Visits(
            place,
            {
                "row": episode * VISITS_PER_EPISODE + own,
                "episode": episode,
                "patient": episode,
                "hospital": hospital,
                "unit": hospital + f"-{UNIT[place]}",
                "month": (parameters.first_month // 100 + month // 12) * 100 + month % 12 + 1,
                "visit": own,
                "hours": np.round(when, 2),
            },
            {name: values[sort] for name, values in columns.items()},
        )
    return found


def _stack(parts: list[dict[str, Floats]], sizes: list[int]) -> dict[str, Floats]:
    names = list(dict.fromkeys(name for part in parts for name in part))
    return {
        name: np.concatenate(
            [part.get(name, np.full(size, np.nan)) for part, size in zip(parts, sizes, strict=True)]
        )
        for name in names
    }


def _take(visits: Visits, inside: np.ndarray) -> Visits:
    return Visits(
        visits.branch_point,
        {name: values[inside] for name, values in visits.keys.items()},
        {name: values[inside] for name, values in visits.columns.items()},
    )


def _joined(name: str, parts: list[Visits]) -> Visits:
    return Visits(
        name,
        {key: np.concatenate([part.keys[key] for part in parts]) for key in parts[0].keys},
        {key: np.concatenate([part.columns[key] for part in parts]) for key in parts[0].columns},
    )


def blocks_of(count: int) -> Iterator[tuple[int, int]]:
    """Cut `count` episodes into blocks: pairs of first episode and number of episodes."""
    for first in range(0, count, BLOCK):
        yield first, min(BLOCK, count - first)
