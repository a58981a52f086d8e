"""What stands before an estimator, read by asking it.

Imputers, scalers and encoders work column by column, so each of the estimator's columns depends on one
input. Which one, what a category or a missing value becomes, and where on the input's own scale a
threshold of the estimator lies is found by sending rows through the fitted steps themselves: no second
implementation that could differ from them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.vocabulary import Feature
from training.errors import AdoptionRefused

Floats = NDArray[np.float64]

UNKNOWN_CATEGORY, UNKNOWN_FLAG = "(no category of the dictionary)", 7.0
# Where on the plausible range a number is tried.
PLACES = (0.0, 0.17, 0.41, 0.73, 1.0)
# A double's bits, as a whole number that grows with it: 64 halvings find any double exactly.
HALVINGS = 64
WIDENED = 10.0
NO_INPUT = -1


def frame_of(X: Floats, features: Sequence[Feature]) -> Any:
    """Encoded rows as the frame that the model was made for: its inputs by name, NaN where missing."""
    import pandas as pd

    columns: dict[str, Any] = {}
    for column, feature in zip(X.T, features, strict=True):
        if feature.kind != "category":
            columns[feature.name] = column
            continue
        names = np.array([*feature.categories, UNKNOWN_CATEGORY], dtype=object)
        cells = np.full(len(column), np.nan, dtype=object)
        present = ~np.isnan(column)
        cells[present] = names[column[present].astype(np.intp)]
        columns[feature.name] = pd.Series(cells, dtype=object)
    return pd.DataFrame(columns)


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of an input.

    Attributes
    ----------
    values : mapping of float to ndarray
        Encoded value -> the estimator's columns, of those that were tried and taken.
    missing : ndarray or None
        The columns where it is missing; None where the steps refuse it or know it no better than a
        category that they never saw.
    """

    values: dict[float, Floats]
    missing: Floats | None


