"""Boosted trees by LightGBM: small, monotone where the dictionary knows, readable by our own code."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import lightgbm
import numpy as np
from numpy.typing import NDArray

from models.vocabulary import Feature
from training.fit.additive_fit import LEARNABLE_MISSING

Floats = NDArray[np.float64]

LEARNING_RATE = 0.05
DEEPEST = 6
# A category's mean is drawn towards the cohort's by this many patients' worth.
CATEGORY_SHRINKAGE = 20.0


@dataclass(frozen=True, slots=True)
class TreeEncoding:
    """What the trees read in place of categories and of missing values too rare to learn from."""

    codes: tuple[tuple[float, ...], ...]
    fills: tuple[float | None, ...]

    def apply(self, X: Floats) -> Floats:
        X = X.copy()
        for i, (codes, fill) in enumerate(zip(self.codes, self.fills, strict=True)):
            if codes:
                present = ~np.isnan(X[:, i])
                table = np.array(codes)
                X[present, i] = table[X[present, i].astype(np.intp)]
            if fill is not None:
                X[np.isnan(X[:, i]), i] = fill
        return X


def fit_encoding(X: Floats, y: Floats, features: Sequence[Feature]) -> TreeEncoding:
    """Order categories by the outcome and find the medians that stand in for rare missing values.

    An ordered category keeps its own order. Any other is ranked by its shrunken mean outcome in
    the fitting rows, which lets one threshold cut it anywhere; a category that never occurred has
    no number and is treated as missing.
    """
    codes: list[tuple[float, ...]] = []
    fills: list[float | None] = []
    for i, feature in enumerate(features):
        present = ~np.isnan(X[:, i])
        own: tuple[float, ...] = ()
        if feature.kind == "category":
            own = _category_codes(X[present, i], y[present], y.mean(), feature)
        codes.append(own)
        if 1 - present.mean() >= LEARNABLE_MISSING:
            fills.append(None)
        else:
            column = np.array(own)[X[present, i].astype(np.intp)] if own else X[present, i]
            fills.append(float(np.median(column)))
    return TreeEncoding(tuple(codes), tuple(fills))


def _category_codes(
    column: Floats, y: Floats, overall: float, feature: Feature
) -> tuple[float, ...]:
    means = np.full(len(feature.categories), np.nan)
    for level in range(len(feature.categories)):
        own = y[column == level]
        if len(own):
            means[level] = (own.sum() + CATEGORY_SHRINKAGE * overall) / (
                len(own) + CATEGORY_SHRINKAGE
            )
    if feature.ordered:
        ranks = np.arange(len(means), dtype=np.float64)
    else:
        ranks = np.argsort(np.argsort(means, kind="stable"), kind="stable").astype(np.float64)
    return tuple(np.where(np.isnan(means), np.nan, ranks).tolist())


def fit_trees(
    X: Floats,
    y: Floats,
    features: Sequence[Feature],
    *,
    kind: str,
    leaves: int,
    rounds: int,
    directed: bool,
    seed: int,
) -> lightgbm.Booster:
    """Boost `rounds` trees of at most `leaves` leaves on encoded inputs.

    Directions of the dictionary become monotone constraints on numbers, flags and ordered
    categories.
    """
    constraints = [
        f.direction_sign if directed and (f.kind != "category" or f.ordered) else 0
        for f in features
    ]
    parameters = {
        "objective": "binary" if kind == "binary" else "regression",
        "num_leaves": leaves,
        "max_depth": DEEPEST,
        "learning_rate": LEARNING_RATE,
        "min_data_in_leaf": max(20, len(X) // 170),
        "lambda_l2": 10.0,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "monotone_constraints": constraints,
        "deterministic": True,
        "force_row_wise": True,
        "seed": seed,
        "verbose": -1,
        "num_threads": 2,
    }
    names = [f.name for f in features]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = lightgbm.Dataset(X, y, feature_name=names, free_raw_data=True)
        return lightgbm.train(parameters, data, rounds)
