import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from training.evaluation.calibration_curve import (
    calibration_errors,
    curve_points,
    fit_calibration_curve,
    spline_columns,
)


def cohort(n, shift=0.0, seed=1):
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(-0.5, 1.2, n)
    y = (rng.uniform(size=n) < 1 / (1 + np.exp(-(log_odds + shift)))).astype(float)
    return y, 1 / (1 + np.exp(-log_odds))


def test_the_spline_is_straight_beyond_its_outer_knots():
    knots = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    for x in (np.array([-5.0, -4.0, -3.0]), np.array([3.0, 4.0, 5.0])):
        columns = spline_columns(x, knots)
        assert columns.shape == (3, 4)
        assert columns[2] - columns[1] == pytest.approx(columns[1] - columns[0], abs=1e-9)


def test_the_fit_is_that_of_an_unpenalised_logistic_regression():
    y, p = cohort(1500)
    curve = fit_calibration_curve(y, p)
    columns = spline_columns(np.log(p / (1 - p)), curve.knots)
    oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=5000, solver="newton-cholesky")
    expected = oracle.fit(columns, y).predict_proba(columns)[:, 1]
    assert curve.at(p) == pytest.approx(expected, abs=1e-5)


def test_right_predictions_have_a_small_error_and_shifted_ones_a_large_one():
    y, p = cohort(4000)
    right = calibration_errors(p, fit_calibration_curve(y, p))
    y, p = cohort(4000, shift=1.0)
    wrong = calibration_errors(p, fit_calibration_curve(y, p))
    assert right["ici"] < 0.02
    assert wrong["ici"] == pytest.approx(
        np.mean(1 / (1 + np.exp(-(np.log(p / (1 - p)) + 1))) - p), abs=0.02
    )
    for errors in (right, wrong):
        assert errors["e50"] <= errors["e90"] <= errors["emax"]


@pytest.mark.parametrize(
    ("events", "knots"), [(40, 5), (39, 4), (30, 4), (29, 3), (20, 3), (19, 0)]
)
def test_few_events_get_fewer_knots(events, knots):
    p = np.linspace(0.05, 0.95, 400)
    y = np.zeros(400)
    y[np.random.default_rng(1).choice(400, events, replace=False)] = 1.0
    assert len(fit_calibration_curve(y, p).knots) == knots


def test_few_distinct_predictions_get_fewer_knots():
    p = np.repeat([0.1, 0.9], 200)
    y = np.tile([0.0, 1.0], 200)
    assert len(fit_calibration_curve(y, p).knots) == 0


def test_predictions_that_separate_the_classes_still_give_a_finite_curve():
    y = np.repeat([0.0, 1.0], 100)
    p = np.linspace(0.01, 0.99, 200)
    points = curve_points(p, fit_calibration_curve(y, p))
    assert all(np.isfinite(list(point.values())).all() for point in points)


def test_the_band_encloses_the_curve_and_stops_at_the_outer_percentiles():
    y, p = cohort(800)
    points = curve_points(p, fit_calibration_curve(y, p))
    assert all(0 <= q["lower"] <= q["observed"] <= q["upper"] <= 1 for q in points)
    assert points[0]["predicted"] == pytest.approx(np.quantile(p, 0.01))
    assert points[-1]["predicted"] == pytest.approx(np.quantile(p, 0.99))
