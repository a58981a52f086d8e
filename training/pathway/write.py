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
BLOCKS_PER_GROUP = 4


def write_cohort(
    parameters: Parameters,
    seed: int,
    episodes: int,
    out: Path,
    progress: Callable[[int], object] = lambda _: None,
    vocabulary: Vocabulary | None = None,
    blocks_per_group: int = BLOCKS_PER_GROUP,
) -> dict[str, int]:
    """Simulate episodes 0 to `episodes - 1` into `out/<branch-point>.parquet`.

    Parameters
    ----------
    progress : callable
        Told how many episodes have been added.
    blocks_per_group : int
        Blocks of episodes that are gathered before all files get a group of rows.

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
        return _write(parameters, seed, episodes, out, progress, words, blocks_per_group)
    except OSError as error:
        raise SourceInvalid(f"{out} cannot be written: {error.strerror or error}") from error


def _write(
    parameters: Parameters,
    seed: int,
    episodes: int,
    out: Path,
    progress: Callable[[int], object],
    words: Vocabulary,
    blocks_per_group: int,
) -> dict[str, int]:
    out.mkdir(parents=True, exist_ok=True)
    metadata = _metadata(parameters, seed, episodes)
    rows: dict[str, int] = {}
    with ExitStack() as files:
        writers: dict[str, _Writer] = {}
        for number, (first, count) in enumerate(blocks_of(episodes), start=1):
            for name, visits in simulate_episodes(parameters, seed, first, count, words).items():
                table = to_table(visits, words.features)
                if name not in writers:
                    schema = table.schema.with_metadata({**metadata, "branch_point": name})
                    writers[name] = files.enter_context(_Writer(out / f"{name}.parquet", schema))
                writers[name].held.append(table)
                rows[name] = rows.get(name, 0) + len(visits)
            if number % blocks_per_group == 0:
                for writer in writers.values():
                    writer.flush()
            progress(count)
    return rows


class _Writer:
    """One file, named when it is complete: an interrupted run leaves none that looks like one."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
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
        self.held: list[pa.Table] = []

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        if failed is None:
            self.flush()
        self._file.close()
        if failed is None:
            self._part.replace(self._path)
        else:
            self._part.unlink()

    def flush(self) -> None:
        """Write what is held as one group of rows."""
        if self.held:
            self._file.write_table(pa.concat_tables(self.held).cast(self._schema))
            self.held = []


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
