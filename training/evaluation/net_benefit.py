"""Net benefit: whether decisions are better with the model than without.

`NB(t) = TP/n - FP/n * t/(1 - t)`: true positives gained per patient, less the false positives,
each priced at the odds of the threshold at which somebody would act. Treating everybody and
treating nobody are the rivals that need no model. Read it at the thresholds that clinicians find
reasonable for the decision at hand; elsewhere it means nothing.

References
----------
Vickers AJ, Elkin EB. Decision curve analysis. Med Decis Making 2006;26:565-574.
Vickers AJ, van Calster B, Steyerberg EW. A simple, step-by-step guide to interpreting decision
curve analysis. Diagn Progn Res 2019;3:18.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# 0.05 to 0.95 in steps of 0.05, declared before any data were seen.
THRESHOLDS: Floats = np.arange(1, 20) / 20


def net_benefit(y: Floats, p: Floats, thresholds: Floats) -> Floats:
    """Net benefit of acting on everybody whose risk is at least the threshold.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        0 or 1.
    p : ndarray, shape (n_samples,)
        Predicted probability 0-1.
    thresholds : ndarray, shape (n_thresholds,)
        Above 0, below 1.

    Returns
    -------
    ndarray, shape (n_thresholds,)
        In true positives per patient.

    Examples
    --------
    1,000 patients of whom 250 are flagged at 20%, 80 rightly: 0.080 - 0.170 / 4.

    >>> y = np.repeat([1.0, 0.0, 1.0, 0.0], [80, 170, 20, 730])
    >>> p = np.repeat([0.3, 0.3, 0.1, 0.1], [80, 170, 20, 730])
    >>> net_benefit(y, p, np.array([0.2])).round(4).tolist()
    [0.0375]
    """
    flagged = p[:, None] >= thresholds
    true_positives = (flagged & (y[:, None] == 1)).mean(axis=0)
    false_positives = (flagged & (y[:, None] == 0)).mean(axis=0)
    return np.asarray(true_positives - false_positives * thresholds / (1 - thresholds))


def decision_curves(y: Floats, p: Floats, comparators: Mapping[str, Floats]) -> dict[str, Any]:
    """Net benefit of the model, of treating all and none, and of each comparator.

    A comparator is judged on the rows that have it (not NaN), and so is the model beside it.

    Returns
    -------
    dict
        `thresholds`, and one list per curve in the same order.
    """
    curves: dict[str, Any] = {"thresholds": THRESHOLDS.tolist(), **_curves(y, p)}
    curves["comparators"] = {}
    for name, other in comparators.items():
        rows = ~np.isnan(other)
        curves["comparators"][name] = {
            **_curves(y[rows], p[rows]),
            "comparator": net_benefit(y[rows], other[rows], THRESHOLDS).tolist(),
        }
    return curves


def _curves(y: Floats, p: Floats) -> dict[str, list[float]]:
    return {
        "model": net_benefit(y, p, THRESHOLDS).tolist(),
        "treat_all": net_benefit(y, np.ones_like(p), THRESHOLDS).tolist(),
        "treat_none": [0.0] * len(THRESHOLDS),
    }
