"""Boosted trees with exact Shapley attributions from tables.

Method
------
The path-dependent Shapley value of a tree (TreeSHAP) depends on a patient only through which of the
tree's splits go left. A tree of k splits has at most 2**k such patterns, so every pattern's
contributions are worked out once, when the model is loaded; for a patient only look-ups and sums are
left. Small trees, which training prefers anyway, make the tables small. A tree of more splits than
`MOST_SPLITS_TOGETHER` is cut into its leaves, of which it is the sum: what one leaf gives depends
only on which of the features on its path are satisfied, 2**d patterns for d features. The result
equals LightGBM's own `pred_contrib` to rounding, in a fraction of its time for one row and without
LightGBM in the serving process.

References
----------
Lundberg et al. From local explanations to global understanding with explainable AI for trees.
Nature Machine Intelligence 2020;2:56-67. https://doi.org/10.1038/s42256-019-0138-9
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import BundleRefused
from models.risk.lightgbm_text import Leaf, Split, Tree, read_trees
from models.risk.reading import Seat

Floats = NDArray[np.float64]

# 2**12 patterns of 12 contributions for one leaf are 400 kB: deeper trees are not served.
MOST_FEATURES_ON_A_PATH = 12
# 2**8 patterns of up to 8 contributions and their sum: at most 18 kB for a tree of 9 leaves.
MOST_SPLITS_TOGETHER = 8
ROWS_A_CHUNK = 256


@dataclass(frozen=True, slots=True)
class _Test:
    """What is asked of one feature: lowest < x <= highest, or missing allowed.

    Attributes
    ----------
    only, never : frozenset of int
        Of a category: the codes that pass, None for all; and those that do not.
    """

    feature: int
    lowest: float
    highest: float
    missing: bool
    only: frozenset[int] | None = None
    never: frozenset[int] = frozenset()

    @property
    def limits(self) -> set[float]:
        """Where one bin must end and the next begin, so that the test passes whole bins."""
        codes = self.never | (self.only or frozenset())
        around = {code + side for code in codes for side in (-0.5, 0.5)}
        return ({self.lowest, self.highest} - {-np.inf, np.inf}) | around

    def passes(self, thresholds: Floats) -> NDArray[np.bool_]:
        """Which bins between thresholds pass, shape (n_thresholds + 1,)."""
        bins = np.zeros(len(thresholds) + 1, dtype=np.bool_)
        # Nothing lies above an infinite threshold: only a missing value goes that way.
        if self.lowest < self.highest:
            low = np.searchsorted(thresholds, self.lowest, side="right")
            high = np.searchsorted(thresholds, self.highest, side="left")
            bins[low : high + 1] = True
        if self.only is not None:
            named = np.zeros_like(bins)
            named[np.searchsorted(thresholds, sorted(self.only))] = True
            bins &= named
        bins[np.searchsorted(thresholds, sorted(self.never))] = False
        return bins


@dataclass(frozen=True, slots=True)
class _Block:
    """Leaves of one tree whose contributions are tabulated together.

    Attributes
    ----------
    tests : tuple
        Bit k of a pattern says whether test k passes.
    leaves : tuple
        Their paths name tests, and how each must turn out.
    """

    tests: tuple[_Test, ...]
    leaves: tuple[Leaf, ...]

    @property
    def features(self) -> list[int]:
        return sorted({test.feature for test in self.tests})


class TreeEnsemble:
    """A sum of decision trees over numeric inputs, NaN meaning missing.

    Parameters
    ----------
    trees : sequence of Tree
    n_features : int
        Width of the input vectors.

    Raises
    ------
    BundleRefused
        When a path holds more than 12 features.
    """

    def __init__(self, trees: Sequence[Tree], n_features: int) -> None:
        leaves = [leaf for tree in trees for leaf in tree.leaves]
        deepest = max((len(leaf.covers) for leaf in leaves), default=0)
        if deepest > MOST_FEATURES_ON_A_PATH:
            raise BundleRefused(
                f"trees: found a path over {deepest} features, expected at most "
                f"{MOST_FEATURES_ON_A_PATH}; train with a smaller max_depth"
            )
        self.n_features = n_features
        self.n_leaves = len(leaves)
        self.base_value = sum(
            leaf.value * float(np.prod(list(leaf.covers.values()))) for leaf in leaves
        )
        blocks = [block for tree in trees if tree.splits for block in _blocks(tree)]
        read = {feature for block in blocks for feature in block.features}
        self.used = np.array(sorted(read), dtype=np.intp)
        self._index_thresholds(blocks)
        self._tabulate(blocks)

    @classmethod
    def from_lightgbm_text(cls, text: str) -> TreeEnsemble:
        """Read the text that LightGBM writes with `Booster.save_model`.

        Raises
        ------
        BundleRefused
            When the text is not of a kind that is served (see `lightgbm_text`).
        """
        n_features, trees = read_trees(text)
        return cls(trees, n_features)

    def contributions(self, X: Floats) -> Floats:
        """Exact Shapley contributions of every feature.

        Parameters
        ----------
        X : ndarray, shape (n_samples, n_features)
            Inputs, NaN where missing.

        Returns
        -------
        ndarray, shape (n_samples, n_features)
            In the model's raw unit (log-odds for a binary outcome). Their sum plus `base_value`
            is the model's raw output.
        """
        X = np.asarray(X, dtype=np.float64)
        out = np.zeros((len(X), self.n_features))
        if not self.used.size:
            return out
        for start in range(0, len(X), ROWS_A_CHUNK):
            chunk = X[start : start + ROWS_A_CHUNK]
            starts = np.zeros((len(chunk), self._starts.shape[1]), dtype=np.uint16)
            for position, feature in enumerate(self.used):
                starts += self._starts.take(self._rows_of(position, chunk[:, feature]), axis=0)
            index = starts.take(self._entry_block, axis=1) + self._entry_start
            out[start : start + len(chunk), self.used] = np.add.reduceat(
                self._table.take(index), self._entry_first, axis=1
            )
        return out

    def contributions_of_one(self, x: Floats) -> Floats:
        """Contributions for a single vector, shape (n_features,)."""
        out = np.zeros(self.n_features)
        stack = TreeStack([(self, Seat(0, 0, 1.0))])
        out[stack.into] = stack.contributions(x)
        return out

    def change_of_score(self, x: Floats, features: NDArray[np.intp], values: Floats) -> Floats:
        """How the raw output of one vector would move, were one of its inputs another.

        Parameters
        ----------
        x : ndarray, shape (n_features,)
        features : ndarray of int, shape (k,)
            Which input is changed; one may be named many times.
        values : ndarray, shape (k,)
            To what.

        Returns
        -------
        ndarray, shape (k,)
            Each change alone, in the model's raw unit; 0 for an input that no tree reads.
        """
        moved = np.zeros(len(values))
        position = np.full(self.n_features, -1, dtype=np.intp)
        position[self.used] = np.arange(len(self.used))
        read = np.flatnonzero(position[features] >= 0)
        if not read.size:
            return moved
        own, before = position[features[read]], self._rows(x)
        after = np.empty(len(own), dtype=np.intp)
        for i in np.unique(own):
            after[own == i] = self._rows_of(int(i), values[read][own == i])
        starts = self._starts_of_one(before)
        changed = self._starts.take(after, axis=0)
        changed -= self._starts.take(before[own], axis=0)  # below 0 comes round again
        changed += starts
        reached = self._table.take(changed + self._block_value).sum(axis=1)
        moved[read] = reached - self._table.take(starts + self._block_value).sum()
        return moved

    def _starts_of_one(self, rows: NDArray[np.intp]) -> NDArray[np.uint16]:
        """Where the pattern's row begins in the table of every block."""
        found: NDArray[np.uint16] = np.add.reduce(
            self._starts.take(rows, axis=0), axis=0, dtype=np.uint16
        )
        return found

    def _rows(self, x: Floats) -> NDArray[np.intp]:
        """The row of starts of every used feature of one vector."""
        above = x[self._threshold_feature] > self._thresholds
        bins = np.add.reduceat(above, self._threshold_first, dtype=np.intp)
        own = x[self.used]
        return np.where(np.isnan(own), self._missing_row, self._first_row + bins)

    def _rows_of(self, position: int, values: Floats) -> NDArray[np.intp]:
        """The rows of starts for values of one feature, given by its position among those used."""
        own = self._thresholds_of(position)
        bins = np.searchsorted(own, values, side="left")
        first, missing = self._first_row[position], self._missing_row[position]
        return np.asarray(np.where(np.isnan(values), missing, first + bins))

    def _thresholds_of(self, position: int) -> Floats:
        first = self._threshold_first[position]
        return self._thresholds[first : first + self._threshold_count[position]]

    def _index_thresholds(self, blocks: Sequence[_Block]) -> None:
        """Give every feature its bins between thresholds, and one more for missing."""
        limits: dict[int, set[float]] = defaultdict(set)
        for block in blocks:
            for test in block.tests:
                limits[test.feature] |= test.limits
        own = [np.array(sorted(limits[feature]) or [np.inf]) for feature in self.used]
        counts = np.array([len(values) for values in own], dtype=np.intp)
        self._thresholds = np.concatenate(own) if own else np.zeros(0)
        self._threshold_feature = np.repeat(self.used, counts)
        self._threshold_count = counts
        self._threshold_first = np.concatenate(([0], np.cumsum(counts)))[:-1].astype(np.intp)
        # A feature with m thresholds has m + 1 bins and a row for missing.
        rows = np.concatenate(([0], np.cumsum(counts + 2))).astype(np.intp)
        self._first_row, self._missing_row = rows[:-1], rows[1:] - 1
        self._n_rows = int(rows[-1])

    def _tabulate(self, blocks: Sequence[_Block]) -> None:
        """Work out the contributions of every block for every pattern of its tests.

        A pattern's row in a block's table holds a contribution for each feature of the block and,
        last, what the block's leaves give in all. The rows of `_starts` for a patient's bins add up
        to where the pattern's row begins; the largest, 4095 patterns of 13, still fits 16 bits.
        """
        position = {int(feature): i for i, feature in enumerate(self.used)}
        self._starts = np.zeros((self._n_rows, len(blocks)), dtype=np.uint16)
        pieces: list[Floats] = []
        entries: list[tuple[int, int, int]] = []
        values: list[int] = []
        length = 0
        for number, block in enumerate(blocks):
            features = block.features
            width = len(features) + 1
            for k, test in enumerate(block.tests):
                own = position[test.feature]
                step = np.uint16(width << k)
                bins = np.flatnonzero(test.passes(self._thresholds_of(own)))
                self._starts[self._first_row[own] + bins, number] += step
                if test.missing:
                    self._starts[self._missing_row[own], number] += step
            entries += [(position[f], number, length + i) for i, f in enumerate(features)]
            values.append(length + width - 1)
            piece = _table(block, features)
            pieces.append(piece.ravel())
            length += piece.size
        entries.sort()
        table = np.array(entries, dtype=np.intp).reshape(-1, 3)
        self._table = np.concatenate(pieces) if pieces else np.zeros(0)
        self._entry_block, self._entry_start = table[:, 1].copy(), table[:, 2].copy()
        self._entry_first = np.searchsorted(table[:, 0], np.arange(len(self.used)))
        self._block_value = np.array(values, dtype=np.intp)


