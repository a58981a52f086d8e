"""Limits that hold what they promise on other random numbers, and run lengths known by hand."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from monitoring.cusum import chart, limit, run_length, weights
from monitoring.cusum.simulation import CONFIDENCE, _rank
from tests.lib.properties import HEAVY_LAW, LAW

DESIGN = 0.05
CHARTS = 4_000
MIXES = {
    "wide": np.random.default_rng(1).beta(1, 12, 300),
    "high": np.random.default_rng(2).uniform(0.2, 0.6, 150),
    "two risks": np.array([0.02] * 9 + [0.3]),
    "one risk": np.array([0.1]),  # charts meet in the same values
}


def highest(p: np.ndarray, odds_ratio: float, patients: int, seed: int) -> np.ndarray:
    """Highest value of each of many charts: the definition, with another generator and other draws."""
    rng = np.random.Generator(np.random.Philox(seed))
    value = np.zeros(CHARTS)
    top = np.zeros(CHARTS)
    for _ in range(patients):
        risk = rng.choice(p, size=CHARTS)
        died = rng.binomial(1, risk)
        ratio = odds_ratio**died / (1 - risk + odds_ratio * risk)
        value = np.maximum(0, value + np.log(ratio))
        top = np.maximum(top, value)
    return top


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("odds_ratio", [2.0, 0.5])
def test_false_alarms_are_as_seldom_as_designed(mix: str, odds_ratio: float):
    """Three binomial standard errors of 4,000 charts at 5 % are 1 %.

    A limit that was too high for a continuous mix would leave well under 4.2 % above it; of few risks
    a single value may hold more than that.
    """
    p = MIXES[mix]
    h = limit(p, odds_ratio, 400, DESIGN, seed=11)
    share = np.mean(highest(p, odds_ratio, 400, seed=12) > h)
    error = np.sqrt(DESIGN * (1 - DESIGN) / CHARTS)
    assert share <= DESIGN + 3 * error
    if mix in ("wide", "high"):
        assert share >= DESIGN - 6 * error


def test_a_limit_is_the_same_for_the_same_seed_and_differs_little_for_another():
    p = MIXES["wide"]
    assert limit(p, 2.0, 200, DESIGN, seed=1) == limit(p, 2.0, 200, DESIGN, seed=1)
    assert limit(p, 2.0, 200, DESIGN, seed=1) != limit(p, 2.0, 200, DESIGN, seed=2)
    assert limit(p, 2.0, 200, DESIGN, seed=1) == pytest.approx(
        limit(p, 2.0, 200, DESIGN, seed=2), abs=0.4
    )


@HEAVY_LAW
@given(st.integers(0, 99), st.integers(1, 60), st.integers(1, 60), st.sampled_from((0.5, 2.0)))
def test_more_patients_or_fewer_false_alarms_need_a_higher_limit(seed, a, b, odds_ratio):
    p = MIXES["wide"]
    few, many = sorted((a, b))
    assert limit(p, odds_ratio, few, 0.05, seed) <= limit(p, odds_ratio, many, 0.05, seed)
    assert limit(p, odds_ratio, many, 0.1, seed) <= limit(p, odds_ratio, many, 0.02, seed)


def test_rounding_carries_no_chart_over_its_limit():
    """One patient at a risk of 1/2: the limit is the weight of an event, whichever way it is rounded."""
    h = limit([0.5], 2.0, 1, 0.2, seed=1)
    weight = np.log(2 / 1.5)
    assert chart([weight * (1 + 1e-12)], h)[1].tolist() == []
    assert chart([weight + 1e-5], h)[1].tolist() == [0]


def test_every_possible_chart_of_twelve_patients():
    """At a risk of 0.3 the false alarms of a limit can be counted out: 4,096 charts, each with its share."""
    charts, share = [], []
    for outcomes in product((0, 1), repeat=12):
        y = np.array(outcomes)
        charts.append(weights(np.full(12, 0.3), y, 2.0))
        share.append(0.3 ** y.sum() * 0.7 ** (12 - y.sum()))
    for probability in (0.02, 0.05, 0.1, 0.2, 0.4):
        h = limit([0.3], 2.0, 12, probability, seed=3)
        alarms = [part for own, part in zip(charts, share, strict=True) if len(chart(own, h)[1])]
        assert probability / 4 <= sum(alarms) <= probability


def test_a_limit_of_another_mix_does_not_hold():
    """Why limits are not copied: what is safe for low risks alarms too often on higher ones."""
    low, high = np.full(50, 0.02), MIXES["high"]
    borrowed = limit(low, 2.0, 300, DESIGN, seed=3)
    assert np.mean(highest(high, 2.0, 300, seed=4) > borrowed) > 2 * DESIGN


@LAW
@given(st.integers(300, 6000), st.floats(0.02, 0.9))
def test_the_rank_is_above_the_quantile_with_confidence(charts: int, probability: float):
    rank = _rank(charts, 1 - probability)
    assert binom.cdf(rank, charts, 1 - probability) >= CONFIDENCE - 1e-9
    assert binom.cdf(rank - 1, charts, 1 - probability) < CONFIDENCE + 1e-9


def test_a_probability_too_small_for_the_charts_is_refused():
    """0.999 ** 4,000 is 0.018: not even the highest of 4,000 is above that quantile with 99 %."""
    with pytest.raises(ValueError, match="more charts"):
        limit([0.1], 2.0, 10, 0.001, seed=1)
    assert limit([0.1], 2.0, 10, 0.001, seed=1, charts=5_000) > 0


@pytest.mark.parametrize(("true_odds_ratio", "risk"), [(1.0, 0.02), (2.0, 0.04 / 1.02)])
def test_a_chart_that_signals_at_the_first_event_runs_geometrically(true_odds_ratio, risk):
    """At 2 % an event adds 0.673 and everything else leaves the chart at 0: above 0.5 it signals.

    Mean 1 / r (50; 25.5 with doubled odds), median ln 2 / -ln(1 - r) rounded up (35; 18).
    """
    found = run_length([0.02], 2.0, 0.5, true_odds_ratio, seed=5, charts=10_000)
    assert found.unfinished == 0
    assert found.mean == pytest.approx(1 / risk, rel=0.04)  # four standard errors
    assert found.median == pytest.approx(np.ceil(np.log(2) / -np.log1p(-risk)), abs=2)


def test_two_events_in_a_row_are_needed_above_one_event_s_weight():
    """At a risk of 1/2 with R = 20 each non-event takes the chart from one event back to 0.

    An event adds ln(20 / 10.5) = 0.644, anything else takes ln 10.5 = 2.351. Above 1 two events in a row
    are needed; of a fair coin that takes 6 throws in the mean.
    """
    found = run_length([0.5], 20.0, 1.0, 1.0, seed=6, charts=10_000)
    assert found.mean == pytest.approx(6, rel=0.04)
    assert found.median == pytest.approx(5, abs=1)


def test_a_worse_unit_is_found_sooner_and_a_better_one_later():
    p = MIXES["wide"]
    h = limit(p, 2.0, 400, DESIGN, seed=7)
    lengths = [
        run_length(p, 2.0, h, factor, seed=8, charts=400, most_patients=3_000).mean
        for factor in (3.0, 2.0, 1.3, 1.0)
    ]
    assert lengths == sorted(lengths)
    h = limit(p, 0.5, 400, DESIGN, seed=7)
    lengths = [
        run_length(p, 0.5, h, factor, seed=8, charts=400, most_patients=3_000).mean
        for factor in (0.3, 0.5, 1.0)
    ]
    assert lengths == sorted(lengths)


def test_charts_that_have_not_signalled_are_told():
    """Geometric with r = 0.02: 0.98 ** 100 = 13.3 % see no signal in 100 patients, 0.98 ** 20 = 66.8 %
    in 20; the mean stops there, (1 - 0.98 ** 100) / 0.02 = 43.4.
    """
    some = run_length([0.02], 2.0, 0.5, 1.0, seed=9, charts=10_000, most_patients=100)
    assert some.unfinished == pytest.approx(0.98**100, abs=0.014)
    assert some.mean == pytest.approx((1 - 0.98**100) / 0.02, rel=0.03)
    few = run_length([0.02], 2.0, 0.5, 1.0, seed=9, charts=1_000, most_patients=20)
    assert few.median == np.inf
    assert few.unfinished == pytest.approx(0.98**20, abs=0.06)
    again = run_length([0.02], 2.0, 0.5, 1.0, seed=9, charts=1_000, most_patients=20)
    assert again == few


@pytest.mark.parametrize("p", [[], [0.1, 1.2], [-0.1], [np.nan], [[0.1, 0.2]], 0.1])
def test_risks_that_are_none_are_refused(p):
    with pytest.raises(ValueError, match="list of probabilities"):
        limit(p, 2.0, 10, DESIGN, seed=1)
    with pytest.raises(ValueError, match="list of probabilities"):
        run_length(p, 2.0, 4.5, 1.0, seed=1)


@pytest.mark.parametrize(
    ("patients", "probability"), [(0, 0.05), (10, 0.0), (10, 1.0), (10, float("nan"))]
)
def test_a_design_that_is_none_is_refused(patients: int, probability: float):
    with pytest.raises(ValueError, match="1 patient or more"):
        limit([0.1], 2.0, patients, probability, seed=1)


@pytest.mark.parametrize("true_odds_ratio", [0.0, -1.0, float("nan")])
def test_true_odds_that_are_none_are_refused(true_odds_ratio: float):
    with pytest.raises(ValueError, match="true odds ratio"):
        run_length([0.1], 2.0, 4.5, true_odds_ratio, seed=1)
