"""Small risk models, really fitted, for tests: synthetic patients, the real dictionary, one branch point.

Nothing here comes from the trainer: what serving must hold is checked against fits of our own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import lightgbm
import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from models.risk.abstention import fit_familiarity
from models.risk.additive import LEVEL, MISSING, RAMP, AdditiveModel, Basis
from models.risk.assessment import Answered
from models.risk.calibration import (
    LinearCalibration,
    calibration_slope_and_intercept,
    linear_calibration,
)
from models.risk.intervals import GroupInterval, fit_conformal_interval, fit_group_interval
from models.risk.reading import Input
from models.risk.risk_model import RiskModel
from models.risk.trees import TreeEnsemble
from models.vocabulary import Vocabulary, load_vocabulary

BRANCH_POINT = "icu-review"
# Number: mean, standard deviation, share missing, weight of one standard deviation in the log-odds.
NUMBERS = {
    "age": (62.0, 14.0, 0.0, 0.6),
    "heart_rate": (95.0, 18.0, 0.0, 0.0),
    "map": (80.0, 13.0, 0.0, -0.2),
    "resp_rate": (22.0, 6.0, 0.0, 0.2),
    "temperature": (37.4, 0.9, 0.0, 0.0),
    "sbp": (120.0, 20.0, 0.1, 0.0),
    "albumin": (30.0, 6.0, 0.3, -0.5),
    "bilirubin": (30.0, 12.0, 0.35, 0.5),
    "creatinine": (110.0, 35.0, 0.02, 0.3),
}
CATEGORIES = {
    "disease_class": {"arf_mosf": 0.3, "copd_chf_cirrhosis": 0.0, "cancer": 0.6, "coma": 1.5}
}
FLAGS = {"mechanical_ventilation": (0.4, 0.15, 0.8)}  # share true, share missing, weight
FEATURES = (*NUMBERS, *CATEGORIES, *FLAGS)
REQUIRED = ("age", "heart_rate", "map", "resp_rate", "temperature")
CORRELATED = ("map", "sbp", 0.85)


@dataclass(frozen=True)
class Fitted:
    """A model, the text of its trees, and the rows it was fitted on (encoded, NaN where missing)."""

    model: RiskModel
    trees_text: str
    X: np.ndarray
    y: np.ndarray


@cache
def vocabulary() -> Vocabulary:
    return load_vocabulary()


def synthetic_rows(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Patients: inputs (n, n_features) and log-odds (n,)."""
    names = list(NUMBERS)
    correlation = np.eye(len(names))
    first, second, rho = CORRELATED
    i, j = names.index(first), names.index(second)
    correlation[i, j] = correlation[j, i] = rho
    z = rng.multivariate_normal(np.zeros(len(names)), correlation, n)
    log_odds = np.full(n, -0.5)
    columns = []
    for k, (mean, deviation, share_missing, weight) in enumerate(NUMBERS.values()):
        column = mean + deviation * z[:, k]
        log_odds += weight * z[:, k]
        column[rng.random(n) < share_missing] = np.nan
        columns.append(column)
    for levels in CATEGORIES.values():
        column = rng.integers(0, len(levels), n).astype(float)
        log_odds += np.array(list(levels.values()))[column.astype(int)]
        columns.append(column)
    for share, share_missing, weight in FLAGS.values():
        column = (rng.random(n) < share).astype(float)
        log_odds += weight * column
        column[rng.random(n) < share_missing] = np.nan
        columns.append(column)
    return np.column_stack(columns), log_odds


def direction_signs(outcome: str) -> list[int]:
    """Sign per input: +1, -1 or 0, where the outcome lets directions bind."""
    known = vocabulary()
    if not known.outcomes[outcome].directions_apply:
        return [0] * len(FEATURES)
    return [known.features[name].direction_sign for name in FEATURES]


