"""An adopted model says what it said before, and its reasons are exact: shap and all subsets agree."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.pipeline import make_pipeline

from tests.lib import foreign_models as foreign
from tests.lib.properties import HEAVY_LAW
from training.adopt import forest, hist_gradient_boosting
from training.adopt.calibrated import answerable, raw_score
from training.adopt.converted import Converted
from training.adopt.estimator import convert_estimator
from training.adopt.front import Front
from training.adopt.lightgbm_model import convert_lightgbm
from training.fit.additive_fit import build_basis, build_penalty, fit_additive

N_ROWS = 400
LINEAR = ["logistic", "logistic with indicators", "linear", "ridge"]
TREES = [name for name in foreign.ESTIMATORS if name not in LINEAR]


@cache
def converted(name: str) -> Converted:
    return convert_estimator(foreign.fitted(name), foreign.features())


def asked_rows(found: Converted, gaps: float = 0.15) -> np.ndarray:
    """Patients with gaps wherever the model may lack a value."""
    X = foreign.encoded_rows(7, N_ROWS, gaps=gaps)
    return np.array([row for row in answerable(found, X, tuple(found.needed))
                     if not np.isnan(row).all()])  # fmt: skip


def our_score(found: Converted, X: np.ndarray) -> np.ndarray:
    """Before calibration."""
    y = foreign.labels(7, N_ROWS, found.kind)[: len(X)].astype(float)
    features = foreign.features()
    if found.linear is not None:
        additive = found.linear.additive(X, y, found.kind, 30.0)
    else:
        basis = build_basis(X, features)
        penalty = build_penalty(basis, features, 30.0, directed=False)
        additive = fit_additive(X, y, features, basis, penalty, found.kind)
    trees = foreign.ensemble(found) if found.trees_text else foreign.TreeEnsemble([], len(features))
    return raw_score(found, additive, trees, X)


@pytest.mark.parametrize("name", foreign.ESTIMATORS)
def test_an_adopted_estimator_scores_as_scikit_learn_does(name: str):
    found, model = converted(name), foreign.fitted(name)
    X = asked_rows(found)
    assert len(X) > 30
    expected = foreign.own_score(model, foreign.frame(X))
    np.testing.assert_allclose(our_score(found, X), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", ["binary", "numeric"])
def test_an_adopted_booster_scores_and_explains_as_lightgbm_does(kind: str, tmp_path: Path):
    booster = foreign.boosted_text(kind)
    path = tmp_path / "model.lgb"
    booster.save_model(path)
    found = convert_lightgbm(path, foreign.features())
    X = asked_rows(found)
    coded = foreign.recoded(found, X)
    expected = booster.predict(coded, pred_contrib=True)
    trees = foreign.ensemble(found)
    np.testing.assert_allclose(trees.contributions(coded), expected[:, :-1], rtol=0, atol=1e-6)
    assert trees.base_value == pytest.approx(expected[0, -1], abs=1e-9)
    np.testing.assert_allclose(
        our_score(found, X), booster.predict(coded, raw_score=True), rtol=0, atol=1e-9
    )
    # What fitting never saw missing would be read as 0.
    never = {"age", "heart_rate", "map", "resp_rate", "temperature", "disease_class"}
    read = {
        name
        for name, count in zip(booster.feature_name(), booster.feature_importance(), strict=True)
        if count
    }
    assert found.needed == never & read


# shap makes its colour maps, when imported, by a way that matplotlib has begun to deprecate.
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("name", LINEAR)
def test_reasons_of_a_linear_model_are_shaps_against_the_fitting_rows(name: str):
    """shap explains the estimator's columns; the columns of one input add up to its reason."""
    import shap

    found, model = converted(name), foreign.fitted(name)
    X = asked_rows(found)
    y = foreign.labels(7, N_ROWS, found.kind)[: len(X)].astype(float)
    additive = found.linear.additive(X, y, found.kind, 30.0)
    columns = model[:-1].transform(foreign.frame(X))
    explainer = shap.LinearExplainer(
        (np.ravel(model[-1].coef_), float(np.ravel(model[-1].intercept_)[0])),
        shap.maskers.Independent(columns, max_samples=len(columns)),
    )
    front = Front(foreign.features(), model[:-1].transform, frozenset(_classes(model)))
    expected = np.zeros(X.shape)
    np.add.at(expected, (slice(None), front.owner), explainer.shap_values(columns))
    np.testing.assert_allclose(additive.contributions(X), expected, rtol=0, atol=1e-6)
    assert additive.intercept == pytest.approx(
        float(np.mean(foreign.own_score(model, foreign.frame(X)))), abs=1e-9
    )


