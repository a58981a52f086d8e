"""Penalised likelihood for the additive model: ramps between quantile knots, monotone where known.

One number sets the smoothing: `smoothing` penalises the change between neighbouring ramps, a
hundredth of it every ramp, a thirtieth of it every category and missing indicator. Directions of
the dictionary become sign constraints on the ramps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models.risk.additive import LEVEL, MISSING, RAMP, AdditiveModel, Basis
from models.risk.calibration import probability
from models.vocabulary import Feature
from training.fit.design import BLOCK_ROWS, Design

Floats = NDArray[np.float64]

KNOT_QUANTILES = (0.01, 0.05, 0.15, 0.3, 0.5, 0.7, 0.85, 0.95, 0.99)
RIDGE_SHARE = 1 / 100
LEVEL_SHARE = 1 / 30
# Under this share of missing values nothing can be learned from their being missing.
LEARNABLE_MISSING = 0.005
MOST_STEPS = 100
# Of the coefficients, where the fit is to be published; and of the loss a row, where fits are only
# compared.
TOLERANCE = 1e-7
LOSS_TOLERANCE = 1e-8
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
    return basis_of(np.array(columns, dtype=np.float64).reshape(-1, 4), X)


def basis_of(table: Floats, X: Floats) -> Basis:
    """The columns that a table names, centred on rows.

    Parameters
    ----------
    table : ndarray, shape (n_columns, 4)
        Feature, kind, start and stop of every column.
    X : ndarray, shape (n_samples, n_features)
        Means of ramps and levels are over the rows that have the input, of indicators over all.
    """
    basis = Basis(
        feature=table[:, 0].astype(np.intp),
        kind=table[:, 1].astype(np.intp),
        start=table[:, 2],
        stop=table[:, 3],
        mean=np.zeros(len(table)),
    )
    total, counted = np.zeros(len(table)), np.zeros(len(table))
    for start in range(0, len(X), BLOCK_ROWS):
        block = X[start : start + BLOCK_ROWS]
        absent = np.isnan(block[:, basis.feature]) & (basis.kind != MISSING)
        total += np.where(absent, 0.0, basis.columns(block)).sum(axis=0)
        counted += (~absent).sum(axis=0)
    mean = total / np.maximum(counted, 1)
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
    design = Design(X, basis)
    target = Target.of(y, kind)
    weights, _ = minimise(design, target, padded(penalty), penalty.signs, target.start(design))
    information = design.cross_product(target.curvature(design.scores(weights))) + padded(penalty)
    return finished(basis, weights, information, target, design.scores(weights), X)


@dataclass(frozen=True, slots=True)
class Target:
    """What is fitted, on the scale it is fitted on.

    A numeric outcome is brought to mean 0 and standard deviation 1, so that smoothing means the
    same everywhere.

    Attributes
    ----------
    y : ndarray, shape (n_rows,)
    mean, scale : float
        Numeric: outcome = mean + scale * y. Binary: 0 and 1.
    """

    y: Floats
    kind: str
    mean: float = 0.0
    scale: float = 1.0

    @classmethod
    def of(cls, y: Floats, kind: str) -> Target:
        """Take an outcome in its own unit."""
        if kind == "binary":
            return cls(y, kind)
        mean, scale = float(y.mean()), float(y.std()) or 1.0
        return cls((y - mean) / scale, kind, mean, scale)

    def start(self, design: Design) -> Floats:
        """Weights of the model that says the same of everybody, shape (n_columns,)."""
        weights = np.zeros(design.n_columns)
        if self.kind == "binary":
            weights[0] = np.log(self.y.mean() / (1 - self.y.mean()))
        return weights

    def losses(self, score: Floats) -> Floats:
        """Loss of every row, shape as the score: (n_rows,) or (n_rows, k)."""
        y = self.y if score.ndim == 1 else self.y[:, None]
        if self.kind == "binary":
            return np.asarray(np.logaddexp(0.0, score) - y * score)
        return np.asarray(0.5 * (score - y) ** 2)

    def residuals(self, score: Floats) -> Floats:
        """First derivative of the losses."""
        y = self.y if score.ndim == 1 else self.y[:, None]
        return np.asarray((probability(score) if self.kind == "binary" else score) - y)

    def curvature(self, score: Floats) -> Floats | None:
        """Second derivative of the losses, None where it is 1 everywhere."""
        if self.kind != "binary":
            return None
        p = probability(score)
        return p * (1 - p)

    def in_unit(self, score: Floats) -> Floats:
        """A score on the fitting scale, in log-odds or in the outcome's unit."""
        return np.asarray(self.mean + self.scale * score)


