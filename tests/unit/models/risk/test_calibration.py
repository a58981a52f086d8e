"""Calibration by a straight line: solved cases, laws, and agreement with an independent fit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from models.risk.calibration import (
    LinearCalibration,
    calibration_in_the_large,
    calibration_slope_and_intercept,
    linear_calibration,
    probability,
    probability_of_one,
)
from tests.lib.properties import LAW

COUNTS = st.integers(1, 50)


@LAW
@given(st.floats(-745, 745))
def test_probability_is_the_inverse_logit_in_both_tails(log_odds):
    p = float(probability(np.array(log_odds)))
    assert p == pytest.approx(float(expit(log_odds)), rel=1e-14)
    assert probability_of_one(log_odds) == pytest.approx(p, rel=1e-14)
    assert p + float(probability(np.array(-log_odds))) == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize(
    ("log_odds", "p"),
    [(0, 0.5), (math.log(3), 0.75), (-math.log(9), 0.1), (1e4, 1.0), (-1e4, 0.0), (np.inf, 1.0)],
)
def test_known_odds_give_known_probabilities(log_odds, p):
    assert float(probability(np.array(log_odds))) == pytest.approx(p, abs=1e-15)


@LAW
@given(COUNTS, COUNTS, COUNTS, COUNTS, st.floats(-3, 3), st.floats(0.2, 4))
def test_two_groups_are_fitted_exactly(yes_a, no_a, yes_b, no_b, first, distance):
    """Two predicted values leave a saturated model: the line runs through the observed log-odds."""
    y = np.repeat([1.0, 0.0, 1.0, 0.0], [yes_a, no_a, yes_b, no_b])
    log_odds = np.repeat([first, first + distance], [yes_a + no_a, yes_b + no_b])
    observed_a, observed_b = math.log(yes_a / no_a), math.log(yes_b / no_b)
    slope = (observed_b - observed_a) / distance
    fit = calibration_slope_and_intercept(y, log_odds)
    assert fit.slope == pytest.approx(slope, abs=1e-6)
    assert fit.intercept == pytest.approx(observed_a - slope * first, abs=1e-6)


def test_slope_and_intercept_agree_with_an_unpenalised_logistic_regression():
    rng = np.random.default_rng(4)
    log_odds = rng.normal(size=2000)
    y = (rng.random(2000) < expit(0.3 + 0.7 * log_odds)).astype(float)
    ours = calibration_slope_and_intercept(y, log_odds)
    theirs = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000).fit(log_odds[:, None], y)
    assert ours.slope == pytest.approx(theirs.coef_[0, 0], abs=1e-5)
    assert ours.intercept == pytest.approx(theirs.intercept_[0], abs=1e-5)


def test_predictions_that_are_right_have_slope_one_and_intercept_zero():
    rng = np.random.default_rng(5)
    log_odds = rng.normal(0, 1.5, 40_000)
    y = (rng.random(40_000) < expit(log_odds)).astype(float)
    fit = calibration_slope_and_intercept(y, log_odds)
    assert fit.slope == pytest.approx(1.0, abs=0.05)
    assert fit.intercept == pytest.approx(0.0, abs=0.05)


def test_predictions_that_are_twice_too_extreme_have_slope_one_half():
    rng = np.random.default_rng(6)
    log_odds = rng.normal(0, 1.5, 40_000)
    y = (rng.random(40_000) < expit(log_odds)).astype(float)
    assert calibration_slope_and_intercept(y, 2 * log_odds).slope == pytest.approx(0.5, abs=0.02)


@LAW
@given(COUNTS, COUNTS, st.floats(-5, 5))
def test_calibration_in_the_large_is_the_distance_between_observed_and_predicted(yes, no, told):
    y = np.repeat([1.0, 0.0], [yes, no])
    shift = calibration_in_the_large(y, np.full(len(y), told))
    assert shift == pytest.approx(math.log(yes / no) - told, abs=1e-8)


def test_after_the_shift_expected_events_equal_observed_ones():
    rng = np.random.default_rng(7)
    log_odds = rng.normal(size=500)
    y = (rng.random(500) < 0.2).astype(float)
    shift = calibration_in_the_large(y, log_odds)
    assert probability(log_odds + shift).sum() == pytest.approx(y.sum(), abs=1e-8)


@pytest.mark.parametrize(
    ("y", "log_odds", "reason"),
    [
        ([1, 1, 1], [0.1, 0.2, 0.3], "both classes"),
        ([0, 0, 0], [0.1, 0.2, 0.3], "both classes"),
        ([0, 1, 1], [0.2, 0.2, 0.2], "predictions that vary"),
    ],
)
def test_a_line_that_cannot_be_fitted_is_refused(y, log_odds, reason):
    with pytest.raises(ValueError, match=reason):
        calibration_slope_and_intercept(np.array(y, dtype=float), np.array(log_odds))


@LAW
@given(
    st.floats(-10, 10),
    st.floats(-3, 3),
    st.lists(st.integers(-50, 50), min_size=3, max_size=20, unique=True),
)
def test_a_numeric_outcome_on_a_line_is_recovered(intercept, slope, points):
    raw = np.array(points, dtype=float)
    fit = linear_calibration(intercept + slope * raw, raw)
    assert fit.slope == pytest.approx(slope, abs=1e-9)
    assert fit.intercept == pytest.approx(intercept, abs=1e-9)


@LAW
@given(st.floats(-3, 3), st.floats(0.1, 3), st.lists(st.floats(-5, 5), min_size=1, max_size=8))
def test_a_calibrated_score_is_the_base_value_and_scaled_reasons(intercept, slope, reasons):
    """What makes the line safe: scaling the parts and scaling the sum are the same."""
    line, base = LinearCalibration(intercept, slope), 0.4
    whole = line.apply(np.array(base + sum(reasons)))
    parts = line.apply(np.array(base)) + slope * np.array(reasons)[None].sum()
    assert float(parts) == pytest.approx(float(whole), abs=1e-12)


def test_log_odds_of_a_probability_come_back():
    p = np.array([1e-6, 0.01, 0.3, 0.999])
    np.testing.assert_allclose(probability(logit(p)), p, rtol=1e-12)