def basis_of(X: np.ndarray) -> Basis:
    """Ramps between quintiles, a level per category and flag, an indicator where values miss."""
    feature, kind, start, stop = [], [], [], []

    def add(*column: float) -> None:
        for to, value in zip((feature, kind, start, stop), column, strict=True):
            to.append(value)

    for i, name in enumerate(FEATURES):
        values = X[:, i][~np.isnan(X[:, i])]
        if name in NUMBERS:
            knots = np.quantile(values, (0.02, 0.25, 0.5, 0.75, 0.98))
            for low, high in pairwise(knots):
                add(i, RAMP, low, high)
        else:
            for level in np.unique(values)[1:]:
                add(i, LEVEL, level, 0.0)
        if np.isnan(X[:, i]).mean() > 0.05:
            add(i, MISSING, 0.0, 0.0)
    basis = Basis(
        np.array(feature, dtype=np.intp), np.array(kind, dtype=np.intp),
        np.array(start), np.array(stop), np.zeros(len(feature)),
    )  # fmt: skip
    # A ramp or level is centred over the rows that have the input, an indicator over all rows.
    values = basis.columns(X)
    missing = np.isnan(X[:, basis.feature])
    present_mean = np.where(missing, 0.0, values).sum(axis=0) / np.maximum(
        (~missing).sum(axis=0), 1
    )
    mean = np.where(basis.kind == MISSING, missing.mean(axis=0), present_mean)
    return Basis(basis.feature, basis.kind, basis.start, basis.stop, mean)


def fit_additive(X: np.ndarray, y: np.ndarray, kind: str, signs: list[int]) -> AdditiveModel:
    """Penalised likelihood with non-negative slopes where a direction binds."""
    basis = basis_of(X)
    columns = basis.columns(X)
    sign = np.array(signs)[basis.feature] * (basis.kind != MISSING)
    penalty = 1.0
    if kind == "numeric":
        hessian = columns.T @ columns + penalty * np.eye(columns.shape[1])
        coefficients = np.linalg.solve(hessian, columns.T @ (y - y.mean()))
        residual = (y - y.mean()) - columns @ coefficients
        covariance = residual.var() * np.linalg.inv(hessian)
        return AdditiveModel(
            basis, coefficients, covariance, float(y.mean()), np.zeros((X.shape[1], X.shape[1]))
        )
    design = np.column_stack([np.ones(len(X)), columns])

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        eta = design @ weights
        value = np.logaddexp(0, eta).sum() - y @ eta + 0.5 * penalty * weights[1:] @ weights[1:]
        gradient = design.T @ (expit(eta) - y)
        gradient[1:] += penalty * weights[1:]
        return float(value), gradient

    bounds = [(None, None)] + [
        (0, None) if s > 0 else (None, 0) if s < 0 else (None, None) for s in sign
    ]
    weights = minimize(
        loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds
    ).x
    p = expit(design @ weights)
    hessian = (design * (p * (1 - p))[:, None]).T @ design
    hessian[1:, 1:] += penalty * np.eye(len(weights) - 1)
    covariance = np.linalg.inv(hessian)[1:, 1:]
    return AdditiveModel(
        basis, weights[1:], covariance, float(weights[0]), np.zeros((X.shape[1], X.shape[1]))
    )


def tree_codes_of(X: np.ndarray, y: np.ndarray, i: int, n_categories: int) -> tuple[float, ...]:
    """Categories ordered by their mean outcome; NaN for one that never occurs."""
    means = [
        y[X[:, i] == c].mean() if (X[:, i] == c).any() else np.nan for c in range(n_categories)
    ]
    order = np.argsort(np.argsort(means)).astype(float)
    return tuple(np.where(np.isnan(means), np.nan, order))


def train_trees(
    X: np.ndarray, y: np.ndarray, objective: str, rounds: int = 25, **parameters: object
) -> lightgbm.Booster:
    """A booster on one thread, the same every time."""
    settings = {
        "objective": objective, "num_leaves": 6, "learning_rate": 0.1, "min_data_in_leaf": 15,
        "verbosity": -1, "num_threads": 1, "deterministic": True, "seed": 7, **parameters,
    }  # fmt: skip
    return lightgbm.train(settings, lightgbm.Dataset(X, y), rounds)


def inputs_of(X: np.ndarray, y: np.ndarray) -> tuple[Input, ...]:
    inputs = []
    for i, name in enumerate(FEATURES):
        row = vocabulary().features[name]
        codes = tree_codes_of(X, y, i, len(row.categories)) if row.kind == "category" else ()
        inputs.append(Input(name, row.kind, row.unit, row.categories, codes))
    return tuple(inputs)


