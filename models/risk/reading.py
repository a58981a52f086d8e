"""A patient's values as models read them, worked out once for models that read alike.

Models of one cohort share their inputs, their ramps and knots, and their rule of familiarity. Equal
parts are made the same object when models are built (`shared`), and one patient's `Reading` keeps
what was worked out for each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PARTS_KEPT = 256
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a model.

    Attributes
    ----------
    unit, categories
        As the dictionary had them when the model was fitted; a load refuses a dictionary that
        has changed under it.
    tree_codes : tuple of float
        Number that the trees read for each category; NaN for a category never seen in fitting.
    unseen : frozenset of int
        Positions of the categories never seen in fitting.
    """

    name: str
    kind: str
    unit: str | None = None
    categories: tuple[str, ...] = ()
    tree_codes: tuple[float, ...] = ()
    unseen: frozenset[int] = field(init=False, default=frozenset())

    def __post_init__(self) -> None:
        never = frozenset(i for i, code in enumerate(self.tree_codes) if np.isnan(code))
        object.__setattr__(self, "unseen", never)


class Seat(NamedTuple):
    """Where a part of a model stands in a panel.

    Attributes
    ----------
    reads : int
        Where its inputs begin in the vector that all parts read.
    gives : int
        Where its contributions begin among those of all models.
    weight : float
        What its contributions are multiplied by.
    """

    reads: int
    gives: int
    weight: float


@dataclass(frozen=True, slots=True)
class Row:
    """One patient's values in the order of some inputs.

    Attributes
    ----------
    own : tuple of float
        NaN where missing; a category never seen in fitting is missing.
    x : ndarray, shape (n_inputs,)
        The same.
    """

    own: tuple[float, ...]
    x: Floats


@dataclass(frozen=True, slots=True)
class Vector:
    """One patient's values as a model reads them.

    Attributes
    ----------
    x : ndarray, shape (n_inputs,)
        As the additive part reads them, NaN where missing.
    for_trees : ndarray, shape (n_inputs,)
        Categories recoded as the trees were fitted to read them.
    """

    x: Floats
    for_trees: Floats


class Order:
    """Which values models read, in which order, and which they must have.

    Parameters
    ----------
    inputs : tuple of (str, frozenset of int)
        Name, and positions of the categories never seen in fitting.
    """

    def __init__(
        self, inputs: tuple[tuple[str, frozenset[int]], ...], required: tuple[str, ...]
    ) -> None:
        self.names = tuple(name for name, _ in inputs)
        self.unseen = tuple((i, unseen) for i, (_, unseen) in enumerate(inputs) if unseen)
        self.required = tuple(i for i, name in enumerate(self.names) if name in required)

    def row(self, values: Mapping[str, float]) -> Row:
        """Order encoded values; absent ones are missing."""
        own = [values.get(name, np.nan) for name in self.names]
        for i, unseen in self.unseen:
            if own[i] in unseen:
                own[i] = np.nan
        return Row(tuple(own), np.array(own))

    def never_seen(self, values: Mapping[str, float]) -> list[str]:
        """Inputs whose category no fitting patient had; they are treated as missing."""
        return [self.names[i] for i, unseen in self.unseen if values.get(self.names[i]) in unseen]


class Reader:
    """Orders and recodes values for models with these inputs."""

    def __init__(self, inputs: tuple[Input, ...], required: tuple[str, ...]) -> None:
        self.features = tuple(item.name for item in inputs)
        self.order = order_of(tuple((item.name, item.unseen) for item in inputs), required)
        self.coded = tuple(
            (i, np.array(m.tree_codes)) for i, m in enumerate(inputs) if m.tree_codes
        )
        self.codes = tuple((i, m.tree_codes) for i, m in enumerate(inputs) if m.tree_codes)

    def vector(self, row: Row) -> Vector:
        """Recode what stands in this reader's order."""
        for_trees = row.x.copy()
        for i, codes in self.codes:
            value = row.own[i]
            if value == value:  # NaN differs from itself
                for_trees[i] = codes[int(value)]
        return Vector(row.x, for_trees)


@lru_cache(PARTS_KEPT)
def order_of(inputs: tuple[tuple[str, frozenset[int]], ...], required: tuple[str, ...]) -> Order:
    """The order of these inputs; models that read alike get the same one."""
    return Order(inputs, required)


@lru_cache(PARTS_KEPT)
def reader_of(inputs: tuple[Input, ...], required: tuple[str, ...]) -> Reader:
    """The reader of these inputs; equal inputs get the same one."""
    return Reader(inputs, required)


class Reading:
    """One patient's values, and what shared parts of models have made of them so far.

    Parameters
    ----------
    values : mapping
        Encoded values (`models.vocabulary.take`) by feature name; absent means missing.

    Examples
    --------
    The second model that shares the part finds the work done:

    >>> part, reading = object(), Reading({"age": 71.0})
    >>> reading.once(part, "sum", lambda: 2 + 2), reading.once(part, "sum", lambda: 5)
    (4, 4)
    """

    __slots__ = ("_known", "values")

    def __init__(self, values: Mapping[str, float]) -> None:
        self.values = values
        # By identity: parts are shared objects, and the models that hold them outlive the reading.
        self._known: dict[tuple[int, str], Any] = {}

    def vector(self, reader: Reader) -> Vector:
        """The values as a reader orders and recodes them."""
        return self.once(reader, "vector", lambda: reader.vector(self.row(reader.order)))

    def row(self, order: Order) -> Row:
        """The values in an order."""
        return self.once(order, "row", lambda: order.row(self.values))

    def once(self, part: object, question: str, work: Callable[[], T]) -> T:
        """What a part answers to a question about this patient, worked out when first asked."""
        key = id(part), question
        if key not in self._known:
            self._known[key] = work()
        found: T = self._known[key]
        return found
