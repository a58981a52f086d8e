"""Backward elimination: which inputs can be left out at no measurable loss.

Method
------
On the fitting rows only, by cross-validation of the additive model with every input. In each fold, on
the rows that the fold may see, the weakest input is left out and the rest fitted again, and so on down
to one. The weakest is the one whose absence costs least once the others have taken over its work
(`training.fit.takeover`), for the outcome that it costs most. What a set of k inputs loses is then
measured on rows that neither chose nor fitted it: the mean difference of their losses to those of the
full model, with a standard error over patients.

The path is followed down while the loss is within one standard error of the full model's for every
outcome; one step above it may be chance and is passed over, two in a row end it.
Which k inputs those are is said by the same path through a fit to all fitting rows. The additive model
leads the way because it is quick; whether the form that serves agrees is asked in `confirmation`.

When it misleads: of inputs that say the same, one is kept and the rest go; which one is a toss, and
the others would have served. An input that matters in few patients only may drown in the noise of all.

References
----------
Hastie T, Tibshirani R, Friedman J. The Elements of Statistical Learning, 2nd ed. Springer 2009,
7.10.2 (selection within every fold) and 7.10.1 (one standard error).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.vocabulary import Feature
from training.fit.additive_folds import AdditiveFolds, FoldFits
from training.fit.takeover import Takeover

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

# Above so many inputs several are left out before the rest is fitted again.
ONE_BY_ONE = 16
SHARE_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Labelled:
    """One outcome on the fitting rows that have its label.

    Attributes
    ----------
    X : ndarray, shape (n_rows, n_features)
        NaN where missing; the same columns for every outcome.
    y : ndarray, shape (n_rows,)
    folds : ndarray of int, shape (n_rows,)
    patients : ndarray of int, shape (n_rows,)
        Rows of one number belong together, in one fold.
    kind : str
        "binary" or "numeric".
    directed : bool
        Whether the dictionary's directions bind.
    """

    name: str
    X: Floats
    y: Floats
    folds: Rows
    patients: NDArray[np.int64]
    kind: str
    directed: bool


@dataclass(frozen=True, slots=True)
class Loss:
    """What a smaller set of inputs loses for one outcome, on rows that it was not fitted on.

    Attributes
    ----------
    value : float
        Mean loss a row: log loss in nats, or squared error in the outcome's unit.
    difference, standard_error : float
        To the full model, paired by row, over patients.
    """

    value: float
    difference: float
    standard_error: float

    @property
    def is_within(self) -> bool:
        """Whether it is no more than one standard error above the full model."""
        return self.difference <= self.standard_error * (1 + 1e-9)


@dataclass(frozen=True, slots=True)
class Step:
    """One size of the set.

    Attributes
    ----------
    inputs : tuple of int
        Columns that are left, by the fit to all fitting rows.
    losses : mapping
        Outcome -> Loss.
    """

    inputs: tuple[int, ...]
    losses: Mapping[str, Loss]

    @property
    def is_within(self) -> bool:
        """Whether no outcome loses more than one standard error."""
        return all(loss.is_within for loss in self.losses.values())


@dataclass(frozen=True, slots=True)
class Elimination:
    """The path from all inputs to one, and where on it to stop.

    Attributes
    ----------
    steps : tuple of Step
        Largest set first.
    order : tuple of int
        Columns in the order in which they went, weakest first; the last one stayed.
    at : int
        Position of the step whose inputs are kept.
    """

    steps: tuple[Step, ...]
    order: tuple[int, ...]
    at: int

    @property
    def kept(self) -> tuple[int, ...]:
        """Columns of the set that is kept."""
        return self.steps[self.at].inputs

    @property
    def dropped(self) -> tuple[int, ...]:
        """Columns that go, weakest first."""
        return self.order[: len(self.order) - len(self.kept)]

    def larger(self, steps: int = 1) -> Elimination:
        """Stop so many steps earlier."""
        return replace(self, at=max(0, self.at - steps))


class Folds:
    """One outcome's cross-validated fits, from which inputs are left out."""

    def __init__(
        self, labelled: Labelled, features: Sequence[Feature], smoothings: Sequence[float]
    ) -> None:
        self.labelled = labelled
        self._additive = AdditiveFolds(
            labelled.X, labelled.y, features, labelled.folds, kind=labelled.kind,
            directed=labelled.directed, with_all=True,
        )  # fmt: skip
        fits: list[FoldFits] = []
        for smoothing in sorted(smoothings, reverse=True):
            fits.append(self._additive.fit(smoothing, fits[-1] if fits else None))
        self.full = min(fits, key=lambda fit: float(self.losses(fit).mean()))

    @property
    def n_folds(self) -> int:
        """Those that leave somebody out, and the one that does not."""
        return int(self.labelled.folds.max()) + 2

    def without(self, fits: FoldFits, kept: NDArray[np.bool_]) -> FoldFits:
        """Fit again with the inputs `kept`, shape (n_features, n_folds)."""
        return self._additive.restricted(fits, kept)

    def losses(self, fits: FoldFits) -> Floats:
        """Loss of every row by the fit that did not see it."""
        return losses_of(fits.raw, self.labelled.y, self.labelled.kind)

    def compare(self, fits: FoldFits) -> Loss:
        """Loss of a smaller set beside the full model's."""
        own = self.losses(fits)
        difference = own - self.losses(self.full)
        return Loss(
            float(own.mean()),
            float(difference.mean()),
            standard_error(difference, self.labelled.patients),
        )

    def gain(self, loss: Loss) -> float:
        """Share of what all inputs tell, beyond saying the same of everybody, that a loss leaves."""
        y = self.labelled.y
        mean = y.mean()
        nothing = (
            -(mean * np.log(mean) + (1 - mean) * np.log(1 - mean))
            if self.labelled.kind == "binary"
            else y.var()
        )
        full = float(self.losses(self.full).mean())
        return float((nothing - loss.value) / (nothing - full)) if nothing > full else 1.0

    def takeover(self, fits: FoldFits, fold: int) -> Takeover:
        """What leaving inputs out would cost one fold."""
        return self._additive.takeover(fits, fold)


