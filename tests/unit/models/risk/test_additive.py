"""The additive part: contributions are exact, centred, and survive being written as JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.risk.additive import LEVEL, MISSING, RAMP, AdditiveModel, AdditiveStack, Basis
from models.risk.reading import Seat
from tests.lib.properties import LAW
from tests.lib.risk_models import FEATURES, fitted, synthetic_rows

SEEDS = st.integers(0, 2**32 - 1)
SINGLE = 1e-5
"""Covariances are kept in single precision."""


def explain_one(additive, x):
    contributions, (variance,) = AdditiveStack([(additive, Seat(0, 0, 1.0))]).explain(x, len(x))
    return contributions, variance


@pytest.fixture(scope="module")
def additive():
    return fitted().model.additive


def patients(seed, n=40):
    rng = np.random.default_rng(seed)
    X, _ = synthetic_rows(rng, n)
    X[rng.random(X.shape) < 0.3] = np.nan
    return X


@pytest.fixture
def by_hand():
    """A ramp from 0 to 10 with mean 0.4, a level of 1 with mean 0.3, and an indicator (mean 0.2)."""
    basis = Basis(
        feature=np.array([0, 1, 0]),
        kind=np.array([RAMP, LEVEL, MISSING]),
        start=np.array([0.0, 1.0, 0.0]),
        stop=np.array([10.0, 0.0, 0.0]),
        mean=np.array([0.4, 0.3, 0.2]),
    )
    covariance = np.array([[0.04, 0.01, 0.0], [0.01, 0.09, 0.0], [0.0, 0.0, 0.25]])
    return AdditiveModel(basis, np.array([2.0, -1.0, 0.5]), covariance, 0.7, np.diag([0.0, 0.16]))


@pytest.mark.parametrize(
    ("x", "contributions"),
    [
        # ramp: 2 * (share of the way - 0.4); present: indicator 0.5 * (0 - 0.2) = -0.1
        ((5.0, 0.0), (0.2 - 0.1, 0.3)),
        ((-5.0, 0.0), (-0.8 - 0.1, 0.3)),
        ((0.0, 1.0), (-0.8 - 0.1, -0.7)),
        ((10.0, 1.0), (1.2 - 0.1, -0.7)),
        ((99.0, 2.0), (1.2 - 0.1, 0.3)),
        # missing: the ramp counts as its mean, the indicator gives 0.5 * (1 - 0.2)
        ((np.nan, 1.0), (0.4, -0.7)),
        ((5.0, np.nan), (0.1, 0.0)),
    ],
)
def test_ramps_levels_and_indicators_are_weighed_as_worked_out_by_hand(by_hand, x, contributions):
    found, _ = explain_one(by_hand, np.array(x))
    np.testing.assert_allclose(found, contributions, atol=1e-15)


def test_variance_is_the_quadratic_form_worked_out_by_hand(by_hand):
    """Columns at (5, 1): 0.1, 0.7 and -0.2: 0.04*0.01 + 2*0.01*0.07 + 0.09*0.49 + 0.25*0.04."""
    _, variance = explain_one(by_hand, np.array([5.0, 1.0]))
    assert variance == pytest.approx(0.0004 + 0.0014 + 0.0441 + 0.01, rel=SINGLE)


@LAW
@given(SEEDS)
def test_contributions_sum_to_the_score_of_the_weighted_columns(additive, seed):
    X = patients(seed)
    score = additive.intercept + additive.basis.columns(X) @ additive.coefficients
    total = additive.intercept + additive.contributions(X).sum(axis=1)
    np.testing.assert_allclose(total, score, rtol=0, atol=1e-12)


@LAW
@given(SEEDS)
def test_one_patient_alone_is_explained_as_in_a_batch(additive, seed):
    X = patients(seed, 10)
    contributions, variance = additive.contributions(X), additive.variance(X)
    for i, x in enumerate(X):
        own, own_variance = explain_one(additive, x)
        np.testing.assert_allclose(own, contributions[i], rtol=0, atol=1e-14)
        assert own_variance == pytest.approx(variance[i], rel=SINGLE)
        assert own_variance >= 0


def test_over_the_fitting_patients_every_contribution_averages_to_zero(additive):
    contributions = additive.contributions(fitted().X)
    np.testing.assert_allclose(contributions.mean(axis=0), 0.0, atol=1e-12)


# shap makes its colour maps, when imported, by a way that matplotlib has begun to deprecate.
@pytest.mark.filterwarnings("ignore:The set_.* function will be:PendingDeprecationWarning")
def test_contributions_equal_those_of_shap_for_a_linear_model(additive):
    """Columns of one input are summed: the columns are the linear model's features."""
    import shap

    background = additive.basis.columns(fitted().X)
    masker = shap.maskers.Independent(background, max_samples=len(background))
    explainer = shap.LinearExplainer((additive.coefficients, additive.intercept), masker)
    X = patients(11, 200)
    per_column = explainer.shap_values(additive.basis.columns(X))
    per_feature = np.zeros((len(X), len(FEATURES)))
    np.add.at(per_feature, (slice(None), additive.basis.feature), per_column)
    np.testing.assert_allclose(additive.contributions(X), per_feature, rtol=0, atol=1e-9)
    assert explainer.expected_value == pytest.approx(additive.intercept, abs=1e-9)


