"""How related two cohorts are: whether a patient's cohort can be told from inputs and outcome.

A logistic regression of "is from the new cohort" on all inputs, their absence, and the outcome; its
AUROC on patients that it was not fitted on. At 0.5 the new patients are of the same kind, and a
validation shows whether the model is reproducible; far above, it shows whether it is transportable.

References
----------
Debray TPA et al. A new framework to enhance the interpretation of external validation studies of
clinical prediction models. J Clin Epidemiol 2015;68:279-289.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.vocabulary import Feature
from training.evaluation.discrimination import auroc
from training.evaluation.logistic import fit_logistic
from training.fit.selection import assign_folds

Floats = NDArray[np.float64]

FOLDS = 5
MOST_ROWS = 3000


def membership_auroc(
    here: tuple[Floats, Floats],
    there: tuple[Floats, Floats],
    features: Sequence[Feature],
    seed: int,
) -> float:
    """Cross-validated AUROC of telling two cohorts apart; 0.5 when nobody can.

    Parameters
    ----------
    here, there : tuple of ndarray
        Encoded inputs (n_samples, n_features), NaN where missing, and outcomes (n_samples,); at most
        `MOST_ROWS` of each are drawn.
    features : sequence of Feature
        Dictionary rows of the inputs.
    """
    random = np.random.default_rng(seed)
    X, outcome, new = [], [], []
    for label, (own, y) in ((1.0, here), (0.0, there)):
        drawn = random.permutation(len(own))[:MOST_ROWS]
        X.append(own[drawn])
        outcome.append(y[drawn])
        new.append(np.full(len(drawn), label))
    member = np.concatenate(new)
    design = _design(np.concatenate(X), np.concatenate(outcome), features)
    folds = assign_folds(member, "binary", FOLDS, seed)
    told = np.empty(len(member))
    for fold in range(FOLDS):
        inside = folds == fold
        weights, _ = fit_logistic(member[~inside], design[~inside])
        told[inside] = design[inside] @ weights
    return auroc(member, told)


def _design(X: Floats, y: Floats, features: Sequence[Feature]) -> Floats:
    columns = [np.ones(len(X)), y]
    for i, feature in enumerate(features):
        own, missing = X[:, i], np.isnan(X[:, i])
        columns.append(missing)
        if feature.kind == "category":
            columns += [own == level for level in range(1, len(feature.categories))]
        elif not missing.all():
            columns.append(np.where(missing, np.nanmean(own), own))
    design = np.column_stack(columns).astype(np.float64)
    spread = design.std(axis=0)
    kept = spread > 0
    kept[0] = True
    scaled = (design[:, kept] - design[:, kept].mean(axis=0)) / np.where(
        spread[kept] > 0, spread[kept], 1.0
    )
    scaled[:, 0] = 1.0
    return np.asarray(scaled)
