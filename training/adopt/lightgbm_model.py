"""LightGBM's own text: taken as it is, when the engine reads all that it says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.risk.lightgbm_text import Tree, read_trees
from models.risk.reading import Input
from models.vocabulary import Feature
from training.adopt.converted import Converted
from training.adopt.size import refuse_large_text
from training.errors import AdoptionRefused
from training.fit.tree_fit import publishable

Floats = NDArray[np.float64]

# Objectives whose raw score is the log-odds or the outcome's own unit.
BINARY = ("binary sigmoid:1",)
NUMERIC = ("regression", "regression_l1", "huber", "fair")
CATEGORIES_OF_PANDAS = "pandas_categorical:"
UNNAMED = "Column_"


def convert_lightgbm(path: Path, features: Sequence[Feature]) -> Converted:
    """Convert a model that LightGBM wrote as text.

    Raises
    ------
    AdoptionRefused
        When it is too large, has another objective, or reads a category by numbers that nothing
        explains.
    BundleRefused
        When it splits on zero-as-missing, has linear leaves or several classes, or averages.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AdoptionRefused(f"{path.name} is not text; nothing is unpickled") from error
    n_features, trees = read_trees(text)
    head = dict(line.split("=", 1) for line in text.split("\n\n", 1)[0].splitlines() if "=" in line)
    objective = head.get("objective", "none")
    if objective not in BINARY + NUMERIC:
        raise AdoptionRefused(
            f"objective `{objective}`; served are {', '.join(BINARY + NUMERIC)}, whose score is a "
            "sum in log-odds or in the outcome's unit"
        )
    _refuse_other_names(head.get("feature_names", "").split(), n_features, features)
    codes = _codes(text, features)
    _refuse_categories_as_numbers(trees, features)
    leaves = refuse_large_text(trees)
    inputs = tuple(
        Input(feature.name, feature.kind, feature.unit, feature.categories, own)
        for feature, own in zip(features, codes, strict=True)
    )
    return Converted(
        kind="binary" if objective in BINARY else "numeric",
        form=f"LightGBM, {len(trees)} trees, {leaves} leaves",
        inputs=inputs,
        raw=_Original(text, codes),
        trees_text=publishable(text),
        needed=frozenset(
            features[split.feature].name
            for tree in trees
            for split in tree.splits
            if not split.missing_learnt
        ),
        landmarks=_thresholds(trees, features),
    )


class _Original:
    """The model as LightGBM itself reads it."""

    def __init__(self, text: str, codes: Sequence[tuple[float, ...]]) -> None:
        import lightgbm

        self._booster = lightgbm.Booster(model_str=text)
        self._codes = codes

    def __call__(self, X: Floats) -> Floats:
        X = X.copy()
        for i, own in enumerate(self._codes):
            if own:
                present = ~np.isnan(X[:, i])
                X[present, i] = np.array(own)[X[present, i].astype(np.intp)]
        return np.asarray(self._booster.predict(X, raw_score=True, num_threads=1))


def _refuse_other_names(names: Sequence[str], n_features: int, features: Sequence[Feature]) -> None:
    expected = [feature.name for feature in features]
    if n_features != len(expected):
        raise AdoptionRefused(
            f"its trees read {n_features} inputs, its signature names {len(expected)}"
        )
    named = not all(name.startswith(UNNAMED) for name in names)
    if named and list(names) != expected:
        raise AdoptionRefused(
            "its trees name other inputs, or in another order, than its signature"
        )


def _codes(text: str, features: Sequence[Feature]) -> list[tuple[float, ...]]:
    """For every category of the dictionary the code that the trees read; none for other kinds.

    LightGBM writes down the categories of pandas columns in order; the code of a category is its
    place there.
    """
    line = next((line for line in text.splitlines() if line.startswith(CATEGORIES_OF_PANDAS)), None)
    lists = json.loads(line.removeprefix(CATEGORIES_OF_PANDAS)) if line else None
    own = [feature for feature in features if feature.kind == "category"]
    if len(lists or []) != len(own):
        raise AdoptionRefused(
            f"reads {len(own)} categories ({', '.join(f.name for f in own)}) and explains the codes "
            f"of {len(lists or [])}; fit it from pandas columns of type category"
        )
    listed = iter(lists or [])
    codes: list[tuple[float, ...]] = []
    for feature in features:
        if feature.kind != "category":
            codes.append(())
            continue
        names = next(listed)
        if strangers := set(map(str, names)) - set(feature.categories):
            raise AdoptionRefused(
                f"`{feature.name}` has {len(strangers)} categories that the dictionary has not; it "
                f"has {', '.join(feature.categories)}"
            )
        place = {name: float(code) for code, name in enumerate(names)}
        codes.append(tuple(place.get(name, np.nan) for name in feature.categories))
    return codes


def _refuse_categories_as_numbers(trees: Sequence[Tree], features: Sequence[Feature]) -> None:
    for tree in trees:
        for split in tree.splits:
            feature = features[split.feature]
            if split.categories is not None and feature.kind != "category":
                raise AdoptionRefused(
                    f"`{feature.name}` is split as a category, and the dictionary has it as a "
                    f"{feature.kind}"
                )


def _thresholds(trees: Sequence[Tree], features: Sequence[Feature]) -> dict[str, Floats]:
    found: dict[str, list[float]] = {}
    for tree in trees:
        for split in tree.splits:
            if features[split.feature].kind == "number" and np.isfinite(split.threshold):
                found.setdefault(features[split.feature].name, []).append(split.threshold)
    return {name: np.array(values) for name, values in found.items()}
