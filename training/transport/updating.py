"""The four ways to update a model for other patients, its trees frozen.

- original: nothing.
- intercept: the base value moves.
- intercept-slope: base value and every contribution on a common slope.
- refit: the trees keep their shape and get one weight; the curves of the additive part keep theirs
  and get a weight for each group of inputs of the dictionary (laboratory, comorbidity, …). A model
  without an additive part gets it as a correction that begins at weight 0.

A weighted sum of exact contributions is the exact contribution of the weighted sum, so that reasons
stay exact and additive whichever way is taken. A weight below 0 would turn a direction that medicine
knows: the worst such part is left out and the others are fitted again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.risk.calibration import (
    LinearCalibration,
    calibration_in_the_large,
    linear_calibration,
)
from models.risk.risk_model import RiskModel
from training.errors import NotTransportable
from training.evaluation.logistic import fit_logistic
from training.transport.closed_test import INTERCEPT, ORIGINAL, REFIT, SLOPE

Floats = NDArray[np.float64]
Names = tuple[str, ...]

# Of the rarer class (or rows, for a number) for every weight that a refit estimates; product proposal.
PATIENTS_A_WEIGHT = 20
TREES, WHOLE = "trees", "whole score"
# A part that moves the score by less than this says nothing of its weight.
STILL = 1e-9


@dataclass(frozen=True, slots=True)
class Division:
    """How a model's score is cut into parts that are weighed anew.

    Attributes
    ----------
    names : tuple of str
        `trees` and groups of inputs, or the whole score where a cohort carries no refit.
    part_of : ndarray of int, shape (n_features,)
        Part of each input's curve; -1 where there is no curve to weigh.
    """

    names: Names
    part_of: NDArray[np.intp]

    @property
    def is_whole(self) -> bool:
        """Whether there is nothing to weigh but the score as it is."""
        return self.names == (WHOLE,)


@dataclass(frozen=True, slots=True)
class Parts:
    """A score in parts: `base + values @ now`.

    Attributes
    ----------
    values : ndarray, shape (n_samples, n_parts)
        In log-odds or the outcome's unit.
    now : ndarray, shape (n_parts,)
        Weights of the model as it is: 1, or 0 for a correction that it has not.
    """

    base: float
    values: Floats
    now: Floats

    @property
    def score(self) -> Floats:
        return np.asarray(self.base + self.values @ self.now)


@dataclass(frozen=True, slots=True)
class Update:
    """A fitted update: the new score is `base + values @ weights` over the parts.

    Attributes
    ----------
    weights : ndarray, shape (n_parts,)
    """

    method: str
    base: float
    weights: Floats

    def score(self, parts: Parts) -> Floats:
        """The new score of some patients, shape (n_samples,)."""
        return np.asarray(self.base + parts.values @ self.weights)


def divide(model: RiskModel, groups: Mapping[str, str], carried: int) -> Division:
    """Cut a model into the parts that a refit weighs, where a cohort can carry so many.

    Parameters
    ----------
    groups : mapping
        Input -> its group in the dictionary.
    carried : int
        Patients of the rarer class, or rows for a number.
    """
    part_of = np.full(len(model.features), -1, dtype=np.intp)
    curves = sorted(set(model.additive.basis.feature.tolist()))
    own = {i: groups[model.features[i]] for i in curves}
    names = ((TREES,) if model.trees_weight else ()) + tuple(dict.fromkeys(own.values()))
    if len(names) < 2 or PATIENTS_A_WEIGHT * (len(names) + 1) > carried:
        return Division((WHOLE,), part_of)
    for i, name in own.items():
        part_of[i] = names.index(name)
    return Division(names, part_of)


def parts_of(model: RiskModel, division: Division, X: Floats) -> Parts:
    """The score of some patients in parts.

    Parameters
    ----------
    X : ndarray, shape (n_samples, n_features)
        As the model reads them.
    """
    if division.is_whole:
        score, _ = model.explain(X)
        return Parts(model.base_value, (score - model.base_value)[:, None], np.ones(1))
    values = np.zeros((len(X), len(division.names)))
    slope = model.calibration.slope
    curves = slope * _additive_weight(model) * model.additive.contributions(X)
    for i, part in enumerate(division.part_of):
        if part >= 0:
            values[:, part] += curves[:, i]
    now = np.ones(len(division.names))
    if not model.additive_weight:
        now[:] = 0.0
    if model.trees_weight:
        trees = model.trees.contributions(model.for_trees(X)).sum(axis=1)
        values[:, 0] = slope * model.trees_weight * trees
        now[0] = 1.0
    return Parts(model.base_value, values, now)


def varying(parts: Parts) -> NDArray[np.bool_]:
    """Which parts differ between these patients; an input that nobody has here cannot be weighed."""
    return np.asarray(np.ptp(parts.values, axis=0) > STILL)


def weighable(parts: Parts) -> Parts:
    """The same score in those parts alone that vary, the others being part of the base."""
    free = varying(parts)
    still = float((parts.values[:, ~free] @ parts.now[~free]).mean()) if (~free).any() else 0.0
    return Parts(parts.base + still, parts.values[:, free], parts.now[free])


def fit_update(y: Floats, parts: Parts, method: str, kind: str) -> Update:
    """Estimate one way to update a model.

    Raises
    ------
    NotTransportable
        When the model orders these patients the wrong way, so that no slope above 0 fits.
    """
    score = parts.score
    if method == ORIGINAL:
        return Update(method, parts.base, parts.now)
    if method == INTERCEPT:
        shift = calibration_in_the_large(y, score) if kind == "binary" else (y - score).mean()
        return Update(method, parts.base + float(shift), parts.now)
    if method == SLOPE:
        line = _line(y, score, kind)
        if line.slope <= 0:
            raise NotTransportable(
                "the model orders these patients the wrong way (slope below 0): it cannot be "
                "recalibrated for them; train a model of their own"
            )
        return Update(method, line.intercept + line.slope * parts.base, line.slope * parts.now)
    return _refit(y, parts, kind)


def _refit(y: Floats, parts: Parts, kind: str) -> Update:
    weights = parts.now.copy()
    free = varying(parts)
    still = float((parts.values[:, ~free] @ weights[~free]).mean()) if (~free).any() else 0.0
    while free.any():
        intercept, own = _weights(y, parts.values[:, free], kind)
        if (own >= 0).all():
            weights[free] = own
            return Update(REFIT, intercept - still, weights)
        # The worst alone: without it the others may come round.
        turned = np.flatnonzero(free)[np.argmin(own)]
        weights[turned] = 0.0
        free[turned] = False
    raise NotTransportable(
        "no part of the model tells these patients apart: train a model of their own"
    )


def _weights(y: Floats, values: Floats, kind: str) -> tuple[float, Floats]:
    design = np.column_stack([np.ones(len(y)), values])
    if kind == "binary":
        found, _ = fit_logistic(y, design)
    else:
        found = np.asarray(np.linalg.lstsq(design, y, rcond=None)[0], dtype=np.float64)
    return float(found[0]), found[1:]


def _line(y: Floats, score: Floats, kind: str) -> LinearCalibration:
    if kind == "binary":
        weights, _ = fit_logistic(y, np.column_stack([np.ones(len(y)), score]))
        return LinearCalibration(float(weights[0]), float(weights[1]))
    return linear_calibration(y, score)


def apply_update(model: RiskModel, division: Division, update: Update) -> RiskModel:
    """The model with the update in it; `explain` gives the update's score.

    The variance of the additive part stays as it was; what it is worth among the new patients is in
    the scale of the interval, which is fitted anew.
    """
    if update.method == ORIGINAL:
        return model
    old = model.calibration
    if update.method in (INTERCEPT, SLOPE) or division.is_whole:
        ratio = _common(update)
        calibration = LinearCalibration(
            update.base - old.slope * ratio * model.raw_base_value, old.slope * ratio
        )
        return replace(model, calibration=calibration)
    additive_weight = _additive_weight(model)
    trees_weight = model.trees_weight * (float(update.weights[0]) if model.trees_weight else 1.0)
    of_column = division.part_of[model.additive.basis.feature]
    coefficients = model.additive.coefficients * update.weights[of_column]
    additive = replace(model.additive, coefficients=coefficients)
    raw_base = additive_weight * additive.intercept + trees_weight * model.trees.base_value
    return replace(
        model,
        additive=additive,
        additive_weight=additive_weight,
        trees_weight=trees_weight,
        calibration=LinearCalibration(update.base - old.slope * raw_base, old.slope),
    )


def _common(update: Update) -> float:
    """The slope that all parts share; parts at weight 0 have none."""
    weights: Sequence[float] = update.weights[update.weights != 0].tolist()
    return float(weights[0])


def _additive_weight(model: RiskModel) -> float:
    return model.additive_weight or 1.0
