"""Realised and promised figures: held against scikit-learn and against every possible outcome."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score

from models.risk.calibration import probability
from monitoring.calibration_drift import (
    Bins,
    auroc,
    auroc_of_bins,
    binned,
    brier,
    calibration_error,
    expected_auroc,
    expected_brier,
    slope_and_intercept,
)
from monitoring.reference import PREDICTION_EDGES
from tests.lib.properties import HEAVY_LAW, LAW
from training.evaluation.calibration import binary_calibration

chance = st.one_of(st.sampled_from((0.0, 0.05, 0.2, 0.5, 0.9, 1.0)), st.floats(0, 1))
chances = st.lists(chance, min_size=1, max_size=40).map(np.array)
rows = st.lists(st.tuples(st.sampled_from((0.0, 1.0)), chance), min_size=2, max_size=60).map(
    lambda found: np.array(found).T
)
both_classes = rows.filter(lambda found: len(set(found[0])) == 2)


@LAW
@given(both_classes)
def test_auroc_and_brier_are_scikit_learns(found: np.ndarray):
    y, p = found
    assert auroc(y, p) == pytest.approx(roc_auc_score(y, p), abs=1e-12)
    assert brier(y, p) == pytest.approx(brier_score_loss(y, p), abs=1e-12)


@LAW
@given(both_classes)
def test_the_auroc_of_bins_is_that_of_predictions_told_by_their_bin(found: np.ndarray):
    y, p = found
    told = np.digitize(p, PREDICTION_EDGES, right=True)
    bins = binned(y, p)
    assert auroc_of_bins(bins) == pytest.approx(roc_auc_score(y, told), abs=1e-12)


@LAW
@given(rows)
def test_the_calibration_error_is_summed_over_the_bins_of_the_reference_profile(found: np.ndarray):
    y, p = found
    total = 0.0
    for low, high in zip((-1.0, *PREDICTION_EDGES), (*PREDICTION_EDGES, 1.0), strict=True):
        inside = [i for i in range(len(p)) if low < p[i] <= high]
        total += abs(sum(y[i] - p[i] for i in inside))
    error = calibration_error(binned(y, p))
    assert error == pytest.approx(total / len(p), abs=1e-12)
    assert 0 <= error <= 1


@LAW
@given(rows)
def test_bins_lose_nobody_and_coarser_ones_never_show_more_error(found: np.ndarray):
    y, p = found
    bins, one = binned(y, p), binned(y, p, edges=())
    assert bins.events.sum() == y.sum()
    assert (bins.events + bins.others).sum() == len(y)
    assert bins.expected.sum() == pytest.approx(p.sum())
    assert calibration_error(one) == pytest.approx(abs(y.sum() - p.sum()) / len(y), abs=1e-12)
    assert calibration_error(one) <= calibration_error(bins) + 1e-12


def test_many_models_at_once_are_each_alone():
    rng = np.random.default_rng(5)
    events, others = (rng.integers(0, 9, (6, 13)).astype(float) for _ in range(2))
    bins = Bins(events, others, rng.uniform(0, 5, (6, 13)))
    for figure in (calibration_error, auroc_of_bins):
        alone = [
            float(figure(Bins(*one)))
            for one in zip(bins.events, bins.others, bins.expected, strict=True)
        ]
        assert figure(bins).tolist() == alone


def test_without_both_classes_or_anybody_there_is_no_figure():
    nobody = np.zeros(0)
    for y in (np.ones(3), np.zeros(3), nobody):
        p = np.linspace(0.1, 0.9, len(y))
        assert np.isnan(auroc(y, p))
        assert np.isnan(auroc_of_bins(binned(y, p)))
        assert np.isnan(slope_and_intercept(y, p).slope)
    assert np.isnan(brier(nobody, nobody))
    assert np.isnan(expected_brier(nobody))
    assert np.isnan(calibration_error(binned(nobody, nobody)))
    empty = Bins(*(np.zeros((3, 13)) for _ in range(3)))
    assert np.isnan(calibration_error(empty)).tolist() == [True] * 3


@LAW
@given(st.lists(chance, min_size=1, max_size=8).map(np.array))
def test_promised_figures_are_the_mean_over_everything_that_may_happen(p: np.ndarray):
    """Every combination of outcomes with its probability, every pair looked at."""
    squared, in_order, pairs = 0.0, 0.0, 0.0
    for outcomes in product((0, 1), repeat=len(p)):
        y = np.array(outcomes)
        weight = np.prod(np.where(y == 1, p, 1 - p))
        squared += weight * np.mean((p - y) ** 2)
        for i in np.flatnonzero(y == 1):
            for j in np.flatnonzero(y == 0):
                in_order += weight * ((p[i] > p[j]) + (p[i] == p[j]) / 2)
                pairs += weight
    assert expected_brier(p) == pytest.approx(squared, abs=1e-12)
    if pairs > 1e-12:
        assert expected_auroc(p) == pytest.approx(in_order / pairs, abs=1e-9)
    elif pairs == 0:
        assert np.isnan(expected_auroc(p))


@LAW
@given(st.lists(st.floats(0.001, 0.999), min_size=2, max_size=40).map(np.array))
def test_scikit_learn_says_the_same_of_rows_weighted_twice_but_for_self_pairs(p: np.ndarray):
    n = len(p)
    both = roc_auc_score(
        np.repeat([1, 0], n), np.tile(p, 2), sample_weight=np.concatenate([p, 1 - p])
    )
    pairs, himself = p.sum() * (1 - p).sum(), (p * (1 - p)).sum()
    without = (both * pairs - himself / 2) / (pairs - himself)
    assert expected_auroc(p) == pytest.approx(without, abs=1e-9)
    assert 0 <= expected_auroc(p) - both + 1e-9 <= 1 / (2 * n) + 2e-9


@LAW
@given(chances)
def test_a_promise_knows_no_order_and_no_side(p: np.ndarray):
    assert 0 <= expected_brier(p) <= 0.25
    assert expected_brier(1 - p) == pytest.approx(expected_brier(p), abs=1e-12)
    found = expected_auroc(p)
    if not np.isnan(found):
        assert 0.5 - 1e-9 <= found <= 1 + 1e-9
        assert expected_auroc(p[::-1]) == pytest.approx(found, abs=1e-9)


def test_one_patient_or_one_certain_fate_promises_no_order():
    for p in ([0.3], [], [0.0, 0.0], [1.0, 1.0, 1.0]):
        assert np.isnan(expected_auroc(np.array(p)))
    assert expected_auroc(np.full(7, 0.3)) == pytest.approx(0.5)
    assert expected_auroc(np.array([0.0, 0.0, 1.0])) == 1.0


def test_what_is_promised_comes_true_for_true_probabilities():
    """20,000 patients: standard errors of about 0.004 (AUROC) and 0.001 (Brier)."""
    rng = np.random.default_rng(6)
    p = probability(rng.normal(-1.5, 1.2, 20_000))
    y = (rng.uniform(size=len(p)) < p).astype(float)
    assert auroc(y, p) == pytest.approx(expected_auroc(p), abs=0.015)
    assert brier(y, p) == pytest.approx(expected_brier(p), abs=0.004)
    told = np.clip(2 * p, 0, 1)  # twice the risk: the promise is another than the truth
    assert abs(brier(y, told) - expected_brier(told)) > 0.01


@HEAVY_LAW
@given(st.integers(0, 2**32 - 1), st.floats(0.3, 3), st.floats(-1, 1))
def test_the_slope_is_the_one_of_an_evaluation(seed: int, stretch: float, shift: float):
    """Also with certain predictions, whose log-odds are infinite."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-1, 1.5, 300)
    y = (rng.uniform(size=300) < probability(z)).astype(float)
    p = probability(shift + stretch * z)
    p[:2] = (0.0, 1.0)
    theirs, ours = binary_calibration(y, p), slope_and_intercept(y, p)
    assert ours.slope == pytest.approx(theirs["slope"], rel=1e-9)
    assert ours.intercept == pytest.approx(theirs["intercept_at_slope"], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("y", "p"),
    [
        ([0, 1, 0, 1], [0.3] * 4),  # constant
        ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]),  # separated
        ([1, 1, 0, 0], [0.1, 0.2, 0.2, 0.9]),  # separated the wrong way, with a tie
        ([0, 1], [0.0, 0.001]),  # the same once drawn in
    ],
)
def test_where_no_line_fits_best_there_is_none(y, p):
    line = slope_and_intercept(np.array(y, dtype=float), np.array(p))
    assert np.isnan(line.slope)
    assert np.isnan(line.intercept)
