"""What a model relies on: each input's share of the reasons, and what is lost without its value.

Method
------
On held-out rows that the model answers. The share is the input's mean absolute contribution (exact
attributions, on the calibrated scale) over the sum of all inputs'. The loss without it is measured
after its value was taken out of every row, as if it had never been measured: the model treats it as it
treats any missing value, nothing is permuted, and no patient is made up. Intervals are paired, on the
same resampled patients with and without.

When it misleads: what one input tells another may tell as well, so single losses do not add up, and a
small one does not say that both could go; `training.signal.elimination` answers that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.risk.calibration import probability
from models.risk.risk_model import RiskModel
from training.evaluation.accuracy import numeric_statistics
from training.evaluation.bootstrap import Estimate, Statistic, bootstrap, bootstrap_changes
from training.evaluation.discrimination import binary_statistics

Floats = NDArray[np.float64]
Figures = dict[str, Estimate]

FIGURES = {"binary": ("log_loss", "auroc", "brier"), "numeric": ("mae", "r2")}
NOTHING: Estimate = {"value": 0.0, "lower": 0.0, "upper": 0.0}


@dataclass(frozen=True, slots=True)
class Judged:
    """Held-out rows of one outcome, and how figures about them are resampled.

    Attributes
    ----------
    y : ndarray, shape (n_rows,)
    patients : ndarray of int, shape (n_rows,)
        0 to k - 1; rows of one number are drawn together.
    kind : str
        "binary" or "numeric".
    seed, n_resamples : int
        The same seed draws the same patients for every question.
    """

    y: Floats
    patients: NDArray[np.intp]
    kind: str
    seed: int
    n_resamples: int

    def figures(self, score: Floats) -> Figures:
        """How good a score is, with intervals."""
        return bootstrap(
            self._statistics(score), len(self.y), np.random.default_rng(self.seed),
            self.n_resamples, self.patients,
        )  # fmt: skip

    def changes(self, base: Floats, others: Mapping[str, Floats]) -> dict[str, Figures]:
        """How far the figures of other scores are from those of a base, with paired intervals."""
        moved = {k: score for k, score in others.items() if not np.array_equal(score, base)}
        found = bootstrap_changes(
            self._statistics(base), {k: self._statistics(s) for k, s in moved.items()},
            len(self.y), np.random.default_rng(self.seed), self.n_resamples, self.patients,
        )  # fmt: skip
        nothing = dict.fromkeys(FIGURES[self.kind], NOTHING)
        return {k: found.get(k, nothing) for k in others}

    def _statistics(self, score: Floats) -> dict[str, Statistic]:
        every = (
            binary_statistics(self.y, probability(score))
            if self.kind == "binary"
            else numeric_statistics(self.y, score)
        )
        return {name: every[name] for name in FIGURES[self.kind]}


@dataclass(frozen=True, slots=True)
class Reliance:
    """One input of one model.

    Attributes
    ----------
    contribution : float
        Mean absolute contribution, in log-odds or in the outcome's unit.
    share : float
        Of all inputs' contributions; they sum to 1.
    from_absence : float
        The part of its contribution that comes from rows where it is missing: what is told by its
        not having been measured. NaN for an input without any contribution.
    lost : mapping
        Figure -> change when its value is taken out of every row; above 0 is a loss for `log_loss`,
        `brier` and `mae`, below 0 for `auroc` and `r2`.
    """

    contribution: float
    share: float
    from_absence: float
    lost: Figures


def reliance(model: RiskModel, X: Floats, judged: Judged) -> dict[str, Reliance]:
    """What every input of a model is worth on held-out rows.

    Parameters
    ----------
    X : ndarray, shape (n_rows, n_inputs)
        In the model's order, NaN where missing; rows that the model answers.

    Examples
    --------
    See `tests/unit/training/signal/test_reliance.py` for a model whose truth is known.
    """
    score, contributions = model.explain(X)
    size = np.abs(contributions)
    mean = size.mean(axis=0)
    total = float(mean.sum())
    without: dict[str, Floats] = {}
    for i, name in enumerate(model.features):
        if mean[i] or (model.trees_weight and i in model.trees.used):
            lacking = X.copy()
            lacking[:, i] = np.nan
            without[name] = model.explain(lacking)[0]
        else:
            without[name] = score
    lost = judged.changes(score, without)
    absent = np.where(np.isnan(X), size, 0.0).mean(axis=0)
    return {
        name: Reliance(
            contribution=float(mean[i]),
            share=float(mean[i]) / total if total else 0.0,
            from_absence=float(absent[i] / mean[i]) if mean[i] else float("nan"),
            lost=lost[name],
        )
        for i, name in enumerate(model.features)
    }
