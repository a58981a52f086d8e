"""What training may read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from monitoring.keyring import Key
from training.errors import SourceInvalid
from training.export import admit
from training.export.manifest import MANIFEST, ROWS, SOURCE
from training.export.verify import CheckedFile
from training.signing import ManifestRefused, public_key


def never():
    raise AssertionError("nobody needs to be trusted to read a cohort as it is")


@pytest.fixture
def open_(vocabulary, key: Key):
    def admitted(name, given=None):
        return admit(str(name), given, vocabulary, lambda: {public_key(key)})

    return admitted


def test_a_cohort_as_it_is_needs_no_manifest(vocabulary, tmp_path: Path):
    file = tmp_path / "cohort.csv"
    source, rows = admit("support2", file, vocabulary, never)
    assert (source.name, rows) == ("support2", file)
    assert admit("support2", None, vocabulary, never)[1] is None


@pytest.mark.parametrize("name", ["{folder}", "{folder}/source.toml"])
@pytest.mark.parametrize("given", [None, "{folder}", "{folder}/rows.csv"])
def test_an_export_is_verified_and_read_from_what_was_verified(open_, folder, name, given):
    source, rows = open_(name.format(folder=folder), given and Path(given.format(folder=folder)))
    assert source.name == "clinic_export"
    assert isinstance(rows, CheckedFile)
    assert rows.content == (folder / ROWS).read_bytes()


@pytest.mark.parametrize("name", [ROWS, SOURCE, MANIFEST])
def test_a_changed_export_is_refused(open_, folder: Path, name: str):
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    with pytest.raises(ManifestRefused):
        open_(folder)


def test_an_export_whose_manifest_was_taken_away_is_refused(open_, folder: Path):
    (folder / MANIFEST).unlink()
    with pytest.raises(ManifestRefused, match=r"its manifest\.json is not beside it"):
        open_(folder, folder)


def test_a_mapping_carried_away_from_its_manifest_is_refused(open_, folder, tmp_path):
    elsewhere = tmp_path / "mine.toml"
    shutil.copy(folder / SOURCE, elsewhere)
    for given in (None, folder / ROWS, tmp_path / "other.csv"):
        with pytest.raises(ManifestRefused, match="is not beside it"):
            open_(elsewhere, given)


def test_the_rows_of_an_export_go_with_no_other_mapping(open_, folder: Path):
    with pytest.raises(ManifestRefused, match="brings its own mapping"):
        open_("surgery_timing", folder / ROWS)
    with pytest.raises(ManifestRefused, match="brings its own mapping"):
        open_("surgery_timing", folder)


def test_the_mapping_of_an_export_goes_with_no_other_rows(open_, folder: Path, tmp_path: Path):
    other = tmp_path / "rows.csv"
    shutil.copy(folder / ROWS, other)
    with pytest.raises(ManifestRefused, match=r"only its own rows\.csv"):
        open_(folder, other)


def test_another_mapping_put_into_an_export_is_refused(open_, folder: Path):
    shutil.copy(folder / SOURCE, folder / "other.toml")
    with pytest.raises(ManifestRefused, match=r"only its own source\.toml"):
        open_(folder / "other.toml")


def test_a_dangling_manifest_is_no_absent_one(open_, folder: Path):
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).symlink_to("nowhere")
    with pytest.raises(ManifestRefused):
        open_(folder)


def test_a_source_that_is_not_there_is_told_as_before(open_, tmp_path: Path):
    with pytest.raises(SourceInvalid, match="no source"):
        open_("nowhere")
    with pytest.raises(SourceInvalid, match="no source"):
        open_(tmp_path)
