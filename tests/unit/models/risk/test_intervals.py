"""Intervals: worked by hand, never narrower for less knowledge, and covering what they promise."""

from __future__ import annotations

import json
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import binom

from models.risk.calibration import probability_of_one
from models.risk.intervals import (
    LARGEST_SCALE,
    ConformalInterval,
    GroupInterval,
    fit_conformal_interval,
    fit_group_interval,
    group_coverage,
    interval_from_document,
)
from tests.lib.properties import LAW

LOG_ODDS = st.floats(-40, 40)
VARIANCE = st.floats(0, 25)


def bounds(interval, log_odds, variance=0.0):
    lower, upper = interval.bounds(np.array(log_odds), np.array(variance))
    return float(lower), float(upper)


@pytest.mark.parametrize(
    ("p", "variance", "scale", "expected"),
    [
        # 0.5 -+ 1.644854 * sqrt(0.25 / 200) = 0.5 -+ 0.058154
        (0.5, 0.0, 1.0, (0.441846, 0.558154)),
        # spread 0.16: sqrt(0.16 / 200 + 4 * 0.09 * 0.16**2) = 0.100080; times 1.644854 = 0.164617
        (0.2, 0.09, 2.0, (0.035383, 0.364617)),
        # cut off at 0: 0.01 - 1.644854 * sqrt(0.0099 / 200) = -0.0016
        (0.01, 0.0, 1.0, (0.0, 0.021573)),
    ],
)
def test_an_interval_of_a_probability_is_as_worked_out_by_hand(p, variance, scale, expected):
    assert bounds(GroupInterval(scale), logit(p), variance) == pytest.approx(expected, abs=2e-6)


@LAW
@given(LOG_ODDS, VARIANCE, st.floats(1, 10))
def test_an_interval_holds_its_probability_and_stays_within_zero_and_one(log_odds, variance, scale):
    lower, upper = bounds(GroupInterval(scale), log_odds, variance)
    assert 0 <= lower <= expit(log_odds) <= upper <= 1


@LAW
@given(LOG_ODDS, VARIANCE, st.floats(1, 10))
def test_one_prediction_alone_has_the_interval_it_has_in_a_batch(log_odds, variance, scale):
    interval = GroupInterval(scale)
    alone = interval.bounds_of_one(probability_of_one(log_odds), variance)
    assert alone == pytest.approx(bounds(interval, log_odds, variance), abs=1e-12)


@LAW
@given(LOG_ODDS, VARIANCE, VARIANCE, st.floats(1, 10), st.floats(1, 10))
def test_knowing_less_never_narrows_an_interval(log_odds, one, other, scale, other_scale):
    narrow = bounds(GroupInterval(min(scale, other_scale)), log_odds, min(one, other))
    wide = bounds(GroupInterval(max(scale, other_scale)), log_odds, max(one, other))
    assert wide[0] <= narrow[0]
    assert narrow[1] <= wide[1]


@pytest.mark.parametrize("log_odds", [-800.0, -40.0, 40.0, 800.0])
def test_a_prediction_near_certainty_keeps_a_narrow_interval(log_odds):
    lower, upper = bounds(GroupInterval(1.0), log_odds, 1.0)
    assert upper - lower < 1e-6


@pytest.mark.parametrize("p", [0.05, 0.1, 0.2, 0.5, 0.8, 0.95])
def test_the_observed_share_of_a_group_lies_inside_about_nine_times_of_ten(p):
    """Exact binomial probability of a share within the bounds, when the model is certain and right."""
    lower, upper = bounds(GroupInterval(1.0), logit(p))
    events = np.arange(201)
    inside = (events / 200 >= lower) & (events / 200 <= upper)
    assert 0.87 <= binom.pmf(events[inside], 200, p).sum() <= 0.94


def test_coverage_counts_groups_of_like_patients():
    """Ordered by prediction in twos: shares 0, 0.5 and 1; only the middle one is inside."""
    y = np.array([1.0, 0, 0, 1, 0, 1])
    log_odds = np.array([3.0, -3.0, -2.0, 1.0, 0.0, 2.0])
    coverage, groups = group_coverage(y, log_odds, np.full(6, 0.4), np.full(6, 0.6), 2)
    assert (coverage, groups) == (pytest.approx(1 / 3), 3)


def test_fewer_patients_than_a_group_are_one_group():
    coverage, groups = group_coverage(np.array([1.0, 0]), np.zeros(2), np.zeros(2), np.ones(2))
    assert (coverage, groups) == (1.0, 1)


def test_a_model_that_is_right_needs_no_wider_interval():
    rng = np.random.default_rng(1)
    log_odds = rng.normal(0, 1.2, 20_000)
    y = (rng.random(20_000) < expit(log_odds)).astype(float)
    assert fit_group_interval(y, log_odds, np.full(20_000, 0.01)).scale == 1.0


