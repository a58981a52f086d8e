"""Random forests: the mean of the trees' probabilities, or of their values.

A forest of a classifier averages probabilities, and the mean probability s is a sum over trees: its
Shapley values are exact, those of logit(s) are not a sum of anything. So s itself is the raw score, and
calibration puts a straight line through it: log-odds = a + b s. What that costs against a line through
logit(s), which could not be explained exactly, is measured on the cohort and stands on the card.
"""

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


def convert_forest(estimator: Any, front: Front) -> Converted:
    """Convert a random forest behind its steps.

    Raises
    ------
    AdoptionRefused
        When it has several outputs or classes, or is larger than what is served.
    """
    binary = hasattr(estimator, "classes_")
    if estimator.n_outputs_ != 1:
        raise AdoptionRefused("has several outputs")
    if binary:
        refuse_classes(estimator)
    trees = [_nodes(one.tree_, len(estimator.estimators_), binary) for one in estimator.estimators_]
    leaves = refuse_large(trees, front)
    written = write_trees(trees, front, 0.0, _single_precision)

    def raw(X: Floats) -> Floats:
        columns = front.columns(X)
        if binary:
            return np.asarray(estimator.predict_proba(columns)[:, 1])
        return np.asarray(estimator.predict(columns))

    return Converted(
        kind="binary" if binary else "numeric",
        form=f"random forest of {len(trees)} trees, {leaves} leaves",
        inputs=inputs_of(front),
        raw=raw,
        trees_text=written.text,
        as_probability=binary,
        needed=written.needed,
        landmarks={**front.landmarks(), **written.landmarks},
    )


def _single_precision(columns: Floats) -> Floats:
    """scikit-learn's trees compare in single precision."""
    return columns.astype(np.float32).astype(np.float64)


def _nodes(tree: Any, n_trees: int, binary: bool) -> Nodes:
    value = tree.value[:, 0, :]
    value = value[:, 1] / value.sum(axis=1) if binary else value[:, 0]
    return Nodes(
        column=np.asarray(tree.feature, dtype=np.intp),
        threshold=np.asarray(tree.threshold, dtype=np.float64),
        left=np.where(tree.children_left < 0, LEAF, tree.children_left).astype(np.intp),
        right=np.where(tree.children_right < 0, LEAF, tree.children_right).astype(np.intp),
        missing_left=np.asarray(tree.missing_go_to_left, dtype=np.bool_),
        value=np.asarray(value / n_trees, dtype=np.float64),
        cover=np.asarray(tree.weighted_n_node_samples, dtype=np.float64),
        rows=np.asarray(tree.n_node_samples, dtype=np.float64),
    )
