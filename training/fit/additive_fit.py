"""Penalised likelihood for the additive model: ramps between quantile knots, monotone where known.

One number sets the smoothing: `smoothing` penalises the change between neighbouring ramps, a
hundredth of it every ramp, a thirtieth of it every category and missing indicator. Directions of
the dictionary become sign constraints on the ramps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models.risk.additive import LEVEL, MISSING, RAMP, AdditiveModel, Basis
from models.risk.calibration import probability
from models.vocabulary import Feature

Floats = NDArray[np.float64]

KNOT_QUANTILES = (0.01, 0.05, 0.15, 0.3, 0.5, 0.7, 0.85, 0.95, 0.99)
RIDGE_SHARE = 1 / 100
LEVEL_SHARE = 1 / 30
# Under this share of missing values nothing can be learned from their being missing.
LEARNABLE_MISSING = 0.005
MOST_STEPS = 100
TOLERANCE = 1e-7
SUFFICIENT_DECREASE = 1e-4
SMALLEST_SHARE = 2.0**-30


def build_basis(X: Floats, features: Sequence[Feature]) -> Basis:
    """Choose the columns for a cohort.

    Parameters
    ----------
    X : ndarray, shape (n_samples, n_features)
        Encoded inputs, NaN where missing.
    features : sequence of Feature
        The dictionary rows of the columns of X.
    """
    columns: list[tuple[int, int, float, float]] = []
    for i, feature in enumerate(features):
        present = X[~np.isnan(X[:, i]), i]
        if feature.kind == "category" and not feature.ordered:
            columns += [(i, LEVEL, float(level), 0.0) for level in np.unique(present)]
        else:
            knots = np.unique(present)
            if len(knots) > len(KNOT_QUANTILES):
                knots = np.unique(np.quantile(present, KNOT_QUANTILES))
            columns += [(i, RAMP, float(a), float(b)) for a, b in pairwise(knots)]
        if np.isnan(X[:, i]).mean() >= LEARNABLE_MISSING:
            columns.append((i, MISSING, 0.0, 0.0))
    table = np.array(columns, dtype=np.float64).reshape(-1, 4)
    basis = Basis(
        feature=table[:, 0].astype(np.intp),
        kind=table[:, 1].astype(np.intp),
        start=table[:, 2],
        stop=table[:, 3],
        mean=np.zeros(len(table)),
    )
    raw = basis.columns(X)
    absent = np.isnan(X[:, basis.feature]) & (basis.kind != MISSING)
    mean = np.where(absent, 0.0, raw).sum(axis=0) / np.maximum((~absent).sum(axis=0), 1)
    return Basis(basis.feature, basis.kind, basis.start, basis.stop, mean)


@dataclass(frozen=True, slots=True)
class Penalty:
    """Quadratic penalty matrix and sign bounds of a basis."""

    matrix: Floats
    signs: NDArray[np.intp]


def build_penalty(
    basis: Basis, features: Sequence[Feature], smoothing: float, directed: bool
) -> Penalty:
    """Penalty matrix, shape (n_columns, n_columns), and the sign each coefficient must have."""
    n = len(basis.feature)
    matrix = np.zeros((n, n))
    signs = np.zeros(n, dtype=np.intp)
    for i in range(n):
        if basis.kind[i] != RAMP:
            matrix[i, i] += smoothing * LEVEL_SHARE
            continue
        matrix[i, i] += smoothing * RIDGE_SHARE
        if directed:
            signs[i] = features[int(basis.feature[i])].direction_sign
        neighbour = i and basis.kind[i - 1] == RAMP and basis.feature[i - 1] == basis.feature[i]
        if neighbour:
            matrix[i, i] += smoothing
            matrix[i - 1, i - 1] += smoothing
            matrix[i, i - 1] -= smoothing
            matrix[i - 1, i] -= smoothing
    return Penalty(matrix, signs)


def fit_additive(
    X: Floats, y: Floats, features: Sequence[Feature], basis: Basis, penalty: Penalty, kind: str
) -> AdditiveModel:
    """Fit the coefficients.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        0 or 1 (kind "binary"), or a number in the outcome's unit (kind "numeric").

    Returns
    -------
    AdditiveModel
        With the posterior covariance: the inverse of the penalised information, times the residual
        variance for a numeric outcome.
    """
    Z = np.column_stack([np.ones(len(X)), basis.columns(X)])
    P = np.zeros((Z.shape[1], Z.shape[1]))
    P[1:, 1:] = penalty.matrix
    if kind == "binary":
        weights = _logistic(Z, y, P, penalty.signs)
        p = probability(Z @ weights)
        information = (Z * (p * (1 - p))[:, None]).T @ Z + P
        dispersion = 1.0
    else:
        weights = _gaussian(Z, y, P, penalty.signs)
        information = Z.T @ Z + P
        dispersion = float(np.mean((y - Z @ weights) ** 2))
    covariance: Floats = np.asarray(
        dispersion * np.linalg.inv(information)[1:, 1:], dtype=np.float64
    )
    nothing = np.zeros((X.shape[1], X.shape[1]))
    model = AdditiveModel(basis, weights[1:], covariance, float(weights[0]), nothing)
    learnt = basis.feature[basis.kind == MISSING]
    spread = np.cov(model.contributions(X), rowvar=False).reshape(nothing.shape)
    spread[learnt, :] = spread[:, learnt] = 0.0
    return replace(model, spread=spread)


def _logistic(Z: Floats, y: Floats, P: Floats, signs: NDArray[np.intp]) -> Floats:
    def value(weights: Floats) -> float:
        score = Z @ weights
        return float(np.logaddexp(0.0, score).sum() - y @ score + 0.5 * weights @ P @ weights)

    def slopes(weights: Floats) -> tuple[Floats, Floats]:
        p = probability(Z @ weights)
        return Z.T @ (p - y) + P @ weights, (Z * (p * (1 - p))[:, None]).T @ Z + P

    start = np.zeros(Z.shape[1])
    start[0] = np.log(y.mean() / (1 - y.mean()))
    return _minimise(value, slopes, start, signs)


def _gaussian(Z: Floats, y: Floats, P: Floats, signs: NDArray[np.intp]) -> Floats:
    # On the scale of the outcome's standard deviation, so that smoothing means the same everywhere.
    scale = float(y.std()) or 1.0
    target = (y - y.mean()) / scale
    hessian, projected = Z.T @ Z + P, Z.T @ target

    def value(weights: Floats) -> float:
        return float(0.5 * weights @ hessian @ weights - projected @ weights)

    def slopes(weights: Floats) -> tuple[Floats, Floats]:
        return hessian @ weights - projected, hessian

    weights = _minimise(value, slopes, np.zeros(Z.shape[1]), signs) * scale
    weights[0] += y.mean()
    return weights


def _minimise(
    value: Callable[[Floats], float],
    slopes: Callable[[Floats], tuple[Floats, Floats]],
    start: Floats,
    signs: NDArray[np.intp],
) -> Floats:
    """Projected Newton for a convex loss under sign constraints.

    A coefficient that sits at its bound and would leave it stays there; the others take a Newton
    step, projected back onto the bounds and halved until the loss falls enough.

    References
    ----------
    Bertsekas DP. Projected Newton methods for optimization problems with simple constraints.
    SIAM J Control Optim 1982;20:221-246.
    """
    sign = np.concatenate(([0], signs))
    low = np.where(sign > 0, 0.0, -np.inf)
    high = np.where(sign < 0, 0.0, np.inf)
    weights, loss = start, value(start)
    for _ in range(MOST_STEPS):
        gradient, hessian = slopes(weights)
        held = ((weights <= low) & (gradient > 0)) | ((weights >= high) & (gradient < 0))
        free = np.flatnonzero(~held)
        step = np.zeros_like(weights)
        step[free] = -np.linalg.solve(hessian[np.ix_(free, free)], gradient[free])
        share = 1.0
        while True:
            moved = np.clip(weights + share * step, low, high)
            found = value(moved)
            enough = SUFFICIENT_DECREASE * float(gradient @ (weights - moved))
            if found <= loss - enough or share < SMALLEST_SHARE:
                break
            share /= 2
        change = float(np.abs(moved - weights).max())
        weights, loss = moved, min(found, loss)
        if change < TOLERANCE:
            break
    return weights
