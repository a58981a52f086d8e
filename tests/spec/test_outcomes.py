"""What is predicted: the outcomes that integrators can rely on, and that death is never alone."""

from __future__ import annotations

import pytest

from models.vocabulary import load_vocabulary

OUTCOMES = load_vocabulary().outcomes

BINARY = {
    # name: horizon in days, None for the hospital stay
    "death_in_hospital": None,
    "death_30d": 30,
    "death_60d": 60,
    "death_180d": 180,
    "any_complication": 30,
    "major_complication": 30,
    "acute_kidney_injury": 7,
    "sepsis": 30,
    "surgical_site_infection": 30,
    "pneumonia": 30,
    "venous_thromboembolism": 30,
    "myocardial_injury": 30,
    "stroke": 30,
    "delirium": 7,
    "reoperation_30d": 30,
    "unplanned_icu": 14,
    "readmission_30d": 30,
    "prolonged_stay": 14,
    "not_discharged_home": None,
    "severe_disability_60d": 60,
    "poor_recovery_90d": 90,
    "poor_recovery_365d": 365,
}
NUMERIC = {
    # name: unit, smallest possible value, largest possible value
    "length_of_stay_days": ("d", 0.0, None),
    "days_at_home_30d": ("d", 0.0, 30.0),
    "cost_sek": ("SEK", 0.0, None),
}


def test_the_outcomes_are_the_twenty_five_that_integrators_rely_on():
    assert len(BINARY) + len(NUMERIC) == 25
    assert set(BINARY) | set(NUMERIC) == set(OUTCOMES)


@pytest.mark.parametrize(("name", "horizon_days"), BINARY.items())
def test_a_binary_outcome_has_its_horizon_and_no_unit(name, horizon_days):
    outcome = OUTCOMES[name]
    assert (outcome.kind, outcome.horizon_days) == ("binary", horizon_days)
    assert (outcome.unit, outcome.minimum, outcome.maximum) == (None, None, None)


@pytest.mark.parametrize(("name", "limits"), NUMERIC.items())
def test_a_numeric_outcome_has_its_unit_and_limits(name, limits):
    outcome = OUTCOMES[name]
    assert outcome.kind == "numeric"
    assert (outcome.unit, outcome.minimum, outcome.maximum) == limits


@pytest.mark.parametrize("outcome", OUTCOMES.values(), ids=OUTCOMES)
def test_every_outcome_but_death_says_how_death_is_treated(outcome):
    if outcome.family == "mortality":
        assert outcome.competing is None
    else:
        assert "death" in outcome.competing


@pytest.mark.parametrize("outcome", OUTCOMES.values(), ids=OUTCOMES)
def test_every_outcome_is_defined_with_its_source_and_its_swedish_register(outcome):
    assert len(outcome.definition.split()) >= 15
    assert outcome.source
    assert outcome.label_source
    assert outcome.label_en != outcome.label_sv or outcome.name == "delirium"


@pytest.mark.parametrize("outcome", OUTCOMES.values(), ids=OUTCOMES)
def test_a_horizon_in_the_name_is_the_horizon(outcome):
    if outcome.name.endswith("d") and outcome.name.rsplit("_", 1)[-1][:-1].isdigit():
        assert outcome.horizon_days == int(outcome.name.rsplit("_", 1)[-1][:-1])


def test_the_outcomes_reach_beyond_death():
    families = {outcome.family for outcome in OUTCOMES.values()}
    assert families == {"mortality", "complication", "recovery", "resource"}


@pytest.mark.parametrize(
    "name", ["readmission_30d", "prolonged_stay", "length_of_stay_days", "cost_sek"]
)
def test_no_direction_binds_an_outcome_that_an_early_death_makes_smaller(name):
    assert not OUTCOMES[name].directions_apply
