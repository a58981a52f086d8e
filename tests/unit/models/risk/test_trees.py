"""Tree attributions are exact: against LightGBM, against SHAP's own algorithm, against all subsets."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from math import factorial

import lightgbm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import BundleRefused
from models.risk.trees import TreeEnsemble
from tests.lib.properties import HEAVY_LAW, LAW
from tests.lib.risk_models import train_trees
from tests.lib.shap_oracle import tree_contributions

SEEDS = st.integers(0, 2**32 - 1)

# One tree, worked by hand: 10 rows; 6 have x0 <= 0.5 (value 1); of the other 4, one has
# x1 <= 0.5 (value 3) and three have more (value 5). The mean is 0.6 * 1 + 0.1 * 3 + 0.3 * 5 = 2.4.
BY_HAND = """tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=1
objective=regression
feature_names=a b
feature_infos=[0:1] [0:1]
tree_sizes=300

Tree=0
num_leaves=3
num_cat=0
split_feature=0 1
split_gain=1 1
threshold=0.5 0.5
decision_type=10 8
left_child=-1 -2
right_child=1 -3
leaf_value=1 3 5
leaf_weight=6 1 3
leaf_count=6 1 3
internal_value=2.4 4.5
internal_weight=10 4
internal_count=10 4
is_linear=0
shrinkage=1


end of trees

feature_importances:
a=1
b=1

