"""Discrimination: scikit-learn is the oracle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from tests.lib.properties import LAW
from training.evaluation.discrimination import (
    auprc,
    auroc,
    auroc_of_resamples,
    binary_statistics,
    brier,
    log_loss,
)

ORACLES = [
    (auroc, metrics.roc_auc_score),
    (auprc, metrics.average_precision_score),
    (brier, metrics.brier_score_loss),
    (log_loss, metrics.log_loss),
]


@st.composite
def outcomes_and_predictions(draw):
    """Both classes, and few enough distinct predictions that ties are common."""
    n = draw(st.integers(2, 60))
    y = draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=n, max_size=n))
    p = draw(st.lists(st.integers(1, 19), min_size=n, max_size=n))
    return np.array([0.0, 1.0, *y]), np.array([5, 10, *p]) / 20


@pytest.mark.parametrize(("own", "oracle"), ORACLES)
@LAW
@given(data=outcomes_and_predictions())
def test_agrees_with_scikit_learn(own, oracle, data):
    y, p = data
    assert own(y, p) == pytest.approx(oracle(y, p), abs=1e-12)


@pytest.mark.parametrize(("own", "oracle"), ORACLES)
def test_agrees_with_scikit_learn_on_a_cohort_without_ties(own, oracle):
    rng = np.random.default_rng(7)
    p = rng.uniform(0.01, 0.99, 1500)
    y = (rng.uniform(size=1500) < p).astype(float)
    assert own(y, p) == pytest.approx(oracle(y, p), abs=1e-12)


@LAW
@given(data=outcomes_and_predictions())
def test_auroc_does_not_change_under_a_monotone_transform(data):
    y, p = data
    assert auroc(y, p) == pytest.approx(auroc(y, np.log(p) * 3 - 1), abs=1e-12)
    assert auroc(y, -p) == pytest.approx(1 - auroc(y, p), abs=1e-12)


@LAW
@given(data=outcomes_and_predictions(), seed=st.integers(0, 1000))
def test_counts_stand_for_repeated_rows(data, seed):
    y, p = data
    counts = np.random.default_rng(seed).integers(0, 3, size=len(y)).astype(float)
    counts[:2] = 1.0
    repeated = np.repeat(np.arange(len(y)), counts.astype(int))
    for name, plain in (
        ("auroc", auroc),
        ("auprc", auprc),
        ("brier", brier),
        ("log_loss", log_loss),
    ):
        weighted = float(binary_statistics(y, p)[name](counts[None, :])[0])
        assert weighted == pytest.approx(plain(y[repeated], p[repeated]), abs=1e-12)


def test_a_resample_of_one_class_has_no_auroc():
    y, p = np.array([0.0, 1.0]), np.array([0.2, 0.8])
    assert np.isnan(auroc_of_resamples(y, p, np.array([[2.0, 0.0]]))).all()


def test_a_sure_and_wrong_prediction_costs_much_but_not_infinitely_much():
    loss = log_loss(np.array([1.0, 0.0]), np.array([0.0, 0.0]))
    assert loss == pytest.approx(-np.log(np.finfo(float).eps) / 2, abs=1e-9)
