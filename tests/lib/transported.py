"""A model of the made cohort, registered in memory, and cohorts of other hospitals with known truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from models.bundle import read_bundle
from models.registry import Version
from models.risk.calibration import probability
from models.vocabulary import Vocabulary
from tests.lib.signal_cohort import BINARY, NAMES, NUMERIC, made, rows_of
from training.pipeline import prepare_outcome
from training.rows import Cohort
from training.transport.registered import Registered

ELSEWHERE = "Another hospital"
RESAMPLES = 60
GROUPS = {"age": (65.0,), "diabetes": ()}


def at_home(vocabulary: Vocabulary) -> Cohort:
    """The cohort that the model is fitted on, far larger than any that it is taken to.

    The closed test asks whether a model is right, not whether it is as good as its rows allowed.
    """
    cohort = made(vocabulary, 30_000)
    plan = replace(cohort.source.plan, resamples=RESAMPLES)
    return replace(cohort, source=replace(cohort.source, groups=GROUPS, plan=plan))


def registered(
    vocabulary: Vocabulary, folder: Path, outcome: str = BINARY, *, trees: bool = False
) -> Registered:
    """A model of the made cohort as the registry would give it; of boosted trees alone when asked."""
    cohort = at_home(vocabulary)
    plan = cohort.source.plan
    if trees:  # nothing is left of the curves, so that the trees are chosen
        plan = replace(plan, smoothings=(1e5,), leaves=(4,), rounds=(50,))
    cohort = replace(cohort, source=replace(cohort.source, plan=plan))
    prepared = prepare_outcome(cohort, outcome, vocabulary, folder, seed=5)
    bundle = read_bundle(prepared.bundle)
    return Registered(
        Version(prepared.name, "1", bundle.digest, {}),
        bundle,
        bundle.model(),
        bundle.document("card.json"),
        bundle.document("reference.json"),
        bundle.document("evaluation.json"),
    )


def elsewhere(
    vocabulary: Vocabulary,
    truth: Callable[[np.ndarray], np.ndarray] = lambda log_odds: log_odds,
    change: Callable[[np.ndarray], np.ndarray] = lambda X: X,
    *,
    n: int = 4000,
    seed: int = 77,
) -> Cohort:
    """Other patients of the same law.

    Parameters
    ----------
    truth : callable
        From the log-odds of the made cohort to those of this hospital.
    change : callable
        From what is so to what this hospital records.
    """
    cohort = made(vocabulary, n, seed)
    X, log_odds = rows_of(n, seed)
    random = np.random.default_rng(seed + 1)
    y = (random.random(n) < probability(truth(log_odds))).astype(float)
    return replace(
        cohort,
        source=replace(
            cohort.source,
            title=ELSEWHERE,
            groups=GROUPS,
            plan=replace(cohort.source.plan, resamples=RESAMPLES),
        ),
        X=change(X),
        labels={**cohort.labels, BINARY: y},
        patients=np.arange(n),
        held_out=np.arange(n) % 4 == 0,
    )


def position(name: str) -> int:
    """Column of an input of the made cohort."""
    return NAMES.index(name)


__all__ = ["BINARY", "ELSEWHERE", "NUMERIC", "at_home", "elsewhere", "position", "registered"]
