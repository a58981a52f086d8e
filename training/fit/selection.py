"""Choosing the model by cross-validation: the smallest within one standard error of the best.

For every candidate the loss of each fitting row is known from the fit that left the row's fold out,
so the difference to the best candidate has a paired standard error; the smallest candidate whose
mean difference is within one of them is taken, the lower loss deciding between equals. The rule is
used twice:

1. How many inputs. The additive model is fitted with all inputs under every smoothing; under the
   best one, again with only the strongest 8, 16, … (as the plan says; required ones always stay).
   The strength of an input is the standard deviation of its contribution, ranked anew in every fold
   on the rows that the fold may see.
2. Which form, with those inputs. Candidates: the additive model, boosted trees per size, and the
   mean of the log-odds of both. The size of a candidate is leaves x trees, 0 for an additive model.

Rows of one patient are in one fold, whatever the episode, so that no fit is asked about a patient it
has seen.

References
----------
Breiman L et al. Classification and Regression Trees. Wadsworth 1984, section 3.4.3 (the rule).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.vocabulary import Feature
from training.fit.additive_folds import AdditiveFolds, FoldFits
from training.fit.plan import Plan
from training.fit.tree_fit import fit_encoding, fit_trees, recode

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Key = TypeVar("Key", bound=Hashable)


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
    inputs : ndarray of int
        Columns of X that the model reads, ascending.
    raw : ndarray, shape (n_samples,)
        Out-of-fold raw scores of the chosen candidate.
    variance : ndarray, shape (n_samples,)
        Out-of-fold variance of the additive part.
    table : list of (candidate, mean loss, difference to the best, its standard error)
    """

    candidate: Candidate
    inputs: Rows
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
    plan: Plan | None = None,
    required: Sequence[int] = (),
    patients: NDArray[np.int64] | None = None,
) -> Choice:
    """Cross-validate every candidate on the fitting rows and take the smallest good one.

    Parameters
    ----------
    X : ndarray, shape (n_samples, n_features)
        Fitting rows only.
    required : sequence of int
        Columns that stay whatever their strength.
    patients : ndarray of int, shape (n_samples,), optional
        Rows of one number are one patient's and left out together.
    progress : callable
        Told the share that each step completes; the shares sum to 1.
    """
    plan = plan or Plan()
    rows = _rows_to_choose_on(y, kind, patients, plan.choosing_rows, seed)
    everything = len(rows) == len(y)
    share = 1.0 if everything else 0.5
    comparison = _Comparison(
        X[rows], y[rows], features, None if patients is None else patients[rows],
        kind=kind, directed=directed, seed=seed, plan=plan, required=required,
        progress=lambda done: progress(share * done),
    )  # fmt: skip
    candidate, inputs, raw, table = comparison.choose()
    if everything:
        return Choice(candidate, inputs, raw, comparison.variance(), table)
    # What was chosen on some of the rows is fitted, left out and judged on all of them.
    chosen = Plan(
        folds=plan.folds,
        smoothings=(candidate.smoothing,),
        leaves=(candidate.leaves,) if candidate.size else (),
        rounds=(candidate.rounds,) if candidate.size else (),
    )
    full = _Comparison(
        X[:, inputs], y, [features[i] for i in inputs], patients,
        kind=kind, directed=directed, seed=seed, plan=chosen, required=(),
        progress=lambda done: progress((1 - share) * done),
    )  # fmt: skip
    return Choice(candidate, inputs, full.scores()[candidate], full.variance(), table)


