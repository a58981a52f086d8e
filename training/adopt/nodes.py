"""scikit-learn's trees, written as LightGBM's text: on the dictionary's inputs, before any step.

A node of the estimator asks about one of its columns. What it asks of the input behind that column is
found by `training.adopt.front`: a threshold for a number, a set for a category, and for a missing value
the side that the imputed value, or the tree itself, sends it to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.adopt.front import NO_INPUT, Front
from training.errors import AdoptionRefused

Floats = NDArray[np.float64]
LEAF = -1
NUMERIC_LEFT, NUMERIC_RIGHT, CATEGORICAL = 10, 8, 9
WORD_BITS = 32
COUNT_WIDTH = 16


@dataclass(frozen=True, slots=True)
class Nodes:
    """One tree of an estimator; every array has shape (n_nodes,), the root first.

    Attributes
    ----------
    column, threshold
        To the left goes what is at most the threshold.
    left, right
        Positions of the children; -1 at a leaf.
    missing_left
        Where the tree itself sends a missing value.
    value
        At a leaf: what it adds to the score.
    cover
        Weight of the fitting rows that came by.
    rows
        Their number.
    """

    column: NDArray[np.intp]
    threshold: Floats
    left: NDArray[np.intp]
    right: NDArray[np.intp]
    missing_left: NDArray[np.bool_]
    value: Floats
    cover: Floats
    rows: Floats

    @property
    def splits(self) -> NDArray[np.intp]:
        return np.flatnonzero(self.left != LEAF)


@dataclass(frozen=True, slots=True)
class Written:
    """The trees' text, and what was learnt on the way.

    Attributes
    ----------
    needed : frozenset of str
        Inputs that are read, and whose absence the model never learnt to read.
    landmarks : mapping of ndarray
        Thresholds of every number.
    """

    text: str
    needed: frozenset[str]
    landmarks: dict[str, Floats]


@dataclass(frozen=True, slots=True)
class _Question:
    """A split on an input: a threshold, or a set of codes, for the left side."""

    feature: int
    threshold: float
    missing_left: bool
    categories: frozenset[int] | None = None
    swapped: bool = False


def write_trees(
    trees: Sequence[Nodes], front: Front, constant: float, cast: Callable[[Floats], Floats]
) -> Written:
    """Write a sum of trees and a constant.

    Parameters
    ----------
    constant : float
        Added to the sum of the trees.
    cast : callable
        What the estimator does to its columns before it compares.

    Raises
    ------
    AdoptionRefused
        When a tree asks about a column that depends on no input.
    """
    wanted = sorted(
        {
            (int(tree.column[k]), float(tree.threshold[k]))
            for tree in trees
            for k in tree.splits
            if front.owner[tree.column[k]] != NO_INPUT
            and front.features[front.owner[tree.column[k]]].kind == "number"
        }
    )
    own = dict(zip(wanted, front.preimages(wanted, cast), strict=True))
    names = [feature.name for feature in front.features]
    head = (
        f"tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\n"
        f"max_feature_idx={len(names) - 1}\nobjective=regression\n"
        f"feature_names={' '.join(names)}\nfeature_infos={' '.join(['none'] * len(names))}\n\n"
    )
    blocks = [f"Tree=0\nnum_leaves=1\nnum_cat=0\nleaf_value={float(constant)!r}\n"]
    for number, tree in enumerate(trees, 1):
        asked = {int(k): _question(tree, int(k), front, own, cast) for k in tree.splits}
        blocks.append(f"Tree={number}\n" + _block(tree, asked))
    landmarks: dict[str, list[float]] = {}
    for (column, _), threshold in own.items():
        if np.isfinite(threshold):
            landmarks.setdefault(names[front.owner[column]], []).append(threshold)
    return Written(
        head + "\n\n".join(blocks) + "\n\nend of trees\n",
        _needed(trees, front),
        {name: np.array(values) for name, values in landmarks.items()},
    )


def _needed(trees: Sequence[Nodes], front: Front) -> frozenset[str]:
    """Inputs that are read but whose absence was never learnt.

    Where fitting had no missing value scikit-learn sends one to the child with more rows. An input
    of which every split does so cannot be told from one that was never missing: its absence is not
    taken for an answer.
    """
    read, learnt = set(), set()
    for tree in trees:
        for k in tree.splits:
            i = int(front.owner[tree.column[k]])
            read.add(i)
            missing = front.asked[i].missing
            if missing is None:
                continue
            larger = tree.rows[tree.left[k]] > tree.rows[tree.right[k]]
            native = np.isnan(missing[tree.column[k]])
            if not native or bool(tree.missing_left[k]) != bool(larger):
                learnt.add(i)
    return frozenset(front.features[i].name for i in read - learnt)


def _question(
    tree: Nodes,
    k: int,
    front: Front,
    own: dict[tuple[int, float], float],
    cast: Callable[[Floats], Floats],
) -> _Question:
    column, threshold = int(tree.column[k]), float(tree.threshold[k])
    i = int(front.owner[column])
    if i == NO_INPUT:
        raise AdoptionRefused("a tree asks about a column that depends on no input")
    asked, feature = front.asked[i], front.features[i]

    def goes_left(row: Floats) -> bool:
        at = cast(row[None])[0, column]
        return bool(tree.missing_left[k]) if np.isnan(at) else bool(at <= threshold)

    missing_left = asked.missing is not None and goes_left(asked.missing)
    if feature.kind == "number":
        return _Question(i, own[column, threshold], missing_left)
    left = {int(value) for value, row in asked.values.items() if goes_left(row)}
    every = {int(value) for value in asked.values}
    if feature.kind == "flag" and left != {1}:
        return _Question(i, {(): -np.inf, (0,): 0.5}.get(tuple(left), np.inf), missing_left)
    if feature.kind == "flag":
        return _Question(i, 0.5, not missing_left, swapped=True)
    # In LightGBM's text a missing category goes right; where it must go left the sides change places.
    if missing_left:
        return _Question(i, 0.0, False, frozenset(every - left), swapped=True)
    return _Question(i, 0.0, False, frozenset(left))


def _block(tree: Nodes, asked: dict[int, _Question]) -> str:
    """One tree's lines, nodes and leaves numbered as they are met on the way down."""
    if not asked:
        return f"num_leaves=1\nnum_cat=0\nleaf_value={float(tree.value[0])!r}\n"
    order: list[int] = []
    leaves: list[int] = []
    stack = [0]
    while stack:
        node = stack.pop()
        if node not in asked:
            leaves.append(node)
            continue
        order.append(node)
        stack += [int(tree.right[node]), int(tree.left[node])]
    name = {node: k for k, node in enumerate(order)} | {leaf: ~k for k, leaf in enumerate(leaves)}
    sets: list[frozenset[int]] = []
    thresholds, kinds, children = [], [], []
    for node in order:
        question = asked[node]
        if question.categories is None:
            thresholds.append(repr(float(question.threshold)))
            kinds.append(NUMERIC_LEFT if question.missing_left else NUMERIC_RIGHT)
        else:
            thresholds.append(str(len(sets)))
            kinds.append(CATEGORICAL)
            sets.append(question.categories)
        sides = name[int(tree.left[node])], name[int(tree.right[node])]
        children.append(sides[::-1] if question.swapped else sides)
    lines: dict[str, Sequence[object]] = {
        "split_feature": [asked[node].feature for node in order],
        "threshold": thresholds,
        "decision_type": kinds,
        "left_child": [left for left, _ in children],
        "right_child": [right for _, right in children],
        "leaf_value": [repr(float(tree.value[leaf])) for leaf in leaves],
        "leaf_count": [_count(tree.cover[leaf]) for leaf in leaves],
        "internal_count": [_count(tree.cover[node]) for node in order],
    }
    if sets:
        words = [_words(codes) for codes in sets]
        lines["cat_boundaries"] = [0, *np.cumsum([len(own) for own in words]).tolist()]
        lines["cat_threshold"] = [word for own in words for word in own]
    return f"num_leaves={len(leaves)}\nnum_cat={len(sets)}\n" + "".join(
        f"{key}={' '.join(map(str, items))}\n" for key, items in lines.items()
    )


def _words(codes: frozenset[int]) -> list[int]:
    """A set of codes as bits of 32-bit words; an empty one is a word of zeros."""
    words = [0] * (max(codes, default=0) // WORD_BITS + 1)
    for code in codes:
        words[code // WORD_BITS] |= 1 << code % WORD_BITS
    return words


def _count(cover: float) -> str:
    """Zeros in front keep a list of counts from having the form of a person's number."""
    return (str(int(cover)) if float(cover).is_integer() else repr(float(cover))).zfill(COUNT_WIDTH)
