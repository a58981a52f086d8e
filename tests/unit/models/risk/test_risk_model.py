"""One assessment: reasons add up, required inputs matter, and the same question has the same answer."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import BundleRefused
from models.risk.assessment import Abstained, Answered
from models.risk.calibration import LinearCalibration
from models.risk.risk_model import RiskModel
from tests.lib.properties import LAW
from tests.lib.risk_models import (
    FEATURES,
    REQUIRED,
    answered_rows,
    direction_signs,
    fit_model,
    fitted,
    synthetic_rows,
    train_trees,
    values_of,
    vocabulary,
)

SEEDS = st.integers(0, 2**32 - 1)
OUTCOMES = pytest.mark.parametrize("outcome", ["death_180d", "length_of_stay_days"])
DIRECTED = [
    (name, sign) for name, sign in zip(FEATURES, direction_signs("death_180d"), strict=True) if sign
]


def a_patient(seed, keep_all=False):
    """A patient with every required input and a random part of the others."""
    rng = np.random.default_rng(seed)
    values = values_of(synthetic_rows(rng, 1)[0][0])
    share = rng.random()
    return {
        name: value
        for name, value in values.items()
        if keep_all or name in REQUIRED or rng.random() < share
    }


@OUTCOMES
@LAW
@given(SEEDS)
def test_base_value_and_reasons_add_up_to_the_score_that_is_shown(outcome, seed):
    model = fitted(outcome).model
    answer = model.assess(a_patient(seed))
    if isinstance(answer, Abstained):
        assert answer.reason == "out_of_distribution"
        return
    assert answer.contributions.shape == (len(FEATURES),)
    assert answer.base_value + math.fsum(answer.contributions) == pytest.approx(
        answer.score, abs=1e-9
    )
    shown = answer.score if model.kind == "numeric" else 1 / (1 + math.exp(-answer.score))
    assert answer.prediction == pytest.approx(shown, abs=1e-9)
    assert answer.lower <= answer.prediction <= answer.upper


@OUTCOMES
@LAW
@given(SEEDS)
def test_one_patient_alone_is_answered_as_in_a_batch(outcome, seed):
    model = fitted(outcome).model
    values = a_patient(seed)
    answer = model.assess(values)
    if isinstance(answer, Abstained):
        return
    X = model.vector(values)[None]
    score, contributions = model.explain(X)
    lower, upper = model.bounds(X, score)
    assert score[0] == pytest.approx(answer.score, abs=1e-9)
    np.testing.assert_allclose(contributions[0], answer.contributions, rtol=0, atol=1e-9)
    assert (lower[0], upper[0]) == pytest.approx((answer.lower, answer.upper), abs=1e-7)


@OUTCOMES
@LAW
@given(SEEDS)
def test_the_same_question_has_the_same_answer_to_the_last_bit(outcome, seed):
    found = fitted(outcome)
    values = a_patient(seed)
    again = RiskModel.from_document(
        json.loads(json.dumps(found.model.to_document())), found.trees_text
    )
    one, two = found.model.assess(values), found.model.assess(dict(reversed(values.items())))
    reread, twice = again.assess(values), again.assess(values)
    assert type(one) is type(two) is type(reread)
    if isinstance(one, Abstained):
        assert one == two == reread
        return
    for other in (two, reread):
        assert other.contributions.tobytes() == one.contributions.tobytes()
        assert (other.score, other.prediction, other.base_value) == (
            one.score, one.prediction, one.base_value,
        )  # fmt: skip
    assert (one.lower, one.upper) == (two.lower, two.upper)
    assert (reread.lower, reread.upper) == (twice.lower, twice.upper)
    assert (reread.lower, reread.upper) == pytest.approx((one.lower, one.upper), abs=1e-8)


@pytest.mark.parametrize("missing", REQUIRED)
def test_a_missing_required_input_abstains_and_names_it(missing):
    values = a_patient(1, keep_all=True)
    del values[missing]
    assert fitted().model.assess(values) == Abstained("missing_required", (missing,))


def test_all_missing_required_inputs_are_named_in_the_models_order():
    assert fitted().model.assess({"albumin": 30.0}) == Abstained("missing_required", REQUIRED)


def test_no_optional_input_at_all_is_answered_with_a_wider_interval():
    """Reasons of absent inputs are still shown, and not knowing costs precision."""
    model = fitted().model
    for values, full in answered_rows(model, synthetic_rows(np.random.default_rng(2), 40)[0]):
        bare = model.assess({name: values[name] for name in REQUIRED})
        assert isinstance(bare, Answered)
        assert len(bare.contributions) == len(FEATURES)
        assert full.lower <= full.prediction <= full.upper


def test_an_input_the_model_does_not_know_changes_nothing():
    values = a_patient(3)
    one, two = (fitted().model.assess(v) for v in (values, values | {"not_an_input": 5.0}))
    assert one.contributions.tobytes() == two.contributions.tobytes()


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"age": 119.0}, "older than any fitting patient"),
        ({"temperature": 25.0}, "colder than any fitting patient"),
        ({"map": 108.0, "sbp": 75.0}, "mean pressure above systolic"),
        ({"albumin": 200.0}, "wild outlier"),
    ],
)
def test_a_patient_unlike_the_fitting_ones_abstains(changed, why):
    values = values_of(np.nanmedian(fitted().X, axis=0))
    assert isinstance(fitted().model.assess(values), Answered)
    abstained = fitted().model.assess(values | changed)
    assert abstained == Abstained("out_of_distribution"), why


def test_patients_like_the_fitting_ones_are_seldom_sent_away():
    X = synthetic_rows(np.random.default_rng(4), 3000)[0]
    answers = [fitted().model.assess(values_of(row)) for row in X]
    # 600 fitting rows: five ranges of about 2/601 each, and the distance limit.
    assert np.mean([isinstance(answer, Abstained) for answer in answers]) < 0.04


@pytest.mark.parametrize(("name", "sign"), DIRECTED, ids=[name for name, _ in DIRECTED])
@LAW
@given(seed=SEEDS)
def test_more_of_a_directed_input_never_moves_the_risk_the_other_way(name, sign, seed):
    """Directions come from the dictionary, for an outcome that lets them apply."""
    model = fitted().model
    x = model.vector(a_patient(seed, keep_all=True))
    i = FEATURES.index(name)
    declared = vocabulary().features[name]
    grid = [0.0, 1.0] if declared.kind == "flag" else np.linspace(*declared.plausible, 60)
    rows = np.tile(x, (len(grid), 1))
    rows[:, i] = grid
    score, _ = model.explain(rows)
    assert (sign * np.diff(score) >= -1e-9).all()


def test_the_directions_under_test_are_there():
    assert {("age", 1), ("albumin", -1), ("bilirubin", 1), ("mechanical_ventilation", 1)} == set(
        DIRECTED
    )


@pytest.fixture(scope="module")
def never_cancer():
    """A model that knows no patient with one of the categories."""
    found = fit_model(seed=6)
    position = FEATURES.index("disease_class")
    inputs = list(found.model.inputs)
    codes = list(inputs[position].tree_codes)
    codes[2] = np.nan
    inputs[position] = replace(inputs[position], tree_codes=tuple(codes))
    return replace(found.model, inputs=tuple(inputs))


@LAW
@given(SEEDS)
def test_a_category_never_seen_in_fitting_counts_as_missing(never_cancer, seed):
    values = a_patient(seed)
    unseen = never_cancer.assess(values | {"disease_class": 2.0})
    absent = never_cancer.assess({k: v for k, v in values.items() if k != "disease_class"})
    assert type(unseen) is type(absent)
    if isinstance(unseen, Answered):
        assert unseen.contributions.tobytes() == absent.contributions.tobytes()
        assert unseen.score == absent.score


def test_a_category_never_seen_in_fitting_is_written_as_null(never_cancer):
    document = json.loads(json.dumps(never_cancer.to_document()))
    codes = next(i for i in document["inputs"] if i["name"] == "disease_class")["tree_codes"]
    assert codes[2] is None
    again = RiskModel.from_document(document, fitted().trees_text)
    assert again.inputs[FEATURES.index("disease_class")].unseen == frozenset({2})


def test_trees_read_a_category_by_its_place_and_a_missing_value_as_missing():
    model = fitted().model
    item = model.inputs[FEATURES.index("disease_class")]
    x = np.full(len(FEATURES), np.nan)
    x[FEATURES.index("disease_class")] = 3.0
    read = model.for_trees(np.vstack([x, x]))
    assert (read[:, FEATURES.index("disease_class")] == item.tree_codes[3]).all()
    assert np.isnan(read[:, FEATURES.index("creatinine")]).all()
    assert x[FEATURES.index("disease_class")] == 3.0  # what was handed in is untouched


def test_a_model_without_trees_is_its_additive_part():
    model = replace(
        fitted().model, additive_weight=1.0, trees_weight=0.0, calibration=LinearCalibration(0, 1)
    )
    values = values_of(np.nanmedian(fitted().X, axis=0))
    answer = model.assess(values)
    (expected,) = model.additive.contributions(model.vector(values)[None])
    np.testing.assert_allclose(answer.contributions, expected, rtol=0, atol=1e-14)
    assert answer.base_value == model.additive.intercept


def test_a_calibration_scales_every_reason_and_moves_the_base_value():
    """Slope 2 and intercept 0.5: reasons double, base becomes 0.5 + 2 * base."""
    plain = replace(fitted().model, calibration=LinearCalibration(0.0, 1.0))
    scaled = replace(plain, calibration=LinearCalibration(0.5, 2.0))
    values = values_of(np.nanmedian(fitted().X, axis=0))
    one, two = plain.assess(values), scaled.assess(values)
    np.testing.assert_allclose(two.contributions, 2 * one.contributions, atol=1e-12)
    assert two.base_value == pytest.approx(0.5 + 2 * one.base_value)
    assert two.score == pytest.approx(0.5 + 2 * one.score)


def test_a_number_below_the_smallest_possible_value_abstains():
    model = fitted("length_of_stay_days").model
    values = values_of(np.nanmedian(fitted("length_of_stay_days").X, axis=0))
    assert isinstance(model.assess(values), Answered)
    low = replace(model, calibration=LinearCalibration(-1e4, 1.0))
    assert low.assess(values) == Abstained("out_of_distribution")


def test_the_interval_says_by_which_method_it_was_made():
    assert "200 patients" in fitted().model.interval_method
    assert "conformal" in fitted("length_of_stay_days").model.interval_method


DAMAGE = [
    (lambda d: d.update(format=2), "format 1 expected"),
    (lambda d: d.pop("format"), "format 1 expected"),
    (lambda d: d.pop("inputs"), "malformed"),
    (lambda d: d.pop("weights"), "malformed"),
    (lambda d: d.pop("minimum"), "malformed"),
    (lambda d: d["weights"].pop("trees"), "malformed"),
    (lambda d: d["weights"].update(trees="much"), "malformed"),
    (lambda d: d["calibration"].pop("slope"), "malformed"),
    (lambda d: d["calibration"].update(curve=1), "malformed"),
    (lambda d: d["interval"].pop("level"), "malformed"),
    (lambda d: d["familiarity"].pop("limit"), "malformed"),
    (lambda d: d["familiarity"]["inputs"][0].update(feature="agee"), "malformed"),
    (lambda d: d["additive"]["columns"][0].update(kind="spline"), "malformed"),
    (lambda d: d["additive"].update(covariance=[1.0]), "malformed"),
    (lambda d: d["familiarity"].update(correlation=[1.0]), "malformed"),
    (lambda d: d["inputs"][0].pop("unit"), "malformed"),
    (lambda d: d["inputs"].pop(), "malformed|another number of inputs"),
    (lambda d: d.update(inputs=5), "malformed"),
    (lambda d: d.update(cohort_value=None), "malformed"),
]


@pytest.mark.parametrize(("damage", "reason"), DAMAGE)
def test_a_document_that_is_not_a_model_is_refused(damage, reason):
    document = json.loads(json.dumps(fitted().model.to_document()))
    damage(document)
    with pytest.raises(BundleRefused, match=reason):
        RiskModel.from_document(document, fitted().trees_text)


def test_trees_that_read_other_inputs_are_refused():
    rng = np.random.default_rng(9)
    X = rng.normal(size=(200, 3))
    other = train_trees(X, X[:, 0], "regression", rounds=2).model_to_string()
    with pytest.raises(BundleRefused, match="another number of inputs"):
        RiskModel.from_document(fitted().model.to_document(), other)
