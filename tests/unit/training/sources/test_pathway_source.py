"""A folder of Parquet files is read in the dictionary's terms, and nothing else becomes an input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from models.errors import ContentInvalid
from models.vocabulary import Vocabulary, settle
from tests.lib.pathway_files import POINT, SOURCE, columns, write, write_source
from training.cohort import load_cohort, measurements_of, read_rows
from training.errors import SourceInvalid
from training.sources.pathway_source import PathwaySource, load_declared
from training.sources.source import Mapped, Source, load_source


@pytest.fixture
def declared(tmp_path: Path, vocabulary: Vocabulary) -> PathwaySource:
    found = load_declared(write_source(tmp_path), vocabulary)
    assert found is not None
    return found


def at(declared: PathwaySource, folder: Path, vocabulary: Vocabulary) -> tuple[Source, Path]:
    return declared.at(POINT, folder, vocabulary), declared.file(folder, POINT)


def test_every_column_named_like_an_input_is_that_input(tmp_path, declared, vocabulary):
    source, _ = at(declared, write(tmp_path, columns(10)), vocabulary)
    assert {mapped.feature for mapped in source.measurements} == {
        "age", "sex", "asa_band", "procedure_group", "diabetes", "hemoglobin", "sodium",
    }  # fmt: skip
    assert all(mapped.column == mapped.feature for mapped in source.measurements)
    assert [label.outcome for label in source.labels] == list(declared.outcomes[POINT])
    # The truth of a number is no probability.
    assert [c.outcomes for c in source.comparators] == [("major_complication",), ("death_30d",)]


def test_the_shipped_source_trains_five_outcomes_or_more_at_each_of_the_nine(vocabulary):
    shipped = load_declared("pathway", vocabulary)
    assert shipped is not None
    assert shipped.training_data == "synthetic"
    assert set(shipped.outcomes) == set(vocabulary.branch_points)
    for outcomes in shipped.outcomes.values():
        assert len(outcomes) >= 5
        families = {vocabulary.outcomes[name].family for name in outcomes}
        assert {"mortality", "complication", "recovery"} <= families


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("hospital_stay_days", 3.0, "cannot be an input of `surgery-decision`.*`discharge`"),
        ("injury_iss", 9.0, "`injury_iss` cannot be an input"),
        ("blood_type", 1.0, "column `blood_type` is neither"),
    ],
)
def test_a_late_or_strange_column_is_refused_by_name(
    tmp_path, declared, vocabulary, column, values, words
):
    folder = write(tmp_path, {**columns(10), column: np.full(10, values)})
    with pytest.raises(SourceInvalid, match=words):
        declared.at(POINT, folder, vocabulary)


@pytest.mark.parametrize(
    "mapped",
    [
        Mapped("later:complication_clavien_dindo", "complication_clavien_dindo", None, None),
        Mapped("hospital_stay_days", "hospital_stay_days", None, None),
        Mapped("later:hemoglobin", "hemoglobin", None, None),
        Mapped("month", "operation_month", None, None),
        Mapped("episode", "age", None, None),
    ],
    ids=lambda mapped: mapped.column,
)
def test_no_hand_made_mapping_gets_past_the_guard(tmp_path, declared, vocabulary, mapped):
    source, path = at(declared, write(tmp_path, columns(10)), vocabulary)
    leaking = replace(source, measurements=(*source.measurements, mapped))
    with pytest.raises(SourceInvalid, match=r"can never be an input|cannot be an input"):
        load_cohort(leaking, path, vocabulary)


def test_all_rows_of_a_patient_are_held_out_together(tmp_path, declared, vocabulary):
    """Patients 0, 4, 8, 16, 20 and 24; episode 12 is of patient 10, episode 26 of patient 24."""
    made = columns(54)
    source, path = at(declared, write(tmp_path, made), vocabulary)
    cohort = load_cohort(source, path, vocabulary)
    assert cohort.patients is not None
    assert cohort.patients.tolist() == made["patient"].tolist()
    episodes = made["episode"][cohort.held_out]
    assert episodes.tolist() == [0, 0, 4, 4, 8, 8, 16, 16, 20, 20, 24, 24, 26, 26]
    rows = list(read_rows(source, path))
    assert [row.held_out for row in rows] == cohort.held_out.tolist()
    assert [row.patient for row in rows] == cohort.patients.tolist()


def test_a_file_that_does_not_say_whose_its_rows_are_is_refused(tmp_path, declared, vocabulary):
    made = columns(8)
    del made["patient"]
    with pytest.raises(SourceInvalid, match="lacks the columns: patient"):
        declared.at(POINT, write(tmp_path, made), vocabulary)


def test_the_columns_are_encoded_as_the_service_encodes_one_patient(tmp_path, declared, vocabulary):
    """Row by row through `take` and `settle`; value for value the same, reason for reason."""
    made = columns(300)
    made["sodium"] = np.concatenate([made["sodium"][:-3], [np.nan, 900.0, 139.98765]])
    made["age"] = np.concatenate([made["age"][:-2], [93.0, 54.32189]])
    made["age_hours:hemoglobin"] = np.concatenate([np.full(297, 24.0), [-1.0, 2161.0, np.nan]])
    made["asa_class"] = pa.array([2.5, 4.0, None] * 100)
    made["asa_band"] = pa.array(["III", None, None] * 100)
    source, path = at(declared, write(tmp_path, made), vocabulary)
    cohort = load_cohort(source, path, vocabulary)
    point = vocabulary.branch_points[POINT]
    set_aside: dict[tuple[str, str], int] = {}
    for i, row in enumerate(read_rows(source, path)):
        alone = settle(measurements_of(row, vocabulary), point, vocabulary.features)
        for key in alone.set_aside:
            set_aside[key] = set_aside.get(key, 0) + 1
        found = dict(zip(cohort.features, cohort.X[i].tolist(), strict=True))
        assert {k: v for k, v in found.items() if not np.isnan(v)} == alone.values
    assert cohort.set_aside == set_aside
    assert set_aside["asa_class", "implausible_value"] == 100


def test_a_band_that_only_follows_from_another_input_is_there(tmp_path, declared, vocabulary):
    made = columns(6)
    del made["asa_band"]
    made["asa_class"] = np.array([1.0, 2, 3, 4, 5, np.nan])
    source, path = at(declared, write(tmp_path, made), vocabulary)
    cohort = load_cohort(source, path, vocabulary)
    bands = cohort.X[:, cohort.features.index("asa_band")]
    assert bands[:5].tolist() == [0, 0, 1, 2, 2]
    assert np.isnan(bands[5])


def test_a_row_is_what_the_service_would_be_asked(tmp_path, declared, vocabulary):
    made = columns(2)
    made["hemoglobin"] = pa.array([120.0, None])
    source, path = at(declared, write(tmp_path, made), vocabulary)
    first, second = read_rows(source, path)
    assert first.request["index_time"] == "2024-03-15T12:00:00Z"
    assert first.request["measurements"]["hemoglobin"] == {
        "value": 120.0, "time": "2024-03-14T12:00:00Z",
    }  # fmt: skip
    assert isinstance(first.measurements["diabetes"], bool)
    assert "hemoglobin" not in second.measurements
    assert set(second.request) == {"measurements"}
    assert first.comparators["true_risk"]["death_30d"] == made["truth:death_30d"][0]


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("sodium", ["much"] * 4, "expects a number"),
        ("sex", ["unknown"] * 4, "`sex` expects one of"),
        ("age", [float("inf")] * 4, "expects a finite number"),
        ("label:death_30d", [2.0] * 4, "not of a declared form"),
        ("truth:death_30d", [1.5] * 4, "not a probability"),
        ("patient", [1.0] * 4, "whole number"),
    ],
)
def test_a_strange_cell_stops_the_run_without_being_repeated(
    tmp_path, declared, vocabulary, column, values, words
):
    source, path = at(declared, write(tmp_path, {**columns(4), column: values}), vocabulary)
    with pytest.raises(SourceInvalid, match=words) as refused:
        load_cohort(source, path, vocabulary)
    assert "much" not in str(refused.value)


def test_a_file_that_is_not_there_or_not_parquet_is_named(tmp_path, declared, vocabulary):
    with pytest.raises(SourceInvalid, match="cannot be read"):
        declared.at(POINT, tmp_path, vocabulary)
    (tmp_path / f"{POINT}.parquet").write_bytes(b"PAR1 nothing of the kind")
    with pytest.raises(SourceInvalid, match="is not a Parquet file"):
        declared.at(POINT, tmp_path, vocabulary)
    with pytest.raises(SourceInvalid, match="does not feed `discharge`"):
        declared.file(tmp_path, "discharge")


def test_a_file_without_a_label_is_named(tmp_path, declared, vocabulary):
    made = columns(4)
    del made["label:death_30d"]
    with pytest.raises(SourceInvalid, match="lacks the columns: label:death_30d"):
        declared.at(POINT, write(tmp_path, made), vocabulary)


def test_rows_beyond_the_plan_are_thinned_evenly_and_by_patient(tmp_path, declared, vocabulary):
    source, path = at(declared, write(tmp_path, columns(4000)), vocabulary)
    thin = replace(source, plan=replace(source.plan, rows=1000))
    cohort = load_cohort(thin, path, vocabulary)
    assert cohort.patients is not None
    assert len(cohort.X) == pytest.approx(1000, abs=20)
    assert cohort.held_out.mean() == pytest.approx(0.25, abs=0.02)
    assert cohort.patients.max() > 1900
    own, found = np.unique(cohort.patients, return_counts=True)
    whole = dict(zip(*np.unique(columns(4000)["patient"], return_counts=True), strict=True))
    assert found.tolist() == [whole[patient] for patient in own]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("[outcomes]", "[outcomes]\nnowhere = []"), "is no branch point"),
        (('"death_30d"', '"stroke"'), "`stroke` is not an outcome of this branch point"),
        (("divisible_by = 4", "divisible_by = 1"), "at least 2"),
        (("folds = 3", "folds = 1"), "at least 2"),
        (("folds = 3", "fold = 3"), "unknown key `fold`"),
        (("leaves = [4]", "leaves = []"), "both"),
        (("rounds = [25]", "rounds = [2.5]"), "whole"),
        (('citation = "none"', 'cited = "none"'), "unknown key `cited`"),
    ],
)
def test_a_source_that_breaks_a_rule_is_refused(tmp_path, vocabulary, change, words):
    with pytest.raises(ContentInvalid, match=words):
        load_declared(write_source(tmp_path, SOURCE.replace(*change)), vocabulary)


def test_a_source_of_several_branch_points_says_so_where_one_is_wanted(vocabulary):
    with pytest.raises(SourceInvalid, match="several branch points"):
        load_source("pathway", vocabulary)
    assert load_declared("support2", vocabulary) is None
