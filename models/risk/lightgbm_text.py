"""LightGBM's text format read: splits and leaves of every tree, checked, nothing else believed.

The format is what `Booster.save_model` writes. Only what is served is taken: one output, splits on
numbers and on sets of categories, sums of trees. Whatever else a text holds is refused with the
reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from models.errors import BundleRefused

CATEGORICAL_BIT = 1
DEFAULT_LEFT_BIT = 2
MISSING_NONE, MISSING_ZERO = 0, 1
WORD_BITS = 32


@dataclass(frozen=True, slots=True)
class Split:
    """To the left goes what is at most the threshold, and what is missing if `missing_left`.

    Attributes
    ----------
    categories : frozenset of int or None
        When given, these codes go to the left instead, and nothing else does.
    missing_learnt : bool
        False where fitting had no missing value of the feature: LightGBM then reads it as 0.
    """

    feature: int
    threshold: float
    missing_left: bool
    categories: frozenset[int] | None = None
    missing_learnt: bool = True


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf's value and how to get there.

    Attributes
    ----------
    path : tuple of (int, bool)
        Splits by their position in the tree, and whether the way goes left.
    covers : mapping of int to float
        For every feature on the path the share of fitting rows that its splits let through.
    """

    value: float
    path: tuple[tuple[int, bool], ...]
    covers: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Tree:
    splits: tuple[Split, ...]
    leaves: tuple[Leaf, ...]


def read_trees(text: str) -> tuple[int, list[Tree]]:
    """The number of inputs, and every tree.

    Raises
    ------
    BundleRefused
        When the text is cut short, splits on zero-as-missing, has linear leaves or several classes,
        averages its trees, or is not a tree at all.
    """
    header, blocks = _parse(text)
    if header.get("num_class", "1") != "1" or header.get("num_tree_per_iteration", "1") != "1":
        raise BundleRefused("trees: found several classes, expected one output")
    n_features = int(header["max_feature_idx"]) + 1
    return n_features, [_tree(block, n_features) for block in blocks]


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


def _tree(tree: Mapping[str, str], n_features: int) -> Tree:

    def numbers(key: str) -> list[float]:
        return [float(item) for item in tree[key].split()]

    try:
        values = numbers("leaf_value")
        if int(tree["num_leaves"]) != len(values):
            raise BundleRefused("trees: a tree's lists differ in length")
        if len(values) == 1:
            return Tree((), (Leaf(values[0], (), {}),))
        if tree.get("is_linear", "0") != "0":
            raise BundleRefused("trees: linear leaves are not served")
        features = [int(item) for item in tree["split_feature"].split()]
        thresholds, kinds = numbers("threshold"), [int(k) for k in tree["decision_type"].split()]
        left = [int(item) for item in tree["left_child"].split()]
        right = [int(item) for item in tree["right_child"].split()]
        leaf_count, node_count = numbers("leaf_count"), numbers("internal_count")
        sets = _category_sets(tree) if int(tree.get("num_cat", "0")) else []
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
    splits = tuple(_split(*split, sets) for split in zip(features, thresholds, kinds, strict=True))
    return Tree(splits, tuple(_leaves(splits, values, left, right, leaf_count, node_count)))


def _category_sets(tree: Mapping[str, str]) -> list[frozenset[int]]:
    """The sets of codes that splits send to the left: bits of 32-bit words, one run a set."""
    ends = [int(item) for item in tree["cat_boundaries"].split()]
    words = [int(item) for item in tree["cat_threshold"].split()]
    if ends != sorted(ends) or ends[0] or ends[-1] != len(words) or max(words) >= 1 << WORD_BITS:
        raise BundleRefused("trees: the sets of categories are not what the text says")
    return [
        frozenset(
            WORD_BITS * i + bit
            for i, word in enumerate(words[start:end])
            for bit in range(WORD_BITS)
            if word >> bit & 1
        )
        for start, end in pairwise(ends)
    ]


def _split(feature: int, threshold: float, kind: int, sets: Sequence[frozenset[int]]) -> Split:
    missing_type = (kind >> 2) & 3
    if missing_type == MISSING_ZERO:
        raise BundleRefused("trees: a split on zero-as-missing is not served")
    learnt = missing_type != MISSING_NONE
    if kind & CATEGORICAL_BIT:
        if threshold not in range(len(sets)):
            raise BundleRefused("trees: a split names a set of categories that is not there")
        # What is missing, and what is in no set, goes to the right.
        return Split(feature, threshold, False, sets[int(threshold)], learnt)
    if not learnt:  # LightGBM reads a missing value as 0 here
        return Split(feature, threshold, threshold >= 0.0, missing_learnt=False)
    return Split(feature, threshold, bool(kind & DEFAULT_LEFT_BIT))


def _leaves(
    splits: Sequence[Split],
    values: Sequence[float],
    left: Sequence[int],
    right: Sequence[int],
    leaf_count: Sequence[float],
    node_count: Sequence[float],
) -> Iterator[Leaf]:
    """Walk down from the root; a child below 0 is a leaf, counted from -1."""
    stack: list[tuple[int, tuple[tuple[int, bool], ...], dict[int, float]]] = [(0, (), {})]
    while stack:
        node, path, covers = stack.pop()
        if node < 0:
            yield Leaf(values[~node], path, covers)
            continue
        feature = splits[node].feature
        for child, goes_left in ((left[node], True), (right[node], False)):
            count = leaf_count[~child] if child < 0 else node_count[child]
            cover = covers.get(feature, 1.0) * count / node_count[node]
            stack.append((child, (*path, (node, goes_left)), {**covers, feature: cover}))
