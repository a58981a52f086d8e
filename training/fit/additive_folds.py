"""Additive models that each left one fold out, fitted together.

The fit to all rows is made first. What a fold left out changes its curvature little, so the fits of
all folds start there and take their steps with one common curvature: each step is then one pass over
the rows for all folds at once, and none of them builds a matrix of its own. They still go down to
their own minimum, to a tolerance that is small beside the noise of a comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from models.risk.additive import AdditiveModel, Basis
from models.vocabulary import Feature
from training.fit.additive_fit import (
    LOSS_TOLERANCE,
    Target,
    bounds,
    build_basis,
    build_penalty,
    finished,
    minimise,
    padded,
)
from training.fit.design import Design
from training.fit.takeover import Takeover

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MOST_STEPS = 60
# A step that could gain less than this a row changes no choice: losses of candidates differ by a
# thousand times as much.
GAIN_TOLERANCE = 1e-7
SMALLEST_SHARE = 2.0**-20


@dataclass(frozen=True, slots=True)
class FoldFits:
    """One fit per fold under one smoothing.

    Attributes
    ----------
    smoothing : float
    whole : ndarray, shape (n_columns,)
        Weights of the fit to all rows.
    information : ndarray, shape (n_columns, n_columns)
        Unpenalised, of the fit to all rows.
    penalty : ndarray, shape (n_columns, n_columns)
    weights : ndarray, shape (n_columns, n_folds)
        Of the fits that left one fold out.
    raw : ndarray, shape (n_rows,)
        What each row's score is by the fit that did not see it, in log-odds or the outcome's unit.
    """

    smoothing: float
    whole: Floats
    information: Floats
    penalty: Floats
    weights: Floats
    raw: Floats


class AdditiveFolds:
    """Cross-validated additive models over one set of rows.

    Parameters
    ----------
    X : ndarray, shape (n_rows, n_features)
        Fitting rows, NaN where missing.
    y : ndarray, shape (n_rows,)
    folds : ndarray of int, shape (n_rows,)
        Which fold each row is in, 0 to n_folds - 1.
    with_all : bool
        One more fold that holds nobody: its fit is the one to all rows, with the same inputs left
        out as in any other (`restricted`).
    """

    def __init__(
        self,
        X: Floats,
        y: Floats,
        features: Sequence[Feature],
        folds: NDArray[np.intp],
        *,
        kind: str,
        directed: bool,
        with_all: bool = False,
    ) -> None:
        self._X, self._features, self._directed = X, features, directed
        # Knots and means look at no outcome, so all folds may share them.
        self._basis = build_basis(X, features)
        self._design = Design(X, self._basis)
        self._target = Target.of(y, kind)
        self._folds = folds
        self._n_folds = int(folds.max()) + 1 + with_all
        self._inside = folds[:, None] != np.arange(self._n_folds)
        self._moments: tuple[Floats, Floats] | None = None

    def fit(self, smoothing: float, near: FoldFits | None = None) -> FoldFits:
        """Fit all rows, then every fold; `near` is a fit with another smoothing to start from."""
        penalty = build_penalty(self._basis, self._features, smoothing, self._directed)
        matrix = padded(penalty)
        start = self._target.start(self._design) if near is None else near.whole
        whole, information = minimise(
            self._design, self._target, matrix, penalty.signs, start, LOSS_TOLERANCE
        )
        everything = np.ones((len(whole), self._n_folds), dtype=bool)
        return self._leave_out(
            smoothing, whole, information, matrix, penalty.signs, everything, None
        )

    def restricted(self, fits: FoldFits, kept: Flags) -> FoldFits:
        """The same with only some inputs, `kept` of shape (n_features, n_folds) per fold."""
        penalty = build_penalty(self._basis, self._features, fits.smoothing, self._directed)
        allowed = np.ones((len(fits.whole), self._n_folds), dtype=bool)
        allowed[1:] = kept[self._basis.feature]
        return self._leave_out(
            fits.smoothing, fits.whole, fits.information, fits.penalty, penalty.signs, allowed,
            fits.weights,
        )  # fmt: skip

    def strength(self, fits: FoldFits) -> Floats:
        """Standard deviation of every input's contribution, (n_features, n_folds + 1).

        The last column is that of the fit to all rows.
        """
        if self._moments is None:
            n = self._design.n_rows
            gram = self._design.cross_product() / n
            self._moments = gram, np.array(gram[0])  # the column of ones gives the means
        gram, mean = self._moments
        weights = np.column_stack([fits.weights, fits.whole])
        out = np.zeros((self._X.shape[1], weights.shape[1]))
        for feature in range(len(out)):
            at = 1 + np.flatnonzero(self._basis.feature == feature)
            own = weights[at]
            second = np.einsum("if,ij,jf->f", own, gram[np.ix_(at, at)], own)
            out[feature] = np.sqrt(np.maximum(second - (mean[at] @ own) ** 2, 0.0))
        return out

    def takeover(self, fits: FoldFits, fold: int) -> Takeover:
        """What leaving inputs out would cost one fold's fit, the others taking over their work."""
        weights = fits.weights[:, fold]
        share = (self._n_folds - 1) / self._n_folds
        dispersion = 1.0
        if self._target.kind != "binary":
            score = (fits.raw - self._target.mean) / self._target.scale
            dispersion = float(2 * self._target.losses(score).mean())
        # Weights at 0 are left out already, or held there by their sign.
        active = np.flatnonzero((weights != 0) | (np.arange(len(weights)) == 0))
        curvature = share * fits.information + fits.penalty
        return Takeover(
            np.concatenate(([-1], self._basis.feature))[active],
            weights[active],
            np.asarray(np.linalg.inv(curvature[np.ix_(active, active)]), dtype=np.float64),
            dispersion,
        )

    def variance(self, fits: FoldFits, kept: Flags) -> Floats:
        """Variance of every row's score by the fit that did not see it, shape (n_rows,)."""
        out = np.empty(self._design.n_rows)
        share = (self._n_folds - 1) / self._n_folds
        for fold in range(self._n_folds):
            outside = self._folds == fold
            inputs = np.flatnonzero(kept[:, fold])
            model = self._model(fits, share, fold, inputs)
            out[outside] = model.variance(self._X[outside][:, inputs])
        return out

    def _model(
        self, fits: FoldFits, share: float, fold: int, inputs: NDArray[np.intp]
    ) -> AdditiveModel:
        basis = self._basis
        at = np.flatnonzero(np.isin(basis.feature, inputs))
        own = Basis(
            np.searchsorted(inputs, basis.feature[at]), basis.kind[at], basis.start[at],
            basis.stop[at], basis.mean[at],
        )  # fmt: skip
        columns = np.concatenate(([0], 1 + at))
        information = share * fits.information + fits.penalty
        inside = self._folds != fold
        # On the fitting scale; only a numeric outcome's dispersion asks for it.
        score = (fits.raw - self._target.mean) / self._target.scale
        return finished(
            own, fits.weights[columns, fold], information[np.ix_(columns, columns)],
            self._target, score, self._X[inside][:, inputs],
        )  # fmt: skip

    def _leave_out(
        self,
        smoothing: float,
        whole: Floats,
        information: Floats,
        penalty: Floats,
        signs: NDArray[np.intp],
        allowed: Flags,
        start: Floats | None,
    ) -> FoldFits:
        share = (self._n_folds - 1) / self._n_folds
        begin = np.repeat(whole[:, None], self._n_folds, axis=1) if start is None else start
        weights, scores = self._descend(
            share * information + penalty, penalty, signs, allowed, np.where(allowed, begin, 0.0)
        )
        raw = self._target.in_unit(scores[np.arange(len(scores)), self._folds])
        return FoldFits(smoothing, whole, information, penalty, weights, raw)

    def _descend(
        self,
        curvature: Floats,
        penalty: Floats,
        signs: NDArray[np.intp],
        allowed: Flags,
        weights: Floats,
    ) -> tuple[Floats, Floats]:
        """Projected steps of all folds at once, (n_columns, n_folds) and (n_rows, n_folds)."""
        low, high = (bound[:, None] for bound in bounds(signs))
        factors: dict[bytes, Any] = {}
        scores = self._design.scores(weights)
        loss = self._losses(scores, weights, penalty)
        share = np.ones(self._n_folds)
        for _ in range(MOST_STEPS):
            residuals = self._target.residuals(scores) * self._inside
            gradient = self._design.sums(residuals) + penalty @ weights
            held = ~allowed | ((weights <= low) & (gradient > 0))
            held |= (weights >= high) & (gradient < 0)
            step = np.zeros_like(weights)
            for fold in range(self._n_folds):
                free = np.flatnonzero(~held[:, fold])
                key = free.tobytes()
                if key not in factors:
                    factors[key] = cho_factor(curvature[np.ix_(free, free)])
                step[free, fold] = -cho_solve(factors[key], gradient[free, fold])
            if (-(gradient * step).sum(axis=0) < GAIN_TOLERANCE * self._design.n_rows).all():
                break
            while True:
                moved = np.where(allowed, np.clip(weights + share * step, low, high), 0.0)
                tried = self._design.scores(moved)
                found = self._losses(tried, moved, penalty)
                worse = (found > loss) & (share > SMALLEST_SHARE)
                if not worse.any():
                    break
                share[worse] /= 2
            better = found <= loss
            weights = np.where(better, moved, weights)
            scores = np.where(better, tried, scores)
            loss = np.minimum(found, loss)
            share = np.minimum(1.0, 2 * share)
        return weights, scores

    def _losses(self, scores: Floats, weights: Floats, penalty: Floats) -> Floats:
        own = (self._target.losses(scores) * self._inside).sum(axis=0)
        return np.asarray(own + 0.5 * np.einsum("if,if->f", weights, penalty @ weights))
