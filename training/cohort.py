"""A cohort in the dictionary's terms: each row as the service would be asked, with its labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models.errors import MeasurementRefused
from models.vocabulary import Measurement, Vocabulary, settle, take
from training.errors import SourceInvalid
from training.read_csv import read_csv
from training.read_parquet import load_parquet, read_parquet
from training.rows import Cohort, CohortRow, Readable
from training.sources.pathway_source import AGE, KEPT_ASIDE, LATER, refuse_unknowable
from training.sources.source import Source

__all__ = [
    "Cohort",
    "CohortRow",
    "Readable",
    "group_values",
    "load_cohort",
    "measurements_of",
    "read_rows",
]

Floats = NDArray[np.float64]


def read_rows(source: Source, path: Readable) -> Iterator[CohortRow]:
    """Read a source's file row by row.

    Raises
    ------
    SourceInvalid
        When the file cannot be read, lacks a column, or a cell is of no declared form.
    """
    return read_parquet(source, path) if source.parquet else read_csv(source, path)


def load_cohort(source: Source, path: Readable, vocabulary: Vocabulary) -> Cohort:
    """Encode a whole file exactly as the service encodes a request.

    Raises
    ------
    SourceInvalid
        As `read_rows`, when a value does not fit the dictionary's type or unit, or when an input
        is not known yet at the branch point.
    """
    refuse_leaks(source, vocabulary)
    if source.parquet:
        return load_parquet(source, path, vocabulary)
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
        patients=None
        if source.patient_id is None
        else np.array([row.patient for row in rows], dtype=np.int64),
    )


def refuse_leaks(source: Source, vocabulary: Vocabulary) -> None:
    """Refuse a mapping that lets in what is not known yet, or what says who, where and when.

    Raises
    ------
    SourceInvalid
        Naming the column or the feature.
    """
    for mapped in source.measurements:
        kept_aside = mapped.column in KEPT_ASIDE or mapped.column.startswith((LATER, AGE))
        if source.parquet and kept_aside:
            raise SourceInvalid(f"column `{mapped.column}` can never be an input")
        refuse_unknowable(mapped.feature, source.branch_point, vocabulary)


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
        full = sent if isinstance(sent, dict) else {"value": sent}
        age_s = None
        if "time" in full and row.index_time is not None:
            apart = datetime.fromisoformat(row.index_time) - datetime.fromisoformat(full["time"])
            age_s = int(apart.total_seconds())
        try:
            value = take(feature, full["value"], full.get("unit"))
            taken.append(Measurement(feature, value, age_s))
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
