"""Boosted trees read from LightGBM's text format, with exact Shapley attributions from tables.

Method
------
The path-dependent Shapley value of a tree (TreeSHAP) is a sum over its leaves, and what one leaf
gives depends only on which of the features on its path the patient satisfies. A leaf with d
features on its path has 2**d such patterns, so every pattern's d contributions are worked out once,
when the model is loaded; for a patient only look-ups and sums are left. Small trees, which
training prefers anyway, make the tables small. The result equals LightGBM's own
`pred_contrib` to rounding, in a fraction of its time for one row and without LightGBM in the
serving process.

References
----------
Lundberg et al. From local explanations to global understanding with explainable AI for trees.
Nature Machine Intelligence 2020;2:56-67. https://doi.org/10.1038/s42256-019-0138-9
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import factorial

import numpy as np
from numpy.typing import NDArray

from models.errors import BundleRefused

Floats = NDArray[np.float64]

# 2**12 patterns of 12 contributions for one leaf are 400 kB: deeper trees are not served.
MOST_FEATURES_ON_A_PATH = 12
CATEGORICAL_BIT = 1
DEFAULT_LEFT_BIT = 2
MISSING_NONE, MISSING_ZERO = 0, 1
ROWS_A_CHUNK = 256


@dataclass(frozen=True, slots=True)
class _Condition:
    """What a leaf's path asks of one feature: lowest < x <= highest, or missing allowed."""

    lowest: float
    highest: float
    missing: bool
    cover: float


@dataclass(frozen=True, slots=True)
class _Leaf:
    value: float
    conditions: Mapping[int, _Condition]


