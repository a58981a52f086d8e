"""HistGradientBoosting: a baseline and a sum of trees, in log-odds or in the outcome's unit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.adopt.converted import Converted
from training.adopt.front import Front
from training.adopt.inputs import inputs_of, refuse_classes
from training.adopt.nodes import LEAF, Nodes, write_trees
from training.adopt.size import refuse_large
from training.errors import AdoptionRefused

Floats = NDArray[np.float64]
LOSSES = {"log_loss", "squared_error", "absolute_error"}


def convert_boosting(estimator: Any, front: Front) -> Converted:
    """Convert histogram gradient boosting behind its steps.

    Raises
    ------
    AdoptionRefused
        For several classes, a loss whose score is not a sum in the outcome's unit, native
        categories, or a model larger than what is served.
    """
    binary = hasattr(estimator, "classes_")
    if binary:
        refuse_classes(estimator)
    if estimator.loss not in LOSSES:
        raise AdoptionRefused(f"loss `{estimator.loss}`; served are {', '.join(sorted(LOSSES))}")
    if estimator.is_categorical_ is not None and np.any(estimator.is_categorical_):
        raise AdoptionRefused(
            "reads categories natively; put an OrdinalEncoder or a OneHotEncoder in front instead"
        )
    trees = [_nodes(stage[0].nodes) for stage in estimator._predictors]
    leaves = refuse_large(trees, front)
    baseline = float(np.ravel(estimator._baseline_prediction)[0])
    written = write_trees(trees, front, baseline, np.asarray)

    def raw(X: Floats) -> Floats:
        columns = front.columns(X)
        if binary:
            return np.asarray(estimator.decision_function(columns))
        return np.asarray(estimator.predict(columns))

    return Converted(
        kind="binary" if binary else "numeric",
        form=f"histogram gradient boosting, {len(trees)} trees, {leaves} leaves",
        inputs=inputs_of(front),
        raw=raw,
        trees_text=written.text,
        needed=written.needed,
        landmarks={**front.landmarks(), **written.landmarks},
    )


def _nodes(nodes: Any) -> Nodes:
    leaf = nodes["is_leaf"].astype(np.bool_)
    rows = nodes["count"].astype(np.float64)
    return Nodes(
        column=nodes["feature_idx"].astype(np.intp),
        threshold=nodes["num_threshold"].astype(np.float64),
        left=np.where(leaf, LEAF, nodes["left"].astype(np.intp)),
        right=np.where(leaf, LEAF, nodes["right"].astype(np.intp)),
        missing_left=nodes["missing_go_to_left"].astype(np.bool_),
        value=nodes["value"].astype(np.float64),
        cover=rows,
        rows=rows,
    )
