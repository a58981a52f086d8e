"""Trees keep to the cohort's mean when an input is missing that fitting never saw missing."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest

from models.risk.calibration import probability
from models.risk.trees import TreeEnsemble
from models.tripwire import find_in_bytes
from models.vocabulary import Vocabulary
from training.fit.tree_fit import (
    COUNT_WIDTH,
    fit_encoding,
    fit_trees,
    published_text,
    recode,
)

FEATURES = ("support_coma_score", "disease_group")


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    """Three in four awake (score 0) at a risk of one in ten, one in four in coma at nine in ten."""
    random = np.random.default_rng(2)
    coma = np.where(random.random(4000) < 0.25, 90.0, 0.0)
    X = np.column_stack([coma, random.integers(0, 8, 4000)])
    y = (random.random(4000) < np.where(coma > 0, 0.9, 0.1)).astype(float)
    return X, y


def test_a_patient_without_a_coma_score_does_not_count_as_awake(rows, vocabulary: Vocabulary):
    X, y = rows
    features = [vocabulary.features[name] for name in FEATURES]
    encoding = fit_encoding(X, y, features)
    booster = fit_trees(
        recode(X, encoding), y, features, kind="binary", leaves=4, rounds=300, directed=True,
        seed=1,
    )  # fmt: skip
    trees = TreeEnsemble.from_lightgbm_text(booster.model_to_string())
    asked = recode(np.array([[0.0, 3.0], [90.0, 3.0], [np.nan, 3.0]]), encoding)
    awake, coma, unknown = probability(trees.base_value + trees.contributions(asked).sum(axis=1))
    assert awake == pytest.approx(0.1, abs=0.04)
    assert coma == pytest.approx(0.9, abs=0.05)
    # a quarter of 0.9 and three quarters of 0.1 are 0.3; a median in its place would give 0.1
    assert unknown == pytest.approx(0.3, abs=0.1)


def test_a_category_that_never_occurred_has_no_number(rows, vocabulary: Vocabulary):
    X, y = rows
    X = X.copy()
    X[X[:, 1] == 5, 1] = 4
    codes = fit_encoding(X, y, [vocabulary.features[name] for name in FEATURES])[1]
    assert np.isnan(codes[5])
    assert not np.isnan(np.delete(codes, 5)).any()


def test_categories_are_ranked_by_their_outcome(vocabulary: Vocabulary):
    X = np.column_stack([np.zeros(300), np.repeat([0.0, 1.0, 2.0], 100)])
    y = np.concatenate([np.ones(90), np.zeros(10), np.zeros(100), np.ones(50), np.zeros(50)])
    codes = fit_encoding(X, y, [vocabulary.features[name] for name in FEATURES])[1]
    assert codes[1] < codes[2] < codes[0]


def test_counts_of_many_rows_are_not_taken_for_a_persons_number():
    """20,000 rows and more have leaves of 9978, 1234 and 5678 rows, side by side in a list."""
    counts = " ".join(str(n) for n in (9978, 1234, 5678))
    assert find_in_bytes(f"leaf_count={counts}\n".encode())
    padded = " ".join(str(n).zfill(COUNT_WIDTH) for n in (9978, 1234, 5678))
    assert not find_in_bytes(f"leaf_count={padded}\n".encode())


@pytest.mark.parametrize("seed", range(3))
def test_the_published_trees_are_the_same_trees(rows, vocabulary: Vocabulary, seed: int):
    X, y = rows
    X = X + np.random.default_rng(seed).normal(0, 10, X.shape) * (1, 0)
    booster = fit_trees(
        X, y, [vocabulary.features[name] for name in FEATURES], kind="binary", leaves=4, rounds=20,
        directed=False, seed=seed,
    )  # fmt: skip
    text = published_text(booster)
    ours, whole = (TreeEnsemble.from_lightgbm_text(t) for t in (text, booster.model_to_string()))
    assert (ours.contributions(X[:50]) == whole.contributions(X[:50])).all()
    assert ours.base_value == whole.base_value
    read = lightgbm.Booster(model_str=text)
    for told in ({"raw_score": True}, {"pred_contrib": True}):
        assert (read.predict(X[:50], **told) == booster.predict(X[:50], **told)).all()
