"""Folds that are fitted together give what each would give alone, in memory that does not grow."""

from __future__ import annotations

import numpy as np
import pytest

from models.risk.additive import Basis
from models.vocabulary import Vocabulary
from training.fit.additive_fit import build_basis, build_penalty, fit_additive
from training.fit.additive_folds import AdditiveFolds
from training.fit.design import BLOCK_ROWS, Design

FEATURES = ("age", "sodium", "diabetes", "disease_group", "albumin")


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(17)
    n = 1200
    X = np.column_stack(
        [
            random.normal(65, 15, n), random.normal(138, 5, n), random.integers(0, 2, n),
            random.integers(0, 8, n), random.normal(32, 6, n),
        ]
    ).astype(float)  # fmt: skip
    score = 0.05 * (X[:, 0] - 65) - 0.1 * (X[:, 4] - 32) - 1.0
    y = (random.random(n) < 1 / (1 + np.exp(-score))).astype(float)
    X[random.random(n) < 0.2, 4] = np.nan
    return X, y, np.arange(n) % 3


@pytest.fixture(scope="module")
def features(vocabulary: Vocabulary) -> list:
    return [vocabulary.features[name] for name in FEATURES]


@pytest.mark.parametrize("kind", ["binary", "numeric"])
@pytest.mark.parametrize("directed", [True, False])
def test_each_fold_is_what_it_would_be_alone(rows, features, kind, directed):
    X, y, folds = rows
    y = y if kind == "binary" else 20 + 5 * y + 0.1 * X[:, 0]
    fits = AdditiveFolds(X, y, features, folds, kind=kind, directed=directed).fit(30.0)
    basis = build_basis(X, features)
    penalty = build_penalty(basis, features, 30.0, directed)
    for fold in range(3):
        inside, outside = folds != fold, folds == fold
        # A number is penalised on the scale of its own spread, which differs a little by fold.
        alone = fit_additive(X[inside], y[inside], features, basis, penalty, kind)
        expected = alone.intercept + alone.contributions(X[outside]).sum(axis=1)
        assert fits.raw[outside] == pytest.approx(expected, abs=0.02)


def test_an_input_that_is_left_out_says_nothing_in_its_fold(rows, features):
    X, y, folds = rows
    together = AdditiveFolds(X, y, features, folds, kind="binary", directed=True)
    whole = together.fit(30.0)
    kept = np.ones((5, 3), dtype=bool)
    kept[0, 1] = False  # age, in the second fold only
    found = together.restricted(whole, kept)
    without = np.flatnonzero(build_basis(X, features).feature == 0) + 1
    assert (found.weights[without, 1] == 0).all()
    assert (found.weights[without, 0] != 0).any()
    assert found.raw[folds == 0] == pytest.approx(whole.raw[folds == 0], abs=0.02)
    alone = fit_additive(
        X[folds != 1][:, 1:], y[folds != 1], features[1:],
        basis := build_basis(X[:, 1:], features[1:]),
        build_penalty(basis, features[1:], 30.0, directed=True), "binary",
    )  # fmt: skip
    expected = alone.intercept + alone.contributions(X[folds == 1][:, 1:]).sum(axis=1)
    assert found.raw[folds == 1] == pytest.approx(expected, abs=0.02)


def test_the_strength_of_an_input_is_the_spread_of_its_contribution(rows, features):
    X, y, folds = rows
    together = AdditiveFolds(X, y, features, folds, kind="binary", directed=True)
    strength = together.strength(together.fit(30.0))[:, -1]
    basis = build_basis(X, features)
    model = fit_additive(
        X, y, features, basis, build_penalty(basis, features, 30.0, directed=True), "binary"
    )
    assert strength == pytest.approx(model.contributions(X).std(axis=0), abs=0.005)
    assert set(np.argsort(-strength)[:2]) == {0, 4}  # those that the truth is made of


def test_blocks_that_are_not_kept_give_the_same_sums(features):
    """More rows than a block, and a limit that keeps nothing: the memory of one block is enough."""
    random = np.random.default_rng(3)
    n = BLOCK_ROWS + 1000
    X = np.column_stack([random.normal(65, 15, n), random.normal(138, 5, n)])
    basis = build_basis(X, features[:2])
    assert isinstance(basis, Basis)
    Z = np.column_stack([np.ones(n), basis.columns(X)])
    weights, residuals, curvature = random.normal(size=Z.shape[1]), Z[:, 1], random.random(n)
    for design in (Design(X, basis), Design(X, basis, most_cells_kept=0)):
        assert design.scores(weights) == pytest.approx(Z @ weights)
        assert design.sums(residuals) == pytest.approx(Z.T @ residuals)
        assert design.cross_product(curvature) == pytest.approx((Z * curvature[:, None]).T @ Z)
        assert design.cross_product() == pytest.approx(Z.T @ Z)
