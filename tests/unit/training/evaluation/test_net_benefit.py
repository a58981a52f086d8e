"""Net benefit: the package dcurves is the oracle."""

import numpy as np
import pandas as pd
import pytest
from dcurves import dca
from hypothesis import given
from hypothesis import strategies as st

from tests.lib.properties import LAW
from training.evaluation.net_benefit import THRESHOLDS, decision_curves, net_benefit


def cohort(n=500, seed=1):
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.01, 0.99, n)
    return (rng.uniform(size=n) < p).astype(float), p


def test_thresholds_are_five_to_ninety_five_percent():
    assert THRESHOLDS.tolist() == pytest.approx([0.05 * i for i in range(1, 20)])


def test_agrees_with_dcurves():
    y, p = cohort()
    frame = pd.DataFrame({"y": y, "model": p})
    table = dca(data=frame, outcome="y", modelnames=["model"], thresholds=THRESHOLDS.tolist())
    curves = decision_curves(y, p, {})
    for ours, theirs in (("model", "model"), ("treat_all", "all"), ("treat_none", "none")):
        expected = table.loc[table.model == theirs].sort_values("threshold").net_benefit
        assert curves[ours] == pytest.approx(expected.tolist(), abs=1e-9)


@LAW
@given(st.integers(1, 99), st.integers(1, 99))
def test_treating_everybody_is_worth_prevalence_less_the_odds_of_the_rest(events, others):
    """With prevalence 0.1 at a threshold of 0.2: 0.1 - 0.9 / 4 = -0.125."""
    y = np.repeat([1.0, 0.0], [events, others])
    prevalence = events / (events + others)
    expected = prevalence - (1 - prevalence) * THRESHOLDS / (1 - THRESHOLDS)
    assert net_benefit(y, np.ones_like(y), THRESHOLDS) == pytest.approx(expected)


def test_treating_everybody_at_a_prevalence_of_a_tenth():
    y = np.repeat([1.0, 0.0], [1, 9])
    assert net_benefit(y, np.ones(10), np.array([0.2]))[0] == pytest.approx(-0.125)


def test_a_risk_equal_to_the_threshold_is_acted_on():
    assert net_benefit(np.array([1.0]), np.array([0.2]), np.array([0.2]))[0] == 1.0


def test_a_comparator_is_judged_on_the_patients_who_have_it():
    y, p = cohort()
    other = np.where(np.arange(500) < 200, p / 2, np.nan)
    own = decision_curves(y, p, {"score": other})["comparators"]["score"]
    assert own["model"] == net_benefit(y[:200], p[:200], THRESHOLDS).tolist()
    assert own["comparator"] == net_benefit(y[:200], p[:200] / 2, THRESHOLDS).tolist()
