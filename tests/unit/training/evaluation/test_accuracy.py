"""Error of predicted numbers: scikit-learn and SciPy are the oracles."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn import metrics

from training.evaluation.accuracy import numeric_statistics

ORACLES = {
    "mae": metrics.mean_absolute_error,
    "rmse": metrics.root_mean_squared_error,
    "r2": metrics.r2_score,
    "spearman": lambda y, value: spearmanr(y, value).statistic,
}


@pytest.mark.parametrize("name", ORACLES)
def test_agrees_with_the_oracle_on_every_resample(name):
    rng = np.random.default_rng(3)
    y = rng.integers(1, 30, 80).astype(float)
    value = np.round(y * rng.uniform(0.5, 1.5, 80))
    counts = rng.multinomial(80, np.full(80, 1 / 80), size=5).astype(float)
    own = numeric_statistics(y, value)[name](counts)
    for count, figure in zip(counts.astype(int), own, strict=True):
        rows = np.repeat(np.arange(80), count)
        assert figure == pytest.approx(ORACLES[name](y[rows], value[rows]), abs=1e-9)


def test_a_resample_of_one_repeated_patient_has_no_r2_and_no_correlation():
    statistics = numeric_statistics(np.array([1e6, 2e6, 4e6]), np.array([1e6, 3e6, 3e6]))
    counts = np.array([[0.0, 3.0, 0.0]])
    assert np.isnan(statistics["r2"](counts)[0])
    assert np.isnan(statistics["spearman"](counts)[0])
