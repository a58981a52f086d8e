"""The shap package as an oracle, made to run its own algorithms."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np

from models.risk.additive import AdditiveModel


def tree_contributions(booster: lightgbm.Booster, X: np.ndarray) -> np.ndarray:
    """Shapley values of a booster by shap's own tree code.

    For a LightGBM model shap only calls LightGBM; handed the bare trees it runs its own code.
    """
    import shap

    dumped = booster.dump_model()["tree_info"]
    for tree in dumped:
        _read_missing_as_zero(tree["tree_structure"])
    explainer = shap.TreeExplainer(
        {"trees": [tree for tree in dumped if tree["num_leaves"] > 1]},
        feature_perturbation="tree_path_dependent",
    )
    assert explainer.model.model_type == "internal"
    return np.asarray(explainer.shap_values(X, check_additivity=False))


def _read_missing_as_zero(node: dict[str, Any]) -> None:
    """Say to shap what LightGBM does with a missing value where fitting had none: it reads 0."""
    if "split_index" in node:
        if node["missing_type"] == "None":
            node["default_left"] = node["threshold"] >= 0
        _read_missing_as_zero(node["left_child"])
        _read_missing_as_zero(node["right_child"])


def linear_contributions(additive: AdditiveModel, X: np.ndarray) -> np.ndarray:
    """Shapley values of an additive model by shap's linear explainer, columns summed by input.

    Columns are centred on the fitting rows, so the background is the zero row.
    """
    import shap

    background = np.zeros((1, len(additive.coefficients)))
    explainer = shap.LinearExplainer(
        (additive.coefficients, additive.intercept), shap.maskers.Independent(background)
    )
    per_column = explainer.shap_values(additive.basis.columns(X))
    per_feature = np.zeros(X.shape)
    np.add.at(per_feature, (slice(None), additive.basis.feature), per_column)
    return per_feature