def eliminate(
    outcomes: Sequence[Folds], progress: Callable[[float], None] = lambda _: None
) -> Elimination:
    """Leave out the weakest inputs one after another, for one outcome or for several together.

    Parameters
    ----------
    outcomes : sequence of Folds
        Of the same columns and the same number of folds.
    progress : callable
        Told the share that each step completes; the shares sum to 1.
    """
    n = outcomes[0].labelled.X.shape[1]
    kept = np.ones((n, outcomes[0].n_folds), dtype=bool)
    fits = [one.full for one in outcomes]
    sizes = list(_sizes(n))
    steps: list[Step] = []
    dropped: list[int] = []
    for size in sizes:
        if size < n:
            gone = [
                _weakest(outcomes, fits, kept[:, fold], fold, size) for fold in range(kept.shape[1])
            ]
            for fold, own in enumerate(gone):
                kept[own, fold] = False
            dropped += gone[-1]  # the fold that holds nobody
            fits = [one.without(fit, kept) for one, fit in zip(outcomes, fits, strict=True)]
        steps.append(
            Step(
                tuple(np.flatnonzero(kept[:, -1]).tolist()),
                {
                    one.labelled.name: one.compare(fit)
                    for one, fit in zip(outcomes, fits, strict=True)
                },
            )
        )
        progress(1 / len(sizes))
    at = _last_within([step.is_within for step in steps])
    return Elimination(tuple(steps), (*dropped, *steps[-1].inputs), at)


def _last_within(within: Sequence[bool]) -> int:
    """Where to stop: the last step within, before two in a row that are not.

    Examples
    --------
    >>> _last_within([True, True, False, True, False, False, True])
    3
    """
    last = 0
    for i, inside in enumerate(within):
        if inside:
            last = i
        elif i - last == 2:
            break
    return last


def _weakest(
    outcomes: Sequence[Folds],
    fits: Sequence[FoldFits],
    kept: NDArray[np.bool_],
    fold: int,
    size: int,
) -> list[int]:
    """Inputs to leave out of one fold until `size` are left, weakest first."""
    left = np.flatnonzero(kept).tolist()
    parts = [one.takeover(fit, fold) for one, fit in zip(outcomes, fits, strict=True)]
    gone: list[int] = []
    while len(left) > size:
        weakest = min(left, key=lambda i: max(part.cost(i) for part in parts))
        for part in parts:
            part.drop(weakest)
        left.remove(weakest)
        gone.append(weakest)
    return gone


def _sizes(n: int) -> Iterator[int]:
    """Sizes at which the rest is fitted again.

    Examples
    --------
    >>> list(_sizes(20))
    [20, 18, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    """
    while n >= 1:
        yield n
        n -= max(1, n // SHARE_AT_ONCE) if n > ONE_BY_ONE else 1


def losses_of(raw: Floats, y: Floats, kind: str) -> Floats:
    """Log loss per row of a score in log-odds (kind "binary"), or squared error."""
    if kind == "binary":
        return np.asarray(np.logaddexp(0.0, raw) - y * raw)
    return np.asarray((y - raw) ** 2)


def standard_error(values: Floats, patients: NDArray[np.int64]) -> float:
    """Standard error of a mean whose rows come from fewer patients.

    Parameters
    ----------
    values : ndarray, shape (n_rows,)
    patients : ndarray of int, shape (n_rows,)

    Examples
    --------
    Four patients with a row each: standard deviation 1.1547 over the root of 4.

    >>> standard_error(np.array([1.0, 1.0, 3.0, 3.0]), np.arange(4))
    0.57735

    The same rows from two patients, whose sums lie 2 on either side: sqrt(2 * 8) / 4.

    >>> standard_error(np.array([1.0, 1.0, 3.0, 3.0]), np.array([1, 1, 2, 2]))
    1.0

    References
    ----------
    Liang KY, Zeger SL. Longitudinal data analysis using generalized linear models. Biometrika
    1986;73:13-22 (the variance of sums over independent clusters).
    """
    sums = np.bincount(np.unique(patients, return_inverse=True)[1], values - values.mean())
    k = len(sums)
    return float(np.sqrt(k / (k - 1) * (sums**2).sum())) / len(values) if k > 1 else 0.0