def test_a_model_written_as_json_and_read_again_is_the_same(additive):
    document = json.loads(json.dumps(additive.to_document(FEATURES)))
    again = AdditiveModel.from_document(document, FEATURES)
    assert again.coefficients.tobytes() == additive.coefficients.tobytes()
    assert again.basis.mean.tobytes() == additive.basis.mean.tobytes()
    assert again.intercept == additive.intercept
    X = patients(12, 100)
    assert again.contributions(X).tobytes() == additive.contributions(X).tobytes()
    np.testing.assert_allclose(again.variance(X), additive.variance(X), rtol=1e-6, atol=1e-8)
    assert np.array_equal(again.covariance, again.covariance.T)
    assert again.to_document(FEATURES) == additive.to_document(FEATURES)


@pytest.mark.parametrize("missing", ["intercept", "columns", "covariance"])
def test_a_document_without_a_part_is_refused(additive, missing):
    document = additive.to_document(FEATURES)
    del document[missing]
    with pytest.raises(KeyError):
        AdditiveModel.from_document(document, FEATURES)


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("feature", "agee", KeyError),
        ("kind", "spline", ValueError),
        ("coefficient", "x", ValueError),
    ],
)
def test_a_column_that_cannot_be_read_is_refused(additive, key, value, error):
    document = additive.to_document(FEATURES)
    document["columns"][0][key] = value
    with pytest.raises(error):
        AdditiveModel.from_document(document, FEATURES)


@pytest.mark.parametrize("keep", [0, 1, -1], ids=["none", "one", "all but one"])
def test_a_covariance_of_another_size_is_refused(additive, keep):
    document = additive.to_document(FEATURES)
    document["covariance"] = document["covariance"][:keep]
    with pytest.raises(ValueError, match="another size"):
        AdditiveModel.from_document(document, FEATURES)


def test_what_is_not_measured_widens_the_variance(by_hand):
    """Input 1 is missing and fitting never learnt what that means: its spread of 0.16 is added."""
    measured, missing = np.array([[5.0, 0.0]]), np.array([[5.0, np.nan]])
    # columns: ramp 0.1, level -0.3 (0 when missing), indicator -0.2
    posterior = 0.04 * 0.01 + 0.09 * 0.09 + 2 * 0.01 * 0.1 * -0.3 + 0.25 * 0.04
    assert by_hand.variance(measured)[0] == pytest.approx(posterior)
    assert by_hand.variance(missing)[0] == pytest.approx(0.04 * 0.01 + 0.25 * 0.04 + 0.16, rel=1e-5)


def test_what_is_known_says_something_of_what_is_not(by_hand):
    """Contributions with variances 1 and 1 and correlation 0.8: knowing one leaves 1 - 0.64."""
    model = replace(by_hand, spread=np.array([[1.0, 0.8], [0.8, 1.0]]))
    one, both = np.array([[5.0, np.nan]]), np.array([[np.nan, np.nan]])
    posterior = replace(by_hand, spread=np.zeros((2, 2)))
    assert (model.variance(one) - posterior.variance(one))[0] == pytest.approx(0.36, rel=1e-4)
    assert (model.variance(both) - posterior.variance(both))[0] == pytest.approx(3.6, rel=1e-4)