parameters:
end of parameters
"""


def hard_rows(rng: np.random.Generator, n: int) -> np.ndarray:
    """Columns of every kind: often missing, never missing, ordered codes, constant, all missing."""
    X = np.column_stack(
        [
            rng.normal(size=n),
            rng.normal(50, 20, n),
            rng.normal(size=n),  # never missing in fitting
            rng.integers(0, 4, n),  # ordered codes of a category
            np.full(n, 3.0),  # constant
            rng.exponential(1.0, n) - 0.2,
            rng.integers(0, 2, n),  # a flag
            np.full(n, np.nan),  # never measured
        ]
    ).astype(float)
    holes = rng.random(X.shape) < np.array([0.3, 0.05, 0.0, 0.1, 0.0, 0.6, 0.0, 0.0])
    X[holes] = np.nan
    return X


@cache
def booster(seed: int, num_leaves: int, monotone: bool = False) -> lightgbm.Booster:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(300, 800))
    X = hard_rows(rng, n)
    filled = np.nan_to_num(X, nan=-1.0)
    weights = rng.normal(size=X.shape[1])
    score = filled / (np.abs(filled).max(axis=0) + 1) @ weights * 3 + filled[:, 0] * filled[:, 6]
    y = (score + rng.normal(size=n) > np.median(score)).astype(float)
    signs = [int(s) for s in np.sign(weights)] if monotone else [0] * X.shape[1]
    return train_trees(
        X, y, "binary", rounds=12, num_leaves=num_leaves, min_data_in_leaf=8,
        learning_rate=float(rng.uniform(0.05, 0.5)), monotone_constraints=signs,
    )  # fmt: skip


def asked_rows(seed: int, n: int = 400) -> np.ndarray:
    """Patients to explain, with values missing everywhere, also where fitting had none missing."""
    rng = np.random.default_rng(seed + 1)
    X = hard_rows(rng, n)
    X[rng.random(X.shape) < 0.25] = np.nan
    X[0] = np.nan
    X[1] = np.inf
    X[2] = -np.inf
    X[3] = 0.0
    return X


def on_thresholds(text: str, n_features: int) -> np.ndarray:
    """Rows whose values lie exactly on the split points, where a wrong <= or < would show."""
    points = sorted(
        {
            (int(feature), float(threshold))
            for block in text.split("\n\n")
            if "\nsplit_feature=" in block
            for feature, threshold in zip(
                block.split("\nsplit_feature=")[1].split("\n")[0].split(),
                block.split("\nthreshold=")[1].split("\n")[0].split(),
                strict=True,
            )
        }
    )
    rows = np.full((len(points), n_features), np.nan)
    for row, (feature, threshold) in zip(rows, points, strict=True):
        row[:] = threshold
        row[(feature + 1) % n_features] = np.nan
    rows = np.vstack([rows, np.nextafter(rows, np.inf), np.nextafter(rows, -np.inf)])
    # LightGBM reads anything up to its own smallest number, 1e-35, as zero.
    return np.where(np.abs(rows) < 1.1e-35, 0.0, rows)


@HEAVY_LAW
@given(SEEDS, st.integers(2, 16), st.booleans())
def test_contributions_equal_those_of_lightgbm(seed, num_leaves, monotone):
    lgb = booster(seed, num_leaves, monotone)
    text = lgb.model_to_string()
    trees = TreeEnsemble.from_lightgbm_text(text)
    X = np.vstack([asked_rows(seed), on_thresholds(text, trees.n_features)])
    expected = lgb.predict(X, pred_contrib=True, num_threads=1)
    np.testing.assert_allclose(trees.contributions(X), expected[:, :-1], rtol=0, atol=1e-9)
    assert trees.base_value == pytest.approx(expected[0, -1], abs=1e-9)


@HEAVY_LAW
@given(SEEDS, st.integers(2, 16))
def test_contributions_and_base_value_sum_to_the_raw_prediction(seed, num_leaves):
    lgb = booster(seed, num_leaves)
    trees = TreeEnsemble.from_lightgbm_text(lgb.model_to_string())
    X = asked_rows(seed)
    raw = lgb.predict(X, raw_score=True, num_threads=1)
    total = trees.base_value + trees.contributions(X).sum(axis=1)
    np.testing.assert_allclose(total, raw, rtol=0, atol=1e-9)


@HEAVY_LAW
@given(SEEDS, st.integers(2, 16))
def test_one_row_alone_is_explained_as_in_a_batch(seed, num_leaves):
    trees = TreeEnsemble.from_lightgbm_text(booster(seed, num_leaves).model_to_string())
    X = asked_rows(seed, 100)
    one_by_one = np.array([trees.contributions_of_one(x) for x in X])
    np.testing.assert_allclose(one_by_one, trees.contributions(X), rtol=0, atol=1e-12)


def test_a_batch_longer_than_a_chunk_is_explained_as_its_parts():
    trees = TreeEnsemble.from_lightgbm_text(booster(1, 8).model_to_string())
    X = asked_rows(1, 777)
    parts = np.vstack([trees.contributions(X[:5]), trees.contributions(X[5:])])
    np.testing.assert_array_equal(trees.contributions(X), parts)
    assert trees.contributions(X[:0]).shape == (0, trees.n_features)


# shap makes its colour maps, when imported, by a way that matplotlib has begun to deprecate.
@pytest.mark.filterwarnings("ignore:The set_.* function will be:PendingDeprecationWarning")
@HEAVY_LAW
@given(SEEDS, st.integers(2, 16), st.booleans())
def test_contributions_equal_those_of_shaps_own_algorithm(seed, num_leaves, monotone):
    lgb = booster(seed, num_leaves, monotone)
    X = asked_rows(seed)
    X = X[np.isfinite(X).all(axis=1) | np.isnan(X).any(axis=1)]
    trees = TreeEnsemble.from_lightgbm_text(lgb.model_to_string())
    expected = tree_contributions(lgb, X)
    np.testing.assert_allclose(trees.contributions(X), expected, rtol=0, atol=1e-9)


def expected_value(node: dict, x: np.ndarray, known: frozenset[int]) -> float:
    """Value of a tree when only some features are known, the others averaged over the rows."""
    if "split_index" not in node:
        return node["leaf_value"]
    left, right = node["left_child"], node["right_child"]
    if node["split_feature"] in known:
        value = x[node["split_feature"]]
        if np.isnan(value):
            goes_left = (
                node["default_left"] if node["missing_type"] == "NaN" else node["threshold"] >= 0
            )
        else:
            goes_left = value <= node["threshold"]
        return expected_value(left if goes_left else right, x, known)
    counts = [c.get("internal_count", c.get("leaf_count")) for c in (left, right)]
    values = [expected_value(c, x, known) for c in (left, right)]
    return float(np.average(values, weights=counts))


def shapley_by_definition(node: dict, x: np.ndarray, n_features: int) -> np.ndarray:
    phi = np.zeros(n_features)
    for i in range(n_features):
        others = [j for j in range(n_features) if j != i]
        for size in range(n_features):
            weight = factorial(size) * factorial(n_features - size - 1) / factorial(n_features)
            for subset in combinations(others, size):
                with_i = expected_value(node, x, frozenset({*subset, i}))
                phi[i] += weight * (with_i - expected_value(node, x, frozenset(subset)))
    return phi


@HEAVY_LAW
@given(SEEDS, st.integers(2, 8))
def test_contributions_are_shapley_values_by_definition(seed, num_leaves):
    """Sum over all subsets of four features, for one tree (Shapley 1953; Lundberg 2020, eq. 4)."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(300, 4))
    X[rng.random(X.shape) < 0.2] = np.nan
    y = np.nan_to_num(X[:, 0]) * np.nan_to_num(X[:, 1], nan=1.0) + X[:, 2] * 0.5
    y = np.nan_to_num(y) + rng.normal(size=300) * 0.1
    lgb = train_trees(X, y, "regression", rounds=1, num_leaves=num_leaves)
    tree = lgb.dump_model()["tree_info"][0]["tree_structure"]
    trees = TreeEnsemble.from_lightgbm_text(lgb.model_to_string())
    for x in X[:8]:
        by_definition = shapley_by_definition(tree, x, 4)
        np.testing.assert_allclose(trees.contributions_of_one(x), by_definition, atol=1e-9)
    assert trees.base_value == pytest.approx(expected_value(tree, X[0], frozenset()), abs=1e-9)


