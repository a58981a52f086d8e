"""From a converted model to a risk model: proven, calibrated and bounded on the rows of a cohort.

Calibration, intervals and the rule of familiarity are the pipeline's own functions. Trees bring no
variance, so an additive model is fitted beside them on the same rows, as in the pipeline: it has no
weight in the answer and says how sure the answer is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.risk.abstention import fit_familiarity
from models.risk.additive import AdditiveModel
from models.risk.calibration import (
    LinearCalibration,
    calibration_slope_and_intercept,
    linear_calibration,
)
from models.risk.intervals import fit_conformal_interval, fit_group_interval
from models.risk.risk_model import RiskModel
from models.risk.trees import TreeEnsemble
from models.vocabulary import BranchPoint, Feature, Outcome
from training.adopt.converted import Converted
from training.errors import AdoptionRefused
from training.fit.additive_fit import build_basis, build_penalty, fit_additive
from training.fit.fit_outcome import limits_of, refuse_small
from training.fit.plan import Plan
from training.fit.tree_fit import recode

Floats = NDArray[np.float64]
PROOF_TOLERANCE = 1e-9
# A forest of few trees says 0 and 1, which have no log-odds.
CLIPPED = 1e-3


def required_of(converted: Converted, point: BranchPoint) -> tuple[str, ...]:
    """Inputs without which the model must abstain: the branch point's, and those it needs itself."""
    return tuple(
        item.name
        for item in converted.inputs
        if item.name in point.required or item.name in converted.needed
    )


def answerable(converted: Converted, X: Floats, required: Sequence[str]) -> Floats:
    """Rows with all that is required, categories that the model never saw being missing."""
    X = X.copy()
    for i, item in enumerate(converted.inputs):
        X[np.isin(X[:, i], list(item.unseen)), i] = np.nan
    at = [i for i, item in enumerate(converted.inputs) if item.name in required]
    lacking = np.isnan(X[:, at]).any(axis=1, keepdims=True)
    return np.where(lacking, np.nan, X)


def calibrate(
    converted: Converted,
    X: Floats,
    y: Floats,
    features: Sequence[Feature],
    *,
    point: BranchPoint,
    outcome: Outcome,
    training_data: str,
    plan: Plan,
) -> tuple[RiskModel, tuple[str, ...]]:
    """Prove, calibrate and bound a converted model on fitting rows.

    Parameters
    ----------
    X : ndarray, shape (n_samples, n_features)
        Fitting rows that the model can answer, NaN where missing, in the order of its inputs.
    y : ndarray, shape (n_samples,)
        Labels.

    Returns
    -------
    model : RiskModel
    notes : tuple of str
        What the card should say of the calibration.

    Raises
    ------
    AdoptionRefused
        When our form does not say what the original says, or the original says nothing of this
        outcome in this cohort.
    CohortTooSmall
        With too few events or rows.
    """
    refuse_small(y, outcome)
    binary = outcome.kind == "binary"
    additive, trees = _parts(converted, X, y, features, outcome, min(plan.smoothings))
    raw = raw_score(converted, additive, trees, X)
    original = converted.raw(X)
    apart = float(np.abs(raw - original).max())
    if not apart <= PROOF_TOLERANCE * max(1.0, float(np.abs(original).max())):
        raise AdoptionRefused(
            f"our form of it differs from its own answers by {apart:.3g} on the cohort's rows; "
            f"expected at most {PROOF_TOLERANCE:g}"
        )
    if np.ptp(raw) == 0:
        raise AdoptionRefused("says the same of every patient of the cohort")
    fitted = calibration_slope_and_intercept(y, raw) if binary else linear_calibration(y, raw)
    if fitted.slope <= 0:
        raise AdoptionRefused(
            f"says the opposite of what happened in the cohort (calibration slope "
            f"{fitted.slope:.2f}): another outcome, another unit, or 1 is not the event"
        )
    linear = converted.linear is not None
    # Trees: the slope is a weight of their sum, so that the variance, which is another model's and
    # on the calibrated scale already, is not stretched with them.
    calibration = fitted if linear else LinearCalibration(fitted.intercept, 1.0)
    score = fitted.apply(raw)
    variance = calibration.slope**2 * additive.variance(X)
    names = [feature.name for feature in features]
    required = required_of(converted, point)
    numeric = [i for i, feature in enumerate(features) if feature.kind == "number"]
    model = RiskModel(
        name=f"{point.id}.{outcome.name}",
        branch_point=point.id,
        outcome=outcome.name,
        kind=outcome.kind,
        training_data=training_data,
        inputs=converted.inputs,
        required=required,
        additive=additive,
        trees=trees,
        additive_weight=1.0 if linear else 0.0,
        trees_weight=0.0 if linear else fitted.slope,
        calibration=calibration,
        interval=fit_group_interval(y, score, variance)
        if binary
        else fit_conformal_interval(y, score, *limits_of(outcome)),
        familiarity=fit_familiarity(X, numeric, [i for i in numeric if names[i] in required]),
        cohort_value=float(y.mean()),
        minimum=outcome.minimum,
        maximum=outcome.maximum,
    )
    return model, _scale_notes(raw, y) if converted.as_probability else ()


def raw_score(
    converted: Converted, additive: AdditiveModel, trees: TreeEnsemble, X: Floats
) -> Floats:
    """What our form says before calibration, shape (n_samples,)."""
    if converted.linear is not None:
        return np.asarray(additive.intercept + additive.contributions(X).sum(axis=1))
    codes = tuple(item.tree_codes for item in converted.inputs)
    return np.asarray(trees.base_value + trees.contributions(recode(X, codes)).sum(axis=1))


def _parts(
    converted: Converted,
    X: Floats,
    y: Floats,
    features: Sequence[Feature],
    outcome: Outcome,
    smoothing: float,
) -> tuple[AdditiveModel, TreeEnsemble]:
    """The additive part and the trees; the weakest smoothing gives the widest variance."""
    if converted.linear is not None:
        additive = converted.linear.additive(X, y, outcome.kind, smoothing)
        return additive, TreeEnsemble([], len(features))
    basis = build_basis(X, features)
    penalty = build_penalty(basis, features, smoothing, outcome.directions_apply)
    additive = fit_additive(X, y, features, basis, penalty, outcome.kind)
    return additive, TreeEnsemble.from_lightgbm_text(converted.trees_text or "")


def _scale_notes(share: Floats, y: Floats) -> tuple[str, ...]:
    """What a line through the mean probability costs against one through its log-odds."""
    clipped = np.clip(share, CLIPPED, 1 - CLIPPED)
    losses = []
    for scale in (share, np.log(clipped / (1 - clipped))):
        score = calibration_slope_and_intercept(y, scale).apply(scale)
        losses.append(float((np.logaddexp(0.0, score) - y * score).mean()))
    return (
        "The forest's mean probability s is calibrated as log-odds = a + b s, of which the reasons "
        f"are an exact sum. Log loss on the fitting rows {losses[0]:.4f}; with a line through "
        f"logit(s), which has no exact sum of reasons, it would be {losses[1]:.4f}.",
    )