class TreeStack:
    """Ensembles side by side: what can be looked up for all of them at once is.

    Parameters
    ----------
    ensembles : sequence of (TreeEnsemble, Seat)

    Attributes
    ----------
    into : ndarray of int
        For every contribution its place among those of all models.
    """

    def __init__(self, ensembles: Sequence[tuple[TreeEnsemble, Seat]]) -> None:
        found = [(trees, seat) for trees, seat in ensembles if trees.used.size]
        parts = [_Stacked.of(trees, seat.reads) for trees, seat in found]
        self._all = _Stacked.joined(parts)
        self._starts = [part.starts for part in parts]
        self._tables = [part.table for part in parts]
        self._used = _slices(len(part.used) for part in parts)
        self._entries = _slices(len(part.entry_start) for part in parts)
        self.into = np.array([seat.gives + i for trees, seat in found for i in trees.used], np.intp)
        self._weights = np.array([seat.weight for trees, seat in found for _ in trees.used])

    def contributions(self, x: Floats) -> Floats:
        """Weighted contributions for one vector, of the inputs that trees read; the request path.

        Parameters
        ----------
        x : ndarray, shape (n,)
            The vector that all ensembles read, NaN where missing.
        """
        one = self._all
        if not self._starts:
            return np.zeros(0)
        above = x.take(one.threshold_feature) > one.thresholds
        rows = one.first_row + np.add.reduceat(above, one.threshold_first, dtype=np.intp)
        np.copyto(rows, one.missing_row, where=np.isnan(x.take(one.used)))
        starts = np.concatenate(
            [
                np.add.reduce(table.take(rows[own], axis=0), axis=0, dtype=np.uint16)
                for table, own in zip(self._starts, self._used, strict=True)
            ]
        )
        index = starts.take(one.entry_block) + one.entry_start
        given = np.empty(len(index))
        for table, own in zip(self._tables, self._entries, strict=True):
            table.take(index[own], out=given[own])
        return self._weights * np.add.reduceat(given, one.entry_first)


