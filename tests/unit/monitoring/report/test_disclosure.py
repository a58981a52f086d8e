"""What stays in the hospital, whatever the counts are."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from monitoring.report.disclosure import for_outside, marked, small_bins, small_rows
from tests.lib.monitoring_report import NAME, asked, chart, document, feature, figures, group

COUNTS = st.lists(st.integers(0, 60), min_size=1, max_size=12)
ROWS = st.lists(
    st.integers(0, 80).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    min_size=1, max_size=8,
)  # fmt: skip


@given(COUNTS)
def test_a_total_does_not_tell_the_bins_that_are_withheld(counts: list[int]) -> None:
    withheld = small_bins(counts)
    chosen = [count for count, stays in zip(counts, withheld, strict=True) if stays]
    told = [count for count, stays in zip(counts, withheld, strict=True) if not stays]
    assert not [count for count in told if 0 < count < 5]
    if chosen and any(told):
        assert len(chosen) >= 2
        assert sum(chosen) >= 5
    if not any(0 < count < 5 for count in counts):
        assert not chosen


@given(ROWS)
def test_a_total_does_not_tell_the_rows_that_are_withheld(rows: list[tuple[int, int]]) -> None:
    withheld = small_rows(rows)
    chosen = [row for row, stays in zip(rows, withheld, strict=True) if stays]
    told = [(y, n) for (y, n), stays in zip(rows, withheld, strict=True) if not stays and n]
    assert not [(y, n) for y, n in told if y < 5 or n - y < 5]
    if chosen and told:
        assert len(chosen) >= 2
        events, n = sum(y for y, _ in chosen), sum(n for _, n in chosen)
        assert min(events, n - events) >= 5


def test_a_marked_document_says_the_same_and_more() -> None:
    given_document = document()
    before = copy.deepcopy(given_document)
    found = marked(given_document)
    assert given_document == before
    assert _without_marks(found) == before


def _without_marks(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_marks(v) for k, v in value.items() if "inside_only" not in k}
    return [_without_marks(one) for one in value] if isinstance(value, list) else value


def test_a_small_unit_takes_the_next_smallest_with_it() -> None:
    units = [group("unit", "a", 50, 3, 4.0), group("unit", "b", 60, 20, 18.0),
             group("unit", "c", 90, 30, 30.0)]  # fmt: skip
    found = for_outside(document(units=units))["performance"]["units"]
    assert [row["figures"]["n"] for row in found] == [None, None, 90]
    assert [row["figures"]["ratio"] for row in found] == [None, None, 1.0]
    assert [row["unit"] for row in found] == ["a", "b", "c"]


def test_subgroups_of_each_feature_have_a_total_of_their_own() -> None:
    subgroups = [group("subgroup", name, n, y, 9.0) for name, n, y in (
        ("age: 18-64", 50, 20), ("age: 65-79", 50, 20), ("sex: female", 60, 2), ("sex: male", 40, 38),
    )]  # fmt: skip
    found = for_outside(document(subgroups=subgroups))["performance"]["subgroups"]
    assert [row["figures"]["n"] for row in found] == [50, 50, None, None]


def test_a_model_with_few_events_takes_its_delays_and_curve_with_it() -> None:
    curve = [{"bin": "00: up to 0.01", "n": 100, "observed": 4, "expected": 4.0}]
    model = {"model": NAME, "version": "1", "matured": 120, "coverage": 0.83,
             "figures": figures(100, 4, 4.0, curve=curve)}  # fmt: skip
    told = for_outside(document(models=[model]))["performance"]
    (row,) = told["models"]
    assert row["figures"]["curve"] == []
    assert {row["matured"], row["coverage"], row["figures"]["n"], row["figures"]["brier"]} == {None}
    assert told["delays"][0]["reports"] is None


def test_no_patient_of_a_chart_goes_outside() -> None:
    charts = [chart("ward-1", *[(0.1, 0.1, -0.1 * i, None) for i in range(7)]),
              chart("ward-2", (0.1, 0.1, 0.1, None))]  # fmt: skip
    found = for_outside(document(charts=charts))["performance"]["charts"]
    assert [(one["points"], one["vlad"], one["patients"]) for one in found] == [
        ([], None, 7), ([], None, None),
    ]  # fmt: skip


def test_few_missing_values_are_told_neither_as_a_count_nor_as_a_share() -> None:
    given_document = document()
    model = asked([feature("age", 0.123456, 3, 50, 247, 0, 0)], answered=297, abstained=3)
    model["predictions"][0]["count"] = 207
    given_document["drift"]["models"] = [model]
    (found,) = for_outside(given_document)["drift"]["models"]
    (age,) = found["features"]
    assert [one["count"] for one in age["bins"]] == [None, None, 247, 0, 0]
    assert (age["missing_ratio"], age["unseen_ratio"], age["psi"]) == (None, 0.0, 0.12)
    # Three abstained: with the answers told, any feature's total would tell it.
    assert (found["answered"], found["abstained"]) == (None, None)
    assert [one["count"] for one in found["predictions"]] == [207, None]


def test_a_version_that_was_asked_thrice_is_not_told_by_the_other() -> None:
    given_document = document()
    few = asked([feature("age", None, 0, 1, 2, 0, 0)], version="2", answered=3, abstained=0)
    given_document["drift"]["models"].append(few)
    found = for_outside(given_document)["drift"]["models"]
    assert [(one["version"], one["answered"], one["features"]) for one in found] == [
        ("1", None, []), ("2", None, []),
    ]  # fmt: skip


def test_overridden_cards_are_few_or_told() -> None:
    cards = [{"branch_point": "a", "accepted": 30, "overridden": 3, "override_ratio": 0.09},
             {"branch_point": "b", "accepted": 30, "overridden": 6, "override_ratio": 0.17}]  # fmt: skip
    found = for_outside(document(cards=cards))["performance"]["cards"]
    assert [(one["accepted"], one["override_ratio"]) for one in found] == [(None, None), (30, 0.17)]


def test_large_counts_leave_as_they_are() -> None:
    found = for_outside(document())
    assert found["performance"]["units"][0]["figures"]["observed"] == 12
    assert found["drift"]["assessments"] == 300
    assert json.loads(json.dumps(found)) == found
