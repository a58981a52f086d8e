"""An additive model of ramps, levels and missing indicators: readable, smooth, with a variance.

Every input contributes a piecewise-linear curve (a sum of ramps between knots, flat outside them),
a step per category, or a constant when it is missing. Each basis column is centred on its mean
over the fitting rows, so a contribution says how far this patient's input moves the score from the
average patient's, and the contributions are the exact Shapley values of an additive model.

References
----------
Wood SN. Generalized Additive Models, 2nd ed. CRC Press 2017 (penalised likelihood, 6.10 for the
Bayesian posterior variance that is used here).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.risk.reading import Seat
from models.risk.triangle import lower_triangle, symmetric

Floats = NDArray[np.float64]
RAMP, LEVEL, MISSING = 0, 1, 2
# Keeps the covariance of contributions invertible where two inputs always move together.
RIDGE = 1e-6
PATTERNS_KEPT = 1024
BASES_KEPT = 64
ROWS_A_BLOCK = 8192
KIND_NAMES = ("ramp", "level", "missing")


@dataclass(frozen=True, slots=True)
class Basis:
    """The columns that an additive model is a weighted sum of.

    Attributes
    ----------
    feature : ndarray of int, shape (n_columns,)
        Position of the input that a column reads.
    kind : ndarray of int, shape (n_columns,)
        Ramp, level or missing indicator.
    start, stop : ndarray, shape (n_columns,)
        A ramp rises from 0 at `start` to 1 at `stop`; a level is 1 where the input equals `start`.
    mean : ndarray, shape (n_columns,)
        Column means over the fitting rows that have the input; what a missing input counts as.
    """

    feature: NDArray[np.intp]
    kind: NDArray[np.intp]
    start: Floats
    stop: Floats
    mean: Floats
    _width: Floats = field(init=False, repr=False)
    _is_ramp: NDArray[np.bool_] = field(init=False, repr=False)
    _is_indicator: NDArray[np.bool_] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        is_ramp = self.kind == RAMP
        object.__setattr__(self, "_is_ramp", is_ramp)
        object.__setattr__(self, "_is_indicator", self.kind == MISSING)
        object.__setattr__(self, "_width", np.where(is_ramp, self.stop - self.start, 1.0))

    def columns(self, X: Floats) -> Floats:
        """Centred columns, shape (..., n_columns), of inputs of shape (..., n_features)."""
        own = X[..., self.feature]
        missing = np.isnan(own)
        # fmin and fmax are np.clip without its overhead; a missing value is replaced below.
        ramp = np.fmin(np.fmax((own - self.start) / self._width, 0.0), 1.0)
        values = np.where(self._is_ramp, ramp, own == self.start)
        np.copyto(values, self.mean, where=missing)
        return np.where(self._is_indicator, missing, values) - self.mean

    def measured(self, at: NDArray[np.intp], own: Floats) -> Floats:
        """Centred values of some columns, shape (k,), each for a measured value of its input.

        Parameters
        ----------
        at : ndarray of int, shape (k,)
            Columns; one may be named many times.
        own : ndarray, shape (k,)
            The value of the column's input, never NaN.
        """
        ramp = np.clip((own - self.start[at]) / self._width[at], 0.0, 1.0)
        values = np.where(self._is_ramp[at], ramp, own == self.start[at])
        return np.where(self._is_indicator[at], 0.0, values) - self.mean[at]


def _blocks(n_rows: int) -> Iterator[slice]:
    """Rows in blocks, so that a cohort's columns are never there all at once."""
    return (slice(start, start + ROWS_A_BLOCK) for start in range(0, n_rows, ROWS_A_BLOCK))


