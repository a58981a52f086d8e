"""A file in the dictionary's own terms (`training.sources.pathway_source`): row by row, or as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.vocabulary import Vocabulary
from training.encode import SECONDS_AN_HOUR, derive, encode_column
from training.errors import SourceInvalid
from training.rows import Cohort, CohortRow, Readable
from training.sources.parquet import (
    column_names,
    count_rows,
    numbers,
    read_batches,
    whole_numbers,
)
from training.sources.pathway_source import AGE, HOSPITAL, MONTH
from training.sources.source import LabelRule, Source

Floats = NDArray[np.float64]
# A row whose hospital is not said.
UNKNOWN = "unknown"


def read_parquet(source: Source, file: Readable) -> Iterator[CohortRow]:
    """Read a file of one branch point row by row.

    Raises
    ------
    SourceInvalid
        When it cannot be read, lacks a column, or a label is of no declared form.
    """
    path = _path(file)
    ages = _age_columns(source, path)
    month = MONTH if MONTH in column_names(path) else None
    wanted = sorted(source.columns() | set(ages.values()) | ({month} if month else set()))
    for batch in read_batches(path, wanted):
        for label in source.labels:
            _label_column(label, batch.column(label.columns[0]))
        for cells in batch.to_pylist():
            yield _parquet_row(source, cells, ages, None if month is None else cells[month])


def load_parquet(source: Source, file: Readable, vocabulary: Vocabulary) -> Cohort:
    """Encode a file of one branch point, batch by batch; the plan says how many rows are kept.

    Raises
    ------
    SourceInvalid
        As `read_parquet`, or when a value does not fit the dictionary's type.
    """
    path = _path(file)
    point = vocabulary.branch_points[source.branch_point]
    mapped = {m.feature: m.column for m in source.measurements}
    ages = _age_columns(source, path)
    patient_column = str(source.patient_id)
    share = _share_to_keep(count_rows(path), source.plan.rows)
    parts: dict[str, list[Floats]] = {}
    patients: list[NDArray[np.int64]] = []
    hospitals: list[NDArray[np.str_]] = []
    months: list[NDArray[np.int64]] = []
    aside = {HOSPITAL, MONTH} & set(column_names(path))
    set_aside: dict[tuple[str, str], int] = {}
    for whole in read_batches(path, sorted(source.columns() | set(ages.values()) | aside)):
        own = whole_numbers(whole.column(patient_column), patient_column)
        kept = _spread(own // source.divisible_by, share)
        batch = whole.take(np.flatnonzero(kept)) if share < 1 else whole
        patients.append(own[kept])
        if MONTH in aside:
            months.append(whole_numbers(batch.column(MONTH), MONTH))
        if HOSPITAL in aside:
            names = batch.column(HOSPITAL).to_pylist()
            hospitals.append(np.array([name or UNKNOWN for name in names], dtype=np.str_))
        columns: dict[str, Floats] = {}
        for name, column in mapped.items():
            age = numbers(batch.column(ages[name]), ages[name]) if name in ages else None
            try:
                columns[name], refused = encode_column(
                    vocabulary.features[name], batch.column(column), age, point
                )
            except SourceInvalid as error:
                raise SourceInvalid(f"{path.name}: {error}") from None
            for reason, count in refused.items():
                set_aside[name, reason] = set_aside.get((name, reason), 0) + count
        columns |= derive(columns, point, vocabulary.features)
        for label in source.labels:
            columns[f"label {label.outcome}"] = _label_column(label, batch.column(label.columns[0]))
        for comparator in source.comparators:
            columns[comparator.column] = _probability_column(
                comparator.column, batch.column(comparator.column)
            )
        for name, values in columns.items():
            parts.setdefault(name, []).append(values)
    together = np.concatenate(patients) if patients else np.zeros(0, dtype=np.int64)
    if not len(together):
        raise SourceInvalid(f"{path.name} holds no rows")
    features = tuple(name for name in point.features if name in parts)
    X = np.empty((len(together), len(features)))
    for i, name in enumerate(features):
        X[:, i] = np.concatenate(parts.pop(name))
    comparators: dict[str, dict[str, Floats]] = {}
    for comparator in source.comparators:
        probabilities = np.concatenate(parts.pop(comparator.column))
        comparators.setdefault(comparator.name, {})[comparator.outcomes[0]] = probabilities
    return Cohort(
        source=source,
        features=features,
        X=X,
        labels={
            label.outcome: np.concatenate(parts.pop(f"label {label.outcome}"))
            for label in source.labels
        },
        comparators=comparators,
        held_out=together % source.divisible_by == 0,
        set_aside=set_aside,
        patients=together,
        hospitals=np.concatenate(hospitals) if hospitals else None,
        months=np.concatenate(months) if months else None,
    )


def _path(path: Readable) -> Path:
    if not isinstance(path, Path):
        raise SourceInvalid(f"{path.name} must be a Parquet file in a folder")
    return path


def _age_columns(source: Source, path: Path) -> dict[str, str]:
    """Feature -> the column that says how old its values are, where the file has one."""
    names = set(column_names(path))
    columns = {mapped.feature: f"{AGE}{mapped.column}" for mapped in source.measurements}
    return {feature: column for feature, column in columns.items() if column in names}


def _parquet_row(
    source: Source, cells: Mapping[str, Any], ages: Mapping[str, str], month: int | None
) -> CohortRow:
    # The middle of the month: the cohort dates its rows no closer, and only ages matter.
    when = datetime(2026, 1, 15, 12, tzinfo=UTC)
    if month is not None:
        when = datetime(month // 100, month % 100, 15, 12, tzinfo=UTC)
    measurements: dict[str, Any] = {}
    timed = False
    for mapped in source.measurements:
        value = cells[mapped.column]
        if _absent(value):
            continue
        hours = cells[ages[mapped.feature]] if mapped.feature in ages else None
        if hours is None or _absent(hours):
            measurements[mapped.feature] = value
            continue
        timed = True
        taken_at = when - timedelta(seconds=int(hours * SECONDS_AN_HOUR))
        measurements[mapped.feature] = {"value": value, "time": _rfc3339(taken_at)}
    comparators: dict[str, dict[str, float]] = {}
    for comparator in source.comparators:
        probability = cells[comparator.column]
        if not _absent(probability):
            comparators.setdefault(comparator.name, {})[comparator.outcomes[0]] = probability
    patient = cells[str(source.patient_id)]
    return CohortRow(
        row=str(cells[str(source.row_id)]),
        measurements=measurements,
        labels={
            label.outcome: None if _absent(cells[label.columns[0]]) else cells[label.columns[0]]
            for label in source.labels
        },
        comparators=comparators,
        held_out=patient % source.divisible_by == 0,
        index_time=_rfc3339(when) if timed else None,
        patient=patient,
    )


def _absent(value: object) -> bool:
    return value is None or value != value  # NaN differs from itself


def _rfc3339(when: datetime) -> str:
    return when.isoformat().replace("+00:00", "Z")


def _share_to_keep(n_rows: int, most: int | None) -> float:
    return 1.0 if most is None else min(1.0, most / max(n_rows, 1))


def _spread(blocks: NDArray[np.int64], share: float) -> NDArray[np.bool_]:
    """Which blocks of patients are kept: evenly over the file, held-out ones in their proportion.

    Examples
    --------
    >>> _spread(np.arange(6), 0.5).tolist()
    [False, True, False, True, False, True]
    """
    return np.asarray(np.floor((blocks + 1) * share) > np.floor(blocks * share))


def _label_column(label: LabelRule, array: Any) -> Floats:
    values = numbers(array, label.columns[0])
    known = values[~np.isnan(values)]
    if not np.isfinite(known).all() or (label.rule == "flag" and not np.isin(known, (0, 1)).all()):
        raise SourceInvalid(f"label `{label.outcome}`: a cell is not of a declared form")
    return values


def _probability_column(name: str, array: Any) -> Floats:
    values = numbers(array, name)
    known = values[~np.isnan(values)]
    if not ((known >= 0) & (known <= 1)).all():
        raise SourceInvalid(f"column `{name}` holds something not a probability")
    return values
