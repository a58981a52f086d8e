"""Where the simulation stands beside published cohorts; tolerances are those of a toy, not of a fit."""

from __future__ import annotations

import numpy as np

from models.vocabulary import Vocabulary
from training.pathway import Visits

Simulated = dict[str, Visits]


def quartiles(values: np.ndarray) -> tuple[float, float, float]:
    return tuple(np.quantile(values[~np.isnan(values)], [0.25, 0.5, 0.75]))


def is_group(visits: Visits, vocabulary: Vocabulary, *groups: str) -> np.ndarray:
    words = vocabulary.features["procedure_group"].categories
    return np.isin(visits.columns["procedure_group"], [words.index(group) for group in groups])


def test_planned_surgery_has_the_mortality_of_the_swedish_sort_cohort(simulated: Simulated):
    """30-day mortality 1.6 % in 17,965 patients, BJS 2023;110:584-590."""
    decided = simulated["surgery-decision"]
    planned = decided.columns["emergency"] == 0
    assert 0.013 < np.nanmean(decided.columns["truth:death_30d"][planned]) < 0.019


def test_planned_major_surgery_spends_its_days_at_home_as_in_ontario(simulated: Simulated):
    """Median 26 (24-27) days of 30, Jerath 2019."""
    decided = simulated["surgery-decision"]
    major = (decided.columns["emergency"] == 0) & (decided.columns["operative_severity"] >= 2)
    low, median, high = quartiles(decided.columns["label:days_at_home_30d"][major])
    assert 25 <= median <= 27
    assert 22 <= low <= 25
    assert 26 <= high <= 28


def test_emergency_laparotomy_spends_its_days_at_home_as_in_england(
    simulated: Simulated, vocabulary: Vocabulary
):
    """Median 16 (0-22) days of 30, Spurling 2022."""
    decided = simulated["surgery-decision"]
    laparotomy = (decided.columns["emergency"] == 1) & is_group(
        decided, vocabulary, "colorectal_resection", "small_bowel_resection"
    )
    low, median, high = quartiles(decided.columns["label:days_at_home_30d"][laparotomy])
    assert 13 <= median <= 19
    assert low <= 4
    assert 20 <= high <= 26


def test_injuries_are_mostly_blunt_and_mostly_not_severe(simulated: Simulated):
    """Product proposals: one in ten penetrating, one in five with ISS over 15, most recover well."""
    alert, left = simulated["trauma-alert"], simulated["discharge"]
    assert 0.04 < np.nanmean(alert.columns["dominant_injury_type"]) < 0.16
    severity = left.columns["injury_iss"]
    assert 0.10 < np.mean(severity[~np.isnan(severity)] > 15) < 0.28
    good = left.columns["glasgow_outcome_scale_discharge"]
    assert 0.45 < np.mean(good[~np.isnan(good)] == 5) < 0.80


def test_marginals_are_those_of_adult_surgical_patients(simulated: Simulated):
    """Product proposals."""
    decided = simulated["surgery-decision"].columns
    assert 58 < np.nanmedian(decided["age"]) < 70
    assert 0.45 < np.nanmean(decided["sex"]) < 0.60
    assert 25 < np.nanmedian(decided["bmi"]) < 28
    assert 1.8 < np.nanmean(decided["asa_class"]) < 2.6
    assert 0.10 < np.nanmean(decided["diabetes"]) < 0.20
    assert 125 < np.nanmedian(decided["hemoglobin"]) < 145
    assert np.nanmedian(simulated["ward-round"].columns["crp"]) > 5 * np.nanmedian(decided["crp"])
