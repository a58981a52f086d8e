"""Simulated episodes as Parquet files, a file per branch point, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from models.vocabulary import Feature, Vocabulary, load_vocabulary
from training.errors import SourceInvalid
from training.pathway.parameters import Parameters
from training.pathway.simulate import Visits, blocks_of, simulate_episodes

GENERATOR_VERSION = "1"
KEYS = {
    "row": pa.int64(), "episode": pa.int64(), "patient": pa.int64(), "hospital": pa.string(),
    "unit": pa.string(), "month": pa.int32(), "visit": pa.int32(), "hours": pa.float64(),
}  # fmt: skip
LATER = "later:"
ROW_GROUP = 25_000


def write_cohort(
    parameters: Parameters,
    seed: int,
    episodes: int,
    out: Path,
    progress: Callable[[int], object] = lambda _: None,
    vocabulary: Vocabulary | None = None,
    row_group: int = ROW_GROUP,
) -> dict[str, int]:
    """Simulate episodes 0 to `episodes - 1` into `out/<branch-point>.parquet`.

    Parameters
    ----------
    progress : callable
        Told how many episodes have been added.
    row_group : int
        Rows of a file that are gathered before they are written.

    Returns
    -------
    dict
        Rows by branch point.

    Raises
    ------
    SourceInvalid
        When the folder cannot be written.
    """
    words = vocabulary or load_vocabulary()
    try:
        return _write(parameters, seed, episodes, out, progress, words, row_group)
    except OSError as error:
        raise SourceInvalid(f"{out} cannot be written: {error.strerror}") from error


def _write(
    parameters: Parameters,
    seed: int,
    episodes: int,
    out: Path,
    progress: Callable[[int], object],
    words: Vocabulary,
    row_group: int,
) -> dict[str, int]:
    out.mkdir(parents=True, exist_ok=True)
    metadata = _metadata(parameters, seed, episodes)
    rows: dict[str, int] = {}
    with ExitStack() as files:
        writers: dict[str, _Writer] = {}
        for first, count in blocks_of(episodes):
            for name, visits in simulate_episodes(parameters, seed, first, count, words).items():
                table = to_table(visits, words.features)
                if name not in writers:
                    schema = table.schema.with_metadata({**metadata, "branch_point": name})
                    writers[name] = files.enter_context(
                        _Writer(out / f"{name}.parquet", schema, row_group)
                    )
                writers[name].add(table)
                rows[name] = rows.get(name, 0) + len(visits)
            progress(count)
    return rows


class _Writer:
    """One file; rows are gathered into groups large enough to compress well, and no larger.

    It has its name when it is complete: an interrupted run leaves no file that looks like one.
    """

    def __init__(self, path: Path, schema: pa.Schema, row_group: int) -> None:
        self._row_group = row_group
        self._path, self._part = path, path.with_name(f"{path.name}.part")
        words = [field.name for field in schema if pa.types.is_string(field.type)]
        # A dictionary of measured numbers would be as long as the column.
        self._file = parquet.ParquetWriter(
            self._part,
            schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=words,
            write_statistics=False,
        )
        self._schema = schema
        self._held: list[pa.Table] = []

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        if failed is None:
            self._flush()
        self._file.close()
        if failed is None:
            self._part.replace(self._path)
        else:
            self._part.unlink()

    def add(self, table: pa.Table) -> None:
        self._held.append(table)
        if sum(held.num_rows for held in self._held) >= self._row_group:
            self._flush()

    def _flush(self) -> None:
        if self._held:
            self._file.write_table(pa.concat_tables(self._held).cast(self._schema))
            self._held = []


def to_table(visits: Visits, features: Mapping[str, Feature]) -> pa.Table:
    """Turn visits into a table: numbers, category names and flags, null where missing."""
    columns = {name: pa.array(visits.keys[name], kind) for name, kind in KEYS.items()}
    for name, values in visits.columns.items():
        feature = features.get(name.removeprefix(LATER))
        columns[name] = _column(values, feature)
    return pa.table(columns)


def _column(values: np.ndarray, feature: Feature | None) -> pa.Array:
    missing = np.isnan(values)
    if feature is None or feature.kind == "number":
        return pa.array(values, pa.float64(), mask=missing)
    if feature.kind == "flag":
        return pa.array(values > 0, pa.bool_(), mask=missing)
    places = pa.array(np.where(missing, 0, values).astype(np.int32), mask=missing)
    return pa.DictionaryArray.from_arrays(places, list(feature.categories)).dictionary_decode()


def _metadata(parameters: Parameters, seed: int, episodes: int) -> dict[str, str]:
    return {
        "generator": "risk-train simulate",
        "generator_version": GENERATOR_VERSION,
        "seed": str(seed),
        "episodes": str(episodes),
        "parameters_sha256": parameters.sha256,
        "scenarios": ",".join(scenario.name for scenario in parameters.scenarios),
        "hospitals": ",".join(house.name for house in parameters.hospitals),
        "training_data": "synthetic",
    }
