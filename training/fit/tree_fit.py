"""Boosted trees by LightGBM: small, monotone where the dictionary knows, readable by our own code."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

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
# The blanked copy: which share of its rarely missing inputs is blanked, and what it weighs. On the
# SUPPORT fitting rows this costs no log loss where inputs are present, and keeps the mean risk of
# patients without their severity scores at the cohort's, where medians in their place halved it.
BLANKED_SHARE = 0.3
BLANKED_WEIGHT = 0.25


Codes = tuple[tuple[float, ...], ...]


def fit_encoding(X: Floats, y: Floats, features: Sequence[Feature]) -> Codes:
    """Find the number that the trees read for each category; empty for numbers and flags.

    An ordered category keeps its own order. Any other is ranked by its shrunken mean outcome in
    the fitting rows, which lets one threshold cut it anywhere; a category that never occurred has
    no number and is treated as missing.
    """
    return tuple(
        _category_codes(X[present, i], y[present], y.mean(), feature)
        if feature.kind == "category"
        else ()
        for i, (feature, present) in enumerate(zip(features, ~np.isnan(X).T, strict=True))
    )


def recode(X: Floats, encoding: Codes) -> Floats:
    """Replace categories by their numbers."""
    X = X.copy()
    for i, codes in enumerate(encoding):
        if codes:
            present = ~np.isnan(X[:, i])
            X[present, i] = np.array(codes)[X[present, i].astype(np.intp)]
    return X


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
    """Boost `rounds` trees of at most `leaves` leaves on recoded inputs.

    Directions of the dictionary become monotone constraints on numbers, flags and ordered
    categories.

    An input that is (almost) never missing in the cohort can be missing at the bedside. Trees that
    never saw it missing would read it as 0, or as whatever stands in for it: a patient without a
    coma score would count as awake. So a copy of the rows, with a small weight, has such inputs
    blanked at random, and the trees learn where a patient belongs who lacks them.
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
        # One thread: on cohorts of this size a second one saves little on an idle machine, and on a
        # busy one the threads wait for each other in a spin that makes minutes of seconds.
        "num_threads": 1,
    }
    names = [f.name for f in features]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows, outcomes, weights = _with_blanked_copy(X, y, seed)
        data = lightgbm.Dataset(
            rows, outcomes, weight=weights, feature_name=names, free_raw_data=True
        )
        return lightgbm.train(parameters, data, rounds)


# Sums, gains and inner values that no reader needs: they follow from the rest.
LEFT_OUT = ("tree_sizes=", "split_gain=", "leaf_weight=", "internal_weight=", "internal_value=")
COUNTS = ("leaf_count=", "internal_count=")
COUNT_WIDTH = 16


def published_text(booster: lightgbm.Booster) -> str:
    """The trees of a booster as a bundle holds them."""
    return publishable(booster.model_to_string())


def publishable(text: str) -> str:
    """The trees in LightGBM's text, as LightGBM itself still reads it, safe before the tripwire.

    Counts of thousands of rows stand in lists, and `9978 1234 5678` has the form of a number that a
    person may have: a bundle that holds one is refused. Zeros in front of every count keep its value
    and take that form away.
    """
    lines = []
    for line in text.split("end of trees", 1)[0].splitlines():
        if line.startswith(LEFT_OUT):
            continue
        if line.startswith(COUNTS):
            key, _, counts = line.partition("=")
            lines.append(f"{key}=" + " ".join(n.zfill(COUNT_WIDTH) for n in counts.split()))
        else:
            lines.append(line)
    return "\n".join(lines).rstrip("\n") + "\n\nend of trees\n"


def _with_blanked_copy(X: Floats, y: Floats, seed: int) -> tuple[Floats, Floats, Floats]:
    """Rows, outcomes and weights with the copy whose rarely missing inputs are blanked."""
    rare = np.isnan(X).mean(axis=0) < LEARNABLE_MISSING
    blanked = X.copy()
    blanked[(np.random.default_rng(seed).random(X.shape) < BLANKED_SHARE) & rare] = np.nan
    weights = np.repeat([1.0, BLANKED_WEIGHT], len(X))
    return np.vstack([X, blanked]), np.concatenate([y, y]), weights