class TreeEnsemble:
    """A sum of decision trees over numeric inputs, NaN meaning missing.

    Parameters
    ----------
    leaves : sequence of _Leaf
        Every leaf of every tree with the conditions of its path.
    n_features : int
        Width of the input vectors.
    """

    def __init__(self, leaves: Sequence[_Leaf], n_features: int) -> None:
        self.n_features = n_features
        self.n_leaves = len(leaves)
        self.base_value = sum(
            leaf.value * float(np.prod([c.cover for c in leaf.conditions.values()]))
            for leaf in leaves
        )
        self._constant = sum(leaf.value for leaf in leaves if not leaf.conditions)
        split = [leaf for leaf in leaves if leaf.conditions]
        self.used = np.array(
            sorted({feature for leaf in split for feature in leaf.conditions}), dtype=np.intp
        )
        self._index_thresholds(split)
        self._tabulate(split)

    @classmethod
    def from_lightgbm_text(cls, text: str) -> TreeEnsemble:
        """Read the text that LightGBM writes with `Booster.save_model`.

        Raises
        ------
        BundleRefused
            When the text is cut short, splits on native categories or on zero-as-missing, has
            several classes, averages its trees, is not a tree at all, or holds a path of more than
            12 features.
        """
        header, trees = _parse(text)
        if header.get("num_class", "1") != "1" or header.get("num_tree_per_iteration", "1") != "1":
            raise BundleRefused("trees: found several classes, expected one output")
        n_features = int(header["max_feature_idx"]) + 1
        leaves = [leaf for tree in trees for leaf in _leaves(tree, n_features)]
        deepest = max((len(leaf.conditions) for leaf in leaves), default=0)
        if deepest > MOST_FEATURES_ON_A_PATH:
            raise BundleRefused(
                f"trees: found a path over {deepest} features, expected at most "
                f"{MOST_FEATURES_ON_A_PATH}; train with a smaller max_depth"
            )
        return cls(leaves, n_features)

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
            index = self._patterns(chunk)[:, self._entry_leaf]
            index *= self._entry_width
            index += self._entry_start
            out[start : start + len(chunk), self.used] = np.add.reduceat(
                self._table[index], self._entry_first, axis=1
            )
        return out

    def contributions_of_one(self, x: Floats) -> Floats:
        """Contributions for a single vector, shape (n_features,); the request path."""
        out = np.zeros(self.n_features)
        if not self.used.size:
            return out
        rows = self._rows(x)
        starts = np.add.reduce(self._scaled_bits.take(rows, axis=0), axis=0, dtype=np.uint16)
        index = starts.take(self._entry_leaf) + self._entry_start
        out[self.used] = np.add.reduceat(self._table.take(index), self._entry_first)
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
        patterns = np.add.reduce(self._bits.take(before, axis=0), axis=0, dtype=np.int16)
        changed = self._bits.take(after, axis=0)
        changed -= self._bits.take(before[own], axis=0)
        changed += patterns
        reached = (changed == self._all_bits) @ self._leaf_value
        moved[read] = reached - (patterns == self._all_bits) @ self._leaf_value
        return moved

    def _rows(self, x: Floats) -> NDArray[np.intp]:
        """The row of bits of every used feature of one vector."""
        above = x[self._threshold_feature] > self._thresholds
        bins = np.add.reduceat(above, self._threshold_first, dtype=np.intp)
        own = x[self.used]
        return np.where(np.isnan(own), self._missing_row, self._first_row + bins)

    def _rows_of(self, position: int, values: Floats) -> NDArray[np.intp]:
        """The rows of bits for values of one feature, given by its position among those used."""
        stop = (*self._threshold_first[1:], len(self._thresholds))[position]
        own = self._thresholds[self._threshold_first[position] : stop]
        bins = np.searchsorted(own, values, side="left")
        first, missing = self._first_row[position], self._missing_row[position]
        return np.asarray(np.where(np.isnan(values), missing, first + bins))

    def _patterns(self, X: Floats) -> NDArray[np.int64]:
        patterns = np.zeros((len(X), self._bits.shape[1]), dtype=np.int64)
        for position, feature in enumerate(self.used):
            patterns += self._bits[self._rows_of(position, X[:, feature])]
        return patterns

    def _index_thresholds(self, leaves: Sequence[_Leaf]) -> None:
        """Give every feature its bins between thresholds, and one more for missing."""
        limits: dict[int, set[float]] = defaultdict(set)
        for leaf in leaves:
            for feature, condition in leaf.conditions.items():
                limits[feature] |= {condition.lowest, condition.highest} - {-np.inf, np.inf}
        own = [np.array(sorted(limits[feature]) or [np.inf]) for feature in self.used]
        counts = np.array([len(values) for values in own], dtype=np.intp)
        self._thresholds = np.concatenate(own) if own else np.zeros(0)
        self._threshold_feature = np.repeat(self.used, counts)
        self._threshold_first = np.concatenate(([0], np.cumsum(counts)))[:-1].astype(np.intp)
        # A feature with m thresholds has m + 1 bins and a row for missing.
        rows = np.concatenate(([0], np.cumsum(counts + 2))).astype(np.intp)
        self._first_row, self._missing_row = rows[:-1], rows[1:] - 1
        self._n_rows = int(rows[-1])

    def _tabulate(self, leaves: Sequence[_Leaf]) -> None:
        """Work out the contributions of every leaf for every pattern of satisfied features."""
        position = {int(feature): i for i, feature in enumerate(self.used)}
        self._bits = np.zeros((self._n_rows, len(leaves)), dtype=np.int16)
        pieces: list[Floats] = []
        entries: list[tuple[int, int, int, int]] = []
        length = 0
        for number, leaf in enumerate(leaves):
            features = list(leaf.conditions)
            width = len(features)
            for k, feature in enumerate(features):
                condition, own = leaf.conditions[feature], position[feature]
                stop = (*self._threshold_first[1:], len(self._thresholds))[own]
                thresholds = self._thresholds[self._threshold_first[own] : stop]
                first = self._first_row[own]
                low = np.searchsorted(thresholds, condition.lowest, side="right")
                high = np.searchsorted(thresholds, condition.highest, side="left")
                # Nothing lies above an infinite threshold: only a missing value goes that way.
                if condition.lowest < condition.highest:
                    self._bits[first + low : first + high + 1, number] += np.int16(1 << k)
                if condition.missing:
                    self._bits[self._missing_row[own], number] += np.int16(1 << k)
                entries.append((own, number, length + k, width))
            covers = np.array([leaf.conditions[feature].cover for feature in features])
            piece = _leaf_table(leaf.value, covers)
            pieces.append(piece.ravel())
            length += piece.size
        entries.sort()
        table = np.array(entries, dtype=np.int64).reshape(-1, 4)
        self._table = np.concatenate(pieces) if pieces else np.zeros(0)
        self._entry_leaf, self._entry_start, self._entry_width = (
            table[:, 1],
            table[:, 2],
            table[:, 3],
        )
        self._entry_first = np.searchsorted(table[:, 0], np.arange(len(self.used)))
        # For a single vector: bits times the width of their leaf's table add up to the start of the
        # pattern's row. The largest, 4095 patterns of 12, still fits 16 bits.
        widths = np.zeros(len(leaves), dtype=np.uint16)
        widths[self._entry_leaf] = self._entry_width
        self._scaled_bits = self._bits.astype(np.uint16) * widths
        self._all_bits = np.array([(1 << len(leaf.conditions)) - 1 for leaf in leaves], np.int16)
        self._leaf_value = np.array([leaf.value for leaf in leaves])


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
    patterns = np.arange(1 << d)
    satisfied = ((patterns[:, None] >> np.arange(d)) & 1).astype(np.float64)
    weights = np.array([factorial(k) * factorial(d - k - 1) / factorial(d) for k in range(d)])
    table = np.empty((1 << d, d))
    for i in range(d):
        polynomial = np.zeros((1 << d, d))
        polynomial[:, 0] = 1.0
        for j in range(d):
            if j != i:
                shifted = np.zeros_like(polynomial)
                shifted[:, 1:] = polynomial[:, :-1] * satisfied[:, j : j + 1]
                polynomial = polynomial * covers[j] + shifted
        table[:, i] = value * (satisfied[:, i] - covers[i]) * (polynomial @ weights)
    return table


