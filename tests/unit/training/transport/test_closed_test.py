"""The closed test: against hand calculation, at its level, and with the power that was asked for."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.risk.calibration import probability
from tests.lib.properties import LAW
from training.transport.closed_test import INTERCEPT, ORIGINAL, REFIT, SLOPE, closed_test
from training.transport.updating import Parts, fit_update

SEEDS = 50
# Halland: what the old model weighs, in three parts.
SPREAD = np.array([0.8, 0.6, 0.5])


def patients(seed: int, n: int = 4000) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 3)) * SPREAD


def outcomes(seed: int, log_odds: np.ndarray) -> np.ndarray:
    return (np.random.default_rng([seed, 1]).random(len(log_odds)) < probability(log_odds)).astype(
        float
    )


# Karolinska: what is true there, of the old model's score -0.5 + sum of the parts.
WORLDS = {
    # Case mix alone: the same law for other patients.
    ORIGINAL: lambda parts: -0.5 + parts.sum(axis=1),
    # Baseline risk: everybody's odds are 1.8 times as high.
    INTERCEPT: lambda parts: -0.5 + 0.6 + parts.sum(axis=1),
    # Everything weighs less, as after selection: slope 0.6.
    SLOPE: lambda parts: 0.2 + 0.6 * parts.sum(axis=1),
    # Coding: what the first part was read from is recorded otherwise and says little.
    REFIT: lambda parts: -0.2 + parts @ np.array([0.3, 1.0, 1.3]),
}


@pytest.mark.parametrize("method", list(WORLDS))
def test_the_method_that_the_simulation_calls_for_is_chosen(method):
    """In at least 90 % of 50 seeds; the level allows 5 % of them to be changed too much."""
    right = 0
    for seed in range(SEEDS):
        parts = patients(seed) + (0.3 if method == ORIGINAL else 0.0)
        y = outcomes(seed, WORLDS[method](parts))
        right += closed_test(y, -0.5, parts, np.ones(3), kind="binary").method == method
    assert right >= 0.9 * SEEDS


@pytest.mark.parametrize("method", [INTERCEPT, SLOPE, REFIT])
def test_what_was_recalibrated_has_a_slope_of_one_on_other_patients(method):
    slopes = []
    for seed in range(SEEDS):
        parts = patients(seed)
        old = Parts(-0.5, parts, np.ones(3))
        update = fit_update(outcomes(seed, WORLDS[method](parts)), old, method, "binary")
        fresh = Parts(-0.5, patients(seed + 1000, 20_000), np.ones(3))
        y = outcomes(seed + 1000, WORLDS[method](fresh.values))
        own = Parts(0.0, update.score(fresh)[:, None], np.ones(1))
        slopes.append(float(fit_update(y, own, SLOPE, "binary").weights[0]))
    assert 0.9 <= np.mean(slopes) <= 1.1
    assert np.mean([0.9 <= slope <= 1.1 for slope in slopes]) >= 0.9


@pytest.mark.parametrize("kind", ["binary", "numeric"])
def test_a_model_that_needs_no_change_is_changed_in_one_of_twenty_at_most(kind):
    """1,000 worlds: 5 % is 50, its binomial standard error 7; days spread more where they are many."""
    random = np.random.default_rng(8)
    changed = 0
    for _ in range(1000):
        parts = random.normal(size=(600, 3)) * SPREAD
        score = parts.sum(axis=1)
        if kind == "binary":
            y = (random.random(600) < probability(score)).astype(float)
        else:
            y = 10 + score + random.normal(size=600) * (1 + np.abs(score))
        base = 0.0 if kind == "binary" else 10.0
        changed += closed_test(y, base, parts, np.ones(3), kind=kind).method != ORIGINAL
    assert changed <= 50 + 3 * 7


def test_the_statistics_are_those_of_a_hand_calculation():
    """Two groups of 100 at one half each; 30 and 60 events; the refit gives each its own share."""
    y = np.concatenate([np.repeat([1.0, 0.0], [30, 70]), np.repeat([1.0, 0.0], [60, 40])])
    group = np.repeat([0.0, 1.0], 100)
    found = closed_test(y, 0.0, np.column_stack([group, np.zeros(200)]), np.zeros(2), kind="binary")
    whole = 30 * log(0.3) + 70 * log(0.7) + 60 * log(0.6) + 40 * log(0.4)
    original = 200 * log(0.5)
    level = 90 * log(0.45) + 110 * log(0.55)
    first, second, _ = found.comparisons
    assert first.statistic == pytest.approx(2 * (whole - original), abs=1e-4)
    assert (first.degrees_of_freedom, second.degrees_of_freedom) == (3, 2)
    assert second.statistic == pytest.approx(2 * (whole - level), abs=1e-4)
    # Chi-square with two degrees of freedom has the tail exp(-x / 2).
    assert second.p == pytest.approx(np.exp(-second.statistic / 2), rel=1e-9)


def test_numbers_are_tested_with_a_variance_of_each_row_its_own():
    """One part that is 0 or 1: two means, whose Welch variances add (White's, with n / (n - 2))."""
    y = np.array([1.0, 2.0, 3.0, 2.0, 6.0, 10.0, 8.0, 8.0])
    x = np.repeat([0.0, 1.0], 4)
    found = closed_test(y, 0.0, x[:, None], np.ones(1), kind="numeric")
    low, high = y[:4], y[4:]
    spread = ((low - 2).var() / 4 + (high - 8).var() / 4) * 8 / 6
    intercept = found.comparisons[1]
    # The intercept alone is right when the second mean is the first and one.
    assert intercept.statistic == pytest.approx((8 - 2 - 1) ** 2 / spread)
    assert intercept.degrees_of_freedom == 1


def test_one_part_leaves_no_refit():
    parts = patients(3).sum(axis=1, keepdims=True)
    y = outcomes(3, 0.5 * parts[:, 0])
    found = closed_test(y, 0.0, parts, np.ones(1), kind="binary")
    assert found.method == SLOPE
    assert [one.method for one in found.comparisons] == [ORIGINAL, INTERCEPT]


@LAW
@given(st.integers(0, 10_000), st.floats(-3, 3), st.floats(0.2, 2))
def test_a_model_that_is_merely_shifted_or_scaled_is_refitted_alike(seed, shift, scale):
    """Against the refit, intercept and slope see the same data whatever straight line stood before."""
    parts = patients(seed, 300)
    y = outcomes(seed, parts.sum(axis=1))
    plain = closed_test(y, 0.0, parts, np.ones(3), kind="binary").comparisons
    moved = closed_test(y, shift, parts, np.full(3, scale), kind="binary").comparisons
    assert moved[2].statistic == pytest.approx(plain[2].statistic, abs=1e-5)
    assert moved[0].statistic >= moved[1].statistic - 1e-6 >= moved[2].statistic - 2e-6


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="both classes"):
        closed_test(np.zeros(10), 0.0, np.ones((10, 1)), np.ones(1), kind="binary")