def _classes(model: object) -> list[str]:
    return list(foreign.vocabulary().features["disease_class"].categories)


@pytest.mark.parametrize("name", TREES)
def test_reasons_of_trees_are_shapley_values_by_definition(name: str):
    """Every subset of the ten inputs, also where an input stands in several columns."""
    found, model = converted(name), foreign.fitted(name)
    front = Front(foreign.features(), model[:-1].transform, frozenset(_classes(model)))
    X = asked_rows(found)[:2]
    trees = _nodes(model[-1])[:2]
    written = forest.write_trees(trees, front, 0.0, forest._single_precision)
    engine = foreign.TreeEnsemble.from_lightgbm_text(written.text)
    columns = front.columns(X)
    if isinstance(model[-1], RandomForestClassifier):
        columns = forest._single_precision(columns)
    for x, row in zip(foreign.recoded(found, X), columns, strict=True):
        expected = foreign.by_all_subsets(trees, front.owner, row, len(foreign.NAMES))
        np.testing.assert_allclose(engine.contributions_of_one(x), expected, rtol=0, atol=1e-9)


def _nodes(estimator: object) -> list:
    if hasattr(estimator, "estimators_"):
        return [
            forest._nodes(one.tree_, len(estimator.estimators_), hasattr(estimator, "classes_"))
            for one in estimator.estimators_
        ]
    return [hist_gradient_boosting._nodes(stage[0].nodes) for stage in estimator._predictors]


# shap makes its colour maps, when imported, by a way that matplotlib has begun to deprecate.
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("name", ["forest with gaps", "boosted with gaps", "boosted numbers"])
def test_reasons_of_trees_with_a_column_per_input_are_shaps(name: str):
    """shap's own TreeExplainer, on what the estimator sees; one column per input."""
    import shap

    found, model = converted(name), foreign.fitted(name)
    X = asked_rows(found)[:150]
    columns = model[:-1].transform(foreign.frame(X)).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        explainer = shap.TreeExplainer(model[-1], feature_perturbation="tree_path_dependent")
        expected = np.asarray(explainer.shap_values(columns, check_additivity=False))
    if expected.ndim == 3:  # a forest's: one table a class
        expected = expected[..., 1]
    engine = foreign.ensemble(found)
    ours = engine.contributions(foreign.recoded(found, X))
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-6)


@given(seed=st.integers(0, 2**32 - 1), boosted=st.booleans())
@HEAVY_LAW
def test_any_small_ensemble_is_reproduced_to_rounding(seed: int, boosted: bool):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(150, 400))
    X, y = foreign.encoded_rows(seed, n, gaps=0.1), rng.integers(0, 2, n)
    shape = {"max_depth": int(rng.integers(1, 6)), "random_state": seed}
    estimator = (
        HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=5, **shape)
        if boosted
        else RandomForestClassifier(n_estimators=3, **shape)
    )
    front = foreign.imputed(indicator=True) if seed % 2 else foreign.as_it_is()
    model = make_pipeline(front, estimator).fit(foreign.frame(X), y)
    found = convert_estimator(model, foreign.features())
    asked = answerable(found, foreign.encoded_rows(seed + 1, 60, gaps=0.2), tuple(found.needed))
    asked = asked[~np.isnan(asked).all(axis=1)]
    if not len(asked):
        return
    engine = foreign.ensemble(found)
    contributions = engine.contributions(foreign.recoded(found, asked))
    np.testing.assert_allclose(
        engine.base_value + contributions.sum(axis=1),
        foreign.own_score(model, foreign.frame(asked)), rtol=0, atol=1e-9,
    )  # fmt: skip
