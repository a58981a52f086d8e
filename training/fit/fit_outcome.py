"""One outcome from fitting rows to a finished `RiskModel`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from models.risk.abstention import fit_familiarity
from models.risk.calibration import (
    calibration_slope_and_intercept,
    linear_calibration,
)
from models.risk.intervals import fit_conformal_interval, fit_group_interval
from models.risk.reading import Input
from models.risk.risk_model import RiskModel
from models.risk.trees import TreeEnsemble
from models.vocabulary import BranchPoint, Feature, Outcome
from training.errors import CohortTooSmall
from training.fit.additive_fit import build_basis, build_penalty, fit_additive
from training.fit.plan import Plan
from training.fit.selection import Choice, choose
from training.fit.tree_fit import fit_encoding, fit_trees, published_text, recode

Floats = NDArray[np.float64]
FEWEST_EVENTS = 20
CHOOSING_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Fitted:
    """A finished model, its trees' text (None without trees), and how it was chosen."""

    model: RiskModel
    trees_text: str | None
    choice: Choice


def fit_outcome(
    X: Floats,
    y: Floats,
    features: Sequence[Feature],
    *,
    point: BranchPoint,
    outcome: Outcome,
    training_data: str,
    seed: int,
    plan: Plan | None = None,
    patients: NDArray[np.int64] | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> Fitted:
    """Choose, fit, calibrate and bound one model.

    Parameters
    ----------
    X : ndarray, shape (n_samples, n_features)
        Fitting rows, NaN where missing.
    y : ndarray, shape (n_samples,)
        Labels; rows with NaN are left out.
    plan : Plan, optional
        What may be tried; the product's own without one.
    patients : ndarray of int, shape (n_samples,), optional
        Rows of one number are one patient's.
    progress : callable
        Told the share that each step completes; the shares sum to 1.

    Raises
    ------
    CohortTooSmall
        With fewer than 20 events or non-events (binary), or fewer than 100 rows.
    """
    known = ~np.isnan(y)
    X, y = X[known], y[known]
    refuse_small(y, outcome)
    directed = outcome.directions_apply
    required = [i for i, feature in enumerate(features) if feature.name in point.required]
    choice = choose(
        X, y, features, kind=outcome.kind, directed=directed, seed=seed, plan=plan,
        required=required, patients=None if patients is None else patients[known],
        progress=lambda share: progress(share * CHOOSING_SHARE),
    )  # fmt: skip
    candidate = choice.candidate
    X, features = X[:, choice.inputs], [features[i] for i in choice.inputs]
    basis = build_basis(X, features)
    penalty = build_penalty(basis, features, candidate.smoothing, directed)
    additive = fit_additive(X, y, features, basis, penalty, outcome.kind)
    encoding = fit_encoding(X, y, features)
    additive_weight, trees_weight = candidate.weights
    trees_text = None
    if trees_weight:
        booster = fit_trees(
            recode(X, encoding), y, features, kind=outcome.kind, leaves=candidate.leaves,
            rounds=candidate.rounds, directed=directed, seed=seed,
        )  # fmt: skip
        trees_text = published_text(booster)
    if outcome.kind == "binary":
        calibration = calibration_slope_and_intercept(y, choice.raw)
    else:
        calibration = linear_calibration(y, choice.raw)
    out_of_fold = calibration.apply(choice.raw)
    interval = (
        fit_group_interval(y, out_of_fold, calibration.slope**2 * choice.variance)
        if outcome.kind == "binary"
        else fit_conformal_interval(y, out_of_fold, *limits_of(outcome))
    )
    names = [feature.name for feature in features]
    numeric = [i for i, feature in enumerate(features) if feature.kind == "number"]
    model = RiskModel(
        name=f"{point.id}.{outcome.name}",
        branch_point=point.id,
        outcome=outcome.name,
        kind=outcome.kind,
        training_data=training_data,
        inputs=tuple(
            Input(f.name, f.kind, f.unit, f.categories, codes)
            for f, codes in zip(features, encoding, strict=True)
        ),
        required=tuple(name for name in point.required if name in names),
        additive=additive,
        trees=(
            TreeEnsemble([], len(features))
            if trees_text is None
            else TreeEnsemble.from_lightgbm_text(trees_text)
        ),
        additive_weight=additive_weight,
        trees_weight=trees_weight,
        calibration=calibration,
        interval=interval,
        familiarity=fit_familiarity(X, numeric, [i for i in numeric if names[i] in point.required]),
        cohort_value=float(y.mean()),
        minimum=outcome.minimum,
        maximum=outcome.maximum,
    )
    progress(1 - CHOOSING_SHARE)
    return Fitted(model, trees_text, choice)


def refuse_small(y: Floats, outcome: Outcome) -> None:
    """Refuse labels that cannot carry a fit.

    Raises
    ------
    CohortTooSmall
        With fewer than 20 events or non-events (binary), or fewer than 100 rows.
    """
    if outcome.kind == "binary":
        events = int(y.sum())
        fewest = min(events, len(y) - events)
        if fewest < FEWEST_EVENTS:
            raise CohortTooSmall(
                f"{outcome.name}: fewer than {FEWEST_EVENTS} events or non-events to fit on"
            )
    elif len(y) < 5 * FEWEST_EVENTS:
        raise CohortTooSmall(f"{outcome.name}: fewer than {5 * FEWEST_EVENTS} rows to fit on")


def limits_of(outcome: Outcome) -> tuple[float, float]:
    """The smallest and the largest number that the outcome can be."""
    low, high = outcome.minimum, outcome.maximum
    return 0.0 if low is None else low, inf if high is None else high
