"""Labels agree with the true risks, with each other, and with the definitions of the outcomes."""

from __future__ import annotations

import numpy as np
import pytest

from models.vocabulary import Vocabulary
from training.pathway import Visits

SPECIFIC = (
    "acute_kidney_injury", "sepsis", "surgical_site_infection", "pneumonia",
    "venous_thromboembolism", "myocardial_injury", "stroke", "delirium", "reoperation_30d",
)  # fmt: skip
Simulated = dict[str, Visits]


def both(visits: Visits, *names: str) -> list[np.ndarray]:
    """Label columns, where all of them are known."""
    columns = [visits.columns[f"label:{name}"] for name in names]
    known = ~np.isnan(np.sum(columns, axis=0))
    return [column[known] for column in columns]


def standard_errors_off(visits: Visits, name: str, rows: np.ndarray) -> float:
    """Distance of observed from expected; visits of one episode count as one observation."""
    label, truth = visits.columns[f"label:{name}"], visits.columns[f"truth:{name}"]
    rows = rows & ~np.isnan(label)
    per_episode = np.bincount(visits.keys["episode"][rows], weights=(label - truth)[rows])
    # Where events are few, the spread that is expected is the larger; numbers have none.
    expected = np.sum(np.clip(truth * (1 - truth), 0, None)[rows])
    spread = np.sqrt(max(np.sum(per_episode**2), expected))
    return float(np.sum(per_episode) / spread) if spread else 0.0


def test_every_declared_outcome_has_a_label_and_a_true_risk(
    simulated: Simulated, vocabulary: Vocabulary
):
    assert set(simulated) == set(vocabulary.branch_points)
    for name, visits in simulated.items():
        outcomes = vocabulary.branch_points[name].outcomes
        for kind in ("label", "truth"):
            columns = {c.split(":")[1] for c in visits.columns if c.startswith(f"{kind}:")}
            assert columns == set(outcomes)
        for outcome in outcomes:
            label, truth = (visits.columns[f"{kind}:{outcome}"] for kind in ("label", "truth"))
            assert not np.any(np.isnan(truth) & ~np.isnan(label)), (name, outcome)
            if vocabulary.outcomes[outcome].kind == "binary":
                assert set(np.unique(label[~np.isnan(label)])) == {0.0, 1.0}, (name, outcome)
                assert np.nanmin(truth) >= 0.0
                assert np.nanmax(truth) <= 1.0


def test_observed_meets_expected_for_every_outcome_of_every_branch_point(
    simulated: Simulated, vocabulary: Vocabulary
):
    """97 comparisons: all within 4 standard errors, and their spread that of chance."""
    off = {
        (name, outcome): standard_errors_off(visits, outcome, np.ones(len(visits), dtype=bool))
        for name, visits in simulated.items()
        for outcome in vocabulary.branch_points[name].outcomes
    }
    assert {pair: z for pair, z in off.items() if abs(z) > 4.0} == {}
    assert 0.6 < np.std(list(off.values())) < 1.4


def test_observed_meets_expected_at_every_level_of_risk(
    simulated: Simulated, vocabulary: Vocabulary
):
    for name, visits in simulated.items():
        for outcome in vocabulary.branch_points[name].outcomes:
            # Days and costs are too skewed at one end for a count of standard errors.
            if vocabulary.outcomes[outcome].kind == "numeric":
                continue
            truth = visits.columns[f"truth:{outcome}"]
            limits = np.nanquantile(truth, [0.5, 0.9])
            for low, high in ((-np.inf, limits[0]), (limits[0], limits[1]), (limits[1], np.inf)):
                rows = (truth > low) & (truth <= high)
                assert abs(standard_errors_off(visits, outcome, rows)) < 4.5, (name, outcome, low)


def test_common_outcomes_are_met_within_five_percent(simulated: Simulated, vocabulary: Vocabulary):
    seen = 0
    for name, visits in simulated.items():
        for outcome in vocabulary.branch_points[name].outcomes:
            label, truth = (visits.columns[f"{kind}:{outcome}"] for kind in ("label", "truth"))
            known = ~np.isnan(label)
            binary = vocabulary.outcomes[outcome].kind == "binary"
            if binary and label[known].sum() >= 4_000:
                seen += 1
                assert label[known].sum() / truth[known].sum() == pytest.approx(1.0, abs=0.05)
    assert seen >= 5


@pytest.mark.parametrize("name", SPECIFIC)
def test_a_specific_complication_is_a_complication(simulated: Simulated, name: str):
    seen = 0
    for visits in simulated.values():
        if {f"label:{name}", "label:any_complication"} <= set(visits.columns):
            special, some = both(visits, name, "any_complication")
            seen += int(special.sum())
            assert np.all(some >= special)
    assert seen or name in ("sepsis",)


