"""A cohort in the dictionary's terms: each row as the service would be asked, with its labels."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol, TextIO

import numpy as np
from numpy.typing import NDArray

from models.errors import MeasurementRefused
from models.vocabulary import Measurement, Vocabulary, settle, take
from training.errors import SourceInvalid
from training.sources.source import Source

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CohortRow:
    """One patient.

    Attributes
    ----------
    row : str
        The source's own identifier of the row.
    measurements : mapping
        As a client would send them: bare values, or objects with value and unit.
    labels : mapping
        Outcome -> 0, 1, a number, or None when unknown.
    comparators : mapping
        Name -> outcome -> probability.
    held_out : bool
        Never used for fitting, tuning, calibration or intervals.
    """

    row: str
    measurements: Mapping[str, Any]
    labels: Mapping[str, float | None]
    comparators: Mapping[str, Mapping[str, float]]
    held_out: bool


@dataclass(frozen=True, slots=True)
class Cohort:
    """All rows of a source as arrays.

    Attributes
    ----------
    features : tuple of str
        Inputs, in the source's order.
    X : ndarray, shape (n_rows, n_features)
        Encoded values, NaN where missing or set aside.
    labels : mapping of ndarray, shape (n_rows,)
        NaN where unknown.
    comparators : mapping of mapping of ndarray
        Name -> outcome -> probabilities, NaN where absent.
    held_out : ndarray of bool, shape (n_rows,)
    set_aside : mapping
        (feature, reason) -> number of values that were not used.
    """

    source: Source
    features: tuple[str, ...]
    X: Floats
    labels: Mapping[str, Floats]
    comparators: Mapping[str, Mapping[str, Floats]]
    held_out: NDArray[np.bool_]
    set_aside: Mapping[tuple[str, str], int]


class Readable(Protocol):
    """A file that can be opened as text: a path, or one that was verified and is held as read."""

    @property
    def name(self) -> str: ...

    def open(self, *, newline: str | None, encoding: str) -> TextIO: ...


def read_rows(source: Source, path: Readable) -> Iterator[CohortRow]:
    """Read a source's file row by row.

    Raises
    ------
    SourceInvalid
        When the file cannot be read, lacks a column, or a cell is of no declared form.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            missing = source.columns() - set(reader.fieldnames or ())
            if missing:
                raise SourceInvalid(f"{path.name} lacks the columns: {', '.join(sorted(missing))}")
            for number, cells in enumerate(reader, start=1):
                try:
                    yield _row(source, number, cells)
                except SourceInvalid as error:
                    raise SourceInvalid(f"{path.name}, row {number}: {error}") from None
    except OSError as error:
        raise SourceInvalid(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceInvalid(f"{path.name} is not a CSV file in UTF-8") from error


def _row(source: Source, number: int, cells: Mapping[str, str]) -> CohortRow:
    if None in cells.values() or None in cells:  # csv's way to say too short, too long
        raise SourceInvalid("has another number of cells than the head")
    identifier = cells[source.row_id].strip() if source.row_id else str(number)
    if not identifier.isdigit():
        raise SourceInvalid(f"`{source.row_id}` is not a whole number")
    measurements: dict[str, Any] = {}
    for mapped in source.measurements:
        value = mapped.read(cells[mapped.column])
        if value is not None:
            measurements[mapped.feature] = (
                value if mapped.unit is None else {"value": value, "unit": mapped.unit}
            )
    comparators: dict[str, dict[str, float]] = {}
    for comparator in source.comparators:
        probability = comparator.read(cells)
        if probability is not None:
            for outcome in comparator.outcomes:
                comparators.setdefault(comparator.name, {})[outcome] = probability
    return CohortRow(
        row=identifier,
        measurements=measurements,
        labels={label.outcome: label.read(cells) for label in source.labels},
        comparators=comparators,
        held_out=int(identifier) % source.divisible_by == 0,
    )


def load_cohort(source: Source, path: Readable, vocabulary: Vocabulary) -> Cohort:
    """Encode a whole file exactly as the service encodes a request.

    Raises
    ------
    SourceInvalid
        As `read_rows`, or when a value does not fit the dictionary's type or unit.
    """
    features = tuple(mapped.feature for mapped in source.measurements)
    point = vocabulary.branch_points[source.branch_point]
    vectors: list[list[float]] = []
    rows: list[CohortRow] = []
    set_aside: dict[tuple[str, str], int] = {}
    for row in read_rows(source, path):
        intake = settle(measurements_of(row, vocabulary), point, vocabulary.features)
        for key in intake.set_aside:
            set_aside[key] = set_aside.get(key, 0) + 1
        vectors.append([intake.values.get(name, np.nan) for name in features])
        rows.append(row)
    if not rows:
        raise SourceInvalid(f"{path.name} holds no rows")
    names = {(c.name, outcome) for c in source.comparators for outcome in c.outcomes}
    comparators: dict[str, dict[str, Floats]] = {}
    for name, outcome in sorted(names):
        column = [row.comparators.get(name, {}).get(outcome) for row in rows]
        comparators.setdefault(name, {})[outcome] = np.array(column, dtype=np.float64)
    return Cohort(
        source=source,
        features=features,
        X=np.array(vectors, dtype=np.float64),
        labels={
            label.outcome: np.array([row.labels[label.outcome] for row in rows], dtype=np.float64)
            for label in source.labels
        },
        comparators=comparators,
        held_out=np.array([row.held_out for row in rows]),
        set_aside=set_aside,
    )


def measurements_of(row: CohortRow, vocabulary: Vocabulary) -> list[Measurement]:
    """A row's measurements, taken in the dictionary's terms.

    Raises
    ------
    SourceInvalid
        Naming the feature and what the dictionary expects.
    """
    taken = []
    for name, sent in row.measurements.items():
        feature = vocabulary.features[name]
        value, unit = (sent["value"], sent["unit"]) if isinstance(sent, dict) else (sent, None)
        try:
            taken.append(Measurement(feature, take(feature, value, unit)))
        except MeasurementRefused as error:
            raise SourceInvalid(str(error)) from None
    return taken


def group_values(cohort: Cohort, vocabulary: Vocabulary) -> dict[str, Sequence[str | None]]:
    """Subgroup of every row for each declared grouping, None where unknown.

    Numbers are cut at the declared limits: [45, 65] gives "under 45", "45-64", "65 and over".
    """
    groups: dict[str, Sequence[str | None]] = {}
    for name, limits in cohort.source.groups.items():
        column = cohort.X[:, cohort.features.index(name)]
        feature = vocabulary.features[name]
        if feature.kind == "number":
            groups[name] = [None if np.isnan(x) else _age_band(x, limits) for x in column]
        else:
            groups[name] = [None if np.isnan(x) else str(feature.show(x)) for x in column]
    return groups


def _age_band(value: float, limits: Sequence[float]) -> str:
    if value < limits[0]:
        return f"under {limits[0]:g}"
    for low, high in pairwise(limits):
        if value < high:
            return f"{low:g}-{high - 1:g}"
    return f"{limits[-1]:g} and over"