@dataclass(frozen=True, slots=True)
class AdditiveModel:
    """Intercept and coefficients on a centred basis, with their posterior covariance.

    Attributes
    ----------
    coefficients : ndarray, shape (n_columns,)
        In log-odds (binary) or the outcome's unit (numeric).
    covariance : ndarray, shape (n_columns, n_columns)
        Bayesian posterior covariance under the smoothing penalty. Kept in single precision: no
        variance is known to seven digits, and half as many bytes are read for every interval.
    intercept : float
        The score of the average patient: the base value.
    spread : ndarray, shape (n_features, n_features)
        Covariance of the contributions over the fitting rows; rows and columns of inputs for which
        fitting learnt what missing means are 0. What a missing input could have said, given those
        that are known, is its conditional variance under this covariance.
    """

    basis: Basis
    coefficients: Floats
    covariance: NDArray[np.floating[Any]]
    intercept: float
    spread: Floats
    _precision: Floats = field(init=False, repr=False)
    _unlearnt: NDArray[np.bool_] = field(init=False, repr=False)
    # Patients lack the same inputs again and again; the answer depends on nothing else.
    _unmeasured_of: Callable[[bytes], float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ridge = RIDGE * max(float(np.diag(self.spread).max(initial=0.0)), RIDGE)
        precision = np.linalg.inv(self.spread + ridge * np.eye(len(self.spread)))
        covariance = np.ascontiguousarray(self.covariance, dtype=np.float32)
        object.__setattr__(self, "covariance", covariance)
        object.__setattr__(self, "_precision", precision)
        object.__setattr__(self, "_unlearnt", np.diag(self.spread) > 0)
        object.__setattr__(self, "_unmeasured_of", lru_cache(PATTERNS_KEPT)(self._unmeasured))

    @property
    def n_features(self) -> int:
        return len(self.spread)

    def contributions(self, X: Floats) -> Floats:
        """Contribution per input, shape (n_samples, n_features)."""
        out = np.zeros((len(X), self.n_features))
        for rows in _blocks(len(X)):
            weighted = self.basis.columns(X[rows]) * self.coefficients
            for column, feature in enumerate(self.basis.feature):
                out[rows, feature] += weighted[:, column]
        return out

    def variance(self, X: Floats) -> Floats:
        """Variance of the score, shape (n_samples,): posterior, plus what is not measured."""
        posterior = np.empty(len(X))
        for rows in _blocks(len(X)):
            columns = self.basis.columns(X[rows])
            posterior[rows] = np.einsum("ij,ij->i", columns @ self.covariance, columns)
        missing = np.isnan(X) & self._unlearnt
        patterns, pattern = np.unique(missing, axis=0, return_inverse=True)
        unmeasured = np.array([self._unmeasured_of(row.tobytes()) for row in patterns])
        return np.asarray(posterior + unmeasured[pattern])

    def posterior_variance(self, columns: NDArray[np.float32]) -> float:
        """Posterior variance of the score for one vector's centred columns, shape (n_columns,)."""
        return float(columns @ self.covariance @ columns)

    def unmeasured_variance(self, missing: NDArray[np.bool_]) -> float:
        """What the inputs that a mask, shape (n_features,), marks as missing could have said."""
        return self._unmeasured_of((missing & self._unlearnt).tobytes())

    def _unmeasured(self, missing: bytes) -> float:
        """Variance of the sum of the contributions that a mask marks as missing, others known."""
        at = np.flatnonzero(np.frombuffer(missing, dtype=np.bool_))
        if not at.size:
            return 0.0
        return float(np.linalg.solve(self._precision[np.ix_(at, at)], np.ones(at.size)).sum())

    def to_document(self, features: Sequence[str]) -> dict[str, Any]:
        """As JSON: one readable object per column, the covariance as its lower triangle."""
        basis = self.basis
        return {
            "intercept": self.intercept,
            "spread": lower_triangle(self.spread),
            "columns": [
                {
                    "feature": features[int(basis.feature[i])],
                    "kind": KIND_NAMES[int(basis.kind[i])],
                    "start": None if basis.kind[i] == MISSING else float(basis.start[i]),
                    "stop": float(basis.stop[i]) if basis.kind[i] == RAMP else None,
                    "mean": float(basis.mean[i]),
                    "coefficient": float(self.coefficients[i]),
                }
                for i in range(len(self.coefficients))
            ],
            "covariance": lower_triangle(self.covariance),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any], features: Sequence[str]) -> AdditiveModel:
        """Rebuild from `to_document`; a missing or malformed key raises KeyError or ValueError."""
        columns = document["columns"]
        n = len(columns)
        position = {name: i for i, name in enumerate(features)}
        covariance = symmetric(document["covariance"], n)
        basis = _basis(
            tuple(position[c["feature"]] for c in columns),
            tuple(KIND_NAMES.index(c["kind"]) for c in columns),
            tuple(0.0 if c["start"] is None else float(c["start"]) for c in columns),
            tuple(0.0 if c["stop"] is None else float(c["stop"]) for c in columns),
            tuple(float(c["mean"]) for c in columns),
        )
        coefficients = np.array([c["coefficient"] for c in columns], dtype=np.float64)
        spread = symmetric(document["spread"], len(features))
        return cls(basis, coefficients, covariance, float(document["intercept"]), spread)


