"""The Parquet files: names, types, metadata, and the same rows whatever the number of episodes."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from models.vocabulary import Vocabulary
from training.errors import SourceInvalid
from training.pathway import Parameters
from training.pathway.simulate import BLOCK
from training.pathway.write import write_cohort

EPISODES = 2 * BLOCK + 100


@pytest.fixture(scope="module")
def folder(
    parameters: Parameters, vocabulary: Vocabulary, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("pathway")
    told: list[int] = []
    rows = write_cohort(parameters, 1, EPISODES, out, told.append, vocabulary, 1)
    assert sum(told) == EPISODES
    for name, count in rows.items():
        assert parquet.read_metadata(out / f"{name}.parquet").num_rows == count
    return out


def test_there_is_a_file_for_each_branch_point(folder: Path, vocabulary: Vocabulary):
    assert {path.stem for path in folder.glob("*.parquet")} == set(vocabulary.branch_points)


def test_columns_have_the_types_of_the_dictionary(folder: Path, vocabulary: Vocabulary):
    kinds = {"number": pa.float64(), "flag": pa.bool_(), "category": pa.string()}
    for path in folder.glob("*.parquet"):
        schema = parquet.read_schema(path)
        assert schema.names[:8] == [
            "row", "episode", "patient", "hospital", "unit", "month", "visit", "hours",
        ]  # fmt: skip
        for name in schema.names[8:]:
            kind, _, feature = name.rpartition(":")
            expected = pa.float64()
            if kind in ("", "later"):
                expected = kinds[vocabulary.features[feature].kind]
            assert schema.field(name).type == expected, name


def test_categories_are_the_words_of_the_dictionary(folder: Path, vocabulary: Vocabulary):
    table = parquet.read_table(folder / "surgery-decision.parquet", columns=["operation_urgency"])
    words = set(table["operation_urgency"].to_pylist()) - {None}
    assert words <= set(vocabulary.features["operation_urgency"].categories)
    assert {"elective", "urgent"} <= words


def test_the_file_says_that_it_is_synthetic_and_where_it_came_from(
    folder: Path, parameters: Parameters
):
    metadata = parquet.read_schema(folder / "discharge.parquet").metadata
    assert metadata[b"training_data"] == b"synthetic"
    assert metadata[b"seed"] == b"1"
    assert metadata[b"branch_point"] == b"discharge"
    assert metadata[b"parameters_sha256"].decode() == parameters.sha256
    assert metadata[b"generator_version"]
    assert metadata[b"scenarios"] == b""


def test_fewer_episodes_are_the_beginning_of_more(
    folder: Path, parameters: Parameters, vocabulary: Vocabulary, tmp_path: Path
):
    write_cohort(parameters, 1, BLOCK + 7, tmp_path, vocabulary=vocabulary)
    for path in tmp_path.glob("*.parquet"):
        few = parquet.read_table(path)
        many = parquet.read_table(folder / path.name)
        assert few.equals(many.slice(0, few.num_rows)), path.name
        assert many["episode"][few.num_rows].as_py() >= BLOCK + 7


def test_rows_are_written_a_few_blocks_at_a_time(folder: Path):
    """What is held in memory is the blocks of one group, however many episodes there are."""
    metadata = parquet.read_metadata(folder / "ward-round.parquet")
    assert metadata.num_row_groups == 3


def test_an_interrupted_run_leaves_no_file_that_looks_complete(
    parameters: Parameters, vocabulary: Vocabulary, tmp_path: Path
):
    class Stop(Exception):
        pass

    def stop(_: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        write_cohort(parameters, 1, 10, tmp_path, stop, vocabulary)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_line(
    parameters: Parameters, vocabulary: Vocabulary, tmp_path: Path
):
    (tmp_path / "taken").write_text("")
    with pytest.raises(SourceInvalid, match="taken/below cannot be written"):
        write_cohort(parameters, 1, 10, tmp_path / "taken" / "below", vocabulary=vocabulary)
