"""Drift that can be switched on: what it changes, from when, and what it leaves alone."""

from __future__ import annotations

import numpy as np

from models.vocabulary import Vocabulary
from tests.unit.training.pathway.conftest import SEED
from training.pathway import Parameters, Visits, load_parameters, simulate_episodes

COUNT = 8_192
FROM = 202407


def with_scenario(name: str, vocabulary: Vocabulary) -> dict[str, Visits]:
    return simulate_episodes(load_parameters([name]), SEED, 0, COUNT, vocabulary)


def first(simulated: dict[str, Visits], place: str) -> Visits:
    visits = simulated[place]
    inside = visits.keys["episode"] < COUNT
    return Visits(
        place,
        {name: values[inside] for name, values in visits.keys.items()},
        {name: values[inside] for name, values in visits.columns.items()},
    )


def test_a_laboratory_that_changes_its_unit_changes_nothing_else(
    simulated: dict[str, Visits], vocabulary: Vocabulary
):
    plain = first(simulated, "preoperative-clinic")
    changed = with_scenario("creatinine-in-mg-per-dl", vocabulary)["preoperative-clinic"]
    ratio = changed.columns["creatinine"] / plain.columns["creatinine"]
    known = ~np.isnan(ratio)
    # One mg/dL is 88.4 umol/L; both are rounded to three digits.
    switched = known & (plain.keys["hospital"] == "south") & (plain.keys["month"] >= FROM)
    assert switched.sum() > 50
    assert np.allclose(1 / ratio[switched], 88.4, rtol=0.02)
    assert np.all(ratio[known & (plain.keys["hospital"] != "south")] == 1)
    assert np.all(ratio[known & (plain.keys["month"] < FROM)] == 1)
    for name in plain.columns:
        if name != "creatinine":
            assert np.array_equal(changed.columns[name], plain.columns[name], equal_nan=True), name


def test_wards_that_stop_taking_blood_gases_have_none(vocabulary: Vocabulary):
    changed = with_scenario("lactate-not-measured", vocabulary)
    rounds, review = changed["ward-round"], changed["icu-review"]
    late = rounds.keys["month"] >= FROM
    assert np.isnan(rounds.columns["lactate"][late]).all()
    assert not np.isnan(rounds.columns["lactate"][~late]).all()
    assert np.isnan(review.columns["lactate"][review.keys["month"] >= FROM]).mean() < 0.1


def test_older_patients_run_a_higher_true_risk(
    simulated: dict[str, Visits], vocabulary: Vocabulary
):
    plain = first(simulated, "surgery-decision")
    changed = with_scenario("older-patients", vocabulary)["surgery-decision"]

    def mean(visits: Visits, name: str) -> float:
        return float(np.nanmean(visits.columns[name][visits.keys["month"] >= FROM]))

    assert 5 < mean(changed, "age") - mean(plain, "age") < 9
    assert mean(changed, "truth:death_30d") > 1.2 * mean(plain, "truth:death_30d")
    before = plain.keys["month"] < FROM
    assert np.array_equal(plain.columns["age"][before],
                          changed.columns["age"][changed.keys["month"] < FROM])  # fmt: skip


def test_a_hospital_whose_complications_double_shows_it_in_label_and_truth(
    simulated: dict[str, Visits], vocabulary: Vocabulary
):
    plain = first(simulated, "surgery-decision")
    changed = with_scenario("more-complications", vocabulary)["surgery-decision"]
    late = (plain.keys["hospital"] == "east") & (plain.keys["month"] >= FROM)
    late_changed = (changed.keys["hospital"] == "east") & (changed.keys["month"] >= FROM)
    for kind, least in (("label", 1.15), ("truth", 1.25)):
        name = f"{kind}:any_complication"
        higher = np.nanmean(changed.columns[name][late_changed])
        assert higher > least * np.nanmean(plain.columns[name][late])
    other = plain.keys["hospital"] != "east"
    truth = "truth:any_complication"
    assert np.array_equal(plain.columns[truth][other],
                          changed.columns[truth][changed.keys["hospital"] != "east"])  # fmt: skip


def test_a_change_of_coding_leaves_the_patients_as_they_were(
    simulated: dict[str, Visits], vocabulary: Vocabulary
):
    plain = first(simulated, "surgery-decision")
    changed = with_scenario("coding-change", vocabulary)["surgery-decision"]
    late = plain.keys["month"] >= FROM
    coded, less = (visits.columns["diabetes"][late] for visits in (plain, changed))
    assert 0.35 < np.nanmean(less) / np.nanmean(coded) < 0.65
    for name in ("truth:death_30d", "label:any_complication", "hemoglobin"):
        assert np.array_equal(plain.columns[name], changed.columns[name], equal_nan=True)


def test_no_scenario_holds_unless_it_is_named(parameters: Parameters):
    assert parameters.scenarios == ()
    assert len(parameters.known_scenarios) == 5
