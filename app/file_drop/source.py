"""What lies in a file, row after row, in an order that is the same whenever it is read."""

from __future__ import annotations

import csv
import importlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from app.file_drop.bulk_export import BulkExport
from app.file_drop.cells import Cell
from app.file_drop.errors import FileRefused
from app.file_drop.files import files_of
from app.file_drop.mapping import DELIMITERS, Mapping

TABLE, REQUESTS, FHIR = "table", "requests", "fhir"
LARGEST_LINE = 33_554_432
ROWS_AT_A_TIME = 1024
PYARROW_MISSING = "Parquet needs pyarrow, which is not installed here: pip install pyarrow"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row that cannot be taken apart; says what was expected."""

    reason: str


Content = tuple[Cell, ...] | bytes | tuple[bytes, ...] | Unreadable
"""Cells in the order of the header; one JSON text; one patient's FHIR resources."""


class Source(AbstractContextManager["Source"]):
    """An open file or folder.

    Attributes
    ----------
    kind : str
        `table`, `requests` or `fhir`.
    header : tuple of str
        A table's column names.
    delimiter : str or None
        Of a CSV file.
    digest : str
        SHA-256 of what is in it.
    """

    def __init__(self, path: Path, mapping: Mapping | None = None) -> None:
        self.path = path
        self.header: tuple[str, ...] = ()
        self.delimiter: str | None = None
        self._bulk: BulkExport | None = None
        self.digest = _digest(path)
        ending = path.suffix.lower()
        if path.is_dir() or ending in (".ndjson", ".jsonl"):
            self.kind = FHIR if path.is_dir() or _is_fhir(path) else REQUESTS
        elif ending == ".parquet":
            self.kind = TABLE
            self.header = tuple(_parquet(path).schema_arrow.names)
        elif ending in (".csv", ".tsv", ".txt"):
            self.kind = TABLE
            self._encoding = mapping.encoding if mapping else "utf-8"
            given = mapping.delimiter if mapping else None
            self.delimiter = given or _sniff(path, self._encoding)
            self.header = next(self._lines(), ())
        else:
            raise FileRefused(
                "expected a .csv, .parquet or .ndjson file, or a folder of .ndjson files"
            )
        if self.kind == TABLE and not self.header:
            raise FileRefused("the file is empty: expected a header with the names of the columns")
        if len(set(self.header)) != len(self.header):
            raise FileRefused("the header names a column twice; each name must stand once")

    def __exit__(self, *_: object) -> None:
        if self._bulk is not None:
            self._bulk.close()

    def count(self) -> int | None:
        """How many rows there are, where that is known before they are read."""
        if self.kind == FHIR:
            return len(self._patients())
        if self.path.suffix.lower() == ".parquet":
            return int(_parquet(self.path).metadata.num_rows)
        return None

    def passed_over(self) -> int | None:
        """How many FHIR resources belong to no row; None for other files."""
        return self._patients().passed_over if self.kind == FHIR else None

    def rows(self, first: int = 1) -> Iterator[Content]:
        """Rows from a number on; the first is 1. Blank lines are none."""
        if self.kind == FHIR:
            yield from self._patients().rows(first)
            return
        if self.kind == REQUESTS:
            rows: Iterator[Content] = _json_lines(self.path)
        elif self.path.suffix.lower() == ".parquet":
            rows = _parquet_rows(self.path)
        else:
            rows = self._cells()
        for number, row in enumerate(rows, start=1):
            if number >= first:
                yield row

    def _patients(self) -> BulkExport:
        if self._bulk is None:
            self._bulk = BulkExport(self.path)
        return self._bulk

    def _cells(self) -> Iterator[Content]:
        lines = self._lines()
        next(lines, None)
        width = len(self.header)
        for cells in lines:
            if len(cells) != width:
                # A decimal comma between commas moves every later value into another column.
                yield Unreadable(f"expects {width} cells, as the header has")
            elif any("\udc80" <= c <= "\udcff" for cell in cells for c in cell if c > "\ud7ff"):
                yield Unreadable(f"expects text in {self._encoding}")
            else:
                yield cells

    def _lines(self) -> Iterator[tuple[str, ...]]:
        encoding = "utf-8-sig" if self._encoding.lower() in ("utf-8", "utf8") else self._encoding
        try:
            with self.path.open(encoding=encoding, errors="surrogateescape", newline="") as text:
                lines = csv.reader(text, delimiter=self.delimiter or ",")
                while True:
                    try:
                        cells = next(lines)
                    except StopIteration:
                        return
                    except csv.Error:
                        yield ()  # a cell that never ends; its row is told as one of no cells
                        continue
                    if any(cells):
                        yield tuple(cells)
        except OSError as error:
            raise FileRefused(f"the file cannot be read: {error.strerror}") from None


def _digest(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of a folder's files."""
    whole = sha256()
    try:
        for file in files_of(path):
            if path.is_dir():
                whole.update(file.name.encode("utf-8", "surrogateescape") + b"\0")
            with file.open("rb") as stream:
                while block := stream.read(1 << 20):
                    whole.update(block)
            whole.update(b"\0")
    except OSError as error:
        raise FileRefused(f"the file cannot be read: {error.strerror}") from None
    return whole.hexdigest()


def _is_fhir(path: Path) -> bool:
    """Whether the first line is a FHIR resource."""
    for line in _json_lines(path):
        try:
            first = orjson.loads(line) if isinstance(line, bytes) else None
        except orjson.JSONDecodeError:
            return False
        return isinstance(first, dict) and "resourceType" in first
    return False


def _json_lines(path: Path) -> Iterator[bytes | Unreadable]:
    with path.open("rb") as stream:
        while line := stream.readline(LARGEST_LINE):
            if len(line) == LARGEST_LINE and not line.endswith(b"\n"):
                while (rest := stream.readline(LARGEST_LINE)) and not rest.endswith(b"\n"):
                    pass
                yield Unreadable(f"expects a line of at most {LARGEST_LINE} bytes")
            elif line := line.removeprefix(b"\xef\xbb\xbf").strip():
                yield line


def _sniff(path: Path, encoding: str) -> str:
    """The delimiter that the header has most of, quoted text aside."""
    try:
        with path.open(encoding=encoding, errors="surrogateescape", newline="") as text:
            head = text.readline(1 << 20)
    except OSError as error:
        raise FileRefused(f"the file cannot be read: {error.strerror}") from None
    plain = "".join(part for i, part in enumerate(head.split('"')) if i % 2 == 0)
    return max(DELIMITERS, key=plain.count)


def _parquet(path: Path) -> Any:
    # Looked for only when a Parquet file comes: a service is installed without it.
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise FileRefused(PYARROW_MISSING) from None
    try:
        return parquet.ParquetFile(path)
    except (OSError, ValueError):
        raise FileRefused("the file is not Parquet, or not whole") from None


def _parquet_rows(path: Path) -> Iterator[Content]:
    with _parquet(path) as file:
        for batch in file.iter_batches(batch_size=ROWS_AT_A_TIME):
            columns = [column.to_pylist() for column in batch.columns]
            yield from zip(*columns, strict=True)
