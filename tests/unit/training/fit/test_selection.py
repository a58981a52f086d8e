"""The smallest candidate within one standard error is taken, and folds are honest."""

from __future__ import annotations

import numpy as np
import pytest

from models.vocabulary import Vocabulary
from training.fit.plan import Plan
from training.fit.selection import (
    Candidate,
    assign_folds,
    choose,
    smallest_within_one_standard_error,
)

SIZE = Candidate.size.fget


def test_events_are_spread_evenly_over_the_folds():
    y = np.array([1.0] * 23 + [0.0] * 177)
    folds = assign_folds(y, "binary", 5, seed=1)
    events = np.bincount(folds[y == 1], minlength=5)
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
    assert smallest_within_one_standard_error(losses, SIZE)[0].family == taken


def test_between_candidates_of_one_size_the_lower_loss_decides():
    losses = {
        Candidate("trees", 30.0, 4, 100): np.full(10, 0.5),
        Candidate("both", 30.0, 4, 100): np.full(10, 0.4999),
    }
    assert smallest_within_one_standard_error(losses, SIZE)[0].family == "both"


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
    assert choice.candidate.smoothing in Plan().smoothings
    assert choice.candidate.family == "additive"  # the truth is additive


def test_rows_of_one_patient_are_left_out_together():
    random = np.random.default_rng(9)
    patients = random.integers(0, 150, 600)
    y = (random.random(600) < 0.1).astype(float)
    folds = assign_folds(y, "binary", 5, 1, patients)
    for patient in np.unique(patients):
        assert len(set(folds[patients == patient])) == 1
    with_event = [folds[patients == p][0] for p in np.unique(patients) if y[patients == p].any()]
    assert np.ptp(np.bincount(with_event)) <= 1


def _noisy(vocabulary: Vocabulary, n: int):
    """Age and albumin matter; five other numbers are noise."""
    names = ("sodium", "age", "potassium", "albumin", "glucose", "platelets", "hematocrit")
    random = np.random.default_rng(21)
    X = random.normal(0, 1, (n, 7)) * (5, 15, 1, 6, 2, 50, 0.05) + (138, 65, 4, 32, 6, 250, 0.4)
    score = 0.07 * (X[:, 1] - 65) - 0.12 * (X[:, 3] - 32)
    y = (random.random(n) < 1 / (1 + np.exp(-score))).astype(float)
    return X, y, [vocabulary.features[name] for name in names]


def test_inputs_that_say_nothing_are_dropped_and_required_ones_stay(vocabulary: Vocabulary):
    X, y, features = _noisy(vocabulary, 1500)
    plan = Plan(smoothings=(100.0,), leaves=(), rounds=(), inputs=(2, 3))
    told = {"kind": "binary", "directed": True, "seed": 1, "progress": lambda _: None, "plan": plan}
    assert choose(X, y, features, **told).inputs.tolist() == [1, 3]
    assert choose(X, y, features, required=[6], **told).inputs.tolist() == [1, 3, 6]
    nothing_to_try = {**told, "plan": Plan(smoothings=(100.0,), leaves=(), rounds=())}
    assert choose(X, y, features, **nothing_to_try).inputs.tolist() == list(range(7))


def test_what_is_chosen_on_some_rows_is_judged_on_all(vocabulary: Vocabulary):
    X, y, features = _noisy(vocabulary, 3000)
    plan = Plan(
        choosing_rows=1000, folds=3, smoothings=(100.0,), leaves=(4,), rounds=(20,), inputs=(2,)
    )
    shares: list[float] = []
    choice = choose(
        X, y, features, kind="binary", directed=True, seed=1, progress=shares.append, plan=plan,
        patients=np.arange(3000) // 2,
    )  # fmt: skip
    assert sum(shares) == pytest.approx(1.0)
    assert choice.inputs.tolist() == [1, 3]
    assert choice.raw.shape == choice.variance.shape == (3000,)
    assert np.isfinite(choice.raw).all()
    # Out of fold and yet close to the truth: nobody was judged by a fit that saw them.
    truth = 0.07 * (X[:, 1] - 65) - 0.12 * (X[:, 3] - 32)
    assert np.corrcoef(choice.raw, truth)[0, 1] > 0.95