class Front:
    """The steps before an estimator, with what they make of every input.

    Parameters
    ----------
    transform : callable
        A frame of the inputs in, the estimator's columns (n_samples, n_columns) out.
    known : set of str
        Categories that some encoder of the steps has seen.

    Raises
    ------
    AdoptionRefused
        When the steps take no row at all, or mix several inputs in one column.
    """

    def __init__(
        self,
        features: Sequence[Feature],
        transform: Callable[[Any], Any],
        known: frozenset[str] = frozenset(),
    ) -> None:
        self.features = tuple(features)
        self._transform = transform
        self._base = np.array([_ordinary(feature, known) for feature in features])
        try:
            self.base = self.columns(self._base[None])[0]
        except (ValueError, TypeError) as error:
            raise AdoptionRefused(
                "its steps do not take a row of the dictionary's features as the signature names "
                f"them ({type(error).__name__})"
            ) from error
        self.asked = tuple(self._ask(i) for i in range(len(features)))
        self.owner = self._owners()

    def columns(self, X: Floats) -> Floats:
        """The estimator's columns of encoded rows."""
        made = self._transform(frame_of(X, self.features))
        return np.asarray(made.toarray() if hasattr(made, "toarray") else made, dtype=np.float64)

    def unseen(self, i: int) -> frozenset[int]:
        """Categories of an input that the steps never saw."""
        if self.features[i].kind != "category":
            return frozenset()
        tried = range(len(self.features[i].categories))
        return frozenset(c for c in tried if float(c) not in self.asked[i].values)

    def own(self, i: int) -> NDArray[np.intp]:
        """The estimator's columns that depend on an input."""
        return np.flatnonzero(self.owner == i)

    def landmarks(self) -> dict[str, Floats]:
        """For numbers: what a missing value is taken for, and where a scaler has its zero.

        The steps are straight lines there, so what a column says can be read back through the two
        ends of the line.
        """
        found = {}
        for i, feature in enumerate(self.features):
            asked = self.asked[i]
            if feature.kind != "number":
                continue
            low, high = bounds_of(feature)
            if low not in asked.values or high not in asked.values:
                continue
            step = asked.values[high] - asked.values[low]
            scaled = (step != 0) & ~np.isclose(step, high - low, rtol=1e-9, atol=0.0)
            shares = [-asked.values[low][scaled] / step[scaled]]
            if asked.missing is not None:
                shares.append((asked.missing - asked.values[low])[step != 0] / step[step != 0])
            at = np.concatenate(shares)
            if np.isfinite(at).any():
                found[feature.name] = low + at[np.isfinite(at)] * (high - low)
        return found

    def preimages(
        self, wanted: Sequence[tuple[int, float]], cast: Callable[[Floats], Floats]
    ) -> list[float]:
        """Thresholds on numbers' own scales that part patients as the estimator's do.

        Parameters
        ----------
        wanted : sequence of (column, threshold)
            Columns that depend on numbers.
        cast : callable
            What the estimator itself does to its columns before it compares (single precision).

        Returns
        -------
        list of float
            For each the largest double that goes to the left; infinity where all do, its negative
            where none does.
        """
        low, high = (np.array([_widened(f)[k] for f in self.features]) for k in (0, 1))
        numbers = [self.owner[column] for column, _ in wanted]
        turn: dict[int, int] = {}
        rows = []
        for i in numbers:
            rows.append(turn.get(i, 0))
            turn[i] = rows[-1] + 1
        if not wanted:
            return []
        X = np.tile(self._base, (max(turn.values()), 1))
        at = np.array(rows), np.array(numbers)
        column = np.array([c for c, _ in wanted])
        threshold = np.array([t for _, t in wanted])

        def left(values: Floats) -> NDArray[np.bool_]:
            X[at] = values
            with np.errstate(over="ignore"):
                return np.asarray(cast(self.columns(X))[at[0], column] <= threshold)

        lowest, highest = low[at[1]], high[at[1]]
        none, every = ~left(lowest), left(highest)
        below, above = _rank(lowest), _rank(highest)
        for _ in range(HALVINGS):
            middle = (below >> 1) + (above >> 1) + (below & above & 1)
            goes = left(_unrank(middle))
            below, above = np.where(goes, middle, below), np.where(goes, above, middle)
        found = np.where(every, np.inf, np.where(none, -np.inf, _unrank(below)))
        return [float(value) for value in found]

    def _ask(self, i: int) -> Asked:
        feature = self.features[i]
        tried = _tried(feature)
        stranger = UNKNOWN_FLAG if feature.kind == "flag" else float(len(feature.categories))
        *made, missing, unknown = self._try(i, [*tried, np.nan, stranger])
        values = {
            value: row
            for value, row in zip(tried, made, strict=True)
            if row is not None and not (feature.kind == "category" and _same(row, unknown))
        }
        if feature.kind != "number" and missing is not None and _same(missing, unknown):
            missing = None
        if not values:
            raise AdoptionRefused(f"its steps know no value of `{feature.name}`")
        return Asked(values, missing)

    def _try(self, i: int, values: Sequence[float]) -> list[Floats | None]:
        """The columns of ordinary rows with one input changed; None where the steps refuse it."""
        rows = np.tile(self._base, (len(values), 1))
        rows[:, i] = values
        try:
            return list(self.columns(rows))
        except (ValueError, TypeError):
            # One value that is refused hides the others.
            return [None] if len(values) == 1 else [self._try(i, [v])[0] for v in values]

    def _owners(self) -> NDArray[np.intp]:
        owner = np.full(len(self.base), NO_INPUT, dtype=np.intp)
        for i, asked in enumerate(self.asked):
            made = [*asked.values.values(), *([] if asked.missing is None else [asked.missing])]
            moved = np.zeros(len(self.base), dtype=np.bool_)
            for row in made:
                moved |= ~((row == self.base) | (np.isnan(row) & np.isnan(self.base)))
            if (owner[moved] != NO_INPUT).any():
                raise AdoptionRefused(
                    f"its steps mix `{self.features[i].name}` with another input in one column"
                )
            owner[moved] = i
        return owner


def _tried(feature: Feature) -> list[float]:
    if feature.kind == "category":
        return [float(c) for c in range(len(feature.categories))]
    if feature.kind == "flag":
        return [0.0, 1.0]
    low, high = bounds_of(feature)
    return [low + place * (high - low) for place in PLACES]


def bounds_of(feature: Feature) -> tuple[float, float]:
    """The plausible range of a number; what lies outside is set aside before a model reads it."""
    if feature.plausible is None:
        raise AdoptionRefused(f"`{feature.name}` has no plausible range in the dictionary")
    return feature.plausible


def _widened(feature: Feature) -> tuple[float, float]:
    if feature.kind != "number":
        return 0.0, 1.0
    low, high = bounds_of(feature)
    return low - WIDENED * (high - low), high + WIDENED * (high - low)


def _ordinary(feature: Feature, known: frozenset[str]) -> float:
    if feature.kind == "number":
        low, high = bounds_of(feature)
        return low + 0.3 * (high - low)
    for position, category in enumerate(feature.categories):
        if category in known:
            return float(position)
    return 0.0


def _same(made: Floats, other: Floats | None) -> bool:
    return other is not None and bool(np.array_equal(made, other, equal_nan=True))


def _rank(values: Floats) -> NDArray[np.int64]:
    """Whole numbers in the order of the doubles that they stand for."""
    bits = np.asarray(values, dtype=np.float64).view(np.int64)
    return np.asarray(np.where(bits < 0, np.iinfo(np.int64).min - bits, bits))


def _unrank(ranks: NDArray[np.int64]) -> Floats:
    bits = np.where(ranks < 0, np.iinfo(np.int64).min - ranks, ranks)
    return np.asarray(bits.astype(np.int64).view(np.float64))