class _Comparison:
    """Every candidate's out-of-fold scores on one set of rows."""

    def __init__(
        self,
        X: Floats,
        y: Floats,
        features: Sequence[Feature],
        patients: NDArray[np.int64] | None,
        *,
        kind: str,
        directed: bool,
        seed: int,
        plan: Plan,
        required: Sequence[int],
        progress: Callable[[float], None],
    ) -> None:
        self._X, self._y, self._features = X, y, features
        self._kind, self._directed, self._seed, self._plan = kind, directed, seed, plan
        self._folds = assign_folds(y, kind, plan.folds, seed, patients)
        self._progress = progress
        smoothings = sorted(plan.smoothings, reverse=True)
        self._step = 1 / (len(smoothings) + 1 + plan.folds * len(plan.leaves))
        self._additive = AdditiveFolds(X, y, features, self._folds, kind=kind, directed=directed)
        fits: list[FoldFits] = []
        for smoothing in smoothings:
            fits.append(self._additive.fit(smoothing, fits[-1] if fits else None))
            progress(self._step)
        best = min(fits, key=lambda fit: float(self._loss(fit.raw).mean()))
        self._fits, self._kept, self._inputs = self._fewest_inputs(best, required)
        progress(self._step)

    def choose(self) -> tuple[Candidate, Rows, Floats, list[tuple[Candidate, float, float, float]]]:
        """The smallest good candidate, its inputs, its out-of-fold scores, and the table."""
        scores = self.scores()
        candidate, table = smallest_within_one_standard_error(
            {c: self._loss(raw) for c, raw in scores.items()}, lambda c: c.size
        )
        return candidate, self._inputs, scores[candidate], table

    def scores(self) -> dict[Candidate, Floats]:
        """Out-of-fold scores of every form with the inputs that were kept."""
        smoothing, additive = self._fits.smoothing, self._fits.raw
        scores = {Candidate("additive", smoothing): additive}
        for (leaves, rounds), raw in self._trees().items():
            scores[Candidate("trees", smoothing, leaves, rounds)] = raw
            scores[Candidate("both", smoothing, leaves, rounds)] = 0.5 * (additive + raw)
        return scores

    def variance(self) -> Floats:
        """Out-of-fold variance of the additive part."""
        return self._additive.variance(self._fits, self._kept)

    def _fewest_inputs(
        self, best: FoldFits, required: Sequence[int]
    ) -> tuple[FoldFits, NDArray[np.bool_], Rows]:
        n, n_folds = self._X.shape[1], self._plan.folds
        fits = {n: best}
        kept = {n: np.ones((n, n_folds + 1), dtype=bool)}
        if any(count < n for count in self._plan.inputs):
            strength = self._additive.strength(best)
            strength[list(required)] = np.inf
            place = np.argsort(np.argsort(-strength, axis=0, kind="stable"), axis=0)
            for count in sorted(set(self._plan.inputs)):
                if len(required) <= count < n:
                    kept[count] = place < count
                    fits[count] = self._additive.restricted(best, kept[count][:, :-1])
        count, _ = smallest_within_one_standard_error(
            {count: self._loss(fit.raw) for count, fit in fits.items()}, lambda count: count
        )
        return fits[count], kept[count][:, :-1], np.flatnonzero(kept[count][:, -1])

    def _trees(self) -> dict[tuple[int, int], Floats]:
        plan = self._plan
        trees = {
            (lv, rounds): np.empty(len(self._y)) for lv in plan.leaves for rounds in plan.rounds
        }
        for fold in range(plan.folds if trees else 0):
            inside, outside = self._folds != fold, self._folds == fold
            columns = np.flatnonzero(self._kept[:, fold])
            features = [self._features[int(i)] for i in columns]
            seen, y = self._X[inside][:, columns], self._y[inside]
            encoding = fit_encoding(seen, y, features)
            seen = recode(seen, encoding)
            unseen = recode(self._X[outside][:, columns], encoding)
            for leaves in plan.leaves:
                booster = fit_trees(
                    seen, y, features, kind=self._kind, leaves=leaves, rounds=max(plan.rounds),
                    directed=self._directed, seed=self._seed,
                )  # fmt: skip
                for rounds in plan.rounds:
                    trees[leaves, rounds][outside] = booster.predict(
                        unseen, raw_score=True, num_iteration=rounds, num_threads=1
                    )
                self._progress(self._step)
        return trees

    def _loss(self, raw: Floats) -> Floats:
        """Log loss per row of a score in log-odds, or squared error."""
        if self._kind == "binary":
            return np.asarray(np.logaddexp(0.0, raw) - self._y * raw)
        return np.asarray((self._y - raw) ** 2)


def smallest_within_one_standard_error(
    losses: Mapping[Key, Floats], size: Callable[[Key], Any]
) -> tuple[Key, list[tuple[Key, float, float, float]]]:
    """Apply the rule to per-row losses, each of shape (n_samples,).

    Examples
    --------
    The larger model is better by 0.1 in every row: no noise, so the smaller one is not good enough.

    >>> small, large = Candidate("additive", 30.0), Candidate("trees", 30.0, 4, 50)
    >>> losses = {small: np.full(4, .6), large: np.full(4, .5)}
    >>> smallest_within_one_standard_error(losses, lambda c: c.size)[0].family
    'trees'

    A difference of 0.025 with a standard error of 0.025 is within one of them:

    >>> noisy = np.array([.6, .5, .5, .5])
    >>> losses = {small: noisy, large: np.full(4, .5)}
    >>> smallest_within_one_standard_error(losses, lambda c: c.size)[0].family
    'additive'
    """
    best = min(losses, key=lambda c: float(losses[c].mean()))
    table = []
    for candidate, loss in losses.items():
        difference = loss - losses[best]
        error = float(difference.std(ddof=1) / np.sqrt(len(loss)))
        table.append((candidate, float(loss.mean()), float(difference.mean()), error))
    good = [row for row in table if row[2] <= row[3] * (1 + 1e-9)]
    chosen = min(good, key=lambda row: (size(row[0]), row[1]))[0]
    return chosen, sorted(table, key=lambda row: row[1])


def assign_folds(
    y: Floats, kind: str, n_folds: int, seed: int, patients: NDArray[np.int64] | None = None
) -> Rows:
    """Fold of every row, shape (n_samples,); events of a binary outcome are spread evenly.

    Rows of one patient are in one fold; a patient counts as an event when any of its rows does.

    Examples
    --------
    >>> folds = assign_folds(np.zeros(6), "numeric", 3, 1, np.array([7, 7, 8, 8, 9, 9]))
    >>> folds[0::2].tolist() == folds[1::2].tolist(), sorted(set(folds.tolist()))
    (True, [0, 1, 2])
    """
    if patients is not None:
        distinct, position = np.unique(patients, return_inverse=True)
        events = np.zeros(len(distinct))
        np.maximum.at(events, position, y if kind == "binary" else 0.0)
        return assign_folds(events, kind, n_folds, seed)[position]
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(y))
    order = shuffled[np.argsort(y[shuffled], kind="stable")] if kind == "binary" else shuffled
    folds = np.empty(len(y), dtype=np.intp)
    folds[order] = np.arange(len(y)) % n_folds
    return folds


def _rows_to_choose_on(
    y: Floats, kind: str, patients: NDArray[np.int64] | None, most: int, seed: int
) -> Rows:
    """All rows, or about so many of them by whole patients, events in their proportion."""
    if len(y) <= most:
        return np.arange(len(y))
    parts = -(-len(y) // most)
    return np.flatnonzero(assign_folds(y, kind, parts, seed, patients) == 0)
