"""Where the service may be asked: the nine branch points as they are shipped."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import models.vocabulary
from models.vocabulary import load_vocabulary

VOCABULARY = load_vocabulary()
POINTS = VOCABULARY.branch_points
EVERY_POINT = pytest.mark.parametrize("point", POINTS.values(), ids=POINTS)

STAGES = {
    "surgery-decision": 1,
    "trauma-alert": 1,
    "preoperative-clinic": 2,
    "trauma-bay-exit": 2,
    "end-of-surgery": 3,
    "ward-round": 4,
    "icu-review": 4,
    "discharge": 5,
    "recovery-follow-up": 6,
}
HOOKS = {
    # CDS Hooks 2.0 hooks where one fits; a hook of our own has a reversed domain name.
    "surgery-decision": "appointment-book",
    "preoperative-clinic": "order-sign",
    "ward-round": "patient-view",
    "icu-review": "patient-view",
    "discharge": "encounter-discharge",
}


def test_the_branch_points_are_the_nine_that_integrators_rely_on_in_the_order_of_care():
    assert {point.id: point.stage for point in POINTS.values()} == STAGES
    assert [point.stage for point in POINTS.values()] == sorted(STAGES.values())


def test_every_file_of_the_folder_is_a_branch_point():
    folder = Path(models.vocabulary.__file__).parent / "branch_points"
    assert {path.stem for path in folder.iterdir()} == set(STAGES)


@EVERY_POINT
def test_every_branch_point_predicts_at_least_five_outcomes_and_never_death_alone(point):
    families = {VOCABULARY.outcomes[name].family for name in point.outcomes}
    assert len(point.outcomes) >= 5
    assert "mortality" in families
    assert len(families) >= 3


@EVERY_POINT
def test_every_branch_point_looks_at_recovery(point):
    assert any(VOCABULARY.outcomes[name].family == "recovery" for name in point.outcomes)


def test_every_outcome_is_predicted_somewhere():
    assert {name for point in POINTS.values() for name in point.outcomes} == set(
        VOCABULARY.outcomes
    )


@EVERY_POINT
def test_bands_ascend_from_low_to_high_with_a_source(point):
    for name, bands in point.outcomes.items():
        if VOCABULARY.outcomes[name].kind == "numeric":
            assert bands is None
            continue
        assert bands.names == ("low", "intermediate", "elevated", "high")
        assert list(bands.limits) == sorted(set(bands.limits))
        assert bands.limits[0] > 0
        assert bands.limits[-1] < 1
        assert bands.source
        assert bands.capacity.source
        assert bands.capacity.start in bands.names[1:]
        assert 0 < bands.capacity.patients_per_100 <= 100


@EVERY_POINT
def test_every_suggestion_says_what_it_takes_and_its_threshold_how_often(point):
    """An amount with a unit, and who says so; the threshold counts the patients that it is for."""
    for action in point.actions:
        assert re.search(r"\d+ \w+.*; .+|hourly .+; .+", action.capacity), action.id
        assert "per patient" in action.capacity
        bands = point.outcomes[action.outcome]
        assert bands.names.index(bands.capacity.start) <= bands.names.index(action.bands[0])


@pytest.mark.parametrize(
    ("probability", "band"),
    [
        (0.0, "low"),
        (0.0999, "low"),
        (0.10, "intermediate"),
        (0.2999, "intermediate"),
        (0.30, "elevated"),
        (0.5999, "elevated"),
        (0.60, "high"),
        (1.0, "high"),
    ],
)
def test_a_probability_on_a_limit_belongs_to_the_higher_band(probability, band):
    assert POINTS["icu-review"].outcomes["death_180d"].band(probability) == band


@EVERY_POINT
def test_every_suggestion_belongs_to_bands_of_an_outcome_that_is_answered_here(point):
    assert point.actions
    assert len({action.id for action in point.actions}) == len(point.actions)
    for action in point.actions:
        bands = point.outcomes[action.outcome]
        assert set(action.bands) <= set(bands.names)
        assert "low" not in action.bands
        assert action.source


@EVERY_POINT
def test_a_suggestion_is_never_an_order(point):
    for action in point.actions:
        assert action.label_en.startswith("Consider ")
        assert action.label_sv.startswith("Överväg ")


@EVERY_POINT
def test_a_suggestion_stays_when_risk_rises_further(point):
    """The bands of an action are the top of the scale, without holes."""
    for action in point.actions:
        names = point.outcomes[action.outcome].names
        assert action.bands == names[-len(action.bands) :]


@EVERY_POINT
def test_every_branch_point_has_a_hook_a_reader_and_inputs_it_cannot_do_without(point):
    assert re.fullmatch(r"[a-z-]+|se\.complication-risk\.[a-z-]+", point.hook)
    assert point.hook == HOOKS.get(point.id, point.hook)
    assert point.who
    assert point.required
    assert "age" in point.required
    assert len(point.optional) > len(point.required)
    assert point.question_en.endswith("?")
    assert point.question_sv.endswith("?")


@EVERY_POINT
def test_the_intended_purpose_says_decision_support_and_what_it_must_not_be_used_for(point):
    assert "decision support only" in point.intended_purpose
    assert re.search(
        r"\b(must not|must never|not (meant|for|intended)|never)\b", point.intended_purpose
    )
    assert re.search(r"class II[ab]", point.regulatory_note)


@EVERY_POINT
def test_no_feature_is_used_before_it_can_be_known(point):
    for name in point.features:
        earliest = POINTS[VOCABULARY.features[name].earliest]
        assert earliest.stage <= point.stage, name
        assert VOCABULARY.can_be_known(name, point.id)


@EVERY_POINT
def test_every_branch_point_shortens_the_age_of_a_value_and_never_lengthens_it(point):
    for name, hours in point.maximum_age_hours.items():
        longest = VOCABULARY.features[name].maximum_age_hours
        assert longest is None or hours <= longest, name


@EVERY_POINT
def test_required_inputs_carry_a_number_that_a_model_can_read(point):
    for name in point.required:
        assert VOCABULARY.features[name].kind != "code"


def test_every_feature_is_used_somewhere():
    used = {name for point in POINTS.values() for name in point.features}
    assert set(VOCABULARY.features) - used == set()


def test_a_model_is_named_by_branch_point_and_outcome():
    names = VOCABULARY.model_names()
    assert "icu-review.death_180d" in names
    assert len(names) == len(set(names)) == sum(len(p.outcomes) for p in POINTS.values())
