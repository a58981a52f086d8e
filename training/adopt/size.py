"""How large a model of somebody else may be: what its tables would take in every serving process.

A patient's answer is a look-up in tables that are worked out when the model is loaded
(`models.risk.trees`): a small tree is a table of all its patterns, a large one a table per leaf, and
for every threshold it is written down what it says to each table. Time goes with the number of leaves,
memory with the patterns and with thresholds times tables.
"""

from __future__ import annotations

from collections.abc import Sequence

from models.risk.lightgbm_text import Tree
from models.risk.trees import MOST_FEATURES_ON_A_PATH, MOST_SPLITS_TOGETHER
from training.adopt.front import Front
from training.adopt.nodes import Nodes
from training.errors import AdoptionRefused

# Measured on one core: a forest of 100 trees of depth 6, 5,014 leaves, takes 0.15 ms a patient and
# 46 MiB; one of 200, 10,120 leaves, 0.32 ms and 168 MiB.
MOST_LEAVES = 10_000
MOST_TABLE_BYTES = 64 * 1024 * 1024
NUMBER_BYTES, START_BYTES = 8, 2


def refuse_large(trees: Sequence[Nodes], front: Front) -> int:
    """Refuse an ensemble that would be too slow or too large to serve; return its leaves.

    Raises
    ------
    AdoptionRefused
        With the size that was found and the one that is allowed.
    """
    thresholds = {
        (int(tree.column[k]), float(tree.threshold[k])) for tree in trees for k in tree.splits
    }
    return _refuse([_paths(tree, front) for tree in trees], len(thresholds))


def refuse_large_text(trees: Sequence[Tree]) -> int:
    """The same for trees that were read from LightGBM's text."""
    thresholds = {
        (split.feature, split.threshold, split.categories)
        for tree in trees
        for split in tree.splits
    }
    paths = [[frozenset(leaf.covers) for leaf in tree.leaves] for tree in trees]
    return _refuse(paths, len(thresholds))


def _paths(tree: Nodes, front: Front) -> list[frozenset[int]]:
    """The inputs on the way to every leaf."""
    found: list[frozenset[int]] = []
    stack: list[tuple[int, frozenset[int]]] = [(0, frozenset())]
    split = set(tree.splits.tolist())
    while stack:
        node, asked = stack.pop()
        if node not in split:
            found.append(asked)
            continue
        below = asked | {int(front.owner[tree.column[node]])}
        stack += [(int(tree.left[node]), below), (int(tree.right[node]), below)]
    return found


def _refuse(trees: Sequence[Sequence[frozenset[int]]], thresholds: int) -> int:
    leaves = sum(len(paths) for paths in trees)
    advice = "fit it smaller (max_leaf_nodes, max_depth, fewer trees)"
    if leaves > MOST_LEAVES:
        raise AdoptionRefused(
            f"{len(trees)} trees with {leaves} leaves in all, at most {MOST_LEAVES} are served; "
            f"{advice}"
        )
    deepest = max((len(path) for paths in trees for path in paths), default=0)
    if deepest > MOST_FEATURES_ON_A_PATH:
        raise AdoptionRefused(
            f"a leaf behind {deepest} inputs, at most {MOST_FEATURES_ON_A_PATH} are served; {advice}"
        )
    tables = sum(1 if len(p) <= MOST_SPLITS_TOGETHER + 1 else len(p) for p in trees)
    table = sum(_numbers(paths) for paths in trees) * NUMBER_BYTES
    table += tables * thresholds * START_BYTES
    if table > MOST_TABLE_BYTES:
        raise AdoptionRefused(
            f"{leaves} leaves whose reasons take {table >> 20} MiB in every process, at most "
            f"{MOST_TABLE_BYTES >> 20} MiB are served; {advice}"
        )
    return leaves


def _numbers(paths: Sequence[frozenset[int]]) -> int:
    splits = len(paths) - 1
    if splits <= MOST_SPLITS_TOGETHER:
        return (1 << splits) * (len(frozenset().union(*paths)) + 1)
    return sum((1 << len(path)) * (len(path) + 1) for path in paths)
