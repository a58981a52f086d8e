import numpy as np
import pytest
from scipy.stats import binomtest

from training.evaluation.deciles import binary_deciles, numeric_deciles, wilson_interval


@pytest.mark.parametrize(("events", "n"), [(0, 10), (5, 10), (13, 230), (230, 230)])
def test_wilson_agrees_with_scipy(events, n):
    oracle = binomtest(events, n).proportion_ci(method="wilson")
    assert wilson_interval(events, n) == pytest.approx((oracle.low, oracle.high), abs=1e-12)


def test_groups_are_tenths_of_the_patients_by_prediction():
    p = np.linspace(0.01, 0.99, 1000)
    y = np.tile([0.0, 1.0], 500)
    groups = binary_deciles(y, p)
    assert [group["n"] for group in groups] == [100] * 10
    assert [group["observed"] for group in groups] == [0.5] * 10
    assert np.all(np.diff([group["mean_predicted"] for group in groups]) > 0)


def test_a_group_with_few_events_shows_nothing_from_which_they_could_be_counted():
    p = np.linspace(0.01, 0.99, 200)
    y = np.tile([0.0, 1.0], 100)
    y[:40] = 0.0
    y[0] = 1.0  # first group: one event of twenty; second: none
    groups = binary_deciles(y, p)
    for group in groups[:2]:
        shown = {key for key, value in group.items() if value is not None}
        assert shown == {"mean_predicted"}
    assert groups[2]["events"] == 10


def test_one_withheld_group_takes_a_second_with_it():
    p = np.linspace(0.01, 0.99, 200)
    y = np.tile([0.0, 1.0], 100)
    y[:20] = 0.0
    y[20:40] = np.repeat([1.0, 0.0], [6, 14])
    groups = binary_deciles(y, p)
    assert [group["n"] for group in groups[:3]] == [None, None, 20]


def test_few_patients_make_fewer_groups():
    assert len(binary_deciles(np.tile([0.0, 1.0], 15), np.linspace(0, 1, 30))) == 3


def test_numbers_have_the_interval_of_a_mean():
    """Mean 2, standard deviation sqrt(10 / 9), n 10: 2 -+ 1.96 / 3."""
    (group,) = numeric_deciles(np.tile([1.0, 3.0], 5), np.full(10, 2.0))
    assert (group["lower"], group["upper"]) == pytest.approx((2 - 1.96 / 3, 2 + 1.96 / 3), abs=1e-4)
