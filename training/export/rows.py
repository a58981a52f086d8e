"""One patient on the way into a training export, wherever the rows come from.

The type has no place for an identifier, a row number or a date; what it does not hold cannot leave.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from models.vocabulary import Measurement, Vocabulary
from training.cohort import Readable, measurements_of, read_rows
from training.export.errors import ExportRefused
from training.sources.source import Source


@dataclass(frozen=True, slots=True)
class ExportRow:
    """One patient.

    Attributes
    ----------
    measurements : tuple of Measurement
        As `models.vocabulary.take` gave them: coarsened, ages over 89 told as 90.
    labels : mapping
        Outcome -> 0, 1, a number, or None when unknown.
    held_out : bool
        Never used for fitting, tuning, calibration or intervals.
    protected : bool
        Under protected identity: never leaves, and is only counted.
    """

    measurements: tuple[Measurement, ...]
    labels: Mapping[str, float | None]
    held_out: bool
    protected: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the rows come from, in words for people and for the source file of the export.

    Attributes
    ----------
    name, title, citation, licence, training_data, branch_point : str
    divisible_by : int
        Rows whose number is divisible by it are held out.
    groups : mapping
        Features to report subgroups by, with the limits of numbers.
    """

    name: str
    title: str
    citation: str
    licence: str
    training_data: str
    branch_point: str
    divisible_by: int
    groups: Mapping[str, tuple[float, ...]]


def origin_of(source: Source) -> Origin:
    """Describe a source."""
    return Origin(
        source.name, source.title, source.citation, source.licence, source.training_data,
        source.branch_point, source.divisible_by, source.groups,
    )  # fmt: skip


def rows_of(source: Source, file: Readable, vocabulary: Vocabulary) -> Iterator[ExportRow]:
    """Read a source's file as rows that may be exported; its row identifiers end here.

    Raises
    ------
    ExportRefused
        When a patient can have several rows: an export counts every row as another person.
    SourceInvalid
        As `training.cohort.read_rows` and `measurements_of`.
    """
    if source.patient_id is not None:
        raise ExportRefused(
            f"`{source.name}` can hold several rows of a patient; an export takes one row of each"
        )
    for row in read_rows(source, file):
        yield ExportRow(tuple(measurements_of(row, vocabulary)), row.labels, row.held_out)
