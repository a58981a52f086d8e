"""Weights from a table, the likelihood ratio they are, and charts that may be interrupted anywhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.cusum import Chart, chart, vlad, weights
from tests.lib.properties import LAW

risks = st.floats(0, 1)
odds_ratios = st.floats(0.05, 20)
added = st.lists(st.floats(-2, 2), max_size=60)
limits = st.floats(0.1, 4)
patients = st.lists(st.tuples(risks, st.sampled_from((0, 1))), max_size=40)


@pytest.mark.parametrize(
    ("p", "alive", "dead"),
    [(0.02, -0.01980, 0.67334), (0.10, -0.09531, 0.59784), (0.50, -0.40547, 0.28768)],
)
def test_weights_of_doubled_odds(p: float, alive: float, dead: float):
    """By hand from the formula of vlad's racusum_sim.cpp with R0 = 1 and RA = 2."""
    assert weights([p, p], [0, 1], 2.0) == pytest.approx([alive, dead], abs=5e-6)


@LAW
@given(risks, odds_ratios, st.floats(0.05, 20))
def test_weights_are_those_of_the_r_package_for_any_pair_of_odds_ratios(p, ra, r0):
    """Its general form compares RA with R0; only their two weights against R0 = 1 are needed for it."""
    event = np.log((1 - p + r0 * p) * ra / ((1 - p + ra * p) * r0))
    without = np.log((1 - p + r0 * p) / (1 - p + ra * p))
    ours = weights([p, p], [1, 0], ra) - weights([p, p], [1, 0], r0)
    assert ours == pytest.approx([event, without], abs=1e-12)


@LAW
@given(risks, odds_ratios)
def test_the_mean_likelihood_ratio_of_true_risks_is_one(p: float, odds_ratio: float):
    without, event = weights([p, p], [0, 1], odds_ratio)
    assert (1 - p) * np.exp(without) + p * np.exp(event) == pytest.approx(1, abs=1e-12)
    # So a chart falls in the mean while risks are true and rises once the odds are as looked for.
    true = odds_ratio * p / (1 - p + odds_ratio * p)
    assert (1 - p) * without + p * event <= 1e-12
    assert (1 - true) * without + true * event >= -1e-12


@LAW
@given(risks, risks, st.floats(1.05, 20))
def test_an_event_weighs_more_and_the_less_it_was_expected(a: float, b: float, odds_ratio: float):
    low, high = sorted((a, b))
    for y in (0, 1):
        assert weights(low, y, odds_ratio) >= weights(high, y, odds_ratio) - 1e-12
        assert weights(low, y, 1 / odds_ratio) <= weights(high, y, 1 / odds_ratio) + 1e-12
    assert weights(a, 0, odds_ratio) <= 0 <= weights(a, 1, odds_ratio) + 1e-12
    assert weights(a, 1, 1 / odds_ratio) <= 1e-12
    assert weights(a, 0, 1 / odds_ratio) >= 0
    assert weights(a, 1, odds_ratio) - weights(a, 0, odds_ratio) == pytest.approx(
        np.log(odds_ratio), abs=1e-12
    )


@LAW
@given(added, limits)
def test_a_chart_is_its_recursion(steps: list[float], limit: float):
    """Between signals it is the sum less the lowest sum so far, the form without recursion."""
    values, signals = chart(steps, limit)
    assert len(values) == len(steps)
    assert (values >= 0).all()
    assert signals.tolist() == [i for i, value in enumerate(values) if value > limit]
    for first, last in zip([0, *(signals + 1)], [*(signals + 1), len(steps)], strict=True):
        sums = np.concatenate([[0.0], np.cumsum(steps[first:last])])
        expected = (sums - np.minimum.accumulate(sums))[1:]
        assert values[first:last] == pytest.approx(expected, abs=1e-12)


@LAW
@given(added, limits, st.data())
def test_an_interrupted_chart_goes_on_as_if_it_had_not_been(steps, limit, data: st.DataObject):
    at = data.draw(st.integers(0, len(steps)))
    values, signals = chart(steps, limit)
    before, first = chart(steps[:at], limit)
    after, second = chart(steps[at:], limit, start=before[-1] if at else 0.0)
    assert [*before, *after] == values.tolist()
    assert [*first, *(second + at)] == signals.tolist()


@LAW
@given(added, limits)
def test_a_higher_limit_never_signals_more_often(steps: list[float], limit: float):
    assert len(chart(steps, limit + 1)[1]) <= len(chart(steps, limit)[1])


@LAW
@given(patients, odds_ratios, limits)
def test_one_patient_at_a_time_is_the_same_chart(found, odds_ratio: float, limit: float):
    p, y = np.array(found).reshape(-1, 2).T
    values, signals = chart(weights(p, y, odds_ratio), limit)
    one = Chart(odds_ratio, limit)
    for position, patient in enumerate(found):
        one = one.after(*patient)
        assert one.value == pytest.approx(values[position], abs=1e-12)
        assert one.is_signal == (position in signals)
    assert one.signals == len(signals)


def test_the_value_that_signalled_stays_and_the_next_starts_from_nothing():
    """0.6 + 0.6 is above 1; 0.6 alone, from 0 again, is not. A value at the limit is no signal."""
    values, signals = chart([0.6, 0.6, 0.6, 0.4, 0.1], limit=1.0)
    assert values == pytest.approx([0.6, 1.2, 0.6, 1.0, 1.1])
    assert signals.tolist() == [1, 4]
    assert chart([0.5, 0.5], limit=1.0)[1].tolist() == []
    assert chart([0.5], limit=1.0, start=1.5)[0].tolist() == [0.5]
    assert chart([0.25], limit=1.0, start=0.5)[0].tolist() == [0.75]


@LAW
@given(patients, st.data())
def test_a_vlad_adds_up(found, data: st.DataObject):
    p, y = np.array(found).reshape(-1, 2).T
    at = data.draw(st.integers(0, len(found)))
    whole, before, after = vlad(p, y), vlad(p[:at], y[:at]), vlad(p[at:], y[at:])
    assert whole[:at] == pytest.approx(before, abs=1e-12)
    assert whole[at:] == pytest.approx(after + (before[-1] if at else 0.0), abs=1e-12)
    assert whole + vlad(1 - p, 1 - y) == pytest.approx(np.zeros(len(p)), abs=1e-12)
    if found:
        assert whole[-1] == pytest.approx(p.sum() - y.sum(), abs=1e-12)


@pytest.mark.parametrize("odds_ratio", [0.0, -1.0, float("nan")])
def test_an_odds_ratio_that_is_none_is_refused(odds_ratio: float):
    with pytest.raises(ValueError, match="above 0"):
        weights([0.1], [0], odds_ratio)
    with pytest.raises(ValueError, match="above 0"):
        Chart(odds_ratio, 4.5)
