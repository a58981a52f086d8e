"""A linear score, feature by feature, as the additive part of a risk model.

The score is a sum over features of f(x): a straight line for a number, a value per category, and a
value for "missing" where the model has one. Contributions are f(x) less its mean over the fitting rows
of the cohort, which is the exact Shapley value of a linear model against those rows.

A line becomes one ramp, far wider than the plausible range of the dictionary. What lies outside of that
range is set aside before any model reads it, so the ramp's flat ends are never reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from models.risk.additive import LEVEL, MISSING, RAMP, AdditiveModel
from training.fit.additive_fit import LEVEL_SHARE, RIDGE_SHARE, Target, basis_of
from training.fit.design import Design

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Term:
    """What one feature adds to the score.

    Attributes
    ----------
    line : pair of (value, f(value)) or None
        Two points of a number's or flag's line: the plausible range, false and true.
    widened : float
        How many times its own length the ramp goes on at either end.
    levels : mapping
        Position of a category -> f; empty for a line.
    missing : float or None
        f where the value is missing; None where the model cannot say.
    """

    line: tuple[tuple[float, float], tuple[float, float]] | None = None
    widened: float = 0.0
    levels: Mapping[int, float] = field(default_factory=lambda: MappingProxyType({}))
    missing: float | None = None

    @property
    def columns(self) -> list[tuple[int, float, float, float]]:
        """Columns of the basis with their coefficients: kind, start, stop, coefficient."""
        if self.line is not None:
            (low, at_low), (high, at_high) = self.line
            more, longer = self.widened * (high - low), 1 + 2 * self.widened
            return [(RAMP, low - more, high + more, longer * (at_high - at_low))]
        return [(LEVEL, float(level), 0.0, value) for level, value in self.levels.items()]

    @property
    def offset(self) -> float:
        """What the columns leave out: f where all of them are 0."""
        if self.line is None:
            return 0.0
        (_, at_low), (_, at_high) = self.line
        return at_low - self.widened * (at_high - at_low)

    @property
    def ridge(self) -> float:
        """Share of the smoothing that a column bears: a ramp's as if it were as long as its line."""
        return LEVEL_SHARE if self.line is None else RIDGE_SHARE / (1 + 2 * self.widened) ** 2


@dataclass(frozen=True, slots=True)
class LinearScore:
    """Intercept and a term per feature, in log-odds or in the outcome's unit."""

    intercept: float
    terms: tuple[Term, ...]

    def additive(self, X: Floats, y: Floats, kind: str, smoothing: float) -> AdditiveModel:
        """The same score as an additive model, centred on rows, with its posterior variance.

        Parameters
        ----------
        X : ndarray, shape (n_samples, n_features)
            Fitting rows that the model can answer.
        y : ndarray, shape (n_samples,)
        smoothing : float
            Penalty under which the variance is worked out; the coefficients are as they were.
        """
        columns = [(i, *column) for i, term in enumerate(self.terms) for column in term.columns]
        learnt = [i for i, term in enumerate(self.terms) if term.missing is not None]
        table = np.array(
            [(i, kind_, start, stop) for i, kind_, start, stop, _ in columns]
            + [(i, MISSING, 0.0, 0.0) for i in learnt]
        )
        basis = basis_of(table, X)
        coefficients = np.array([column[-1] for column in columns] + [0.0] * len(learnt))
        # f of the average row that has the feature, and the share of rows that lack it.
        present = np.array([term.offset for term in self.terms])
        np.add.at(present, basis.feature, basis.mean * coefficients)
        base = self.intercept + float(present.sum())
        for column in np.flatnonzero(basis.kind == MISSING):
            i = int(basis.feature[column])
            missing = self.terms[i].missing
            coefficients[column] = (0.0 if missing is None else missing) - present[i]
            base += float(basis.mean[column] * coefficients[column])
        nothing = np.zeros((X.shape[1], X.shape[1]))
        design = Design(X, basis)
        score = design.scores(np.concatenate(([base], coefficients)))
        curvature = Target(y, kind).curvature(score)
        ridge = [self.terms[i].ridge for i, *_ in columns] + [LEVEL_SHARE] * len(learnt)
        penalty = smoothing * np.diag([0.0, *ridge])
        information = design.cross_product(curvature) + penalty
        dispersion = 1.0 if kind == "binary" else float(np.mean((score - y) ** 2))
        covariance = np.asarray(dispersion * np.linalg.inv(information)[1:, 1:], dtype=np.float64)
        bare = AdditiveModel(basis, coefficients, covariance, base, nothing)
        # What an imputer puts in place of a missing value was not learnt: the interval must show
        # what the value could have said, so no input is left out of the spread.
        spread = np.cov(bare.contributions(X), rowvar=False).reshape(nothing.shape)
        return AdditiveModel(basis, coefficients, covariance, base, spread)
