"""Whether a smaller set does for the form of model that serves, and what it does on held-out rows.

The path of `elimination` is walked by additive models. Trees may use an input in ways that an additive
model cannot, so the chosen set is fitted once more as the pipeline fits, in the form that it chose for
all inputs. Where the out-of-fold loss is more than one standard error above the full model's, a larger
set of the path is tried: one step back, then two, then four. Held-out rows are looked at last and decide
nothing.

Both sets are fitted anew, on other folds and with other seeds than those by which the form was chosen:
the form was the best of many on those folds, partly by luck, and nothing that is fitted later could
keep up with luck. (SUPPORT, stay over 14 days: 0.548 where it was chosen, 0.551 to 0.553 on four other
foldings, while single seeds move the difference of two sets by a standard error.) The losses of a row
are averaged over the repeats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.fit.fit_outcome import Fitted
from training.fit.plan import Plan
from training.signal.elimination import Elimination, Loss, losses_of, standard_error

Floats = NDArray[np.float64]


REPEATS = 2


class Refit:
    """One outcome as the pipeline fits it, with all inputs or with some.

    Parameters
    ----------
    y : ndarray, shape (n_rows,)
        Fitting rows.
    patients : ndarray of int, shape (n_rows,)
    fit : callable
        Columns, plan and seed -> the model fitted with those columns alone.
    n_inputs : int
        Columns there are.
    plan : Plan
        What may be tried with all of them.
    seed : int
        Of that choice; the repeats take the next ones.
    """

    def __init__(
        self,
        name: str,
        kind: str,
        y: Floats,
        patients: NDArray[np.int64],
        fit: Callable[[Sequence[int], Plan, int], Fitted],
        n_inputs: int,
        plan: Plan,
        seed: int,
    ) -> None:
        self.name, self.y = name, y
        self._kind, self._patients, self._fit, self._seed = kind, patients, fit, seed
        self.chosen = fit(range(n_inputs), plan, seed)
        candidate = self.chosen.choice.candidate
        self._plan = replace(
            plan,
            smoothings=(candidate.smoothing,),
            leaves=(candidate.leaves,) if candidate.size else (),
            rounds=(candidate.rounds,) if candidate.size else (),
        )
        self.full = self.repeated(range(n_inputs))

    def repeated(self, columns: Sequence[int]) -> tuple[Fitted, ...]:
        """The chosen form with some columns, once per repeat."""
        return tuple(
            self._fit(columns, self._plan, self._seed + 1 + repeat) for repeat in range(REPEATS)
        )

    def compare(self, smaller: Sequence[Fitted]) -> Loss:
        """Out-of-fold loss of a smaller set beside the full model's, on the fitting rows."""
        own = self._losses(smaller)
        difference = own - self._losses(self.full)
        return Loss(
            float(own.mean()), float(difference.mean()), standard_error(difference, self._patients)
        )

    def _losses(self, models: Sequence[Fitted]) -> Floats:
        own = [losses_of(model.choice.raw, self.y, self._kind) for model in models]
        return np.asarray(np.mean(own, axis=0))


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Where the path stops after the form that serves was asked.

    Attributes
    ----------
    path : Elimination
    models : mapping
        Outcome -> the models with the set that is kept, one per repeat.
    losses : mapping
        Outcome -> what that set loses, out of fold.
    """

    path: Elimination
    models: Mapping[str, tuple[Fitted, ...]]
    losses: Mapping[str, Loss]


def confirm(path: Elimination, outcomes: Sequence[Refit]) -> Confirmed:
    """Go back along the path until no outcome loses more than one standard error.

    Parameters
    ----------
    outcomes : sequence of Refit
        Those that the path was made for. Who failed last is asked first.
    """
    asked = list(outcomes)
    stride = 1  # doubled after each failure, so that few refits find the way back
    while True:
        models: dict[str, tuple[Fitted, ...]] = {}
        losses: dict[str, Loss] = {}
        for one in asked:
            models[one.name] = one.full if path.at == 0 else one.repeated(path.kept)
            losses[one.name] = one.compare(models[one.name])
            if not losses[one.name].is_within:
                asked = [one, *(other for other in asked if other is not one)]
                path = path.larger(stride)
                stride *= 2
                break
        else:
            return Confirmed(path, models, losses)
