"""The model beside others that answer the same question: scores in use, or a clinician's estimate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.disclosure import is_small
from training.evaluation.discrimination import binary_statistics
from training.evaluation.resampling import Resampling

Floats = NDArray[np.float64]


def shown(y: Floats, comparators: Mapping[str, Floats]) -> dict[str, Floats]:
    """Those comparators that five events and five non-events have a value of."""
    return {name: p for name, p in comparators.items() if not _too_few(y, p)}


def compare_all(
    y: Floats, p: Floats, comparators: Mapping[str, Floats], resampling: Resampling
) -> dict[str, Any]:
    """Model, comparator and paired difference (model minus comparator), per comparator.

    Parameters
    ----------
    y, p : ndarray, shape (n_samples,)
        Outcome (0 or 1) and the model's probability.
    comparators : mapping
        Name -> probability, shape (n_samples,), NaN where there is none.
    resampling : Resampling
        Both sides are judged on the same resampled patients.

    Returns
    -------
    dict
        Name -> `rows`, `model`, `comparator`, `difference`; a comparator with fewer than five
        events or non-events has only `suppressed`.
    """
    out: dict[str, Any] = {}
    for name, other in comparators.items():
        if _too_few(y, other):
            out[name] = {"suppressed": True, "rows": None}
            continue
        rows = np.flatnonzero(~np.isnan(other))
        model, comparator, difference = resampling.compare(
            binary_statistics(y[rows], p[rows]), binary_statistics(y[rows], other[rows]), rows
        )
        out[name] = {
            "suppressed": False,
            "rows": len(rows),
            "model": model,
            "comparator": comparator,
            "difference": difference,
        }
    return out


def _too_few(y: Floats, other: Floats) -> bool:
    own = y[~np.isnan(other)]
    return is_small(float(own.sum()), len(own) - float(own.sum()))
