"""Observed over expected: published limits, scipy as the oracle, and interval and funnel as one law."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, poisson

from monitoring.observed_expected import (
    LEVEL,
    OUTER_LEVEL,
    funnel_limits,
    is_withheld,
    observed_expected_ratio,
)
from tests.lib.properties import LAW
from training.evaluation.disclosure import is_small

events = st.one_of(st.integers(0, 40), st.integers(0, 3_000_000))
means = st.one_of(st.floats(0.01, 40), st.floats(0.01, 300_000))
levels = st.sampled_from((LEVEL, OUTER_LEVEL, 0.5, 0.9999))


@pytest.mark.parametrize(
    ("observed", "expected", "figures"),
    [
        (24, 18.5, (1.297, 0.831, 1.930)),
        # Garwood's exact limits of a count: 0 -> 0 to 3.689, 10 -> 4.795 to 18.390.
        (0, 1.0, (0.0, 0.0, 3.689)),
        (10, 1.0, (10.0, 4.795, 18.390)),
    ],
)
def test_known_intervals(observed, expected, figures):
    ratio = observed_expected_ratio(observed, expected)
    assert (ratio["value"], ratio["lower"], ratio["upper"]) == pytest.approx(figures, abs=6e-4)


@LAW
@given(events, means, levels)
def test_the_bounds_are_quantiles_of_chi_squared(observed: int, expected: float, level: float):
    ratio = observed_expected_ratio(observed, expected, level)
    tail = (1 - level) / 2
    lower = chi2.ppf(tail, 2 * observed) / 2 / expected if observed else 0.0
    upper = chi2.isf(tail, 2 * observed + 2) / 2 / expected
    assert ratio["lower"] == pytest.approx(lower, rel=1e-9)
    assert ratio["upper"] == pytest.approx(upper, rel=1e-9)
    assert ratio["lower"] <= ratio["value"] < ratio["upper"]


@LAW
@given(means, levels)
def test_the_limits_of_a_funnel_are_quantiles_of_the_poisson_distribution(
    expected: float, level: float
):
    tail = (1 - level) / 2
    found = funnel_limits(expected, level)
    lowest, highest = found.lower * expected, found.upper * expected
    assert lowest == pytest.approx(poisson.ppf(tail, expected), rel=1e-12)
    assert highest == pytest.approx(poisson.isf(tail, expected), rel=1e-12)
    assert poisson.cdf(round(lowest) - 1, expected) <= tail * (1 + 1e-9)
    assert poisson.sf(round(highest), expected) <= tail * (1 + 1e-9)


@LAW
@given(st.floats(0.01, 400), levels, st.data())
def test_a_ratio_is_outside_the_funnel_when_its_interval_leaves_out_one(
    expected: float, level: float, data: st.DataObject
):
    far = int(8 * np.sqrt(expected)) + 8
    observed = data.draw(st.integers(max(0, int(expected) - far), int(expected) + far))
    ratio, limits = (
        observed_expected_ratio(observed, expected, level),
        funnel_limits(expected, level),
    )
    outside = not limits.lower <= ratio["value"] <= limits.upper
    assert outside == (ratio["lower"] >= 1 or ratio["upper"] <= 1)


@LAW
@given(means)
def test_the_outer_limits_enclose_the_inner_ones_and_both_enclose_one_or_reach_zero(
    expected: float,
):
    inner, outer = funnel_limits(expected), funnel_limits(expected, OUTER_LEVEL)
    assert outer.lower <= inner.lower <= 1
    assert inner.upper <= outer.upper
    # A mean of under 0.0253 leaves less than 2.5 % for any event at all.
    assert inner.upper >= 1 or expected < 0.0254


def test_the_funnel_closes_with_the_expected_count():
    """Near 1 the 95 % limits are 1 +- 1.96 / sqrt(E): 0.98 to 1.02 at E = 10,000."""
    limits = funnel_limits(10_000)
    assert limits.lower == pytest.approx(1 - 0.0196, abs=2e-4)
    assert limits.upper == pytest.approx(1 + 0.0196, abs=2e-4)


def test_small_expected_counts_cannot_stand_out_as_good():
    """Nobody with the event is no surprise until exp(-E) is under 0.025."""
    assert funnel_limits(3.68).lower == 0.0
    assert funnel_limits(3.70).lower == pytest.approx(1 / 3.70)


@pytest.mark.parametrize("expected", [0.0, -1.0, float("nan"), float("inf")])
def test_nothing_expected_is_refused(expected: float):
    with pytest.raises(ValueError, match="found none"):
        observed_expected_ratio(3, expected)
    with pytest.raises(ValueError, match="found none"):
        funnel_limits(expected)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, float("nan")])
def test_a_level_that_is_no_probability_is_refused(level: float):
    with pytest.raises(ValueError, match="between 0 and 1"):
        observed_expected_ratio(3, 2.0, level)
    with pytest.raises(ValueError, match="between 0 and 1"):
        funnel_limits(2.0, level)


def test_fewer_than_no_event_is_refused():
    with pytest.raises(ValueError, match="0 events or more"):
        observed_expected_ratio(-1, 2.0)


@LAW
@given(st.integers(0, 12), st.integers(0, 12))
def test_the_same_is_withheld_here_as_in_an_evaluation(observed: int, others: int):
    assert is_withheld(observed, observed + others) == is_small(observed, others)
    assert is_withheld(observed, observed + others) == (observed < 5 or others < 5)
