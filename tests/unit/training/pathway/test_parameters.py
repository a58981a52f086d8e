"""Every number of the simulation has a row with its source; a row that breaks a rule stops it."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from training.errors import SourceInvalid
from training.pathway import Parameters, load_parameters
from training.pathway.parameters import OWN

FILES = sorted(path.name for path in OWN.glob("*.toml"))
ROW = """name = "helicopter_from"
value = 2.4
meaning = "severity above which a helicopter comes"
source = "product proposal"
"""
TABLE = "value = { shot = 0.35, stabbed = 0.65 }"


def rows(content: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for table, listed in content.items():
        for row in listed if isinstance(listed, list) else ():
            yield table, row


@pytest.mark.parametrize("file", FILES)
def test_every_row_has_a_source(file: str):
    found = list(rows(tomllib.loads((OWN / file).read_text(encoding="utf-8"))))
    assert found
    for table, row in found:
        assert row.get("source", "").strip(), f"{file}, {table} {next(iter(row.values()))}"


@pytest.mark.parametrize(
    "weights",
    ["mechanisms_young", "mechanisms_elder", "mechanisms_penetrating", "intentions_blunt",
     "intentions_penetrating"],
)  # fmt: skip
def test_weights_are_shares_of_one(parameters: Parameters, weights: str):
    assert sum(getattr(parameters.injury, weights).values()) == pytest.approx(1.0)


def test_numbers_that_are_limits_stand_in_their_order(parameters: Parameters):
    injury, operation, stay, clock = (
        parameters.injury, parameters.operation, parameters.stay, parameters.clock,
    )  # fmt: skip
    assert injury.fast_inconclusive < injury.fast_positive
    assert injury.radiology_from < injury.laparotomy_from
    assert operation.shortest_minutes < operation.longest_minutes
    assert 0 < stay.rehabilitation_up_to < stay.nursing_home_up_to < stay.other_ward_up_to < 1
    assert stay.home_care_from < stay.nursing_home_from
    assert clock.acute_from_hours < clock.acute_to_hours
    # A wait is a week or more: a visit to the clinic never lies before the decision.
    assert clock.clinic_from_days < clock.clinic_to_days < 7


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("injury", f"[[number]]\n{ROW}", "", "injury.toml lacks the numbers: helicopter_from"),
        ("injury", ROW, f"{ROW}[[number]]\n{ROW}", "`helicopter_from`: is declared twice"),
        ("injury", ROW, ROW.replace("helicopter", "boat"), "`boat_from`: the simulation has no use"),
        ("injury", ROW, ROW.replace('"product proposal"', '" "'), "`source` is empty"),
        ("injury", ROW, ROW.replace('source = "product proposal"\n', ""), "needs meaning, name"),
        ("injury", ROW, ROW + 'unit = "1"\n', "needs meaning, name, source, value, and nothing"),
        ("injury", ROW, ROW.replace("2.4", "nan"), "`value` must be a number"),
        ("injury", ROW, ROW.replace("2.4", "true"), "`value` must be a number"),
        ("injury", ROW, ROW.replace("2.4", '"much"'), "`value` must be a number"),
        ("injury", TABLE, "value = 1.0", "`value` must be a table of numbers"),
        ("injury", TABLE, "value = {}", "`value` must be a table of numbers"),
        ("injury", TABLE, "value = { shot = inf }", "`value` must be a number"),
        ("readings", 'panel = "size", source = "product proposal"', 'panel = "size"',
         "readings.toml, reading `height`: no source"),
        ("readings", 'RF = 9 }, source = "product proposal"', "RF = 9 }",
         "readings.toml, panel `always`: no source"),
        ("visits", '[cancelled]\nchance = -3.2\neffects = { illness = 0.3, frailty = 0.2, '
         'comorbidity = 0.2 }\nsource = "product proposal"',
         "[cancelled]\nchance = -3.2\neffects = {}", "visits.toml, cancelled: no source"),
    ],
)  # fmt: skip
def test_a_number_that_breaks_a_rule_stops_the_simulation(
    tmp_path: Path, file: str, old: str, new: str, words: str
):
    folder = tmp_path / "parameters"
    shutil.copytree(OWN, folder)
    path = folder / f"{file}.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SourceInvalid, match=words) as refused:
        load_parameters(folder=folder)
    assert "\n" not in str(refused.value)


def test_parameters_are_told_apart_by_their_digest(parameters: Parameters, tmp_path: Path):
    folder = tmp_path / "parameters"
    shutil.copytree(OWN, folder)
    assert load_parameters(folder=folder).sha256 == parameters.sha256
    path = folder / "clock.toml"
    path.write_text(path.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    assert load_parameters(folder=folder).sha256 != parameters.sha256