def padded(penalty: Penalty) -> Floats:
    """The penalty matrix with a row and a column for the intercept, which is free."""
    return np.pad(penalty.matrix, ((1, 0), (1, 0)))


def finished(
    basis: Basis, weights: Floats, information: Floats, target: Target, score: Floats, X: Floats
) -> AdditiveModel:
    """Make the model of fitted weights.

    Parameters
    ----------
    weights : ndarray, shape (n_columns,)
        Intercept first, on the target's scale.
    information : ndarray, shape (n_columns, n_columns)
        Penalised, at these weights.
    score : ndarray, shape (n_rows,)
        Of the fitting rows, on the target's scale; dispersion of a numeric outcome.
    X : ndarray, shape (n_rows, n_features)
        Fitting rows; spread of the contributions.
    """
    dispersion = 1.0 if target.kind == "binary" else float(np.mean((score - target.y) ** 2))
    covariance: Floats = np.asarray(
        target.scale**2 * dispersion * np.linalg.inv(information)[1:, 1:], dtype=np.float64
    )
    nothing = np.zeros((X.shape[1], X.shape[1]))
    model = AdditiveModel(
        basis, target.scale * weights[1:], covariance, float(target.in_unit(weights[0])), nothing
    )
    learnt = basis.feature[basis.kind == MISSING]
    spread = np.cov(model.contributions(X), rowvar=False).reshape(nothing.shape)
    spread[learnt, :] = spread[:, learnt] = 0.0
    return replace(model, spread=spread)


def minimise(
    design: Design,
    target: Target,
    penalty: Floats,
    signs: NDArray[np.intp],
    start: Floats,
    loss_tolerance: float = 0.0,
) -> tuple[Floats, Floats]:
    """Projected Newton for a convex loss under sign constraints.

    A coefficient that sits at its bound and would leave it stays there; the others take a Newton
    step, projected back onto the bounds and halved until the loss falls enough.

    Parameters
    ----------
    penalty : ndarray, shape (n_columns, n_columns)
        From `padded`.
    start : ndarray, shape (n_columns,)
        Within the bounds; a neighbouring fit saves steps.
    loss_tolerance : float
        Stop as well when a step can gain no more than this a row.

    Returns
    -------
    weights : ndarray, shape (n_columns,)
    information : ndarray, shape (n_columns, n_columns)
        Unpenalised, where the last step began.

    References
    ----------
    Bertsekas DP. Projected Newton methods for optimization problems with simple constraints.
    SIAM J Control Optim 1982;20:221-246.
    """
    low, high = bounds(signs)
    weights, score = start, design.scores(start)
    loss = float(target.losses(score).sum() + 0.5 * weights @ penalty @ weights)
    information = design.cross_product(target.curvature(score))
    for step_number in range(MOST_STEPS):
        gradient = design.sums(target.residuals(score)) + penalty @ weights
        if step_number and target.kind == "binary":
            information = design.cross_product(target.curvature(score))
        held = ((weights <= low) & (gradient > 0)) | ((weights >= high) & (gradient < 0))
        free = np.flatnonzero(~held)
        step = np.zeros_like(weights)
        hessian = information + penalty
        step[free] = -np.linalg.solve(hessian[np.ix_(free, free)], gradient[free])
        share = 1.0
        while True:
            moved = np.clip(weights + share * step, low, high)
            score = design.scores(moved)
            found = float(target.losses(score).sum() + 0.5 * moved @ penalty @ moved)
            enough = SUFFICIENT_DECREASE * float(gradient @ (weights - moved))
            if found <= loss - enough or share < SMALLEST_SHARE:
                break
            share /= 2
        change = float(np.abs(moved - weights).max())
        gained = loss - found
        weights, loss = moved, min(found, loss)
        if change < TOLERANCE or gained < loss_tolerance * design.n_rows:
            break
    return weights, information


def bounds(signs: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Lowest and highest value of every coefficient, the intercept's first."""
    sign = np.concatenate(([0], signs))
    return np.where(sign > 0, 0.0, -np.inf), np.where(sign < 0, 0.0, np.inf)
