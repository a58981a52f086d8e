"""The penalised fit reaches its optimum, keeps its signs, and learns nothing from missing values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from models.risk.calibration import probability
from models.vocabulary import Vocabulary
from training.fit.additive_fit import build_basis, build_penalty, fit_additive

FEATURES = ("age", "sodium", "diabetes", "disease_group")


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(7)
    n = 1500
    X = np.column_stack(
        [
            random.normal(65, 15, n),
            random.normal(138, 5, n),
            random.integers(0, 2, n),
            random.integers(0, 8, n),
        ]
    ).astype(float)
    score = 0.05 * (X[:, 0] - 65) + 0.02 * (X[:, 1] - 138) ** 2 - 1.5 + 0.4 * X[:, 2]
    y = (random.random(n) < probability(score)).astype(float)
    X[random.random(n) < 0.2, 1] = np.nan
    return X, y


@pytest.fixture(scope="module")
def features(vocabulary: Vocabulary) -> list:
    return [vocabulary.features[name] for name in FEATURES]


def test_the_fit_is_the_minimum_that_a_general_optimiser_finds(rows, features):
    X, y = rows
    basis = build_basis(X, features)
    penalty = build_penalty(basis, features, 30.0, directed=True)
    model = fit_additive(X, y, features, basis, penalty, "binary")
    Z = np.column_stack([np.ones(len(X)), basis.columns(X)])
    P = np.zeros((Z.shape[1], Z.shape[1]))
    P[1:, 1:] = penalty.matrix

    def loss(weights):
        score = Z @ weights
        value = np.logaddexp(0, score).sum() - y @ score + 0.5 * weights @ P @ weights
        return value, Z.T @ (probability(score) - y) + P @ weights

    bounds = [(None, None)] + [(0, None) if s > 0 else (None, None) for s in penalty.signs]
    found = minimize(
        loss, np.zeros(Z.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds,
        options={"maxiter": 5000, "maxfun": 50000, "ftol": 1e-15, "gtol": 1e-10},
    )  # fmt: skip
    ours = loss(np.concatenate([[model.intercept], model.coefficients]))[0]
    assert ours <= found.fun + 1e-6
    assert ours == pytest.approx(found.fun, abs=1e-4)


def test_a_direction_of_the_dictionary_is_kept(rows, features):
    X, y = rows
    basis = build_basis(X, features)
    against = fit_additive(
        X, 1 - y, features, basis, build_penalty(basis, features, 30.0, directed=True), "binary"
    )
    ages = np.full((50, 4), np.nan)
    ages[:, 0] = np.linspace(20, 95, 50)
    contribution = against.contributions(ages)[:, 0]
    assert (np.diff(contribution) >= 0).all()


def test_the_intercept_is_the_score_of_the_average_patient(rows, features):
    X, y = rows
    basis = build_basis(X, features)
    model = fit_additive(
        X, y, features, basis, build_penalty(basis, features, 100.0, directed=False), "binary"
    )
    assert model.contributions(X).mean(axis=0) == pytest.approx(np.zeros(4), abs=0.02)


def test_a_missing_value_too_rare_to_learn_from_contributes_nothing(rows, features):
    X, y = rows
    basis = build_basis(X, features)
    model = fit_additive(
        X, y, features, basis, build_penalty(basis, features, 30.0, directed=True), "binary"
    )
    empty = np.full((1, 4), np.nan)
    contributions = model.contributions(empty)[0]
    assert contributions[0] == 0.0
    assert contributions[1] != 0.0  # missing in a fifth of the rows: an indicator was learnt


def test_a_numeric_fit_scales_with_its_unit(rows, features):
    X, _ = rows
    y = np.where(np.isnan(X[:, 1]), 10.0, X[:, 1] - 128)
    basis = build_basis(X, features)
    penalty = build_penalty(basis, features, 30.0, directed=False)
    days = fit_additive(X, y, features, basis, penalty, "numeric")
    hours = fit_additive(X, 24 * y, features, basis, penalty, "numeric")
    assert hours.intercept == pytest.approx(24 * days.intercept)
    assert hours.coefficients == pytest.approx(24 * days.coefficients, abs=1e-4)
    assert hours.covariance == pytest.approx(24**2 * days.covariance, rel=1e-4)
