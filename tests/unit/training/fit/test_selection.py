"""The smallest candidate within one standard error is taken, and folds are honest."""

from __future__ import annotations

import numpy as np
import pytest

from models.vocabulary import Vocabulary
from training.fit.selection import (
    FOLDS,
    SMOOTHINGS,
    Candidate,
    _folds,
    choose,
    smallest_within_one_standard_error,
)


def test_events_are_spread_evenly_over_the_folds():
    y = np.array([1.0] * 23 + [0.0] * 177)
    folds = _folds(y, "binary", seed=1)
    events = np.bincount(folds[y == 1], minlength=FOLDS)
    assert events.min() >= 4
    assert events.max() <= 5
    assert set(np.bincount(folds)) == {40}


@pytest.mark.parametrize(
    ("gap", "taken"),
    [(0.5, "trees"), (0.0, "additive")],
)
def test_a_larger_model_must_earn_its_size(gap, taken):
    random = np.random.default_rng(3)
    best = random.normal(0.5, 0.1, 400)
    losses = {
        Candidate("trees", 30.0, 8, 100): best,
        Candidate("additive", 30.0): best + gap + random.normal(0, 0.01, 400) - 0.0005,
    }
    assert smallest_within_one_standard_error(losses)[0].family == taken


def test_between_candidates_of_one_size_the_lower_loss_decides():
    losses = {
        Candidate("trees", 30.0, 4, 100): np.full(10, 0.5),
        Candidate("both", 30.0, 4, 100): np.full(10, 0.4999),
    }
    assert smallest_within_one_standard_error(losses)[0].family == "both"


def test_choosing_tells_its_progress_and_predicts_every_row_out_of_fold(vocabulary: Vocabulary):
    random = np.random.default_rng(5)
    features = [vocabulary.features[name] for name in ("age", "sodium")]
    X = random.normal((65, 138), (15, 5), (400, 2))
    y = (random.random(400) < 1 / (1 + np.exp(-(X[:, 0] - 65) / 10))).astype(float)
    shares: list[float] = []
    choice = choose(X, y, features, kind="binary", directed=True, seed=1, progress=shares.append)
    assert sum(shares) == pytest.approx(1.0)
    assert np.isfinite(choice.raw).all()
    assert np.isfinite(choice.variance).all()
    assert choice.candidate.smoothing in SMOOTHINGS
    assert choice.candidate.family == "additive"  # the truth is additive
