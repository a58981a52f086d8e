"""The ladder of one quasi-identifier: how its values are told, from fine to coarse to not at all.

A band of numbers is written as one number and merged categories as one of them, so that whatever
reads the dictionary's numbers reads an export too. Two rows are told apart by what is written and by
nothing else, so classes are counted on exactly what leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from models.vocabulary import Feature

Floats = NDArray[np.float64]
KINDS = ("exact", "width", "limits", "merge", "suppress")


@dataclass(frozen=True, slots=True)
class Step:
    """One rung: values as they are, bands, merged categories, or nothing.

    Attributes
    ----------
    kind : str
        `exact`, `width`, `limits`, `merge` or `suppress`.
    width : float
        Bands of this width, starting at 0 (`width`).
    limits : tuple of float
        Where bands begin, ascending; below the first is a band too (`limits`).
    written : tuple of float
        The value each of these bands is written as, one more than there are limits.
    merge : mapping of str
        Category -> the category it is written as (`merge`).
    """

    kind: str
    width: float = 0.0
    limits: tuple[float, ...] = ()
    written: tuple[float, ...] = ()
    merge: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Ladder:
    """A quasi-identifier and its rungs.

    Attributes
    ----------
    feature : Feature
    steps : tuple of Step
        From fine to coarse; the last one suppresses.
    weight : float
        How much its loss counts beside the other ladders'.
    why, source : str
    """

    feature: Feature
    steps: tuple[Step, ...]
    weight: float
    why: str
    source: str


def generalise(values: Floats, feature: Feature, step: Step) -> Floats:
    """Write values as one rung tells them.

    Parameters
    ----------
    values : ndarray, shape (n_rows,)
        Encoded values in the feature's own unit; NaN where missing.
    feature : Feature
        Its plausible range and top code end the outermost bands.
    step : Step

    Returns
    -------
    ndarray, shape (n_rows,)
        Encoded values; a missing one stays missing.

    Examples
    --------
    Ages 61 and 64 fall into the band from 60 to 65, 71 into that from 70 to 75:

    >>> from models.vocabulary import load_vocabulary
    >>> age = load_vocabulary().features["age"]
    >>> generalise(np.array([61.0, 64.0, 71.0]), age, Step("width", width=5)).tolist()
    [62.5, 62.5, 72.5]
    """
    if step.kind == "exact":
        return values.copy()
    if step.kind == "suppress":
        return np.full(len(values), np.nan)
    if step.kind == "merge":
        return _merged(values, feature, step)
    if step.kind == "limits":
        return _typical(values, step)
    lowest, highest = _range(feature)
    lower = np.floor(values / step.width) * step.width
    upper = lower + step.width
    lower, upper = np.maximum(lower, lowest), np.minimum(upper, highest)
    if feature.integer:
        # The last whole number of a band is one below the next band's first, except at the end.
        upper = np.where(upper < highest, upper - 1, upper)
        return np.floor((lower + upper) / 2)
    middle = (lower + upper) / 2
    if feature.top_code is None:
        return middle
    # The year below the top code is the last that can be told: 89.5 would be read back as 90.
    below = lower < feature.top_code
    return np.where(below, np.minimum(middle, feature.top_code - 1), middle)


def describe(feature: Feature, step: Step) -> str:
    """Say in words what a rung does.

    Examples
    --------
    >>> from models.vocabulary import load_vocabulary
    >>> describe(load_vocabulary().features["age"], Step("width", width=5))
    'bands of 5 a, written as their middle'
    """
    if step.kind == "width":
        return f"bands of {step.width:g} {feature.unit}, written as their middle"
    if step.kind == "limits":
        limits = ", ".join(f"{limit:g}" for limit in step.limits)
        written = ", ".join(f"{value:g}" for value in step.written)
        return f"bands beginning at {limits} {feature.unit}, written as {written}"
    if step.kind == "merge":
        into: dict[str, list[str]] = {}
        for category, target in step.merge.items():
            into.setdefault(target, []).append(category)
        merged = "; ".join(f"{', '.join(names)} as {target}" for target, names in into.items())
        return f"{merged}; others as they are"
    return "as it is" if step.kind == "exact" else "left out"


def is_coarser(feature: Feature, finer: Step, coarser: Step) -> bool:
    """Whether every band of the finer rung lies within one band of the coarser.

    Only then do classes grow from rung to rung, which the search for the least loss relies on.

    Examples
    --------
    >>> from models.vocabulary import load_vocabulary
    >>> age = load_vocabulary().features["age"]
    >>> is_coarser(age, Step("width", width=5), Step("width", width=10))
    True
    >>> is_coarser(age, Step("width", width=10), Step("width", width=15))
    False
    """
    if finer.kind == "suppress" or coarser.kind == "exact":
        return False
    if coarser.kind == "suppress" or finer.kind == "exact":
        return True
    if feature.kind == "number":
        return set(_edges(feature, coarser)) < set(_edges(feature, finer))
    blocks: dict[str, set[str]] = {}
    for category in feature.categories:
        block = blocks.setdefault(finer.merge.get(category, category), set())
        block.add(coarser.merge.get(category, category))
    return all(len(block) == 1 for block in blocks.values())


def _merged(values: Floats, feature: Feature, step: Step) -> Floats:
    names = feature.categories
    target = np.array([names.index(step.merge.get(name, name)) for name in names], dtype=np.float64)
    known = ~np.isnan(values)
    written = np.full(len(values), np.nan)
    written[known] = target[values[known].astype(np.intp)]
    return written


def _typical(values: Floats, step: Step) -> Floats:
    known = ~np.isnan(values)
    written = np.full(len(values), np.nan)
    band = np.searchsorted(np.array(step.limits), values[known], side="right")
    written[known] = np.array(step.written)[band]
    return written


def _range(feature: Feature) -> tuple[float, float]:
    lowest, highest = feature.plausible or (-np.inf, np.inf)
    top_code = feature.top_code
    return lowest, highest if top_code is None else min(highest, top_code)


def _edges(feature: Feature, step: Step) -> list[float]:
    lowest, highest = _range(feature)
    if step.kind == "limits":
        return [limit for limit in step.limits if lowest < limit <= highest]
    first = int(np.floor(lowest / step.width)) + 1
    last = int(np.floor(highest / step.width))
    return [step.width * i for i in range(first, last + 1)]
