import numpy as np
import pytest

from models.risk.calibration import calibration_slope_and_intercept
from training.evaluation.calibration import binary_calibration, in_the_large, numeric_calibration


def cohort(n=2000, seed=1):
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(-0.5, 1.0, n)
    y = (rng.uniform(size=n) < 1 / (1 + np.exp(-log_odds))).astype(float)
    return y, log_odds


def test_twice_the_log_odds_halve_the_slope():
    y, log_odds = cohort()
    right = binary_calibration(y, 1 / (1 + np.exp(-log_odds)))["slope"]
    extreme = binary_calibration(y, 1 / (1 + np.exp(-2 * log_odds)))["slope"]
    assert extreme == pytest.approx(right / 2, abs=1e-3)
    assert right == pytest.approx(calibration_slope_and_intercept(y, log_odds).slope, abs=1e-3)


def test_shifted_log_odds_shift_calibration_in_the_large():
    y, log_odds = cohort()
    plain = in_the_large(y, 1 / (1 + np.exp(-log_odds)))
    shifted = in_the_large(y, 1 / (1 + np.exp(-(log_odds + 0.7))))
    assert shifted == pytest.approx(plain - 0.7, abs=1e-3)


@pytest.mark.parametrize("p", [0.001, 0.999])
def test_calibration_in_the_large_is_found_from_far_away(p):
    """Half of the patients have the event: the log-odds to add are those of 1 - p."""
    found = in_the_large(np.tile([0.0, 1.0], 50), np.full(100, p))
    assert found == pytest.approx(np.log((1 - p) / p))


@pytest.mark.parametrize(
    "p",
    [
        np.full(20, 0.3),  # constant
        np.repeat([0.1, 0.9], 10),  # separates the classes
        np.repeat([0.9, 0.1], 10),  # separates them the wrong way round
        np.repeat([0.1, 0.5, 0.9], [8, 4, 8]),  # separates them but for a tie
    ],
)
def test_there_is_no_slope_where_no_finite_line_fits_best(p):
    calibration = binary_calibration(np.repeat([0.0, 1.0], 10), p)
    assert np.isnan(calibration["slope"])
    assert np.isfinite(calibration["ici"])


def test_a_slope_is_found_for_predictions_that_are_far_off():
    """Predicted odds 1:600 and 600:1, observed 1:1 and 3:1: slope log 3 / (2 log 600)."""
    y = np.repeat([0.0, 1.0, 0.0, 1.0], [20, 20, 10, 30])
    p = np.repeat([1 / 601, 600 / 601], [40, 40])
    calibration = binary_calibration(y, p)
    assert calibration["slope"] == pytest.approx(np.log(3) / (2 * np.log(600)), abs=1e-6)


def test_observed_over_expected_counts_events():
    """15 events against 20 * 0.5 expected."""
    calibration = binary_calibration(np.repeat([1.0, 0.0], [15, 5]), np.full(20, 0.5))
    assert calibration["observed_expected"]["value"] == 1.5


def test_the_distribution_hides_a_bin_with_few_patients():
    y, p = np.tile([0.0, 1.0], 20), np.array([0.97] * 3 + [0.22] * 37)
    bins = binary_calibration(y, p)["distribution"]
    assert len(bins) == 20
    assert [b["share"] for b in bins if b["share"] != 0] == [0.925, None]


def test_a_constant_number_has_no_slope_but_a_mean():
    calibration = numeric_calibration(np.array([1.0, 3.0]), np.array([4.0, 4.0]))
    assert np.isnan(calibration["slope"])
    assert calibration["observed_expected"] == 0.5
