"""Which numbers answers add to: worked out together when they are durable.

Models that are asked together are asked about the same patient. Most of them cut a feature at the
same edges, since they were fitted on the same rows; such a feature is counted once for all of them
and taken apart when somebody reads the counts. So an answer costs about the same whether it is of
one model or of ten.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.risk.assessment import Abstained, Answered
from monitoring.counting.profile import BINARY, SUMS, FeatureBins, ModelProfile

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

Cut = tuple[str, tuple[float, ...], tuple[float, ...]]
LOWEST = np.finfo(np.float64).min
"""An edge below every value; what is missing is put below it."""


class Asked(NamedTuple):
    """A patient whom the models of a panel were asked about, and what they said.

    Attributes
    ----------
    values : mapping
        Encoded values by feature name; absent means missing.
    said : sequence
        The answer of every model, in the panel's order.
    implausible : collection of str
        Inputs of which a value was sent that cannot be true; counts where no other was sent.
    """

    values: Mapping[str, float]
    said: Sequence[Answered | Abstained]
    implausible: Collection[str] = ()


class PanelCounter:
    """Counts the answers of models that are asked together.

    A block holds, in this order: the bins of every distinct feature; of each model how often it
    answered and abstained, and the bins of its predictions; the absolute contributions of every
    model, then of each its predictions and p(1-p).

    Parameters
    ----------
    profiles : sequence of ModelProfile
        In the order in which the models answer.

    Attributes
    ----------
    size : int
        Length of the block.
    key : str
        See `key_of`.
    """

    def __init__(self, profiles: Sequence[ModelProfile]) -> None:
        self.profiles = tuple(profiles)
        self.key = key_of(profiles)
        distinct = {_cut(one): one for profile in profiles for one in profile.features}
        firsts, at = {}, 0
        self._implausible: dict[str, list[tuple[int, int]]] = {}
        self._never: list[tuple[int, int, frozenset[float]]] = []
        for i, (cut, feature) in enumerate(distinct.items()):
            firsts[cut] = at
            at += len(feature.labels)
            self._implausible.setdefault(feature.name, []).append((i, at - 2))
            if feature.never:
                self._never.append((i, at - 1, frozenset(feature.never)))
        self._names = [feature.name for feature in distinct.values()]
        self._edges, self._bases = _one_scale(list(distinct.values()), list(firsts.values()))
        self._scale = np.arange(len(distinct), dtype=np.float64)
        self._absent = [-inf] * len(distinct)
        # Where a model begins, whether it is binary, its predictions' edges, no reasons of its length.
        self._models: list[tuple[int, bool, tuple[float, ...], Floats]] = []
        for profile in profiles:
            edges, width = profile.predictions.edges, len(profile.features)
            self._models.append((at, profile.kind == BINARY, edges, np.zeros(width)))
            at += 2 + len(profile.predictions.labels)
        self._sums_at = at
        self._widths = [len(profile.features) for profile in profiles]
        self.size = at + sum(self._widths) + SUMS * len(profiles)
        self._gather = [self._places(i, firsts) for i in range(len(profiles))]

    def add(self, asked: Sequence[Asked], values: Floats, at: int) -> None:
        """Count patients in a block that begins at a place of a board's numbers.

        Many at once cost little more than one: most of the time goes into calling numpy.
        """
        x: list[float] = []
        for one in asked:
            x += map(one.values.get, self._names, self._absent)
        width = len(self._names)
        scale = np.empty((len(asked), width), dtype=np.complex128)
        scale.real, scale.imag = self._scale, np.array(x).reshape(scale.shape)
        bins = self._edges.searchsorted(scale)
        bins += self._bases
        said: list[int] = []
        sums: list[float] = []
        reasons: list[Floats] = []
        for k, one in enumerate(asked):
            for name in one.implausible:
                if name not in one.values:
                    for i, place in self._implausible.get(name, ()):
                        bins[k, i] = place
            for i, place, never in self._never:
                if x[k * width + i] in never:
                    bins[k, i] = place
            for (begin, binary, edges, silent), answer in zip(self._models, one.said, strict=True):
                if isinstance(answer, Abstained):
                    said.append(begin + 1)
                    sums += (0.0, 0.0)
                    reasons.append(silent)
                    continue
                p = answer.prediction
                said += (begin, begin + 2 + bisect_left(edges, p))
                sums += (p, p * (1.0 - p) if binary else 0.0)
                reasons.append(answer.contributions)
        counts = np.bincount(np.concatenate((bins.ravel(), said)), minlength=self._sums_at)
        moved = np.abs(np.concatenate(reasons)).reshape(len(asked), -1)
        block = values[at : at + self.size]
        block[: self._sums_at] += counts
        block[self._sums_at : self._sums_at + moved.shape[1]] += np.add.reduce(moved)
        block[self._sums_at + moved.shape[1] :] += np.add.reduce(
            np.array(sums).reshape(len(asked), -1)
        )

    def of_model(self, i: int, block: Floats) -> Floats:
        """The counts of one model of the panel, as `ModelProfile` orders them."""
        return block[self._gather[i]]

    def _places(self, i: int, firsts: Mapping[Cut, int]) -> Indices:
        """Where the numbers of a model's vector stand in a block."""
        at, profile = self._models[i][0], self.profiles[i]
        reasons = self._sums_at + sum(self._widths[:i])
        sums = self._sums_at + sum(self._widths) + SUMS * i
        places = [at, at + 1, sums, sums + 1]
        places += range(at + 2, at + 2 + len(profile.predictions.labels))
        places += range(reasons, reasons + self._widths[i])
        for feature in profile.features:
            first = firsts[_cut(feature)]
            places += range(first, first + len(feature.labels))
        return np.array(places, dtype=np.intp)


def key_of(profiles: Sequence[ModelProfile]) -> str:
    """The same for the same models in the same order, in every process."""
    return "|".join(f"{one.name}@{one.version}@{one.digest}" for one in profiles)


def _cut(feature: FeatureBins) -> Cut:
    """What makes two models count a feature alike."""
    return feature.name, feature.values.edges, feature.never


def _one_scale(
    features: Sequence[FeatureBins], firsts: Sequence[int]
) -> tuple[NDArray[np.complex128], Indices]:
    """The edges of all features in one ascending row, so that one search finds every bin.

    Complex numbers are ordered by their real part first: that is the feature, and the imaginary part
    is the edge. What a search finds counts the edges of the features before as well; the second array
    takes them away and adds where the feature's bins begin.
    """
    row = [
        complex(i, edge) for i, one in enumerate(features) for edge in (LOWEST, *one.values.edges)
    ]
    before = np.cumsum([0, *(1 + len(one.values.edges) for one in features)])[:-1]
    return np.array(row, dtype=np.complex128), np.array(firsts, dtype=np.intp) - before
