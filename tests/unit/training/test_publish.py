"""What is published proves itself and holds nobody's row."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from models.bundle import prove, read_bundle
from models.vocabulary import Vocabulary
from monitoring.reference import reference_profile
from training.fit.fit_outcome import Fitted, fit_outcome
from training.publish import examples, write_model_bundle

FEATURES = (
    "age", "heart_rate", "map", "resp_rate", "temperature", "creatinine", "disease_group",
    "diabetes",
)  # fmt: skip


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(11)
    n = 700
    X = np.column_stack(
        [
            random.normal(65, 12, n), random.normal(90, 20, n), random.normal(80, 15, n),
            random.normal(20, 5, n), random.normal(37, 0.8, n), random.lognormal(4.5, 0.4, n),
            random.integers(0, 7, n), random.integers(0, 2, n),
        ]
    )  # fmt: skip
    y = (random.random(n) < 1 / (1 + np.exp(-(X[:, 0] - 65) / 8))).astype(float)
    X[random.random(n) < 0.3, 5] = np.nan
    return X, y


@pytest.fixture(scope="module")
def fitted(rows, vocabulary: Vocabulary) -> Fitted:
    X, y = rows
    return fit_outcome(
        X, y, [vocabulary.features[name] for name in FEATURES],
        point=vocabulary.branch_points["icu-review"],
        outcome=vocabulary.outcomes["death_60d"], training_data="synthetic", seed=3,
    )  # fmt: skip


def test_examples_are_medians_and_quartiles_of_nobody(fitted, rows):
    X, _ = rows
    found = examples(fitted.model, X)
    assert found
    for example in found:
        vector = fitted.model.vector(example["values"])
        same = np.isclose(X, vector, equal_nan=True).all(axis=1)
        assert not same.any()


def test_one_example_leaves_out_all_that_may_be_missing(fitted, rows):
    sizes = {len(example["values"]) for example in examples(fitted.model, rows[0])}
    assert len(fitted.model.required) in sizes


def test_a_bundle_proves_itself_and_answers_as_the_fitted_model(
    tmp_path: Path, fitted, rows, vocabulary
):
    X, _ = rows
    reference = reference_profile(
        X, [vocabulary.features[name] for name in FEATURES], np.full(len(X), 0.5), "binary"
    )
    digest = write_model_bundle(
        tmp_path / "bundle", fitted.model, fitted.trees_text, X, reference, {"rows": 1},
        {"name": "card"}, "# card\n", vocabulary,
    )  # fmt: skip
    model = prove(read_bundle(tmp_path / "bundle", digest), "icu-review.death_60d", vocabulary)
    ours, theirs = fitted.model.explain(X), model.explain(X)
    np.testing.assert_allclose(theirs[0], ours[0], rtol=0, atol=1e-12)


def test_the_reference_profile_counts_every_row_once(rows, vocabulary):
    X, _ = rows
    profile = reference_profile(
        X, [vocabulary.features[name] for name in FEATURES], np.full(len(X), 0.5), "binary"
    )
    for name, own in profile["features"].items():
        assert sum(own["counts"]) + own["missing"] <= len(X), name
        assert sum(own["counts"]) + own["missing"] >= len(X) - 4, name  # cells under five are 0
    assert sum(profile["prediction"]["counts"]) == len(X)
    json.dumps(profile, allow_nan=False)
