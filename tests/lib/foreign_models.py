"""Models as other people make them: scikit-learn pipelines and LightGBM, fitted on the dictionary's features."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations
from math import factorial
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from models.risk.trees import TreeEnsemble
from models.vocabulary import Feature
from models.vocabulary.coarsening import coarsen
from tests.lib.risk_models import FEATURES, synthetic_rows, vocabulary
from training.adopt.converted import Converted
from training.adopt.front import frame_of
from training.fit.tree_fit import recode

NUMBERS = ["age", "heart_rate", "map", "resp_rate", "temperature", "sbp", "albumin", "creatinine"]
FLAGS, CATEGORIES = ["mechanical_ventilation"], ["disease_class"]
NAMES = [*NUMBERS, *FLAGS, *CATEGORIES]
AT = [FEATURES.index(name) for name in NAMES]
TOLD = [
    "numpy.dtype", "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
]  # fmt: skip


def features() -> tuple[Feature, ...]:
    return tuple(vocabulary().features[name] for name in NAMES)


def encoded_rows(seed: int, n: int, *, gaps: float = 0.0) -> np.ndarray:
    """Patients as the engine reads them, plausible and coarsened; `gaps` blanks that share of all."""
    rng = np.random.default_rng(seed)
    X = synthetic_rows(rng, n)[0][:, AT]
    for i, feature in enumerate(features()):
        if feature.plausible is not None:
            own = np.clip(X[:, i], *feature.plausible)
            X[:, i] = [coarsen(feature, float(x)) for x in own]
    X[rng.random(X.shape) < gaps] = np.nan
    return X


def frame(X: np.ndarray) -> pd.DataFrame:
    return frame_of(X, features())


def labels(seed: int, n: int, kind: str) -> np.ndarray:
    rng = np.random.default_rng(seed)
    log_odds = synthetic_rows(rng, n)[1]
    if kind == "numeric":
        return np.exp(2.0 + 0.3 * log_odds + 0.4 * rng.normal(size=n))
    return (rng.random(n) < expit(log_odds)).astype(int)


def imputed(*, indicator: bool = False) -> ColumnTransformer:
    """Medians and scales for numbers, one column per category."""
    return ColumnTransformer(
        [
            (
                "numbers",
                make_pipeline(
                    SimpleImputer(strategy="median", add_indicator=indicator), StandardScaler()
                ),
                NUMBERS + FLAGS,
            ),
            (
                "categories",
                make_pipeline(
                    SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
                ),
                CATEGORIES,
            ),
        ]
    )


def as_it_is() -> ColumnTransformer:
    """Numbers with their gaps, categories as ordinal codes."""
    return ColumnTransformer(
        [
            ("numbers", "passthrough", NUMBERS + FLAGS),
            (
                "categories",
                OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan),
                CATEGORIES,
            ),
        ]
    )


FORESTS = {"n_estimators": 12, "max_depth": 5, "min_samples_leaf": 15, "random_state": 0}
BOOSTED = {"max_iter": 15, "max_leaf_nodes": 7, "random_state": 0}
ESTIMATORS: dict[str, tuple[str, Any]] = {
    "logistic": ("binary", lambda: make_pipeline(imputed(), LogisticRegression())),
    "logistic with indicators": (
        "binary", lambda: make_pipeline(imputed(indicator=True), LogisticRegression(C=0.1)),
    ),
    "linear": ("numeric", lambda: make_pipeline(imputed(), LinearRegression())),
    "ridge": ("numeric", lambda: make_pipeline(imputed(indicator=True), Ridge())),
    "forest": (
        "binary", lambda: make_pipeline(imputed(), RandomForestClassifier(**FORESTS)),
    ),
    "forest with indicators": (
        "binary",
        lambda: make_pipeline(
            imputed(indicator=True), RandomForestClassifier(**FORESTS, class_weight="balanced")
        ),
    ),
    "forest with gaps": (
        "binary", lambda: make_pipeline(as_it_is(), RandomForestClassifier(**FORESTS)),
    ),
    "forest of numbers": (
        "numeric", lambda: make_pipeline(imputed(), RandomForestRegressor(**FORESTS)),
    ),
    "boosted": (
        "binary", lambda: make_pipeline(imputed(), HistGradientBoostingClassifier(**BOOSTED)),
    ),
    "boosted with gaps": (
        "binary", lambda: make_pipeline(as_it_is(), HistGradientBoostingClassifier(**BOOSTED)),
    ),
    "boosted numbers": (
        "numeric", lambda: make_pipeline(as_it_is(), HistGradientBoostingRegressor(**BOOSTED)),
    ),
}  # fmt: skip


@cache
def fitted(name: str, n: int = 900) -> Pipeline:
    kind, make = ESTIMATORS[name]
    return make().fit(frame(encoded_rows(1, n)), labels(1, n, kind))


@cache
def boosted_text(kind: str, n: int = 900) -> lightgbm.Booster:
    """LightGBM on a pandas frame, its categories and gaps read natively."""
    rows = frame(encoded_rows(1, n))
    rows["disease_class"] = pd.Categorical(rows["disease_class"])
    objective = {"binary": "binary", "numeric": "regression"}[kind]
    settings = {
        "objective": objective, "num_leaves": 7, "verbosity": -1, "num_threads": 1,
        "min_data_in_leaf": 15, "min_data_per_group": 10, "seed": 3, "deterministic": True,
    }  # fmt: skip
    return lightgbm.train(settings, lightgbm.Dataset(rows, labels(1, n, kind)), 20)


def own_score(model: Pipeline, rows: pd.DataFrame) -> np.ndarray:
    """What scikit-learn itself says, on the scale that its family adds up on."""
    if isinstance(model[-1], RandomForestClassifier):
        return model.predict_proba(rows)[:, 1]
    if hasattr(model, "decision_function"):
        return model.decision_function(rows)
    return model.predict(rows)


def ensemble(converted: Converted) -> TreeEnsemble:
    return TreeEnsemble.from_lightgbm_text(converted.trees_text or "")


def recoded(converted: Converted, X: np.ndarray) -> np.ndarray:
    return recode(X, tuple(item.tree_codes for item in converted.inputs))


def by_all_subsets(
    trees: Sequence[Any], owner: np.ndarray, columns: np.ndarray, n_features: int
) -> np.ndarray:
    """Shapley values of scikit-learn trees by definition: every subset of inputs, one row of columns.

    An input that is out of the subset is averaged over both ways by their shares of fitting rows; the
    columns of one input are in or out together.

    Parameters
    ----------
    trees : sequence of Nodes
    owner : ndarray, shape (n_columns,)
        Which input each column depends on.
    columns : ndarray, shape (n_columns,)
        What the estimator compares.
    """

    def value(known: frozenset[int]) -> float:
        return sum(_expected(tree, 0, owner, columns, known) for tree in trees)

    values = {
        frozenset(subset): value(frozenset(subset))
        for size in range(n_features + 1)
        for subset in combinations(range(n_features), size)
    }
    found = np.zeros(n_features)
    for subset, without in values.items():
        weight = (
            factorial(len(subset)) * factorial(n_features - len(subset) - 1) / factorial(n_features)
            if len(subset) < n_features
            else 0.0
        )
        for i in set(range(n_features)) - subset:
            found[i] += weight * (values[subset | {i}] - without)
    return found


def _expected(
    tree: Any, node: int, owner: np.ndarray, columns: np.ndarray, known: frozenset[int]
) -> float:
    left, right = int(tree.left[node]), int(tree.right[node])
    if left < 0:
        return float(tree.value[node])
    column = int(tree.column[node])
    if int(owner[column]) in known:
        x = columns[column]
        goes_left = tree.missing_left[node] if np.isnan(x) else x <= tree.threshold[node]
        return _expected(tree, left if goes_left else right, owner, columns, known)
    share = tree.cover[left] / tree.cover[node]
    return share * _expected(tree, left, owner, columns, known) + (1 - share) * _expected(
        tree, right, owner, columns, known
    )
