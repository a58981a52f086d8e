"""The reference profile of a model: what its inputs and predictions looked like when it was fitted.

It holds counts in bins and nothing of a single patient. Live counts in the same bins are compared
with it; numbers are cut at their deciles, categories and flags by value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.vocabulary import Feature

Floats = NDArray[np.float64]

DECILES = np.linspace(0.1, 0.9, 9)
PREDICTION_EDGES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
# A bin with fewer fitting patients is published as 0, so that no cell points at a person.
SMALLEST_CELL = 5


def reference_profile(
    X: Floats,
    features: Sequence[Feature],
    prediction: Floats,
    kind: str,
    contributions: Floats | None = None,
) -> dict[str, Any]:
    """Count the fitting rows in bins.

    Parameters
    ----------
    X : ndarray, shape (n_samples, n_features)
        Encoded inputs, NaN where missing.
    prediction : ndarray, shape (n_samples,)
        Probability (binary) or value in the outcome's unit (numeric).
    contributions : ndarray, shape (n_samples, n_features), optional
        Of every input to every prediction.

    Returns
    -------
    dict
        `rows`; `features`: per name either `edges` (bin i holds edges[i-1] < x <= edges[i]) or
        `values`, with `counts` and `missing`; `prediction`: `edges` and `counts`; `contributions`:
        the mean of their absolute values by name, where they are given.

    Examples
    --------
    >>> from models.vocabulary import load_vocabulary
    >>> flag = load_vocabulary().features["diabetes"]
    >>> X = np.array([[0.0]] * 6 + [[1.0]] * 8 + [[np.nan]] * 5)
    >>> reference_profile(X, [flag], np.full(19, 0.15), "binary")["features"]["diabetes"]
    {'values': ['false', 'true'], 'counts': [6, 8], 'missing': 5}
    """
    profile: dict[str, Any] = {"rows": len(X), "features": {}}
    for i, feature in enumerate(features):
        column = X[:, i]
        present = column[~np.isnan(column)]
        if feature.kind == "number":
            edges = np.unique(np.quantile(present, DECILES)) if present.size else np.zeros(0)
            own: dict[str, Any] = {"edges": edges.tolist(), "counts": _counts(present, edges)}
        else:
            names = list(feature.categories) or ["false", "true"]
            counts = [int((present == level).sum()) for level in range(len(names))]
            own = {"values": names, "counts": _masked(counts)}
        own["missing"] = _masked([len(column) - len(present)])[0]
        profile["features"][feature.name] = own
    edges = (
        np.array(PREDICTION_EDGES)
        if kind == "binary"
        else np.unique(np.quantile(prediction, DECILES))
    )
    profile["prediction"] = {"edges": edges.tolist(), "counts": _counts(prediction, edges)}
    if contributions is not None:
        means = np.abs(contributions).mean(axis=0)
        profile["contributions"] = {
            feature.name: float(mean) for feature, mean in zip(features, means, strict=True)
        }
    return profile


def _counts(values: Floats, edges: Floats) -> list[int]:
    bins = np.searchsorted(edges, values, side="left")
    return _masked([int(n) for n in np.bincount(bins, minlength=len(edges) + 1)])


def _masked(counts: list[int]) -> list[int]:
    return [n if n >= SMALLEST_CELL else 0 for n in counts]