@pytest.mark.parametrize(
    ("a", "b", "contributions"),
    [
        # v({})=2.4, v(a)=1, v(b)=0.6*1+0.4*3=1.8, v(ab)=1: a = (-1.4 + -0.8)/2, b = (-0.6 + 0)/2
        (0.5, 0.0, (-1.1, -0.3)),
        # v(b)=0.6*1+0.4*5=2.6: a = (-1.4 + -1.6)/2, b = (0.2 + 0)/2
        (0.0, 1.0, (-1.5, 0.1)),
        # v(a)=0.25*3+0.75*5=4.5, v(b)=1.8, v(ab)=3: a = (2.1 + 1.2)/2, b = (-0.6 + -1.5)/2
        (1.0, 0.5, (1.65, -1.05)),
        # v(a)=4.5, v(b)=2.6, v(ab)=5: a = (2.1 + 2.4)/2, b = (0.2 + 0.5)/2
        (1.0, 1.0, (2.25, 0.35)),
        # a missing goes left (decision type 10), b missing goes right (decision type 8)
        (np.nan, 0.0, (-1.1, -0.3)),
        (1.0, np.nan, (2.25, 0.35)),
    ],
)
def test_a_tree_of_three_leaves_is_explained_as_worked_out_by_hand(a, b, contributions):
    trees = TreeEnsemble.from_lightgbm_text(BY_HAND)
    assert trees.base_value == pytest.approx(2.4)
    np.testing.assert_allclose(trees.contributions_of_one(np.array([a, b])), contributions)
    np.testing.assert_allclose(trees.contributions(np.array([[a, b]]))[0], contributions)


@pytest.mark.parametrize(
    ("a", "contribution"), [(0.0, 1 - 2.4), (1.0, 3 - 2.4), (np.inf, 3 - 2.4), (np.nan, 5 - 2.4)]
)
def test_a_split_between_present_and_missing_is_read_as_such(a, contribution):
    """LightGBM writes it as an infinite threshold: nothing that is there lies above it."""
    text = BY_HAND.replace("split_feature=0 1", "split_feature=0 0")
    text = text.replace("threshold=0.5 0.5", "threshold=0.5 inf")
    trees = TreeEnsemble.from_lightgbm_text(text.replace("decision_type=10 8", "decision_type=8 8"))
    x = np.array([a, 0.0])
    np.testing.assert_allclose(trees.contributions_of_one(x), [contribution, 0.0])
    np.testing.assert_allclose(trees.contributions(x[None])[0], [contribution, 0.0])


@pytest.mark.parametrize(
    ("threshold", "reads_as"), [("0.5", 0.0), ("-0.5", 0.0), ("0", 0.0), ("1e-35", 0.0)]
)
def test_a_missing_value_counts_as_zero_where_fitting_had_none_missing(threshold, reads_as):
    text = BY_HAND.replace("decision_type=10 8", "decision_type=2 0")
    text = text.replace("threshold=0.5 0.5", f"threshold={threshold} {threshold}")
    trees = TreeEnsemble.from_lightgbm_text(text)
    missing = trees.contributions_of_one(np.array([np.nan, np.nan]))
    np.testing.assert_array_equal(
        missing, trees.contributions_of_one(np.array([reads_as, reads_as]))
    )


