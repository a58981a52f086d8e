"""What is written, what the page says, and that a refusal leaves nothing behind."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from models.vocabulary import settle
from training.cohort import load_cohort, measurements_of, read_rows
from training.export import ExportRefused, rows_of, write_export
from training.export.manifest import FILES, MANIFEST, REPORT, ROWS, SOURCE
from training.sources.source import load_source

DAY = date(2026, 11, 21)
FORBIDDEN = ("anonymous", "anonymis", "anonymiz")


def statement(folder: Path) -> dict:
    return json.loads((folder / MANIFEST).read_bytes())


def test_the_folder_holds_four_files_for_its_owner_only(folder: Path):
    assert {entry.name for entry in folder.iterdir()} == {*FILES, MANIFEST}
    assert folder.stat().st_mode & 0o077 == 0
    assert all(entry.stat().st_mode & 0o077 == 0 for entry in folder.iterdir())


def test_training_reads_back_exactly_what_was_counted(folder: Path, vocabulary, export, patients):
    made = export(patients)
    source = load_source(str(folder / SOURCE), vocabulary)
    assert source.signed
    rows = list(read_rows(source, folder / ROWS))
    point = vocabulary.branch_points[source.branch_point]
    for i, row in enumerate(rows):
        values = settle(measurements_of(row, vocabulary), point, vocabulary.features).values
        for column, feature in enumerate(made.features):
            expected = made.values[i, column]
            assert values.get(feature.name, expected) == pytest.approx(expected, nan_ok=True)
            assert (feature.name in values) == (not np.isnan(expected))
        assert row.held_out == patients[made.arrival[i]].held_out
        assert row.comparators == {}
    cohort = load_cohort(source, folder / ROWS, vocabulary)
    assert cohort.set_aside == {}
    assert cohort.held_out.sum() == made.held_out


def test_a_source_with_several_rows_of_a_patient_is_not_exported(folder: Path, vocabulary):
    """Five rows of one patient would pass for five patients."""
    source = replace(load_source(str(folder / SOURCE), vocabulary), patient_id="row")
    with pytest.raises(ExportRefused, match="several rows of a patient"):
        list(rows_of(source, folder / ROWS, vocabulary))


def test_the_manifest_says_what_happened(folder: Path, export, patients):
    made, told = export(patients), statement(folder)
    assert told["rows"]["out"] == len(made.numbers)
    assert told["rows"]["fitting"] + told["rows"]["held_out"] == told["rows"]["out"]
    assert (told["k"], told["l"]) == (
        {"asked": 5, "achieved": made.k},
        {"asked": 2, "achieved": dict(made.l)},
    )
    assert told["product"] == "complication-risk"
    assert told["made_on"] == "2026-11-21"
    assert set(told["rules"]["parts"]) == {
        "disclosure.toml", "features.toml", "outcomes.toml", "branch_points/surgery-decision.toml",
    }  # fmt: skip
    assert [q["feature"] for q in told["quasi_identifiers"]] == [
        "age", "sex", "bmi", "procedure_group",
    ]  # fmt: skip


def test_no_count_from_one_to_four_is_published(folder: Path):
    told = statement(folder)
    counts = [*told["left_out"].values(), *told["rule_hits"].values()]
    counts += [count for cells in told["outcomes"].values() for count in cells.values()]
    assert counts
    assert not {1, 2, 3, 4} & set(counts)


def test_what_was_left_out_cannot_be_subtracted_back(export, patient, rules, key, tmp_path: Path):
    """Three protected patients and no other loss: rows in minus rows out would tell three."""
    one = {"age": 62.0, "sex": "male", "procedure_group": "spinal_fusion"}
    rows = [patient(any_complication=float(i % 2), **one) for i in range(50)]
    rows += [patient(protected=True, **one) for _ in range(3)]
    write_export(export(rows), tmp_path / "e", rules=rules, key=key, made_on=DAY)
    told = statement(tmp_path / "e")
    assert told["rows"]["out"] == 50
    assert told["rows"]["in"] is None
    assert told["left_out"]["protected_identity"] is None
    page = (tmp_path / "e" / REPORT).read_text()
    assert "came in: withheld" in page


def test_the_page_tells_counts_rules_and_attacks_in_plain_words(folder: Path):
    page = (folder / REPORT).read_text()
    for words in (
        "still personal data", "recital 26", "k = ", "l = 2 for any_complication", "age: bands of",
        "| BLOCKED |", "| ALLOWED |", "was above 89 years", "recalibrate", "fingerprint",
        statement(folder)["rules"]["sha256"], statement(folder)["signed_by"]["fingerprint"],
    ):  # fmt: skip
        assert words in page, words


def test_nobody_is_told_that_the_data_are_not_personal(folder: Path):
    for entry in folder.iterdir():
        text = entry.read_text().lower()
        assert not any(word in text for word in FORBIDDEN), entry.name


def test_a_changed_rule_changes_the_hash(folder: Path, export, patients, rules, key, tmp_path):
    other = replace(rules, content=rules.content + b"\n")
    write_export(export(patients), tmp_path / "e", rules=other, key=key, made_on=DAY)
    assert statement(tmp_path / "e")["rules"]["sha256"] != statement(folder)["rules"]["sha256"]
    write_export(
        export(patients), tmp_path / "f", rules=rules, key=key, made_on=DAY,
        further_rules={"policy.toml": b"x"},
    )  # fmt: skip
    assert "policy.toml" in statement(tmp_path / "f")["rules"]["parts"]


def test_the_same_rows_and_key_make_the_same_bytes(
    folder: Path, export, patients, rules, key, tmp_path: Path
):
    write_export(export(patients[::-1]), tmp_path / "e", rules=rules, key=key, made_on=DAY)
    for entry in folder.iterdir():
        if entry.name not in (REPORT, MANIFEST):
            assert (tmp_path / "e" / entry.name).read_bytes() == entry.read_bytes()


# ---------------------------------------------------------------- refusals


def entries(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"title": "Registry of 19500907-2553"}, "source.toml"),
        ({"licence": "ask anna.andersson@clinic.se"}, "source.toml"),
    ],
)
def test_an_identifier_in_the_words_about_the_source_stops_the_write(
    export, patients, rules, key, tmp_path: Path, change, words
):
    made = export(patients)
    made = replace(made, origin=replace(made.origin, **change))
    before = entries(tmp_path)
    with pytest.raises(ExportRefused, match=words) as refused:
        write_export(made, tmp_path / "e", rules=rules, key=key, made_on=DAY)
    assert entries(tmp_path) == before
    assert not any(value in str(refused.value) for value in change.values())


def test_a_number_in_place_of_the_reviewers_name_stops_the_write(
    export, patients, rules, key, tmp_path: Path
):
    with pytest.raises(ExportRefused, match="personal_number"):
        write_export(
            export(patients), tmp_path / "e", rules=rules, key=key, made_on=DAY,
            reviewer="195009072553",
        )  # fmt: skip


def test_an_identifier_that_only_the_manifest_would_hold_stops_the_write(
    export, patients, rules, key, tmp_path: Path
):
    with pytest.raises(ExportRefused, match=r"manifest\.json would hold"):
        write_export(
            export(patients), tmp_path / "e", rules=rules, key=key, made_on=DAY,
            further_rules={"19500907-2553.toml": b"x"},
        )  # fmt: skip


def test_an_attack_that_succeeds_stops_the_write(export, patients, rules, key, tmp_path: Path):
    """An export that asks for five alike, attacked by somebody who asks for fifty."""
    before = entries(tmp_path)
    with pytest.raises(ExportRefused, match="`singling out` succeeds"):
        write_export(
            export(patients), tmp_path / "e", rules=replace(rules, k=50), key=key, made_on=DAY
        )
    assert entries(tmp_path) == before


def test_a_folder_that_holds_something_is_left_alone(folder: Path, export, patients, rules, key):
    before = {entry.name: entry.read_bytes() for entry in folder.iterdir()}
    with pytest.raises(ExportRefused, match="there already"):
        write_export(export(patients), folder, rules=rules, key=key, made_on=DAY)
    assert {entry.name: entry.read_bytes() for entry in folder.iterdir()} == before


def test_an_empty_folder_is_used(export, patients, rules, key, tmp_path: Path):
    (tmp_path / "e").mkdir()
    write_export(export(patients), tmp_path / "e", rules=rules, key=key, made_on=DAY)
    assert entries(tmp_path / "e") == {*FILES, MANIFEST}


def test_a_place_that_cannot_be_written_is_told(export, patients, rules, key, tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ExportRefused, match="cannot be written"):
        write_export(export(patients), tmp_path / "file" / "e", rules=rules, key=key, made_on=DAY)
