"""Charts that somebody else's simulator made, read as a person reads them.

`tests/data/clinosim_by_hand.csv` was written from the simulator's files by eye: the newest value at or
before the index time, not older than the branch point allows, converted with a pocket calculator
(creatinine x 88.4, urea nitrogen x 0.357, leukocytes x 0.001; ages from 90 are 90). `true` are the flags
of diagnoses that had been recorded by then: the simulator dates a problem list by its latest revision,
so most of a list is not yet known earlier in the same year. In the same way most results of a morning
were taken before the index time and issued after it: the result of the day before is the one known.
"""

from __future__ import annotations

import csv
from datetime import datetime
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from app.fhir import read_chart
from tests.lib import clinosim
from tests.lib.fhir import CODING, WORDS, bundle, values

TABLE = Path(__file__).parents[1] / "data" / "clinosim_by_hand.csv"
ROWS = list(csv.DictReader(TABLE.read_text(encoding="utf-8").splitlines()))
POINT = WORDS.branch_points["icu-review"]
FLAGS = ("diabetes", "dementia", "cancer", "cardiovascular_disease", "pulmonary_disease",
         "heart_failure", "ischaemic_heart_disease", "stroke_or_tia_history")  # fmt: skip


@pytest.fixture(scope="module")
def charts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """Every resource of a simulated population of 300, by patient."""
    folder = tmp_path_factory.mktemp("clinosim")
    clinosim.simulate(folder, 300)
    return clinosim.charts(folder)


def read(resources: list[Any], patient: str, at: str) -> dict[str, Any]:
    chart = read_chart(
        resources,
        patient=patient,
        point=POINT,
        vocabulary=WORDS,
        coding=CODING,
        index_time=datetime.fromisoformat(at),
    )
    assert not chart.deceased
    return values(chart)


def test_the_table_has_twenty_patients():
    assert len({row["patient"] for row in ROWS}) == 20


@pytest.mark.parametrize("row", ROWS, ids=[row["patient"] for row in ROWS])
def test_a_chart_is_read_as_by_hand(charts: dict[str, list[dict[str, Any]]], row: dict[str, str]):
    found = read(charts[row["patient"]], row["patient"], row["index_time"])
    expected: dict[str, Any] = {}
    for name, text in row.items():
        if name in ("patient", "index_time", "true", "smoking"):
            continue
        # The table has the product, the chart its first four digits: half a unit of the last.
        expected[name] = pytest.approx(float(text), rel=5.1e-4) if text else None
    expected["smoking"] = row["smoking"] or None
    assert {name: found.get(name) for name in expected} == expected
    assert {name for name in FLAGS if found.get(name)} == set(row["true"].split())


def test_everybody_in_one_bundle_gives_each_their_own(charts: dict[str, list[dict[str, Any]]]):
    """Twenty patients' resources, shuffled together: nobody gets a value of somebody else."""
    mixed = bundle(*(resource for row in ROWS for resource in charts[row["patient"]]))
    for row in ROWS:
        own = read(charts[row["patient"]], row["patient"], row["index_time"])
        assert read([mixed], row["patient"], row["index_time"]) == own


def test_every_simulated_chart_can_be_read(charts: dict[str, list[dict[str, Any]]]):
    points = cycle(WORDS.branch_points.values())
    for (patient, resources), point in zip(charts.items(), points, strict=False):
        chart = read_chart(
            resources,
            patient=patient,
            point=point,
            vocabulary=WORDS,
            coding=CODING,
            index_time=datetime.fromisoformat("2026-06-30T00:00:00Z"),
        )
        assert {m.feature.name for m in chart.measurements} <= set(point.features)
