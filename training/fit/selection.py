"""Choosing the model by cross-validation: the smallest within one standard error of the best.

Candidates: an additive model per smoothing, boosted trees per size, and the mean of the log-odds of
both. The size of a candidate is leaves x trees (0 for an additive model). For every candidate the
loss of each fitting row is known from the fold that left it out, so the difference to the best
candidate has a paired standard error; the smallest candidate whose mean difference is within one of
them is taken, the lower loss deciding between equals.

References
----------
Breiman L et al. Classification and Regression Trees. Wadsworth 1984, section 3.4.3 (the rule).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.vocabulary import Feature
from training.fit.additive_fit import build_basis, build_penalty, fit_additive
from training.fit.tree_fit import fit_encoding, fit_trees, recode

Floats = NDArray[np.float64]

FOLDS = 5
SMOOTHINGS = (30.0, 100.0, 300.0, 1000.0)
LEAVES = (4, 6, 8)
ROUNDS = (50, 100, 200, 300)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to predict; `smoothing` is always there because the additive part gives the variance.

    Attributes
    ----------
    family : str
        "additive", "trees" or "both".
    """

    family: str
    smoothing: float
    leaves: int = 0
    rounds: int = 0

    @property
    def size(self) -> int:
        return self.leaves * self.rounds

    @property
    def weights(self) -> tuple[float, float]:
        """Weights of the additive part and of the trees."""
        return {"additive": (1.0, 0.0), "trees": (0.0, 1.0), "both": (0.5, 0.5)}[self.family]

    def __str__(self) -> str:
        if self.family == "additive":
            return f"additive model, smoothing {self.smoothing:g}"
        trees = f"{self.rounds} trees of {self.leaves} leaves"
        return trees if self.family == "trees" else f"mean of additive model and {trees}"


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen candidate and what every fold said of the rows it had not seen.

    Attributes
    ----------
    raw : ndarray, shape (n_samples,)
        Out-of-fold raw scores of the chosen candidate.
    variance : ndarray, shape (n_samples,)
        Out-of-fold variance of the additive part.
    table : list of (candidate, mean loss, difference to the best, its standard error)
    """

    candidate: Candidate
    raw: Floats
    variance: Floats
    table: list[tuple[Candidate, float, float, float]]


def choose(
    X: Floats,
    y: Floats,
    features: Sequence[Feature],
    *,
    kind: str,
    directed: bool,
    seed: int,
    progress: Callable[[float], None],
) -> Choice:
    """Cross-validate every candidate on the fitting rows and take the smallest good one.

    Parameters
    ----------
    X : ndarray, shape (n_samples, n_features)
        Fitting rows only.
    progress : callable
        Told the share that each step completes; the shares sum to 1.
    """
    folds = _folds(y, kind, seed)
    additive = {s: np.empty(len(y)) for s in SMOOTHINGS}
    variance = {s: np.empty(len(y)) for s in SMOOTHINGS}
    trees = {(leaves, rounds): np.empty(len(y)) for leaves in LEAVES for rounds in ROUNDS}
    step = 1 / (FOLDS * (len(SMOOTHINGS) + len(LEAVES)))
    for fold in range(FOLDS):
        inside, outside = folds != fold, folds == fold
        basis = build_basis(X[inside], features)
        for smoothing in SMOOTHINGS:
            penalty = build_penalty(basis, features, smoothing, directed)
            model = fit_additive(X[inside], y[inside], features, basis, penalty, kind)
            contributions = model.contributions(X[outside])
            additive[smoothing][outside] = model.intercept + contributions.sum(axis=1)
            variance[smoothing][outside] = model.variance(X[outside])
            progress(step)
        encoding = fit_encoding(X[inside], y[inside], features)
        seen, unseen = recode(X[inside], encoding), recode(X[outside], encoding)
        for leaves in LEAVES:
            booster = fit_trees(
                seen, y[inside], features, kind=kind, leaves=leaves, rounds=max(ROUNDS),
                directed=directed, seed=seed,
            )  # fmt: skip
            for rounds in ROUNDS:
                trees[leaves, rounds][outside] = booster.predict(
                    unseen, raw_score=True, num_iteration=rounds, num_threads=1
                )
            progress(step)

    losses = {s: _loss(y, additive[s], kind).mean() for s in SMOOTHINGS}
    smoothing = min(SMOOTHINGS, key=lambda s: float(losses[s]))
    scores = {Candidate("additive", smoothing): additive[smoothing]}
    for (leaves, rounds), raw in trees.items():
        scores[Candidate("trees", smoothing, leaves, rounds)] = raw
        scores[Candidate("both", smoothing, leaves, rounds)] = 0.5 * (additive[smoothing] + raw)
    candidate, table = smallest_within_one_standard_error(
        {c: _loss(y, raw, kind) for c, raw in scores.items()}
    )
    return Choice(candidate, scores[candidate], variance[smoothing], table)


def smallest_within_one_standard_error(
    losses: dict[Candidate, Floats],
) -> tuple[Candidate, list[tuple[Candidate, float, float, float]]]:
    """Apply the rule to per-row losses, each of shape (n_samples,).

    Examples
    --------
    The larger model is better by 0.1 in every row: no noise, so the smaller one is not good enough.

    >>> small, large = Candidate("additive", 30.0), Candidate("trees", 30.0, 4, 50)
    >>> smallest_within_one_standard_error({small: np.full(4, .6), large: np.full(4, .5)})[0].family
    'trees'

    A difference of 0.025 with a standard error of 0.025 is within one of them:

    >>> noisy = np.array([.6, .5, .5, .5])
    >>> smallest_within_one_standard_error({small: noisy, large: np.full(4, .5)})[0].family
    'additive'
    """
    best = min(losses, key=lambda c: float(losses[c].mean()))
    table = []
    for candidate, loss in losses.items():
        difference = loss - losses[best]
        error = float(difference.std(ddof=1) / np.sqrt(len(loss)))
        table.append((candidate, float(loss.mean()), float(difference.mean()), error))
    good = [row for row in table if row[2] <= row[3] * (1 + 1e-9)]
    chosen = min(good, key=lambda row: (row[0].size, row[1]))[0]
    return chosen, sorted(table, key=lambda row: row[1])


def _folds(y: Floats, kind: str, seed: int) -> NDArray[np.intp]:
    """Fold of every row; events (or, for a number, its ranks) are spread evenly."""
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(y))
    order = shuffled[np.argsort(y[shuffled], kind="stable")] if kind == "binary" else shuffled
    folds = np.empty(len(y), dtype=np.intp)
    folds[order] = np.arange(len(y)) % FOLDS
    return folds


def _loss(y: Floats, raw: Floats, kind: str) -> Floats:
    """Log loss per row of a score in log-odds, or squared error."""
    if kind == "binary":
        return np.asarray(np.logaddexp(0.0, raw) - y * raw)
    return (y - raw) ** 2
