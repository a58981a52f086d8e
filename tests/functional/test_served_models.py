"""Every trained model keeps the law, and its reasons are those of the shap package.

The newest version of each outcome is taken, whether or not the gate let it become champion.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import lightgbm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.bundle import Bundle, prove, read_bundle
from models.registry import Registry
from models.risk.assessment import Answered
from models.risk.risk_model import RiskModel
from models.vocabulary import Vocabulary, load_vocabulary
from tests.lib.properties import LAW
from tests.lib.shap_oracle import linear_contributions, tree_contributions

NAMES = [
    f"icu-review.{outcome}"
    for outcome in (
        "death_in_hospital", "death_60d", "death_180d", "severe_disability_60d",
        "prolonged_stay", "length_of_stay_days",
    )
]  # fmt: skip
ROWS = 3000
TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def served(trained: Path, vocabulary: Vocabulary, tmp_path_factory) -> dict[str, tuple]:
    """The newest version of every outcome, copied out of the registry and proven as for serving."""
    registry, folder = Registry.at(trained), tmp_path_factory.mktemp("bundles")
    found = {}
    for name in NAMES:
        version = registry.versions(name)[-1]
        registry.download(name, version.version, folder / name)
        bundle = read_bundle(folder / name, version.digest)
        found[name] = (prove(bundle, name, vocabulary), bundle)
    return found


def random_patients(model: RiskModel, seed: int, n: int) -> np.ndarray:
    """Partial inputs: any plausible number, any category, each missing at a rate of its own."""
    random = np.random.default_rng(seed)
    features = load_vocabulary().features
    X = np.empty((n, len(model.inputs)))
    for i, item in enumerate(model.inputs):
        feature = features[item.name]
        if feature.kind == "number":
            low, high = feature.plausible
            X[:, i] = random.uniform(low, high, n)
            if feature.integer:
                X[:, i] = np.round(X[:, i])
        else:
            X[:, i] = random.integers(0, max(2, len(feature.categories)), n)
        X[random.random(n) < random.uniform(0, 0.9), i] = np.nan
        if item.unseen:
            X[np.isin(X[:, i], list(item.unseen)), i] = np.nan
    return X


@pytest.mark.parametrize("name", NAMES)
def test_a_version_is_champion_exactly_when_its_gate_held(trained, name):
    registry = Registry.at(trained)
    champion = registry.aliases([name]).get(name)
    newest = registry.versions(name)[-1]
    assert (champion == newest.version) == (newest.tags["gate"] == "passed")


@pytest.mark.parametrize("name", NAMES)
def test_reasons_add_up_for_thousands_of_random_partial_inputs(served, name):
    model, _ = served[name]
    X = random_patients(model, 1, ROWS)
    score, contributions = model.explain(X)
    np.testing.assert_allclose(
        model.base_value + contributions.sum(axis=1), score, rtol=0, atol=TOLERANCE
    )
    text_score = independent_score(model, served[name][1], X)
    np.testing.assert_allclose(score, text_score, rtol=0, atol=TOLERANCE)


def independent_score(model: RiskModel, bundle: Bundle, X: np.ndarray) -> np.ndarray:
    """The calibrated score without our tree code: LightGBM itself, and a sum over columns."""
    additive = model.additive
    raw = model.additive_weight * (
        additive.intercept + additive.basis.columns(X) @ additive.coefficients
    )
    if model.trees_weight:
        booster = lightgbm.Booster(model_str=bundle.files["trees.txt"].decode())
        raw += model.trees_weight * booster.predict(model.for_trees(X), raw_score=True)
    return model.calibration.apply(raw)


@pytest.mark.filterwarnings("ignore:The set_.* function will be:PendingDeprecationWarning")
@pytest.mark.parametrize("name", NAMES)
def test_unscaled_reasons_are_those_of_the_shap_package(served, name):
    model, bundle = served[name]
    X = random_patients(model, 2, ROWS)
    expected = model.additive_weight * linear_contributions(model.additive, X)
    if model.trees_weight:
        booster = lightgbm.Booster(model_str=bundle.files["trees.txt"].decode())
        expected += model.trees_weight * tree_contributions(booster, model.for_trees(X))
    np.testing.assert_allclose(model.raw_contributions(X), expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", NAMES)
def test_one_patient_is_answered_as_the_same_patient_in_a_batch(served, name):
    model, _ = served[name]
    everybody = replace(model.familiarity, limit=np.inf, ranges={})
    model = replace(model, familiarity=everybody)
    X = random_patients(model, 3, 300)
    score, contributions = model.explain(X)
    lower, upper = model.bounds(X, score)
    answered = 0
    for i, x in enumerate(X):
        values = {n: float(v) for n, v in zip(model.features, x, strict=True) if not np.isnan(v)}
        answer = model.assess(values)
        if isinstance(answer, Answered):
            answered += 1
            assert answer.score == pytest.approx(score[i], abs=1e-9)
            assert answer.contributions == pytest.approx(contributions[i], abs=1e-9)
            assert (answer.lower, answer.upper) == pytest.approx((lower[i], upper[i]), abs=1e-6)
    assert answered


@LAW
@given(seed=st.integers(0, 10**6))
def test_more_of_what_raises_risk_never_lowers_it(served, seed):
    """Directions of the dictionary hold for the whole model, trees included."""
    model, _ = served["icu-review.death_180d"]
    features = load_vocabulary().features
    random = np.random.default_rng(seed)
    x = random_patients(model, seed, 1)[0]
    directed = [i for i, m in enumerate(model.inputs) if features[m.name].direction_sign]
    i = int(random.choice(directed))
    feature = features[model.inputs[i].name]
    top = len(feature.categories) - 1 if feature.kind == "category" else 1
    low, high = feature.plausible or (0, top)
    steps = np.linspace(low, high, 25) if feature.kind == "number" else np.arange(low, high + 1)
    X = np.repeat(x[None, :], len(steps), axis=0)
    X[:, i] = steps
    score, _ = model.explain(X)
    assert (np.diff(score) * feature.direction_sign >= -1e-9).all()
