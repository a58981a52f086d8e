"""Logistic regression, linear regression and ridge: a term per input, read off by asking."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.adopt.converted import Converted
from training.adopt.front import WIDENED, Front, bounds_of
from training.adopt.inputs import inputs_of, refuse_classes
from training.adopt.straight_line import LinearScore, Term
from training.errors import AdoptionRefused

Floats = NDArray[np.float64]
STRAIGHT = 1e-9


def convert_linear(estimator: Any, front: Front) -> Converted:
    """Convert a linear estimator behind its steps.

    Raises
    ------
    AdoptionRefused
        When it has several outputs, or reads a number as anything but a straight line.
    """
    binary = hasattr(estimator, "classes_")
    if binary:
        refuse_classes(estimator)
    weights = np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64))
    if len(weights) != 1:
        raise AdoptionRefused("has several outputs")
    coefficients = weights[0]
    intercept = float(np.ravel(estimator.intercept_)[0])
    names = [feature.name for feature in front.features]
    terms = tuple(_term(i, front, coefficients) for i in range(len(names)))
    constant = intercept + float(coefficients[front.owner < 0] @ front.base[front.owner < 0])
    read = [bool(np.any(coefficients[front.own(i)])) for i in range(len(names))]
    needed = frozenset(
        name for name, term, used in zip(names, terms, read, strict=True)
        if used and term.missing is None
    )  # fmt: skip

    def raw(X: Floats) -> Floats:
        return np.asarray(front.columns(X) @ coefficients + intercept)

    family = "logistic regression" if binary else type(estimator).__name__
    return Converted(
        kind="binary" if binary else "numeric",
        form=f"{family}, {len(coefficients)} columns of {len(names)} inputs",
        inputs=inputs_of(front),
        raw=raw,
        linear=LinearScore(constant, terms),
        needed=needed,
        landmarks=front.landmarks(),
    )


def _term(i: int, front: Front, coefficients: Floats) -> Term:
    """What an input adds, up to what it adds nowhere: columns that it does not own."""
    own, feature, asked = front.own(i), front.features[i], front.asked[i]

    def adds(row: Floats) -> float:
        return float(row[own] @ coefficients[own])

    added = {value: adds(row) for value, row in asked.values.items()}
    missing = None
    if asked.missing is not None and not np.isnan(asked.missing[own]).any():
        missing = adds(asked.missing)
    if feature.kind == "category":
        return Term(levels={int(c): f for c, f in added.items()}, missing=missing)
    if feature.kind == "flag":
        low, high = (0.0, 1.0)
        if len(added) < 2:
            raise AdoptionRefused(f"its steps know one value of `{feature.name}` only")
    else:
        low, high = bounds_of(feature)
        scale = max(1.0, *(abs(f) for f in added.values()))
        for value, f in added.items():
            share = (value - low) / (high - low)
            line = added[low] + share * (added[high] - added[low])
            if not abs(f - line) <= STRAIGHT * scale:
                raise AdoptionRefused(f"`{feature.name}` is not read as a straight line")
    widened = 0.0 if feature.kind == "flag" else WIDENED
    return Term(((low, added[low]), (high, added[high])), widened, missing=missing)