def _parse(text: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    if "end of trees" not in text or not text.startswith("tree\n"):
        raise BundleRefused("trees: the text is cut short or is not LightGBM's")
    blocks = text.split("end of trees", 1)[0].split("\n\n")
    parsed = [
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks
    ]
    header, trees = parsed[0], [block for block in parsed[1:] if "Tree" in block]
    if not header.get("max_feature_idx", "").isdecimal():
        raise BundleRefused("trees: the header names no features")
    if "average_output" in blocks[0].splitlines():
        raise BundleRefused("trees: a random forest averages its trees, expected a sum")
    return header, trees


def _leaves(tree: Mapping[str, str], n_features: int) -> Iterator[_Leaf]:
    """Every leaf of one tree with the merged condition that its path puts on each feature."""

    def numbers(key: str) -> list[float]:
        return [float(item) for item in tree[key].split()]

    try:
        values = numbers("leaf_value")
        if int(tree["num_leaves"]) != len(values):
            raise BundleRefused("trees: a tree's lists differ in length")
        if len(values) == 1:
            yield _Leaf(values[0], {})
            return
        if int(tree.get("num_cat", "0")) or tree.get("is_linear", "0") != "0":
            raise BundleRefused("trees: native categories or linear leaves are not served")
        features = [int(item) for item in tree["split_feature"].split()]
        thresholds, kinds = numbers("threshold"), [int(k) for k in tree["decision_type"].split()]
        left = [int(item) for item in tree["left_child"].split()]
        right = [int(item) for item in tree["right_child"].split()]
        leaf_count, node_count = numbers("leaf_count"), numbers("internal_count")
    except (KeyError, ValueError) as error:
        raise BundleRefused(f"trees: a tree is incomplete ({type(error).__name__})") from error
    n = len(features)
    by_node, by_leaf = (thresholds, kinds, left, right, node_count), (values, leaf_count)
    if {len(x) for x in by_node} != {n} or {len(x) for x in by_leaf} != {n + 1}:
        raise BundleRefused("trees: a tree's lists differ in length")
    # An infinite threshold is LightGBM's way to split what is there from what is missing.
    if np.isnan(thresholds).any() or not np.isfinite([*values, *node_count, *leaf_count]).all():
        raise BundleRefused("trees: a number is not finite")
    if min(node_count) <= 0:
        raise BundleRefused("trees: a node stands without rows")
    if not all(0 <= feature < n_features for feature in features):
        raise BundleRefused("trees: a split reads an input that is not there")
    # LightGBM numbers children after their parents: no path can run in a circle.
    children = [(child, parent) for parent in range(n) for child in (left[parent], right[parent])]
    if any(not (parent < child < n or -n - 1 <= child < 0) for child, parent in children):
        raise BundleRefused("trees: the nodes are not a tree")

    stack: list[tuple[int, dict[int, _Condition]]] = [(0, {})]
    while stack:
        node, path = stack.pop()
        if node < 0:
            yield _Leaf(values[~node], path)
            continue
        kind = kinds[node]
        missing_type = (kind >> 2) & 3
        if kind & CATEGORICAL_BIT or missing_type == MISSING_ZERO:
            raise BundleRefused("trees: a split on categories or on zero-as-missing is not served")
        threshold = thresholds[node]
        if missing_type == MISSING_NONE:
            missing_left = threshold >= 0.0  # LightGBM reads a missing value as 0 here
        else:
            missing_left = bool(kind & DEFAULT_LEFT_BIT)
        for child, goes_left in ((left[node], True), (right[node], False)):
            count = leaf_count[~child] if child < 0 else node_count[child]
            before = path.get(features[node], _Condition(-np.inf, np.inf, True, 1.0))
            condition = _Condition(
                lowest=before.lowest if goes_left else max(before.lowest, threshold),
                highest=min(before.highest, threshold) if goes_left else before.highest,
                missing=before.missing and missing_left == goes_left,
                cover=before.cover * count / node_count[node],
            )
            stack.append((child, {**path, features[node]: condition}))
