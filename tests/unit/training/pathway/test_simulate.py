"""An episode is the same whatever was asked before, beside or after it; paths branch."""

from __future__ import annotations

import numpy as np
import pytest

from models.vocabulary import Vocabulary
from tests.unit.training.pathway.conftest import SEED
from training.errors import SourceInvalid
from training.pathway import Parameters, Visits, load_parameters, simulate_episodes
from training.pathway.simulate import BLOCK

Simulated = dict[str, Visits]


def same(left: Visits, right: Visits) -> bool:
    return all(np.array_equal(left.keys[name], right.keys[name]) for name in left.keys) and all(
        np.array_equal(left.columns[name], right.columns[name], equal_nan=True)
        for name in left.columns
    )


def only(visits: Visits, first: int, last: int) -> Visits:
    inside = (visits.keys["episode"] >= first) & (visits.keys["episode"] < last)
    return Visits(
        visits.branch_point,
        {name: values[inside] for name, values in visits.keys.items()},
        {name: values[inside] for name, values in visits.columns.items()},
    )


def test_a_range_across_blocks_is_cut_from_the_same_episodes(
    simulated: Simulated, parameters: Parameters, vocabulary: Vocabulary
):
    first, count = BLOCK - 30, 60
    cut = simulate_episodes(parameters, SEED, first, count, vocabulary)
    for name, visits in cut.items():
        assert same(visits, only(simulated[name], first, first + count)), name


def test_another_seed_gives_other_episodes(
    simulated: Simulated, parameters: Parameters, vocabulary: Vocabulary
):
    other = simulate_episodes(parameters, SEED + 1, 0, 40, vocabulary)
    ages = other["discharge"].columns["age"]
    assert not np.array_equal(ages, simulated["discharge"].columns["age"][: len(ages)])


def test_rows_are_unique_over_all_branch_points(simulated: Simulated):
    rows = np.concatenate([visits.keys["row"] for visits in simulated.values()])
    assert len(np.unique(rows)) == len(rows)


def test_visits_of_an_episode_are_numbered_in_order_of_time(simulated: Simulated):
    episode, visit, hours = (
        np.concatenate([visits.keys[name] for visits in simulated.values()])
        for name in ("episode", "visit", "hours")
    )
    order = np.lexsort((visit, episode))
    episode, visit, hours = episode[order], visit[order], hours[order]
    starts = np.concatenate([[True], episode[1:] != episode[:-1]])
    assert np.all(visit[starts] == 0)
    inside = ~starts[1:]
    assert np.all(np.diff(visit)[inside] == 1)
    assert np.all(np.diff(hours)[inside] >= 0)
    assert np.all(hours >= 0)


def paths(simulated: Simulated) -> dict[int, list[str]]:
    seen: dict[int, list[tuple[int, str]]] = {}
    for name, visits in simulated.items():
        for episode, visit in zip(
            visits.keys["episode"][:4000], visits.keys["visit"][:4000], strict=True
        ):
            if episode < 400:
                seen.setdefault(int(episode), []).append((int(visit), name))
    return {episode: [name for _, name in sorted(found)] for episode, found in seen.items()}


def test_paths_branch_skip_and_repeat(simulated: Simulated):
    found = list(paths(simulated).values())
    assert len({tuple(path) for path in found}) > 60
    assert any("preoperative-clinic" not in path and "end-of-surgery" in path for path in found)
    assert any(path.count("ward-round") >= 3 for path in found)
    assert any("trauma-bay-exit" in path and "end-of-surgery" not in path for path in found)
    assert not any("trauma-alert" in path and "surgery-decision" in path for path in found)


def test_some_patients_go_from_ward_to_intensive_care_and_back(simulated: Simulated):
    found = {}
    for name in ("ward-round", "icu-review"):
        keys = simulated[name].keys
        found[name] = {}
        for episode, visit in zip(keys["episode"], keys["visit"], strict=True):
            found[name].setdefault(int(episode), []).append(int(visit))
    loops = [
        episode
        for episode, reviews in found["icu-review"].items()
        if min(found["ward-round"].get(episode, [99])) < max(reviews)
        and max(found["ward-round"].get(episode, [-1])) > min(reviews)
    ]
    assert len(loops) > 20


def test_people_come_back_only_alive_and_a_year_later(simulated: Simulated):
    keys = simulated["end-of-surgery"].keys
    back = keys["patient"] != keys["episode"]
    assert 0.005 < back.mean() < 0.10
    first = dict(zip(keys["episode"].tolist(), range(len(keys["episode"])), strict=True))
    dead = simulated["end-of-surgery"].columns["label:death_30d"]
    months = keys["month"] // 100 * 12 + keys["month"] % 100
    compared = 0
    for place in np.flatnonzero(back):
        earlier = first.get(int(keys["patient"][place]))
        if earlier is not None:
            compared += 1
            assert dead[earlier] != 1
            assert months[place] - months[earlier] >= 10
            sex = simulated["end-of-surgery"].columns["sex"]
            assert sex[place] == sex[earlier]
    assert compared > 100


def test_months_run_through_the_declared_calendar(simulated: Simulated, parameters: Parameters):
    months = simulated["surgery-decision"].keys["month"]
    assert months.min() == parameters.first_month
    assert months.max() == 202412  # 36 months from January 2022
    assert np.isin(months % 100, range(1, 13)).all()


def test_an_unknown_scenario_is_refused_by_name():
    with pytest.raises(SourceInvalid, match=r"no scenario volcano; known: creatinine-in-mg-per-dl"):
        load_parameters(["volcano"])


def test_every_parameter_row_names_its_source(parameters: Parameters):
    rows = [*parameters.traits, *parameters.procedures, *parameters.hospitals, *parameters.marks,
            *parameters.terminals.values(), *parameters.readings, *parameters.visits,
            *parameters.known_scenarios.values()]  # fmt: skip
    assert all(row.source for row in rows)