@dataclass(frozen=True, slots=True)
class _Stacked:
    """What a stack looks up; places count over all its ensembles, rows within each."""

    thresholds: Floats
    threshold_feature: NDArray[np.intp]
    threshold_first: NDArray[np.intp]
    used: NDArray[np.intp]
    first_row: NDArray[np.intp]
    missing_row: NDArray[np.intp]
    entry_block: NDArray[np.intp]
    entry_start: NDArray[np.intp]
    entry_first: NDArray[np.intp]
    starts: NDArray[np.uint16]
    table: Floats

    @classmethod
    def of(cls, trees: TreeEnsemble, place: int) -> _Stacked:
        return cls(
            trees._thresholds, trees._threshold_feature + place, trees._threshold_first,
            trees.used + place, trees._first_row, trees._missing_row, trees._entry_block,
            trees._entry_start, trees._entry_first, trees._starts, trees._table,
        )  # fmt: skip

    @classmethod
    def joined(cls, parts: Sequence[_Stacked]) -> _Stacked:
        def all_of(name: str, beyond: str | None = None) -> NDArray[Any]:
            """Parts of one name joined; those that count places go on where the last one ended."""
            shift, found = 0, [np.zeros(0, np.float64 if name == "thresholds" else np.intp)]
            for part in parts:
                found.append(getattr(part, name) + shift if shift else getattr(part, name))
                if beyond is not None:
                    counted = getattr(part, beyond)
                    shift += counted.shape[1] if counted.ndim == 2 else len(counted)
            return np.concatenate(found)

        return cls(
            all_of("thresholds"), all_of("threshold_feature"),
            all_of("threshold_first", "thresholds"), all_of("used"), all_of("first_row"),
            all_of("missing_row"), all_of("entry_block", "starts"), all_of("entry_start"),
            all_of("entry_first", "entry_start"), np.zeros((0, 0), np.uint16), np.zeros(0),
        )  # fmt: skip


