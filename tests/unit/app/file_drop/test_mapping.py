"""Mappings that do not hold are refused in one line, before anything is scored."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.errors import Problem
from app.fhir import load_coding
from app.file_drop import FileRefused, Wanted
from app.file_drop.mapping import load_mapping, mapping_by_name
from app.file_drop.questions import Questions
from app.schemas.assessment_request import AssessmentRequest
from models.errors import ContentInvalid
from models.vocabulary import Vocabulary

POINT = "icu-review"
AT = datetime(2026, 11, 21, 8, 15, tzinfo=UTC)
AGE = '[[column]]\ncolumn = "a"\nfeature = "age"\n'


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "mapping.toml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'colour = "red"\n{AGE}', "unknown key `colour`"),
        (f'{AGE}units = "a"\n', "unknown key `units`"),
        ('[[column]]\ncolumn = "a"\nfeature = "ages"\n', "`feature` is not in the dictionary"),
        (f'{AGE}unit = "kg"\n', "accepts the units: a, mo"),
        (AGE + AGE, "`age` is mapped twice"),
        ('[[column]]\ncolumn = "a"\nfeature = "sex"\nunit = "a"\n', "has no unit"),
        ('[[column]]\ncolumn = "a"\nfeature = "sex"\nvalues = { Man = "man" }\n', "does not have"),
        ('[[column]]\ncolumn = "a"\nfeature = "diabetes"\nvalues = { Ja = "yes" }\n',
         "must be true or false"),
        ('[[column]]\ncolumn = "a"\nfeature = "sex"\nvalues = { M = "male", m = "female" }\n',
         "holds a spelling twice"),
        (f'decimal = ";"\n{AGE}', "`decimal` must be one of"),
        (f'[time]\nzone = "Mars"\n{AGE}', "`zone` is not known"),
        (f'encoding = "klingon"\n{AGE}', "`encoding` is not known"),
        ('decimal = ","\n', "maps no column"),
    ],
)  # fmt: skip
def test_a_mapping_that_does_not_hold_names_the_rule(
    tmp_path: Path, vocabulary: Vocabulary, text: str, said: str
):
    with pytest.raises(ContentInvalid, match=said.replace("[", r"\[")) as refused:
        load_mapping(written(tmp_path, text), vocabulary)
    assert "\n" not in str(refused.value)


def asked(
    tmp_path: Path, vocabulary: Vocabulary, mapping: str, row: dict[str, object]
) -> AssessmentRequest:
    questions = Questions(
        Wanted(POINT),
        tuple(row),
        load_mapping(written(tmp_path, mapping), vocabulary),
        vocabulary.branch_points[POINT],
        vocabulary,
        load_coding(vocabulary),
    )
    return questions.ask(tuple(row.values()))  # type: ignore[arg-type]


def values(request: AssessmentRequest) -> dict[str, object]:
    return {m.feature.name: m.feature.show(m.value) for m in request.measurements}


CREATININE = """\
decimal = ","
[time]
zone = "Europe/Stockholm"
[identity]
index_time = "T"
[[column]]
column = "K"
feature = "creatinine"
unit = "mg/dL"
missing = ["999"]
time = "KT"
"""
ROW: dict[str, object] = {"T": "2026-11-21 09:15", "K": "1,0", "KT": "2026-11-21 07:00"}


def test_a_row_is_asked_in_the_dictionarys_terms(tmp_path: Path, vocabulary: Vocabulary):
    """1 mg/dL of creatinine is 88.4 umol/L; a quarter past nine in Stockholm is a quarter past eight."""
    request = asked(tmp_path, vocabulary, CREATININE, ROW)
    assert values(request) == {"creatinine": 88.4}
    assert request.index_time == AT
    assert request.times["creatinine"] == datetime(2026, 11, 21, 6, 0, tzinfo=UTC)


@pytest.mark.parametrize("cell", ["", " ", "999", None])
def test_missing_is_missing(tmp_path: Path, vocabulary: Vocabulary, cell: object):
    request = asked(tmp_path, vocabulary, CREATININE, {**ROW, "K": cell})
    assert values(request) == {}


def test_a_limit_is_set_aside_and_named(tmp_path: Path, vocabulary: Vocabulary):
    request = asked(tmp_path, vocabulary, CREATININE, {**ROW, "K": "<0,2"})
    assert (values(request), request.set_aside) == ({}, (("creatinine", "comparator"),))


@pytest.mark.parametrize(
    ("change", "pointer"),
    [({"K": "1.0"}, "/measurements/creatinine"), ({"K": "hemolys"}, "/measurements/creatinine"),
     ({"T": ""}, "/index_time"), ({"T": "i morgon"}, "/index_time"),
     ({"KT": "2026-11-21"}, "/measurements/creatinine")],
)  # fmt: skip
def test_a_cell_that_is_not_written_so_refuses_its_row(
    tmp_path: Path, vocabulary: Vocabulary, change: dict[str, object], pointer: str
):
    with pytest.raises(Problem) as refused:
        asked(tmp_path, vocabulary, CREATININE, {**ROW, **change})
    assert [error.pointer for error in refused.value.errors] == [pointer]
    (sent,) = change.values()
    assert not sent or str(sent) not in str(refused.value.document())


def test_without_a_mapping_only_the_dictionarys_names_are_taken(vocabulary: Vocabulary):
    point = vocabulary.branch_points[POINT]
    mapping = mapping_by_name(("subject", "age"), vocabulary, point)
    assert [column.feature.name for column in mapping.columns] == ["age"]
    with pytest.raises(FileRefused, match="column 2: no feature") as refused:
        mapping_by_name(("age", "195009072553"), vocabulary, point)
    assert "195009072553" not in str(refused.value)
