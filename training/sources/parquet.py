"""Parquet files as batches of columns, read piece by piece."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from training.errors import SourceInvalid

Floats = NDArray[np.float64]

BATCH_ROWS = 16_384


def column_names(path: Path) -> tuple[str, ...]:
    """Columns of a file, in its order.

    Raises
    ------
    SourceInvalid
        When it cannot be read as Parquet.
    """
    with _opened(path) as file:
        return tuple(file.schema_arrow.names)


def count_rows(path: Path) -> int:
    """Rows of a file, read from its end without reading the rows.

    Raises
    ------
    SourceInvalid
        When it cannot be read as Parquet.
    """
    with _opened(path) as file:
        return int(file.metadata.num_rows)


def read_batches(path: Path, columns: Sequence[str]) -> Iterator[Any]:
    """The wanted columns as record batches of at most `BATCH_ROWS` rows.

    Raises
    ------
    SourceInvalid
        When it cannot be read as Parquet, or lacks a column.
    """
    with _opened(path) as file:
        if missing := set(columns) - set(file.schema_arrow.names):
            raise SourceInvalid(f"{path.name} lacks the columns: {', '.join(sorted(missing))}")
        yield from file.iter_batches(BATCH_ROWS, columns=list(columns), use_threads=False)


def numbers(array: Any, column: str) -> Floats:
    """A numeric column as floats, NaN where null.

    Raises
    ------
    SourceInvalid
        When it does not hold numbers.
    """
    if pa.types.is_null(array.type):
        return np.full(len(array), np.nan)
    if not (pa.types.is_floating(array.type) or pa.types.is_integer(array.type)):
        raise SourceInvalid(f"column `{column}` holds something not a number")
    return np.asarray(array.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def whole_numbers(array: Any, column: str) -> NDArray[np.int64]:
    """A column of whole numbers that is nowhere empty.

    Raises
    ------
    SourceInvalid
        When it holds anything else.
    """
    if not pa.types.is_integer(array.type) or array.null_count:
        raise SourceInvalid(f"column `{column}` must hold a whole number in every row")
    return np.asarray(array.cast(pa.int64()).to_numpy(zero_copy_only=False), dtype=np.int64)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except pa.ArrowException as error:
        raise SourceInvalid(f"{path.name} is not a Parquet file") from error
    except OSError as error:
        reason = error.strerror or "it is cut short"
        raise SourceInvalid(f"{path} cannot be read: {reason}") from error