def fit_model(outcome: str = "death_180d", seed: int = 0, n: int = 1200) -> Fitted:
    """Fit additive model and trees on one half, calibration and interval on the other."""
    declared = vocabulary().outcomes[outcome]
    rng = np.random.default_rng(seed)
    X, log_odds = synthetic_rows(rng, n)
    if declared.kind == "binary":
        y = (rng.random(n) < expit(log_odds)).astype(float)
        objective = "binary"
    else:
        y = np.exp(2.0 + 0.3 * log_odds + 0.4 * rng.normal(size=n))
        objective = "regression"
    half = n // 2
    signs = direction_signs(outcome)
    numeric = [i for i, name in enumerate(FEATURES) if name in NUMBERS]
    raw_model = RiskModel(
        name=f"{BRANCH_POINT}.{outcome}",
        branch_point=BRANCH_POINT,
        outcome=outcome,
        kind=declared.kind,
        training_data="synthetic",
        inputs=inputs_of(X[:half], y[:half]),
        required=REQUIRED,
        additive=fit_additive(X[:half], y[:half], declared.kind, signs),
        trees=TreeEnsemble([], len(FEATURES)),
        additive_weight=0.6,
        trees_weight=0.4,
        calibration=LinearCalibration(0.0, 1.0),
        interval=GroupInterval(1.0),
        familiarity=fit_familiarity(X[:half], numeric, [FEATURES.index(name) for name in REQUIRED]),
        cohort_value=float(y.mean()),
        minimum=declared.minimum,
    )
    text = train_trees(
        raw_model.for_trees(X[:half]), y[:half], objective, monotone_constraints=signs
    ).model_to_string()
    raw_model = replace(raw_model, trees=TreeEnsemble.from_lightgbm_text(text))
    raw, _ = raw_model.explain(X[half:])
    if declared.kind == "binary":
        calibration = calibration_slope_and_intercept(y[half:], raw)
        variance = calibration.slope**2 * raw_model.additive.variance(X[half:])
        interval = fit_group_interval(y[half:], calibration.apply(raw), variance)
    else:
        calibration = linear_calibration(y[half:], raw)
        interval = fit_conformal_interval(y[half:], calibration.apply(raw), declared.minimum)
    model = replace(raw_model, calibration=calibration, interval=interval)
    return Fitted(model, text, X[:half], y[:half])


@cache
def fitted(outcome: str = "death_180d") -> Fitted:
    """The same small model for every test that only reads it."""
    return fit_model(outcome)


def values_of(row: np.ndarray) -> dict[str, float]:
    """An encoded row as a request holds it: absent where missing."""
    return {name: float(v) for name, v in zip(FEATURES, row, strict=True) if not np.isnan(v)}


def answered_rows(model: RiskModel, X: np.ndarray) -> list[tuple[dict[str, float], Answered]]:
    """Requests with their answers, for those rows that are answered."""
    pairs = [(values_of(row), model.assess(values_of(row))) for row in X]
    return [(values, answer) for values, answer in pairs if isinstance(answer, Answered)]


def example_of(model: RiskModel, X: np.ndarray) -> dict[str, object]:
    """Stored examples and what the model answers to them."""
    return {
        "examples": [
            {
                "values": values,
                "score": answer.score,
                "contributions": dict(
                    zip(model.features, answer.contributions.tolist(), strict=True)
                ),
            }
            for values, answer in answered_rows(model, X[:3])
        ]
    }


def bundle_files(found: Fitted, **changed: Mapping[str, object] | bytes) -> dict[str, bytes]:
    """Every file of a bundle by name; `model_json=...` and so on replace one."""
    content: dict[str, object] = {
        "model.json": found.model.to_document(),
        "trees.txt": found.trees_text.encode(),
        "example.json": example_of(found.model, found.X),
        "reference.json": {"bins": {}},
        "evaluation.json": {"note": "synthetic"},
        "card.json": {"title": "A small model for tests"},
        "card.md": b"# A small model for tests\n",
    }
    content |= {name.replace("_", "."): value for name, value in changed.items()}
    return {
        name: value if isinstance(value, bytes) else json.dumps(value).encode()
        for name, value in content.items()
        if value is not None
    }
