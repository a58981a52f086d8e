"""Drafted mappings: placed when nothing is open, otherwise left to a person with the reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.file_drop import FileRefused, draft_mapping
from app.file_drop.mapping import load_mapping
from app.file_drop.names import load_names
from models.vocabulary import Vocabulary

SWEDISH = """\
Personnummer;Vårdtillfälle;Ålder (år);Kön;Puls;Hb;P-Kreatinin (µmol/L);Kreatinin tid;Temp;LPK (10^9/L);Diabetes;pt_asa_preinjury
195009072553;v1;71;Man;88;132;98;2026-11-21T06:00:00Z;37,1;6,1;Ja;2
194001012222;v2;82;Kvinna;101;99;140;2026-11-21T06:10:00Z;38,4;14,8;nej;999
193512241112;v3;90;kvinna;77;121;NULL;;36,8;8,0;Nej;3
"""


def drafted(tmp_path: Path, text: str, vocabulary: Vocabulary, point: str | None = None):
    file = tmp_path / "in.csv"
    file.write_bytes(text.encode())
    made = draft_mapping(
        file, vocabulary, None if point is None else vocabulary.branch_points[point]
    )
    (tmp_path / "mapping.toml").write_text(made.toml, encoding="utf-8")
    return made


def test_a_swedish_table_is_placed_whole_and_loads_without_edits(
    tmp_path: Path, vocabulary: Vocabulary
):
    """By hand: 3 columns are no features, 9 are; the creatinine's time belongs to the creatinine."""
    made = drafted(tmp_path, SWEDISH, vocabulary)
    assert made.report["not_placed"] == []
    mapping = load_mapping(tmp_path / "mapping.toml", vocabulary)
    placed = {column.feature.name: column for column in mapping.columns}
    assert {name: column.unit for name, column in placed.items()} == {
        "age": "a", "sex": None, "heart_rate": "/min", "hemoglobin": "g/L",
        "creatinine": "umol/L", "temperature": "Cel", "wbc": "10*9/L", "diabetes": None,
        "asa_preinjury": "{class}",
    }  # fmt: skip
    assert placed["creatinine"].time == "Kreatinin tid"
    assert placed["sex"].values == {"man": "male", "kvinna": "female"}
    assert placed["diabetes"].values == {"ja": True, "nej": False}
    assert "999" in placed["asa_preinjury"].missing
    assert "NULL" in placed["creatinine"].missing
    assert dict(mapping.identity) == {"subject": "Personnummer", "episode": "Vårdtillfälle"}
    assert (mapping.delimiter, mapping.decimal) == (";", ",")


@pytest.mark.parametrize(
    ("cells", "unit"),
    [
        (("31", "25"), "g/L"),  # in g/dL 31 would be 310 g/L
        (("3.1", "2.5"), "g/dL"),  # nobody lives with 3.1 g/L
    ],
)
def test_the_one_unit_that_holds_the_values_is_proposed(
    tmp_path: Path, vocabulary: Vocabulary, cells: tuple[str, ...], unit: str
):
    made = drafted(tmp_path, "albumin\n" + "\n".join(cells) + "\n", vocabulary)
    (placed,) = made.report["placed"]
    assert placed["unit"] == unit


def test_of_two_units_that_hold_the_values_neither_is_chosen(
    tmp_path: Path, vocabulary: Vocabulary
):
    """70 years and 70 months are both ages."""
    made = drafted(tmp_path, "Ålder\n71\n64\n", vocabulary)
    (left,) = made.report["not_placed"]
    assert [a["unit"] for a in left["alternatives"]] == ["a", "mo"]
    assert all(line.startswith("#") for line in made.toml.splitlines() if "feature" in line)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Hb (g/L)\n13.2\n9.9\n", "0% of its values are plausible in the unit that its name says"),
        ("Hb (mol)\n132\n", "the unit in its name is none that `hemoglobin` accepts"),
        ("Kön\nMan\nX\n", "1 of 2 spellings are not known"),
        ("Fritext\nx\n", "no feature has this name"),
        ("Hb,B-Hb\n132,132\n", "2 columns are the same; keep one"),
        ("Hb\nhemolys\n", "1 of 1 cells are no numbers (decimal sign `.`)"),
    ],
)
def test_what_cannot_be_placed_says_why(
    tmp_path: Path, vocabulary: Vocabulary, text: str, why: str
):
    made = drafted(tmp_path, text, vocabulary)
    assert made.report["placed"] == []
    assert {left["why"] for left in made.report["not_placed"]} == {why}


def test_what_is_not_known_yet_is_not_placed(tmp_path: Path, vocabulary: Vocabulary):
    made = drafted(tmp_path, "hospital_stay_days\n4\n", vocabulary, "surgery-decision")
    (left,) = made.report["not_placed"]
    assert "not at `surgery-decision`" in left["why"]


def test_clocks_without_an_offset_ask_for_a_zone(tmp_path: Path, vocabulary: Vocabulary):
    made = drafted(tmp_path, "Rondtid,Puls\n2026-11-21 08:15,80\n2026-11-22 08:15,90\n", vocabulary)
    assert made.report["zone_needed"]
    assert "# zone = " in made.toml


@pytest.mark.parametrize(
    "first",
    ["195009072553;71;Man", "Anna;1950-09-07;x", "71;Man;88", "a@example.org;x;y", ";a;b"],
)
def test_a_file_without_a_header_is_refused_unseen(
    tmp_path: Path, vocabulary: Vocabulary, first: str
):
    with pytest.raises(FileRefused) as refused:
        drafted(tmp_path, f"{first}\n1;2;3\n", vocabulary)
    assert not any(
        cell and cell in str(refused.value) for cell in first.split(";") if len(cell) > 2
    )


def test_no_value_of_a_patient_is_in_the_draft_or_its_report(
    tmp_path: Path, vocabulary: Vocabulary
):
    secret = "Hemligsson"  # noqa: S105 - a made-up name
    made = drafted(tmp_path, f"Kön,Kommentar,Puls\n{secret},{secret},{secret}\n", vocabulary)
    assert secret.lower() not in (made.toml + json.dumps(made.report)).lower()


def test_no_name_leads_to_two_features_but_those_the_dictionary_itself_has(vocabulary: Vocabulary):
    names = load_names(vocabulary)
    twice = {name: found for name, found in names.features.items() if len(found) > 1}
    assert twice == {}
    assert not set(names.features) & set(names.roles)
