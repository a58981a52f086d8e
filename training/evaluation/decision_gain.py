"""Net benefit where it counts: at the thresholds that the branch point declares for an outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.bootstrap import Estimate, Statistic
from training.evaluation.resampling import Resampling

Floats = NDArray[np.float64]


def decision_gain(
    y: Floats, p: Floats, thresholds: Sequence[float], resampling: Resampling
) -> dict[str, Any]:
    """Net benefit of the model less that of the better of treating everybody and nobody.

    Parameters
    ----------
    y, p : ndarray, shape (n_samples,)
        Outcome (0 or 1) and predicted probability.
    thresholds : sequence of float
        From `BranchPoint.decision_thresholds`.

    Returns
    -------
    dict
        `thresholds`: threshold (as text) -> `value`, `lower`, `upper` in true positives per patient;
        `worst`: the one whose upper end is lowest, with `where`; None without thresholds.

    Examples
    --------
    At a threshold of one half everybody is judged rightly. Treating all of the four gains nothing,
    treating none gains nothing, the model finds the two with the event: a gain of 2 / 4.

    >>> one = Resampling(np.random.default_rng(1), 1, np.zeros(4, dtype=np.intp))
    >>> y, p = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.4, 0.6, 0.8])
    >>> decision_gain(y, p, [0.5], one)["worst"]
    {'value': 0.5, 'lower': 0.5, 'upper': 0.5, 'where': 'at a risk of 0.5'}
    """
    statistics = {f"{t:g}": partial(_gain, y, p, t) for t in thresholds}
    estimates = resampling.estimate(statistics, np.arange(len(y))) if statistics else {}
    return {"thresholds": estimates, "worst": worst_of(estimates)}


def net_benefit_statistics(
    y: Floats, p: Floats, thresholds: Sequence[float]
) -> dict[str, Statistic]:
    """Net benefit at each threshold as a function of resampling counts, for paired comparisons."""
    return {f"{t:g}": partial(_net_benefit, y, p, t) for t in thresholds}


def worst_of(estimates: Mapping[str, Estimate]) -> dict[str, Any] | None:
    """The estimate of several thresholds whose upper end is lowest."""
    if not estimates:
        return None
    threshold = min(estimates, key=lambda t: estimates[t]["upper"])
    return {**estimates[threshold], "where": f"at a risk of {threshold}"}


def _net_benefit(y: Floats, p: Floats, threshold: float, counts: Floats) -> Floats:
    """True positives per patient, less the false ones at the odds of the threshold."""
    per_patient = y - (1 - y) * threshold / (1 - threshold)
    return np.asarray(counts @ (per_patient * (p >= threshold)) / counts.sum(axis=1))


def _gain(y: Floats, p: Floats, threshold: float, counts: Floats) -> Floats:
    treat_all = _net_benefit(y, np.ones_like(p), threshold, counts)
    return _net_benefit(y, p, threshold, counts) - np.maximum(treat_all, 0.0)
