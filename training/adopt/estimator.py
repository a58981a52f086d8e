"""A scikit-learn pipeline taken apart: the steps in front, and the family of the estimator behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.vocabulary import Feature
from training.adopt.converted import Converted
from training.adopt.forest import convert_forest
from training.adopt.front import Front
from training.adopt.hist_gradient_boosting import convert_boosting
from training.adopt.linear import convert_linear
from training.adopt.skops_file import load_skops
from training.errors import AdoptionRefused

Floats = NDArray[np.float64]

# One family a file; a class by its exact name, never by what it inherits from.
FAMILIES: dict[str, Callable[[Any, Front], Converted]] = {
    "LogisticRegression": convert_linear,
    "LinearRegression": convert_linear,
    "Ridge": convert_linear,
    "RandomForestClassifier": convert_forest,
    "RandomForestRegressor": convert_forest,
    "HistGradientBoostingClassifier": convert_boosting,
    "HistGradientBoostingRegressor": convert_boosting,
}
ENCODERS = ("OneHotEncoder", "OrdinalEncoder")


def convert_sklearn(path: Path, features: Sequence[Feature]) -> Converted:
    """Convert a model in skops format.

    Raises
    ------
    AdoptionRefused
        When the file, the estimator or a step before it is not one that is served.
    """
    return convert_estimator(load_skops(path), features)


def convert_estimator(model: Any, features: Sequence[Feature]) -> Converted:
    """Convert a fitted estimator, with or without a pipeline in front of it.

    Parameters
    ----------
    features : sequence of Feature
        The model's inputs in the order of its signature.
    """
    parts = list(_parts(model))
    for part in parts:
        if type(part).__name__ == "FunctionTransformer" and part.func is not None:
            raise AdoptionRefused("a step runs a function of its own")
    steps = model.steps if type(model).__name__ == "Pipeline" else [("model", model)]
    estimator = steps[-1][1]
    family = FAMILIES.get(type(estimator).__name__)
    if family is None:
        raise AdoptionRefused(
            f"ends in {type(estimator).__name__}; served are {', '.join(FAMILIES)}"
        )
    before = model[:-1].transform if len(steps) > 1 else _as_it_comes
    known = frozenset(
        str(category)
        for part in parts
        if type(part).__name__ in ENCODERS
        for own in part.categories_
        for category in own
    )
    return family(estimator, Front(features, before, known))


def _as_it_comes(frame: Any) -> Any:
    return frame.to_numpy(dtype=np.float64)


def _parts(model: Any) -> Iterator[Any]:
    """Every fitted step, however deep."""
    yield model
    if type(model).__name__ == "Pipeline":
        inner = [step for _, step in model.steps]
    elif type(model).__name__ == "ColumnTransformer":
        inner = [step for _, step, _ in model.transformers_]
    else:
        return
    for step in inner:
        if not isinstance(step, str) and step is not None:
            yield from _parts(step)
