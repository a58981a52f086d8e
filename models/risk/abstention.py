"""When not to answer: patients unlike those the model was fitted on.

Rule
----
1. A required number lies outside the range that the fitting rows covered, or
2. the patient's numbers, taken together, are farther from the fitting patients than all but one in
   a thousand of those were themselves.

Distance: every number is mapped to a normal score by the fitting rows' quantiles (linear between
them and onwards beyond them, so that outliers stay outliers); the squared Mahalanobis distance
over the numbers that are present is brought to one scale for any count of them by the
Wilson-Hilferty cube root. Missing numbers do not count; intervals show what they cost.

References
----------
Wilson EB, Hilferty MM. The distribution of chi-square. PNAS 1931;17:684-688.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from math import sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.risk.triangle import lower_triangle, symmetric

Floats = NDArray[np.float64]

QUANTILES = (0.005, 0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975, 0.995)
SHRINKAGE = 0.05
SHARE_BEYOND = 0.001
PATTERNS_KEPT = 1024
RULES_KEPT = 64


@dataclass(frozen=True, slots=True)
class _PiecewiseLine:
    """All inputs' quantile-to-score lines at once, the last segments going on beyond the knots.

    Attributes
    ----------
    inner : ndarray, shape (k, m)
        Knots between segments, padded with infinity.
    value, score, slope : ndarray, shape (k, m + 1)
        Where each segment begins, its score there, and its slope.
    """

    inner: Floats
    value: Floats
    score: Floats
    slope: Floats

    @classmethod
    def through(cls, knots: Sequence[tuple[Floats, Floats]]) -> _PiecewiseLine:
        most = max((len(values) for values, _ in knots), default=2)
        inner = np.full((len(knots), most - 2), np.inf)
        value, score, slope = (np.zeros((len(knots), most - 1)) for _ in range(3))
        for i, (values, scores) in enumerate(knots):
            n = len(values) - 1
            inner[i, : n - 1] = values[1:-1]
            value[i, :n], score[i, :n] = values[:-1], scores[:-1]
            slope[i, :n] = np.diff(scores) / np.diff(values)
        return cls(inner, value, score, slope)

    def scores(self, x: Floats) -> Floats:
        """Normal scores of the inputs, shape (k,); NaN where missing."""
        segment = (x[:, None] > self.inner).sum(axis=1)
        at = np.arange(len(x)), segment
        return np.asarray(self.score[at] + self.slope[at] * (x - self.value[at]))

    def of_some(self, which: NDArray[np.intp], x: Floats) -> Floats:
        """Where the lines of some inputs lead, shape (m, n), from n places each: `x` (m, n)."""
        segment = (x[:, :, None] > self.inner[which][:, None, :]).sum(axis=2)
        at = which[:, None], segment
        return np.asarray(self.score[at] + self.slope[at] * (x - self.value[at]))

    def scores_of_many(self, X: Floats) -> Floats:
        """Normal scores of many vectors, shape (n_samples, k)."""
        out = np.empty(X.shape)
        for i, column in enumerate(X.T):
            segment = np.searchsorted(self.inner[i], column, side="left")
            segment[np.isnan(column)] = 0
            own = column - self.value[i, segment]
            out[:, i] = self.score[i, segment] + self.slope[i, segment] * own
        return out


@dataclass(frozen=True, slots=True)
class Familiarity:
    """What the fitting patients looked like, taken together.

    Attributes
    ----------
    columns : ndarray of int, shape (k,)
        Positions of the numeric inputs that are compared.
    knots : tuple of pairs
        Per input: values (ascending) and the normal scores they stand for.
    correlation : ndarray, shape (k, k)
        Of the normal scores, shrunk towards the identity.
    limit : float
        Largest familiar distance (Wilson-Hilferty scale).
    ranges : mapping
        Required numeric input -> lowest and highest value seen.
    """

    columns: NDArray[np.intp]
    knots: tuple[tuple[Floats, Floats], ...]
    correlation: Floats
    limit: float
    ranges: Mapping[int, tuple[float, float]]
    _line: _PiecewiseLine = field(init=False, repr=False)
    _back: _PiecewiseLine = field(init=False, repr=False)
    # Patients lack the same inputs again and again; an inverse depends on nothing else.
    _inverse_of: Callable[[bytes], Floats] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_line", _PiecewiseLine.through(self.knots))
        back = [(scores, values) for values, scores in self.knots]
        object.__setattr__(self, "_back", _PiecewiseLine.through(back))
        object.__setattr__(self, "_inverse_of", _remembering(self.correlation))

    def medians(self) -> dict[int, float]:
        """Column to the value whose normal score is 0.

        The fitting rows' median; near it where so many share a value that quantiles fall together.
        """
        return {
            int(column): float(np.interp(0.0, scores, values))
            for column, (values, scores) in zip(self.columns, self.knots, strict=True)
        }

    def distance(self, x: Floats) -> float:
        """Distance of one vector on the Wilson-Hilferty scale (about standard normal)."""
        return _distance(self._scores(x), self._inverse_of)

    def is_unfamiliar(self, x: Floats) -> bool:
        """Whether the rule says to abstain for this vector, shape (n_features,)."""
        return FamiliarityStack([(self, 0)]).unfamiliar(x, x.tolist())[0]

    def is_far(self, scores: Floats) -> bool:
        """Whether normal scores, shape (k,), lie beyond the largest familiar distance."""
        return _distance(scores, self._inverse_of) > self.limit

    def likely(self, x: Floats, deviations: Floats) -> dict[int, Floats]:
        """Values that each missing numeric input may have, given those that are known.

        The normal scores of the fitting patients are taken as jointly normal, so a missing one is
        normal given the known ones (a Gaussian copula).

        Parameters
        ----------
        deviations : ndarray, shape (k,)
            How many conditional standard deviations of the normal score above its mean.

        Returns
        -------
        mapping of int to ndarray, shape (k,)
            Column of `x` to its values there. Beyond the outermost quantiles the lines go on, as
            they do for a value that is known.
        """
        scores = self._scores(x)
        missing = np.flatnonzero(np.isnan(scores))
        known = ~np.isnan(scores)
        with_known = self.correlation[np.ix_(missing, known)]
        weights = with_known @ self._inverse_of(known.tobytes())
        mean = weights @ scores[known]
        deviation = np.sqrt(np.maximum(1.0 - (weights * with_known).sum(axis=1), 0.0))
        values = self._back.of_some(missing, mean[:, None] + deviation[:, None] * deviations)
        return {int(self.columns[i]): own for i, own in zip(missing, values, strict=True)}

    def unfamiliar(self, X: Floats) -> NDArray[np.bool_]:
        """The same verdict for many vectors, shape (n_samples, n_features) -> (n_samples,)."""
        out = _distances(self._line.scores_of_many(X[:, self.columns]), self.correlation)
        beyond = out > self.limit
        for column, (lowest, highest) in self.ranges.items():
            beyond |= (X[:, column] < lowest) | (X[:, column] > highest)
        return beyond

    def _scores(self, x: Floats) -> Floats:
        return self._line.scores(x[self.columns])

    def to_document(self, features: Sequence[str]) -> dict[str, Any]:
        return {
            "inputs": [
                {"feature": features[int(c)], "values": v.tolist(), "scores": s.tolist()}
                for c, (v, s) in zip(self.columns, self.knots, strict=True)
            ],
            "correlation": lower_triangle(self.correlation),
            "limit": self.limit,
            "ranges": {features[column]: list(limits) for column, limits in self.ranges.items()},
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any], features: Sequence[str]) -> Familiarity:
        """Rebuild from `to_document`; a missing or malformed key raises KeyError or ValueError.

        Models of one cohort carry the same rule and get the same object, so that a patient is
        compared once.
        """
        return _familiarity(json.dumps(document, sort_keys=True), tuple(features))

    @classmethod
    def built(cls, document: Mapping[str, Any], features: Sequence[str]) -> Familiarity:
        """The same, as an object of its own."""
        inputs = document["inputs"]
        position = {name: i for i, name in enumerate(features)}
        correlation = symmetric(document["correlation"], len(inputs))
        return cls(
            columns=np.array([position[item["feature"]] for item in inputs], dtype=np.intp),
            knots=tuple(
                (np.array(item["values"], dtype=float), np.array(item["scores"], dtype=float))
                for item in inputs
            ),
            correlation=correlation,
            limit=float(document["limit"]),
            ranges={
                position[name]: (float(low), float(high))
                for name, (low, high) in document["ranges"].items()
            },
        )


class FamiliarityStack:
    """Rules side by side: the normal scores that they compare are worked out in one pass.

    Parameters
    ----------
    rules : sequence of (Familiarity, int)
        Each with the place where its inputs begin in the vector that all of them read.
    """

    def __init__(self, rules: Sequence[tuple[Familiarity, int]]) -> None:
        self._rules = [rule for rule, _ in rules]
        self._columns = np.concatenate(
            [np.zeros(0, np.intp)] + [rule.columns + place for rule, place in rules]
        )
        self._line = _PiecewiseLine.through([knots for rule in self._rules for knots in rule.knots])
        self._ranges = [
            [(place + column, *limits) for column, limits in rule.ranges.items()]
            for rule, place in rules
        ]

    def unfamiliar(self, x: Floats, own: Sequence[float]) -> list[bool]:
        """Whether each rule says to abstain for one vector; the request path.

        Parameters
        ----------
        x : ndarray, shape (n,)
            The vector that all rules read, NaN where missing.
        own : sequence of float
            The same, as numbers.
        """
        scores, start, found = self._line.scores(x.take(self._columns)), 0, []
        for rule, ranges in zip(self._rules, self._ranges, strict=True):
            stop = start + len(rule.columns)
            beyond = any(own[i] < lowest or own[i] > highest for i, lowest, highest in ranges)
            found.append(beyond or rule.is_far(scores[start:stop]))
            start = stop
        return found


@lru_cache(RULES_KEPT)
def _familiarity(document: str, features: tuple[str, ...]) -> Familiarity:
    return Familiarity.built(json.loads(document), features)


def fit_familiarity(X: Floats, numeric: Sequence[int], required: Sequence[int]) -> Familiarity:
    """Learn what familiar patients look like.

    Parameters
    ----------
    X : ndarray, shape (n_samples, n_features)
        Fitting rows, NaN where missing.
    numeric : sequence of int
        Columns that hold numbers (not categories or flags).
    required : sequence of int
        Those numbers that must be there; their range is a limit by itself.
    """
    columns, knots = [], []
    for column in numeric:
        values = X[:, column]
        own = _knots(values[~np.isnan(values)])
        if own is not None:
            columns.append(column)
            knots.append(own)
    line = _PiecewiseLine.through(knots)
    scores = line.scores_of_many(X[:, columns])
    correlation = _correlation(scores)
    distances = _distances(scores, correlation)
    ranges = {
        column: (float(np.nanmin(X[:, column])), float(np.nanmax(X[:, column])))
        for column in required
    }
    limit = float(np.quantile(distances, 1 - SHARE_BEYOND))
    return Familiarity(np.array(columns, dtype=np.intp), tuple(knots), correlation, limit, ranges)


def _knots(values: Floats) -> tuple[Floats, Floats] | None:
    """Values at the quantiles with their normal scores, ties merged; None for a constant."""
    if len(values) == 0:
        return None
    quantiles = np.quantile(values, QUANTILES)
    normal = np.array([NormalDist().inv_cdf(q) for q in QUANTILES])
    distinct = np.unique(quantiles)
    if len(distinct) < 2:
        return None
    return distinct, np.array([normal[quantiles == value].mean() for value in distinct])


def _correlation(scores: Floats) -> Floats:
    """Pairwise-complete correlation, made positive definite, shrunk towards the identity."""
    k = scores.shape[1]
    centred = scores - np.nanmean(scores, axis=0)
    present = ~np.isnan(scores)
    filled = np.where(present, centred, 0.0)
    together = present.astype(float).T @ present.astype(float)
    covariance = filled.T @ filled / np.maximum(together, 1.0)
    deviation = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviation, deviation)
    eigenvalues, vectors = np.linalg.eigh(correlation)
    positive = (vectors * np.maximum(eigenvalues, 0.01)) @ vectors.T
    scale = np.sqrt(np.diag(positive))
    return np.asarray((1 - SHRINKAGE) * positive / np.outer(scale, scale) + SHRINKAGE * np.eye(k))


def _remembering(correlation: Floats) -> Callable[[bytes], Floats]:
    return lru_cache(PATTERNS_KEPT)(partial(_inverse_of_present, correlation=correlation))


def _inverse_of_present(present: bytes, correlation: Floats) -> Floats:
    """Inverse of the part of a correlation that a mask marks as present."""
    at = np.flatnonzero(np.frombuffer(present, dtype=np.bool_))
    return np.asarray(np.linalg.inv(correlation[np.ix_(at, at)]))


def _distances(scores: Floats, correlation: Floats) -> Floats:
    """Distance of many vectors: one inverse for all that have the same inputs."""
    present = ~np.isnan(scores)
    patterns = np.packbits(present, axis=1)
    kinds, kind = np.unique(patterns, axis=0, return_inverse=True)
    order = np.argsort(kind, kind="stable")
    first = np.searchsorted(kind[order], np.arange(len(kinds) + 1))
    out = np.zeros(len(scores))
    for i in range(len(kinds)):
        rows = order[first[i] : first[i + 1]]
        at = np.flatnonzero(present[rows[0]])
        if not at.size:
            continue
        own = scores[np.ix_(rows, at)]
        inverse = _inverse_of_present(present[rows[0]].tobytes(), correlation)
        out[rows] = _wilson_hilferty(((own @ inverse) * own).sum(axis=1), at.size)
    return out


def _wilson_hilferty(squared: Floats, k: int) -> Floats:
    return np.asarray(((squared / k) ** (1 / 3) - (1 - 2 / (9 * k))) / sqrt(2 / (9 * k)))


def _distance(scores: Floats, inverse_of: Callable[[bytes], Floats]) -> float:
    present = ~np.isnan(scores)
    own = scores[present]
    k = len(own)
    if k == 0:
        return 0.0
    squared = float(own @ inverse_of(present.tobytes()) @ own)
    return float(((squared / k) ** (1 / 3) - (1 - 2 / (9 * k))) / sqrt(2 / (9 * k)))