def test_a_tree_of_a_single_leaf_moves_only_the_base_value():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(300, 3))
    y = (rng.random(300) < 0.3).astype(float)
    lgb = train_trees(X, y, "binary", rounds=3, min_data_in_leaf=290)
    assert "num_leaves=1\n" in lgb.model_to_string()
    trees = TreeEnsemble.from_lightgbm_text(lgb.model_to_string())
    assert trees.contributions(X).any() == np.False_
    assert trees.contributions_of_one(X[0]).tolist() == [0.0, 0.0, 0.0]
    assert trees.base_value == pytest.approx(lgb.predict(X, raw_score=True)[0], abs=1e-12)


def test_no_trees_explain_nothing():
    trees = TreeEnsemble([], 3)
    assert trees.base_value == 0
    assert trees.contributions_of_one(np.zeros(3)).tolist() == [0.0, 0.0, 0.0]
    assert trees.contributions(np.zeros((2, 3))).tolist() == [[0.0] * 3] * 2


@LAW
@given(SEEDS)
def test_a_feature_that_no_tree_reads_contributes_nothing(seed):
    trees = TreeEnsemble.from_lightgbm_text(booster(2, 8).model_to_string())
    X = asked_rows(seed, 5)
    assert not trees.contributions(X)[:, [4, 7]].any()


@pytest.mark.parametrize(
    ("share", "where"), [(0.3, "a tree"), (0.7, "a tree"), (0.05, "the header"), (0.0, "nothing")]
)
def test_a_text_that_is_cut_short_is_refused(share, where):
    text = booster(0, 4).model_to_string()
    text = text[: text.index("end of trees")]
    with pytest.raises(BundleRefused, match="cut short"):
        TreeEnsemble.from_lightgbm_text(text[: int(len(text) * share)])


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("tree\nversion", "forest\nversion", "is not LightGBM's"),
        ("num_class=1", "num_class=3", "several classes"),
        ("num_tree_per_iteration=1", "num_tree_per_iteration=3", "several classes"),
        ("max_feature_idx=1\n", "", "names no features"),
        ("max_feature_idx=1\n", "max_feature_idx=one\n", "names no features"),
        ("label_index=0", "label_index=0\naverage_output", "averages its trees"),
        ("num_cat=0", "num_cat=1", "a tree is incomplete"),
        (
            "num_cat=0",
            "num_cat=1\ncat_boundaries=0 2\ncat_threshold=5",
            "not what the text says",
        ),
        ("is_linear=0", "is_linear=1", "linear leaves"),
        ("decision_type=10 8", "decision_type=1 8", "a set of categories that is not there"),
        ("decision_type=10 8", "decision_type=6 8", "zero-as-missing"),
        ("leaf_value=1 3 5", "", "a tree is incomplete"),
        ("leaf_value=1 3 5", "leaf_value=1 x 5", "a tree is incomplete"),
        ("leaf_value=1 3 5", "leaf_value=1 3", "differ in length"),
        ("leaf_value=1 3 5", "leaf_value=1 nan 5", "not finite"),
        ("leaf_count=6 1 3", "", "a tree is incomplete"),
        ("leaf_count=6 1 3", "leaf_count=6 1", "differ in length"),
        ("internal_count=10 4", "internal_count=10", "differ in length"),
        ("internal_count=10 4", "internal_count=10 0", "without rows"),
        ("threshold=0.5 0.5", "threshold=0.5", "differ in length"),
        ("threshold=0.5 0.5", "threshold=0.5 nan", "not finite"),
        ("decision_type=10 8", "decision_type=10", "differ in length"),
        ("split_feature=0 1", "split_feature=0 2", "reads an input that is not there"),
        ("split_feature=0 1", "split_feature=0 -1", "reads an input that is not there"),
        ("left_child=-1 -2", "left_child=0 -2", "not a tree"),
        ("right_child=1 -3", "right_child=1 0", "not a tree"),
        ("right_child=1 -3", "right_child=1 -9", "not a tree"),
        ("right_child=1 -3", "right_child=7 -3", "not a tree"),
        ("num_leaves=3", "num_leaves=three", "a tree is incomplete"),
        ("num_leaves=3", "num_leaves=4", "differ in length"),
    ],
)
def test_a_text_that_is_not_one_plain_forest_is_refused_with_a_reason(old, new, reason):
    assert BY_HAND.count(old) == 1
    with pytest.raises(BundleRefused, match=reason):
        TreeEnsemble.from_lightgbm_text(BY_HAND.replace(old, new))


