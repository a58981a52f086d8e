"""What the record shows: dictionary features in dictionary units, missing for reasons."""

from __future__ import annotations

import numpy as np
import pytest

from models.vocabulary import Vocabulary, coarsening
from training.pathway import Parameters, Visits
from training.pathway.derived import add_derived, estimated_filtration_rate, significant

Simulated = dict[str, Visits]
# More of these is never better; more of a trait's name here means a sicker patient.
WORSE = {
    "age_z", "frailty", "comorbidity", "heart", "lung", "kidney", "malnutrition", "illness", "injury",
    "brain", "haemorrhage", "bleeding", "complicated", "intensive", "infection", "lung_infection",
    "kidney_injury", "heart_injury", "delirious", "sequelae", "trouble", "contamination", "dementia",
    "advanced_cancer", "heart_failure", "ischaemic_heart_disease", "stroke_or_tia_history", "severity",
}  # fmt: skip


def features(visits: Visits) -> list[str]:
    return [name for name in visits.columns if ":" not in name]


def test_at_least_ninety_features_are_simulated_each_where_it_can_be_known(
    simulated: Simulated, vocabulary: Vocabulary
):
    shown = set()
    for name, visits in simulated.items():
        shown |= set(features(visits))
        assert set(features(visits)) <= set(vocabulary.branch_points[name].features)
        for feature in features(visits):
            assert vocabulary.can_be_known(feature, name)
    assert len(shown) >= 90


def test_every_value_is_one_that_the_dictionary_takes(simulated: Simulated, vocabulary: Vocabulary):
    for name, visits in simulated.items():
        for feature_name in features(visits):
            feature = vocabulary.features[feature_name]
            known = visits.columns[feature_name]
            known = known[~np.isnan(known)]
            assert len(known), (name, feature_name)
            if feature.kind == "number":
                lowest, highest = feature.plausible
                assert lowest <= known.min() <= known.max() <= highest, (name, feature_name)
                assert not feature.integer or np.all(known % 1 == 0), (name, feature_name)
            elif feature.kind == "category":
                assert np.isin(known, range(len(feature.categories))).all(), (name, feature_name)
            else:
                assert np.isin(known, (0, 1)).all(), (name, feature_name)


def test_numbers_survive_the_coarsening_at_the_door(simulated: Simulated, vocabulary: Vocabulary):
    """Except for ages over 89, which the door tells as one."""
    for visits in simulated.values():
        for name in features(visits):
            feature = vocabulary.features[name]
            if feature.kind == "number" and name != "age":
                values = visits.columns[name]
                for value in values[~np.isnan(values)][:20]:
                    assert coarsening.coarsen(feature, float(value)) == pytest.approx(value)


def test_required_features_are_nearly_always_there(simulated: Simulated, vocabulary: Vocabulary):
    for name, visits in simulated.items():
        for feature in vocabulary.branch_points[name].required:
            assert np.isnan(visits.columns[feature]).mean() < 0.12, (name, feature)


def test_blood_gases_are_taken_from_the_sick(simulated: Simulated):
    rounds = simulated["ward-round"]
    lactate_known = ~np.isnan(rounds.columns["lactate"])
    risk = rounds.columns["truth:death_30d"]
    assert lactate_known.mean() < 0.25
    assert risk[lactate_known].mean() > 2 * risk[~lactate_known].mean()
    assert np.isnan(simulated["icu-review"].columns["lactate"]).mean() < 0.10


def test_facts_that_do_not_exist_are_missing(simulated: Simulated):
    rounds = simulated["ward-round"].columns
    never = np.isnan(rounds["truth:reoperation_30d"])
    assert never.any()
    for name in ("postoperative_day", "operation_duration", "procedure_group"):
        assert np.isnan(rounds[name][never]).all()
    elective = simulated["end-of-surgery"].columns["emergency"] == 0
    assert np.isnan(simulated["end-of-surgery"].columns["injury_mechanism"][elective]).all()


def test_hospitals_measure_and_code_in_their_own_ways(simulated: Simulated):
    decided = simulated["surgery-decision"]
    hospital = decided.keys["hospital"]
    unknown = {
        name: np.isnan(decided.columns["creatinine"][hospital == name]).mean()
        for name in ("north", "west")
    }
    assert unknown["north"] < unknown["west"] - 0.1
    coded = decided.columns["cardiovascular_disease"]
    north, west = (
        coded[(hospital == name) & ~np.isnan(coded)].mean() for name in ("north", "west")
    )
    assert north > west


def test_late_facts_stand_apart_from_the_inputs(simulated: Simulated, vocabulary: Vocabulary):
    for name, visits in simulated.items():
        late = {column[6:] for column in visits.columns if column.startswith("later:")}
        assert not late & set(features(visits))
        for feature in late:
            assert not vocabulary.can_be_known(feature, name)
        if vocabulary.branch_points[name].stage < 5:
            assert late >= {"hospital_stay_days", "complication_clavien_dindo"}


def test_a_late_fact_tells_what_the_risk_could_not(simulated: Simulated):
    """The final grade of the complication is the label told in advance."""
    rounds = simulated["ward-round"]
    grade = rounds.columns["later:complication_clavien_dindo"]
    label = rounds.columns["label:major_complication"]
    known = ~np.isnan(grade) & ~np.isnan(label)
    severe = known & (grade >= 3)
    assert label[severe].mean() > 4 * label[known & (grade < 3)].mean()


def test_declared_directions_hold_in_what_drives_a_reading(
    parameters: Parameters, vocabulary: Vocabulary
):
    for row in parameters.readings:
        sign = vocabulary.features[row.feature].direction_sign
        for driver, effect in row.effects.items():
            if sign and driver in WORSE:
                assert sign * effect >= 0, (row.feature, driver)


def test_what_is_worse_never_lowers_the_rate_of_harm(parameters: Parameters):
    for move in parameters.transitions:
        if move.kind in ("complication", "critical") or move.target == "dead":
            for driver, effect in move.effects.items():
                assert driver not in WORSE or effect >= 0, (move.source_state, move.target, driver)
    for row in parameters.marks:
        assert all(effect >= 0 for name, effect in row.effects.items() if name in WORSE)


def test_the_filtration_rate_is_that_of_the_equation():
    """CKD-EPI 2021 by hand, woman of 50, 1.0 mg/dL: 142 x (1/0.7)^-1.2 x 0.9938^50 x 1.012."""
    rate = estimated_filtration_rate(np.array([88.4]), np.array([50.0]), np.array([0.0]))
    assert rate[0] == pytest.approx(142 * 0.65179 * 0.73273 * 1.012, rel=1e-4)


def test_what_follows_from_a_missing_value_is_missing():
    values = {
        "sbp": np.array([120.0, np.nan]), "dbp": np.array([60.0, 70.0]),
        "prehospital_sbp": np.array([90.0, np.nan]), "asa_class": np.array([3.0, np.nan]),
    }  # fmt: skip
    add_derived(values)
    assert values["map"][0] == 80.0  # (120 + 2 x 60) / 3
    assert values["prehospital_sbp_rts"][0] == 4.0  # over 89
    assert values["asa_band"][0] == 1.0  # III
    for name in ("map", "prehospital_sbp_rts", "asa_band"):
        assert np.isnan(values[name][1])


def test_three_significant_digits():
    assert significant(np.array([0.012345, 123.45, -2.346])).tolist() == [0.0123, 123.0, -2.35]
