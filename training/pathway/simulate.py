"""Episodes through the nine branch points, a block at a time.

A block always holds `BLOCK` episodes and has a random stream of its own, so an episode is the same
whatever was asked before, beside or after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from models.vocabulary import Vocabulary, load_vocabulary
from training.pathway.course import NEVER, build_chain, walk
from training.pathway.history import History
from training.pathway.labels import Outcomes
from training.pathway.parameters import Parameters
from training.pathway.patients import Floats, Integers, Patients, draw_patients
from training.pathway.record import Record
from training.pathway.visits import Clock, months_later, plan

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
    drawn, walked, labelled, planned, recorded = (
        np.random.Generator(np.random.Philox(child))
        for child in np.random.SeedSequence((seed, block)).spawn(5)
    )
    patients = draw_patients(parameters, BLOCK, drawn)
    chain = build_chain(parameters, patients)
    history = History.of(walk(chain, walked))
    outcomes = Outcomes(parameters, patients, chain, history, labelled)
    clock = Clock(parameters.clock, patients, planned)
    record = Record(parameters, patients, history, outcomes.not_home, words, recorded)
    parts: dict[str, list[_Round]] = {}
    for visit in parameters.visits:
        scene = plan(visit, patients, history, clock, planned)
        course = history.take(scene.rows)
        columns = record.visit(scene, course)
        labels, true = outcomes.of(list(words.branch_points[visit.at].outcomes), scene, course)
        columns |= {f"label:{name}": values for name, values in labels.items()}
        columns |= {f"truth:{name}": values for name, values in true.items()}
        parts.setdefault(visit.at, []).append(_Round(scene.rows, scene.hours, columns))
    return _assemble(parameters, patients, history.death, block, parts)


@dataclass(frozen=True, slots=True)
class _Round:
    rows: Integers
    hours: Floats
    columns: Mapping[str, Floats]


def _assemble(
    parameters: Parameters,
    patients: Patients,
    death: Integers,
    block: int,
    parts: Mapping[str, list[_Round]],
) -> dict[str, Visits]:
    """Join a block's visits by branch point and number them within each episode by time."""
    rows = np.concatenate([visit.rows for visits in parts.values() for visit in visits])
    hours = np.concatenate([visit.hours for visits in parts.values() for visit in visits])
    order = np.lexsort((hours, rows))
    starts = np.searchsorted(rows[order], rows[order])
    number = np.empty(len(rows), dtype=np.int64)
    number[order] = np.arange(len(rows)) - starts
    # Only who survived the first episode can come back.
    back = (patients.earlier >= 0) & (death[patients.earlier] == NEVER)
    person = np.where(back, patients.earlier, np.arange(BLOCK))
    names = np.array([house.name for house in parameters.hospitals], dtype=object)
    found: dict[str, Visits] = {}
    at = 0
    for place, visits in parts.items():
        size = sum(len(visit.rows) for visit in visits)
        own, here, when = number[at : at + size], rows[at : at + size], hours[at : at + size]
        at += size
        sort = np.lexsort((own, here))
        here, own, when = here[sort], own[sort], when[sort]
        episode = block * BLOCK + here
        hospital = names[patients.hospital[here]]
        month = parameters.first_month % 100 - 1 + patients.month[here] + months_later(when)
        columns = {
            name: np.concatenate([visit.columns[name] for visit in visits])
            for name in visits[0].columns
        }
        found[place] = Visits(
            place,
            {
                "row": episode * VISITS_PER_EPISODE + own,
                "episode": episode,
                "patient": block * BLOCK + person[here],
                "hospital": hospital,
                "unit": hospital + f"-{UNIT[place]}",
                "month": (parameters.first_month // 100 + month // 12) * 100 + month % 12 + 1,
                "visit": own,
                "hours": np.round(when, 2),
            },
            {name: values[sort] for name, values in columns.items()},
        )
    return found


def _take(visits: Visits, inside: np.ndarray) -> Visits:
    if inside.all():
        return visits
    return Visits(
        visits.branch_point,
        {name: values[inside] for name, values in visits.keys.items()},
        {name: values[inside] for name, values in visits.columns.items()},
    )


def _joined(name: str, parts: list[Visits]) -> Visits:
    if len(parts) == 1:
        return parts[0]
    return Visits(
        name,
        {key: np.concatenate([part.keys[key] for part in parts]) for key in parts[0].keys},
        {key: np.concatenate([part.columns[key] for part in parts]) for key in parts[0].columns},
    )


def blocks_of(count: int) -> Iterator[tuple[int, int]]:
    """Cut `count` episodes into blocks: pairs of first episode and number of episodes."""
    for first in range(0, count, BLOCK):
        yield first, min(BLOCK, count - first)