class AdditiveStack:
    """Additive models side by side: their columns are worked out in one pass.

    Parameters
    ----------
    models : sequence of (AdditiveModel, Seat)
        Models that share a basis and read from the same place share its columns.
    """

    def __init__(self, models: Sequence[tuple[AdditiveModel, Seat]]) -> None:
        self._models = [model for model, _ in models]
        bases: dict[tuple[int, int], tuple[Basis, int]] = {}
        shared, width = {}, 0
        for model, seat in models:
            key = id(model.basis), seat.reads
            if key not in bases:
                bases[key] = model.basis, seat.reads
                shared[key] = slice(width, width + len(model.coefficients))
                width = shared[key].stop
        self._basis = _side_by_side(list(bases.values()))
        self._columns = [shared[id(model.basis), seat.reads] for model, seat in models]
        self._inputs = [slice(s.reads, s.reads + model.n_features) for model, s in models]
        heard = [
            (model, seat, np.arange(own.start, own.stop))
            for (model, seat), own in zip(models, self._columns, strict=True)
            if seat.weight
        ]
        self._heard = _joined([own for _, _, own in heard], np.intp)
        self._into = _joined(
            [seat.gives + model.basis.feature for model, seat, _ in heard], np.intp
        )
        self._coefficients = _joined(
            [seat.weight * model.coefficients for model, seat, _ in heard], np.float64
        )

    def explain(self, x: Floats, width: int) -> tuple[Floats, list[float]]:
        """Weighted contributions and variances for one vector; the request path.

        Parameters
        ----------
        x : ndarray, shape (n,)
            The vector that all models read.
        width : int
            How many contributions the panel has.

        Returns
        -------
        tuple
            Contributions, shape (width,), 0 where no model with a weight gives any; and the variance
            of each model's score, before its calibration.
        """
        columns = self._basis.columns(x)
        contributions: Floats = np.bincount(
            self._into, columns.take(self._heard) * self._coefficients, minlength=width
        ).astype(np.float64, copy=False)
        single, missing = columns.astype(np.float32), np.isnan(x)
        return contributions, [
            model.posterior_variance(single[own]) + model.unmeasured_variance(missing[read])
            for model, own, read in zip(self._models, self._columns, self._inputs, strict=True)
        ]


def _side_by_side(bases: Sequence[tuple[Basis, int]]) -> Basis:
    """Bases as one, each reading from its own place on."""
    return Basis(
        _joined([basis.feature + place for basis, place in bases], np.intp),
        _joined([basis.kind for basis, _ in bases], np.intp),
        *(
            _joined([getattr(basis, name) for basis, _ in bases], np.float64)
            for name in ("start", "stop", "mean")
        ),
    )


def _joined(parts: Sequence[NDArray[Any]], kind: type[Any]) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, kind), *parts]).astype(kind, copy=False)


@lru_cache(BASES_KEPT)
def _basis(
    feature: tuple[int, ...],
    kind: tuple[int, ...],
    start: tuple[float, ...],
    stop: tuple[float, ...],
    mean: tuple[float, ...],
) -> Basis:
    """A basis; models that were fitted on the same columns get the same one."""
    return Basis(
        np.array(feature, dtype=np.intp), np.array(kind, dtype=np.intp),
        np.array(start, dtype=np.float64), np.array(stop, dtype=np.float64),
        np.array(mean, dtype=np.float64),
    )  # fmt: skip