def test_a_model_that_is_wrong_gets_the_width_that_covers_its_errors():
    rng = np.random.default_rng(2)
    log_odds = rng.normal(0, 1.2, 20_000)
    y = (rng.random(20_000) < expit(log_odds + 0.6 * np.sin(4 * log_odds))).astype(float)
    variance = np.full(20_000, 0.02)
    interval = fit_group_interval(y, log_odds, variance)
    assert 1.0 < interval.scale < LARGEST_SCALE
    coverage, _ = group_coverage(y, log_odds, *interval.bounds(log_odds, variance))
    assert coverage >= 0.9
    narrower = GroupInterval(interval.scale - 0.05)
    assert group_coverage(y, log_odds, *narrower.bounds(log_odds, variance))[0] < 0.9


def test_no_scale_is_larger_than_the_largest():
    y, log_odds = np.ones(400), np.full(400, -5.0)
    assert fit_group_interval(y, log_odds, np.full(400, 1e-9)).scale == LARGEST_SCALE


def test_conformal_offsets_are_the_order_statistics_worked_out_by_hand():
    """39 residuals 1..39: k = ceil(40 * 0.95) = 38, so the offsets are the 2nd and the 38th."""
    residuals = np.random.default_rng(3).permutation(np.arange(1.0, 40.0))
    interval = fit_conformal_interval(10 + residuals, np.full(39, 10.0), 0.0, n_bins=1)
    assert interval.edges.tolist() == []
    assert (interval.lower.tolist(), interval.upper.tolist()) == ([2.0], [38.0])
    lower, upper = interval.bounds(np.array([100.0, -50.0]))
    assert lower.tolist() == [102.0, 0.0]  # never below the smallest possible value
    assert upper.tolist() == [138.0, -12.0]


def test_a_patients_own_value_lies_inside_nine_times_of_ten_in_every_bin():
    """Finite-sample guarantee of split conformal prediction: at least 0.9 on average."""
    rng = np.random.default_rng(4)
    inside: list[np.ndarray] = []
    for _ in range(150):
        predicted = rng.uniform(1, 20, 500)
        y = predicted + predicted * 0.3 * rng.standard_t(4, 500)
        interval = fit_conformal_interval(y[:250], predicted[:250], -np.inf)
        lower, upper = interval.bounds(predicted[250:])
        inside.append((y[250:] >= lower) & (y[250:] <= upper))
        bins = np.searchsorted(interval.edges, predicted[250:], side="right")
        inside[-1] = np.array([inside[-1][bins == b].mean() for b in range(5)])
    per_bin = np.mean(inside, axis=0)
    assert (per_bin > 0.89).all()
    assert (per_bin < 0.95).all()


@LAW
@given(st.one_of(st.sampled_from([3.0, 9.0, 0.5]), st.floats(-5, 40)))
def test_one_number_alone_has_the_interval_it_has_in_a_batch(value):
    """On the edges, below the smallest possible value and above the largest as well."""
    interval = ConformalInterval(
        np.array([3.0, 9.0]), np.array([-1.0, -2.0, -4.5]), np.array([1.0, 2.5, 6.0]), 0.0, 30.0
    )
    assert interval.bounds_of_one(value) == tuple(map(float, interval.bounds(np.array(value))))


def test_long_stays_get_wider_intervals_than_short_ones():
    rng = np.random.default_rng(5)
    predicted = rng.uniform(1, 20, 2000)
    interval = fit_conformal_interval(
        predicted * np.exp(0.4 * rng.normal(size=2000)), predicted, 0.0
    )
    widths = interval.upper - interval.lower
    assert list(widths) == sorted(widths)


@pytest.mark.parametrize(
    "predicted",
    [
        np.full(100, 7.0),
        np.repeat([0.0, 30.0], [60, 40]),
        np.repeat([0.0, 30.0], [40, 60]),
        np.repeat([0.0, 5.0, 30.0], [90, 5, 5]),
        np.arange(3.0),
    ],
    ids=["all alike", "mostly low", "mostly high", "few distinct", "three patients"],
)
def test_predictions_that_fall_together_still_give_an_interval(predicted):
    rng = np.random.default_rng(6)
    y = predicted + rng.normal(size=len(predicted))
    interval = fit_conformal_interval(y, predicted, -np.inf)
    assert len(interval.lower) == len(interval.upper) == len(interval.edges) + 1
    lower, upper = interval.bounds(predicted)
    assert (lower <= upper).all()
    assert ((y >= lower) & (y <= upper)).mean() >= 0.85


@pytest.mark.parametrize(
    "interval",
    [
        GroupInterval(1.35),
        ConformalInterval(np.array([3.0, 9.0]), np.array([-1.0, -2.0, -4.5]), np.ones(3), 0.0),
    ],
)
def test_an_interval_written_as_json_and_read_again_is_the_same(interval):
    again = interval_from_document(json.loads(json.dumps(interval.to_document())))
    assert again.to_document() == interval.to_document()
    assert type(again) is type(interval)


@pytest.mark.parametrize("missing", ["level", "group_size"])
def test_an_interval_without_a_part_is_refused(missing):
    document = GroupInterval(1.0).to_document()
    del document[missing]
    with pytest.raises(KeyError):
        interval_from_document(document)


def test_the_level_is_a_two_sided_normal_quantile():
    lower, upper = bounds(GroupInterval(1.0, level=0.5), 0.0)
    z = NormalDist().inv_cdf(0.75)
    assert upper - lower == pytest.approx(2 * z * np.sqrt(0.25 / 200))
