"""What is counted of one model: the bins of its reference profile, by name and in one order.

The counts of a model are one vector:

    answered, abstained | sum of predictions, sum of p(1-p) | prediction bins
    | absolute contribution of each feature | bins of each feature: missing, values, implausible, unseen

Bins of one feature exclude each other: their sum is how often the model was asked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.risk.risk_model import RiskModel
from monitoring.reference import PREDICTION_EDGES

Floats = NDArray[np.float64]

MISSING, IMPLAUSIBLE, UNSEEN = "missing", "implausible", "unseen"
BINARY = "binary"
STATUSES = ("answered", "abstained")
SUMS = 2
"""Of the predictions, and of p(1-p): the Brier score to be expected, where p is a probability."""
CATEGORY_STEP = 0.5


class ProfileInvalid(ValueError):
    """A reference profile that cannot be counted in."""


@dataclass(frozen=True, slots=True)
class Bins:
    """The bins of one number: a feature's values, or predictions.

    Attributes
    ----------
    edges : tuple of float
        Ascending; bin i holds edges[i-1] < x <= edges[i]. Categories are numbers from 0.
    labels : tuple of str
        One more than edges; in the order of their values when sorted.
    counts : tuple of int or None
        Of the fitting rows; None where the bundle does not say.
    """

    edges: tuple[float, ...]
    labels: tuple[str, ...]
    counts: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class FeatureBins:
    """One input: bins of its values, and how many fitting rows lacked it.

    Attributes
    ----------
    never : tuple of float
        Codes of categories that no fitting row had: to the model they are missing.
    """

    name: str
    values: Bins
    missing: int
    never: tuple[float, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """All bins, in the order in which they are counted."""
        return MISSING, *self.values.labels, IMPLAUSIBLE, UNSEEN

    @property
    def counts(self) -> tuple[int, ...] | None:
        """Fitting rows per bin; a fitting row is never implausible or unseen."""
        counts = self.values.counts
        return None if counts is None else (self.missing, *counts, 0, 0)


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """One version of a model, and the bins that it is counted in.

    Attributes
    ----------
    contributions : tuple of float or None
        Mean absolute contribution of each feature over the fitting rows; None where the bundle does
        not say.
    """

    name: str
    version: str
    digest: str
    kind: str
    features: tuple[FeatureBins, ...]
    predictions: Bins
    contributions: tuple[float, ...] | None

    @property
    def size(self) -> int:
        """Length of the vector."""
        bins = sum(len(feature.labels) for feature in self.features)
        fixed = len(STATUSES) + SUMS + len(self.predictions.labels)
        return fixed + len(self.features) + bins

    def to_document(self) -> dict[str, Any]:
        """As JSON, for whoever sums the counts without serving the model."""
        predictions = self.predictions
        return {
            "name": self.name,
            "version": self.version,
            "digest": self.digest,
            "kind": self.kind,
            "features": [
                [one.name, list(one.values.edges), list(one.values.labels),
                 None if one.values.counts is None else list(one.values.counts), one.missing,
                 list(one.never)]
                for one in self.features
            ],
            "predictions": [list(predictions.edges), list(predictions.labels),
                            None if predictions.counts is None else list(predictions.counts)],
            "contributions": None if self.contributions is None else list(self.contributions),
        }  # fmt: skip

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> ModelProfile:
        """The profile again."""

        def bins(edges: Sequence[float], labels: Sequence[str], counts: Any) -> Bins:
            return Bins(tuple(edges), tuple(labels), None if counts is None else tuple(counts))

        contributions = document["contributions"]
        return cls(
            document["name"], document["version"], document["digest"], document["kind"],
            tuple(
                FeatureBins(name, bins(*values), missing, tuple(never))
                for name, *values, missing, never in document["features"]
            ),
            bins(*document["predictions"]),
            None if contributions is None else tuple(contributions),
        )  # fmt: skip


def profile_of(
    model: RiskModel, reference: Mapping[str, Any], *, version: str, digest: str
) -> ModelProfile:
    """The bins of a bundle's model, from the bundle's `reference.json`.

    Raises
    ------
    ProfileInvalid
        When the profile contradicts itself or the model.
    """
    inputs = model.inputs
    return model_profile(
        reference,
        model.features,
        {item.name: item.categories for item in inputs if item.categories},
        {item.name: item.unseen for item in inputs},
        name=model.name,
        version=version,
        digest=digest,
        kind=model.kind,
    )


def model_profile(
    reference: Mapping[str, Any],
    features: Sequence[str],
    categories: Mapping[str, Sequence[str]],
    never: Mapping[str, Collection[float]],
    *,
    name: str,
    version: str,
    digest: str,
    kind: str,
) -> ModelProfile:
    """Read a bundle's reference profile (`monitoring.reference.reference_profile`).

    A feature that the profile does not hold is counted as present or not.

    Parameters
    ----------
    features : sequence of str
        The model's inputs, in its order.
    categories : mapping
        Of inputs with named categories: the names of their codes 0, 1, ...
    never : mapping
        Codes of categories that no fitting row had, by feature.

    Raises
    ------
    ProfileInvalid
        When the profile contradicts itself.

    Examples
    --------
    >>> told = {"features": {"age": {"edges": [40.0, 60.0], "counts": [5, 6, 7], "missing": 5}}}
    >>> read = model_profile(
    ...     told, ["age"], {}, {}, name="icu.sepsis", version="1", digest="", kind="binary")
    >>> read.features[0].labels
    ('missing', '00: up to 40', '01: 40 to 60', '02: over 60', 'implausible', 'unseen')
    """
    try:
        told = reference.get("features", {})
        found = tuple(
            _feature(one, told.get(one), categories.get(one), never.get(one, ()))
            for one in features
        )
        predictions = _predictions(reference.get("prediction"), kind)
        contributions = reference.get("contributions")
        reasons = None if contributions is None else tuple(
            float(contributions[one]) for one in features
        )  # fmt: skip
        if reasons is not None and not np.isfinite(reasons).all():
            raise ProfileInvalid("a mean contribution is no number")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        said = str(error) if isinstance(error, ProfileInvalid) else type(error).__name__
        raise ProfileInvalid(f"the reference profile is malformed ({said})") from error
    return ModelProfile(name, version, digest, kind, found, predictions, reasons)


def _feature(
    name: str,
    told: Mapping[str, Any] | None,
    categories: Sequence[str] | None,
    never: Collection[float],
) -> FeatureBins:
    codes = tuple(sorted(never))
    if told is None:
        return FeatureBins(name, Bins((), ("any value",), None), 0, codes)
    counts = _counts(told["counts"])
    if "values" in told:
        labels = tuple(str(value) for value in told["values"])
        if categories is not None and labels != tuple(categories):
            raise ProfileInvalid(f"`{name}` has other categories than its model")
        if set(labels) & {MISSING, IMPLAUSIBLE, UNSEEN} or len(set(labels)) < len(labels):
            raise ProfileInvalid(f"the categories of `{name}` cannot be told apart")
        edges = tuple(level + CATEGORY_STEP for level in range(len(labels) - 1))
    else:
        edges, labels = _cut(told["edges"])
    if len(counts) != len(labels):
        raise ProfileInvalid(f"`{name}` has {len(counts)} counts in {len(labels)} bins")
    return FeatureBins(name, Bins(edges, labels, counts), _counts([told["missing"]])[0], codes)


def _predictions(told: Mapping[str, Any] | None, kind: str) -> Bins:
    if told is None:
        edges, labels = _cut(PREDICTION_EDGES if kind == BINARY else ())
        return Bins(edges, labels, None)
    edges, labels = _cut(told["edges"])
    counts = _counts(told["counts"])
    if len(counts) != len(labels):
        raise ProfileInvalid(f"predictions have {len(counts)} counts in {len(labels)} bins")
    return Bins(edges, labels, counts)


def _counts(told: Sequence[Any]) -> tuple[int, ...]:
    counts = tuple(int(count) for count in told)
    if any(count < 0 for count in counts):
        raise ProfileInvalid("a count is negative")
    return counts


def bin_labels(edges: Sequence[float]) -> tuple[str, ...]:
    """Labels of the bins between edges, which sort as they do; bin i holds edges[i-1] < x <= edges[i].

    Examples
    --------
    >>> bin_labels([40.7, 49.4])
    ('00: up to 40.7', '01: 40.7 to 49.4', '02: over 49.4')
    """
    if not edges:
        return ("any value",)
    shown = [f"{edge:g}" for edge in edges]
    inner = [f"{low} to {high}" for low, high in pairwise(shown)]
    texts = [f"up to {shown[0]}", *inner, f"over {shown[-1]}"]
    return tuple(f"{i:02d}: {text}" for i, text in enumerate(texts))


def _cut(told: Sequence[float]) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Edges, and the labels of the bins between them."""
    edges = tuple(float(edge) for edge in told)
    if not np.isfinite(edges).all() or any(np.diff(edges) <= 0):
        raise ProfileInvalid("edges do not ascend")
    return edges, bin_labels(edges)
