"""A source is read strictly, held-out rows are marked, and nothing leaks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.errors import ContentInvalid
from models.vocabulary import Vocabulary
from training.cohort import group_values, load_cohort, read_rows
from training.errors import SourceInvalid
from training.sources.source import load_source, source_names

HEAD = (
    "sno,age,death,sex,hospdead,slos,d.time,dzgroup,dzclass,num.co,edu,income,scoma,race,sps,aps,"
    "surv2m,surv6m,hday,diabetes,dementia,ca,prg2m,prg6m,dnr,meanbp,wblc,hrt,resp,temp,pafi,alb,"
    "bili,crea,sod,ph,glucose,bun,urine,sfdm2"
)
PATIENT = {
    "sno": "4", "age": "60", "death": "1", "sex": "male", "hospdead": "0", "slos": "15",
    "d.time": "61", "dzgroup": "CHF", "dzclass": "COPD/CHF/Cirrhosis", "num.co": "2",
    "meanbp": "70", "hrt": "90", "resp": "20", "temp": "37", "alb": "3.5", "crea": "1.0",
    "bun": "28", "surv2m": "0.7", "prg6m": "0.4", "dnr": "dnr after sadm", "sfdm2": "SIP>=30",
}  # fmt: skip


def write(path: Path, *rows: dict[str, str]) -> Path:
    columns = HEAD.split(",")
    lines = [HEAD, *(",".join(row.get(c, "") for c in columns) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def support(vocabulary: Vocabulary):
    return load_source("support2", vocabulary)


def test_a_row_is_what_the_service_would_be_asked(tmp_path, support):
    (row,) = read_rows(support, write(tmp_path / "s.csv", PATIENT))
    assert row.measurements["albumin"] == {"value": 3.5, "unit": "g/dL"}
    assert row.measurements["disease_group"] == "chf"
    assert "glucose" not in row.measurements
    assert row.held_out


def test_labels_follow_their_definitions(tmp_path, support):
    (row,) = read_rows(support, write(tmp_path / "s.csv", PATIENT))
    assert row.labels == {
        "death_in_hospital": 0.0,
        "death_60d": 0.0,  # died on day 61
        "death_180d": 1.0,
        "severe_disability_60d": 1.0,
        "prolonged_stay": 1.0,  # 15 days are more than 14
        "length_of_stay_days": 15.0,
    }


@pytest.mark.parametrize(
    ("change", "outcome", "label"),
    [
        ({"death": "0", "d.time": "30"}, "death_60d", None),  # not followed for 60 days
        ({"death": "0", "d.time": "60"}, "death_60d", 0.0),
        ({"d.time": "60"}, "death_60d", 1.0),
        ({"sfdm2": "<2 mo. follow-up"}, "severe_disability_60d", None),  # mostly death: own level
        ({"sfdm2": ""}, "severe_disability_60d", None),
        ({"sfdm2": "no(M2 and SIP pres)"}, "severe_disability_60d", 0.0),
        ({"slos": "14"}, "prolonged_stay", 0.0),
    ],
)
def test_a_label_that_is_not_known_is_no_label(tmp_path, support, change, outcome, label):
    (row,) = read_rows(support, write(tmp_path / "s.csv", PATIENT | change))
    assert row.labels[outcome] == label


def test_an_order_written_after_admission_counts_as_none(tmp_path, support):
    (row,) = read_rows(support, write(tmp_path / "s.csv", PATIENT))
    assert row.measurements["dnr_before_admission"] is False
    (row,) = read_rows(support, write(tmp_path / "t.csv", PATIENT | {"dnr": "dnr before sadm"}))
    assert row.measurements["dnr_before_admission"] is True


def test_comparators_are_probabilities_of_the_event(tmp_path, support):
    (row,) = read_rows(support, write(tmp_path / "s.csv", PATIENT))
    assert row.comparators["support_model"]["death_60d"] == pytest.approx(0.3)
    assert row.comparators["physicians"]["death_180d"] == pytest.approx(0.6)


def test_the_cohort_is_encoded_as_the_service_encodes(tmp_path, support, vocabulary):
    cohort = load_cohort(support, write(tmp_path / "s.csv", PATIENT), vocabulary)
    values = dict(zip(cohort.features, cohort.X[0], strict=True))
    assert values["creatinine"] == 88.4
    assert values["albumin"] == 35.0
    assert values["urea"] == pytest.approx(9.996)
    assert np.isnan(values["glucose"])


def test_implausible_values_are_set_aside_and_counted(tmp_path, support, vocabulary):
    path = write(tmp_path / "s.csv", PATIENT | {"alb": "29"})
    cohort = load_cohort(support, path, vocabulary)
    assert np.isnan(cohort.X[0, cohort.features.index("albumin")])
    assert cohort.set_aside == {("albumin", "implausible_value"): 1}


@pytest.mark.parametrize("sno", [1, 2, 3, 5])
def test_only_every_fourth_row_is_held_out(tmp_path, support, sno):
    (row,) = read_rows(support, write(tmp_path / "s.csv", PATIENT | {"sno": str(sno)}))
    assert not row.held_out


def test_rows_of_one_patient_are_on_one_side_where_the_file_says_whose_they_are(
    tmp_path, support, vocabulary
):
    """The column `edu` stands for a patient's number; by their own numbers 4 and 8 were held out."""
    told = replace(support, patient_id="edu")
    rows = [PATIENT | {"sno": sno, "edu": whose} for sno, whose in ("47", "58", "64", "84")]
    cohort = load_cohort(told, write(tmp_path / "s.csv", *rows), vocabulary)
    assert cohort.patients is not None
    assert cohort.patients.tolist() == [7, 8, 4, 4]
    assert cohort.held_out.tolist() == [False, True, True, True]
    alone = load_cohort(support, tmp_path / "s.csv", vocabulary)
    assert (alone.patients, alone.held_out.tolist()) == (None, [True, False, False, True])


