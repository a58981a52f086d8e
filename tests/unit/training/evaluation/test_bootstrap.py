import time

import numpy as np
import pytest

from training.evaluation import bootstrap as module
from training.evaluation.bootstrap import bootstrap, paired_bootstrap
from training.evaluation.discrimination import binary_statistics


def mean_of(values):
    return lambda counts: counts @ values / counts.sum(axis=1)


def cohort(n, seed=1):
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.05, 0.95, n)
    return (rng.uniform(size=n) < p).astype(float), p


def test_the_interval_of_a_mean_is_that_of_theory():
    """The mean of 400 values of standard deviation 2 has a standard error of 0.1."""
    values = np.tile([-2.0, 2.0], 200)
    rng = np.random.default_rng(5)
    estimate = bootstrap({"mean": mean_of(values)}, 400, rng, 4000)["mean"]
    assert estimate["value"] == 0.0
    assert estimate["lower"] == pytest.approx(-0.196, abs=0.012)
    assert estimate["upper"] == pytest.approx(0.196, abs=0.012)


def test_the_same_seed_gives_the_same_bounds():
    y, p = cohort(200)
    first, second = (
        bootstrap(binary_statistics(y, p), 200, np.random.default_rng(9), 100) for _ in range(2)
    )
    assert first == second


def test_every_row_of_a_resample_is_counted_whatever_the_size_of_the_chunks(monkeypatch):
    monkeypatch.setattr(module, "CELLS_A_CHUNK", 50)
    totals = []

    def rows(counts):
        totals.extend(counts.sum(axis=1))
        return counts.sum(axis=1)

    bootstrap({"rows": rows}, 20, np.random.default_rng(1), 7)
    assert totals == [20.0] * 8  # seven resamples, and the rows as they are


def test_rows_of_one_patient_are_drawn_together():
    """Ten patients of ten equal rows tell as much as ten rows, not as a hundred."""
    values = np.repeat(np.arange(10.0), 10)
    patients = np.repeat(np.arange(10), 10)
    statistic = {"mean": mean_of(values)}
    alone = bootstrap(statistic, 100, np.random.default_rng(2), 2000)["mean"]
    together = bootstrap(statistic, 100, np.random.default_rng(2), 2000, patients)["mean"]
    ratio = (together["upper"] - together["lower"]) / (alone["upper"] - alone["lower"])
    assert ratio == pytest.approx(np.sqrt(10), rel=0.1)


def test_a_difference_is_paired():
    """Two models that err alike differ by little, however uncertain each is alone."""
    y, p = cohort(300)
    first, second, difference = paired_bootstrap(
        binary_statistics(y, p),
        binary_statistics(y, np.clip(p + 0.01, 0, 1)),
        300,
        np.random.default_rng(4),
        300,
    )
    width = {
        name: estimate["brier"]["upper"] - estimate["brier"]["lower"]
        for name, estimate in (("first", first), ("difference", difference))
    }
    assert width["difference"] < width["first"] / 5
    assert difference["brier"]["value"] == pytest.approx(
        first["brier"]["value"] - second["brier"]["value"]
    )
    assert difference["auroc"] == {"value": 0.0, "lower": 0.0, "upper": 0.0}


def test_resamples_without_a_value_are_left_out_and_all_of_them_give_no_bounds():
    def undefined(counts):
        return np.full(len(counts), np.nan)

    estimate = bootstrap({"nothing": undefined}, 10, np.random.default_rng(1), 5)["nothing"]
    assert all(np.isnan(value) for value in estimate.values())


def test_a_model_and_two_comparators_take_a_few_seconds():
    y, p = cohort(2300)
    rng = np.random.default_rng(1)
    start = time.perf_counter()
    bootstrap(binary_statistics(y, p), 2300, rng, 1000)
    for _ in range(2):
        paired_bootstrap(binary_statistics(y, p), binary_statistics(y, p**2), 2300, rng, 1000)
    assert time.perf_counter() - start < 15  # about one second on an idle core