def _slices(lengths: Iterable[int]) -> list[slice]:
    """Consecutive parts of these lengths."""
    ends = list(accumulate(lengths, initial=0))
    return [slice(start, stop) for start, stop in pairwise(ends)]


def _blocks(tree: Tree) -> Iterator[_Block]:
    """A small tree as a whole; a large one leaf by leaf."""
    if len(tree.splits) <= MOST_SPLITS_TOGETHER:
        tests = [_left(split) for split in tree.splits]
        yield _Block(tuple(tests), tree.leaves)
        return
    for leaf in tree.leaves:
        tests = [_merged(feature, leaf, tree.splits) for feature in leaf.covers]
        path = tuple((k, True) for k in range(len(tests)))
        yield _Block(tuple(tests), (Leaf(leaf.value, path, leaf.covers),))


def _left(split: Split) -> _Test:
    """What a split asks of those that go left."""
    highest = split.threshold if split.categories is None else np.inf
    return _Test(split.feature, -np.inf, highest, split.missing_left, split.categories)


def _merged(feature: int, leaf: Leaf, splits: Sequence[Split]) -> _Test:
    """All that a leaf's path asks of one feature."""
    own = [(splits[at], left) for at, left in leaf.path if splits[at].feature == feature]
    numeric = [(split.threshold, left) for split, left in own if split.categories is None]
    sets = [(split.categories, left) for split, left in own if split.categories is not None]
    within = [codes for codes, left in sets if left]
    return _Test(
        feature,
        lowest=max((threshold for threshold, left in numeric if not left), default=-np.inf),
        highest=min((threshold for threshold, left in numeric if left), default=np.inf),
        missing=all(split.missing_left == left for split, left in own),
        only=frozenset.intersection(*within) if within else None,
        never=frozenset().union(*(codes for codes, left in sets if not left)),
    )