def test_severe_outcomes_nest_in_milder_ones(simulated: Simulated):
    pairs = (
        ("death_30d", "major_complication"), ("major_complication", "any_complication"),
        ("reoperation_30d", "major_complication"), ("death_60d", "death_180d"),
        ("death_30d", "death_180d"), ("death_30d", "poor_recovery_90d"),
    )  # fmt: skip
    for inner, outer in pairs:
        found = 0
        for visits in simulated.values():
            if {f"label:{inner}", f"label:{outer}"} <= set(visits.columns):
                found += 1
                low, high = both(visits, inner, outer)
                assert np.all(high >= low), (visits.branch_point, inner, outer)
        assert found, (inner, outer)


def test_the_true_risks_nest_as_well(simulated: Simulated):
    for visits in simulated.values():
        for inner, outer in (
            ("death_30d", "death_180d"), ("death_60d", "death_180d"),
            ("death_30d", "major_complication"), ("major_complication", "any_complication"),
        ):  # fmt: skip
            if {f"truth:{inner}", f"truth:{outer}"} <= set(visits.columns):
                low, high = (visits.columns[f"truth:{name}"] for name in (inner, outer))
                assert np.all(high >= low - 1e-12), (visits.branch_point, inner, outer)


def test_who_dies_within_thirty_days_has_no_day_at_home(simulated: Simulated):
    for visits in simulated.values():
        if {"label:death_30d", "label:days_at_home_30d"} <= set(visits.columns):
            dead, days = both(visits, "death_30d", "days_at_home_30d")
            assert np.all(days[dead == 1] == 0)
            assert np.all((days >= 0) & (days <= 30))


def test_the_dead_are_not_seen_again(simulated: Simulated):
    """Nobody who is dead within 30 days of a visit has a visit more than 30 days later."""
    last = np.zeros(1 + max(int(v.keys["episode"].max()) for v in simulated.values()))
    for visits in simulated.values():
        np.maximum.at(last, visits.keys["episode"], visits.keys["hours"])
    for name, visits in simulated.items():
        # Before an operation the window starts when it begins, which the row does not tell.
        if "label:death_30d" in visits.columns and name not in (
            "surgery-decision", "preoperative-clinic",
        ):  # fmt: skip
            dead = visits.columns["label:death_30d"] == 1
            ends = visits.keys["hours"][dead] + 31 * 24
            assert np.all(last[visits.keys["episode"][dead]] <= ends), name


def test_death_in_hospital_leaves_no_discharge_and_no_label_after_it(simulated: Simulated):
    for visits in simulated.values():
        columns = visits.columns
        if {"label:death_in_hospital", "label:not_discharged_home"} <= set(columns):
            died = columns["label:death_in_hospital"] == 1
            assert np.all(np.isnan(columns["label:not_discharged_home"][died]))
    died = simulated["trauma-alert"].columns["label:death_in_hospital"] == 1
    gone = simulated["trauma-alert"].keys["episode"][died]
    assert not np.isin(gone, simulated["recovery-follow-up"].keys["episode"]).any()


def test_an_operation_that_never_took_place_has_no_label(simulated: Simulated):
    decided = simulated["surgery-decision"]
    elective = decided.columns["emergency"] == 0
    unlabelled = np.isnan(decided.columns["label:any_complication"])
    assert 0.02 < unlabelled[elective].mean() < 0.10
    operated = simulated["end-of-surgery"].keys["episode"]
    assert not np.isin(decided.keys["episode"][unlabelled], operated).any()


def test_patients_never_operated_on_have_no_wound(simulated: Simulated):
    left = simulated["discharge"]
    never = np.isnan(left.columns["label:surgical_site_infection"])
    operated = simulated["end-of-surgery"].keys["episode"]
    assert never.any()
    assert np.isnan(left.columns["truth:surgical_site_infection"][never]).all()
    assert not np.isin(left.keys["episode"][never], operated).any()


def test_a_sepsis_that_is_there_is_not_predicted(simulated: Simulated):
    review = simulated["icu-review"]
    present = np.isnan(review.columns["truth:sepsis"])
    assert 0.1 < present.mean() < 0.8
    assert np.isnan(review.columns["label:sepsis"][present]).all()
    procalcitonin = review.columns["procalcitonin"]
    assert np.nanmedian(procalcitonin[present]) > 1.5 * np.nanmedian(procalcitonin[~present])