@pytest.mark.parametrize("whose", ["", "anna", "1" * 19])
def test_a_patient_without_a_number_stops_the_run(tmp_path, support, whose):
    path = write(tmp_path / "s.csv", PATIENT | {"edu": whose})
    with pytest.raises(SourceInvalid, match="row 1: `edu` is not a whole number"):
        list(read_rows(replace(support, patient_id="edu"), path))


@pytest.mark.parametrize(
    "change",
    [
        {"sex": "195009072553"},
        {"alb": "195009072553x"},
        {"hospdead": "195009072553"},
        {"surv2m": "195009072553"},
        {"prg6m": "195009072553x"},
        {"alb": "nan"},
        {"age": "inf"},
    ],
)
def test_a_strange_cell_stops_the_run_without_being_repeated(tmp_path, support, change):
    with pytest.raises(SourceInvalid) as refused:
        list(read_rows(support, write(tmp_path / "s.csv", PATIENT | change)))
    assert "row 1" in str(refused.value)
    assert "195009072553" not in str(refused.value)


def test_a_row_of_another_length_is_named(tmp_path, support):
    path = write(tmp_path / "s.csv", PATIENT)
    path.write_text(path.read_text() + "8,60,1\n")
    with pytest.raises(SourceInvalid, match="row 2: has another number of cells"):
        list(read_rows(support, path))


def test_a_missing_column_is_named(tmp_path, support):
    path = tmp_path / "s.csv"
    path.write_text(HEAD.replace("meanbp,", "") + "\n")
    with pytest.raises(SourceInvalid, match="lacks the columns: meanbp"):
        list(read_rows(support, path))


def test_subgroups_cut_ages_where_they_are_declared(tmp_path, support, vocabulary):
    rows = [PATIENT | {"age": str(age)} for age in (44, 45, 79, 80)]
    cohort = load_cohort(support, write(tmp_path / "s.csv", *rows), vocabulary)
    assert group_values(cohort, vocabulary)["age"] == [
        "under 45", "45-64", "65-79", "80 and over",
    ]  # fmt: skip


@pytest.mark.parametrize("name", source_names())
def test_no_source_reads_a_column_that_must_never_be_a_predictor(name, vocabulary):
    source = load_source(name, vocabulary)  # refuses the mapping if it did
    assert source.measurements


def test_a_mapping_that_reads_a_leaking_column_is_refused(tmp_path, vocabulary):
    leaking = (
        (Path("training/sources/support2.toml"))
        .read_text()
        .replace('column = "hday"', 'column = "slos"')
    )
    (tmp_path / "leak.toml").write_text(leaking)
    with pytest.raises(ContentInvalid, match="must never be a predictor"):
        load_source(str(tmp_path / "leak.toml"), vocabulary)
