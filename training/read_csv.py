"""A registry's CSV file, row by row, as its mapping says."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from typing import Any

from training.errors import SourceInvalid
from training.rows import CohortRow, Readable
from training.sources.source import Source

# What a 64-bit number holds for certain.
MOST_DIGITS = 18


def read_csv(source: Source, path: Readable) -> Iterator[CohortRow]:
    """Read the file; a row that is not as declared stops it.

    Raises
    ------
    SourceInvalid
        Naming the file, the row and the column, never the cell.
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
    patient = None
    if source.patient_id is not None:
        whose = cells[source.patient_id].strip()
        if not whose.isdecimal() or len(whose) > MOST_DIGITS:
            raise SourceInvalid(f"`{source.patient_id}` is not a whole number")
        patient = int(whose)
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
        held_out=(int(identifier) if patient is None else patient) % source.divisible_by == 0,
        patient=patient,
    )