def trained(objective="binary", categories="auto", **parameters):
    rng = np.random.default_rng(5)
    X = hard_rows(rng, 400)
    y = (np.nan_to_num(X[:, 0]) + X[:, 2] + 3 * np.isin(X[:, 3], [0, 2]) > 1).astype(float)
    if objective == "multiclass":
        y += (X[:, 1] > 50) & (y > 0)
        parameters["num_class"] = 3
    data = lightgbm.Dataset(X, y, categorical_feature=categories)
    settings = {"objective": objective, "num_leaves": 6, "verbosity": -1, "num_threads": 1}
    return lightgbm.train(settings | parameters, data, 3).model_to_string()


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"objective": "multiclass"}, "several classes"),
        ({"zero_as_missing": True}, "zero-as-missing"),
        ({"linear_tree": True}, "linear leaves"),
        ({"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6}, "averages its trees"),
        ({"num_leaves": 256, "min_data_in_leaf": 1}, None),
    ],
)
def test_a_trained_forest_of_a_kind_that_is_not_served_is_refused(parameters, reason):
    if reason is None:
        # Eight inputs can never make a path of more than twelve.
        assert TreeEnsemble.from_lightgbm_text(trained(**parameters)).n_features == 8
        return
    with pytest.raises(BundleRefused, match=reason):
        TreeEnsemble.from_lightgbm_text(trained(**parameters))


@pytest.mark.parametrize(("seed", "leaves"), [(0, 4), (1, 8), (2, 31)])
def test_splits_on_sets_of_categories_give_what_lightgbm_gives(seed: int, leaves: int):
    """LightGBM's own TreeSHAP is the oracle; codes that fitting never saw, and gaps, among the rows."""
    rng = np.random.default_rng(seed)
    X = np.column_stack(
        [rng.integers(0, 40, 900), rng.normal(size=900), rng.integers(0, 3, 900)]
    ).astype(float)
    X[rng.random(X.shape) < [0.1, 0.2, 0.0]] = np.nan
    y = np.isin(X[:, 0] % 7, [1, 2, 5]) + 0.3 * np.nan_to_num(X[:, 1]) + (X[:, 2] == 1)
    data = lightgbm.Dataset(X, y, categorical_feature=[0, 2])
    booster = lightgbm.train(
        {
            "objective": "regression", "num_leaves": leaves, "verbosity": -1, "num_threads": 1,
            "max_cat_to_onehot": 2, "min_data_per_group": 5, "cat_smooth": 1, "seed": seed,
        },
        data, 12,
    )  # fmt: skip
    text = booster.model_to_string()
    assert "cat_threshold" in text
    asked = X[:300].copy()
    asked[rng.random(asked.shape) < 0.2] = np.nan
    asked[:20, 0] = np.arange(60, 80)
    trees = TreeEnsemble.from_lightgbm_text(text)
    expected = booster.predict(asked, pred_contrib=True)
    np.testing.assert_allclose(trees.contributions(asked), expected[:, :-1], rtol=0, atol=1e-9)
    assert trees.base_value == pytest.approx(expected[0, -1], abs=1e-9)
    for x in asked[:40]:
        one = trees.contributions_of_one(x)
        np.testing.assert_allclose(one, trees.contributions(x[None])[0], rtol=0, atol=1e-12)


def chain(depth: int) -> str:
    """One tree that asks one feature after the other; half of the rows leave at every node."""
    rows = [2 ** (depth - node) for node in range(depth + 1)]
    lists = {
        "split_feature": range(depth),
        "threshold": [0.5] * depth,
        "decision_type": [8] * depth,
        "left_child": [~node for node in range(depth)],
        "right_child": [*range(1, depth), ~depth],
        "leaf_value": range(depth + 1),
        "leaf_count": [*rows[1:], rows[-1]],
        "internal_count": rows[:-1],
    }
    head = BY_HAND.split("Tree=0")[0].replace("max_feature_idx=1", f"max_feature_idx={depth - 1}")
    body = "".join(f"{key}={' '.join(map(str, items))}\n" for key, items in lists.items())
    return f"{head}Tree=0\nnum_leaves={depth + 1}\nnum_cat=0\n{body}\n\nend of trees\n"


def test_a_path_over_twelve_features_is_served_and_over_thirteen_refused():
    trees = TreeEnsemble.from_lightgbm_text(chain(12))
    x = np.ones(12)
    assert trees.base_value + trees.contributions_of_one(x).sum() == pytest.approx(12.0)
    np.testing.assert_allclose(trees.contributions(x[None])[0], trees.contributions_of_one(x))
    with pytest.raises(BundleRefused, match="a path over 13 features, expected at most 12"):
        TreeEnsemble.from_lightgbm_text(chain(13))