def _table(block: _Block, features: Sequence[int]) -> Floats:
    """Contributions of a block, shape (2**k, n_features + 1): row = pattern of its k tests."""
    k = len(block.tests)
    passed = (np.arange(1 << k)[:, None] >> np.arange(k)) & 1
    table = np.zeros((1 << k, len(features) + 1))
    for leaf in block.leaves:
        own = list(leaf.covers)
        satisfied = np.ones((1 << k, len(own)), dtype=np.intp)
        for at, wanted in leaf.path:
            satisfied[:, own.index(block.tests[at].feature)] &= passed[:, at] == wanted
        pattern = satisfied @ (1 << np.arange(len(own)))
        given = _leaf_table(leaf.value, np.array(list(leaf.covers.values())))
        table[:, [features.index(feature) for feature in own]] += given[pattern]
        table[:, -1] += leaf.value * satisfied.all(axis=1)
    return table


def _leaf_table(value: float, covers: Floats) -> Floats:
    """Contributions of one leaf, shape (2**d, d): row = pattern, bit k set = feature k satisfied.

    For feature i the Shapley sum over the subsets of the other features is the polynomial
    prod(cover_j + satisfied_j * t), whose coefficient of t**k belongs to the subsets of size k.

    Examples
    --------
    One feature, half of the training rows in the leaf of value 2: satisfied it gives
    2 * (1 - 0.5) = 1, not satisfied 2 * (0 - 0.5) = -1.

    >>> _leaf_table(2.0, np.array([0.5])).ravel().tolist()
    [-1.0, 1.0]
    """
    d = len(covers)
    satisfied, weights = _subsets(d)
    # One polynomial for every feature left out, pattern by pattern: (d, 2**d, d).
    polynomial = np.zeros((d, 1 << d, d))
    polynomial[..., 0] = 1.0
    for j in range(d):
        grown = polynomial * covers[j]
        grown[..., 1:] += polynomial[..., :-1] * satisfied[:, j, None]
        grown[j] = polynomial[j]
        polynomial = grown
    table: Floats = value * (satisfied - covers) * (polynomial @ weights).T
    return table


@cache
def _subsets(d: int) -> tuple[Floats, Floats]:
    """Which of d features each pattern satisfies, and the Shapley weight of k others."""
    satisfied = ((np.arange(1 << d)[:, None] >> np.arange(d)) & 1).astype(np.float64)
    weights = np.array([factorial(k) * factorial(d - k - 1) / factorial(d) for k in range(d)])
    return satisfied, weights
