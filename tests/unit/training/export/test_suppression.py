"""What is withheld cannot be worked out: a reader who tries every table finds several that fit."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lib.properties import LAW
from training.evaluation import disclosure
from training.export import suppression
from training.export.suppression import suppress

CELLS = st.lists(st.integers(0, 14), min_size=1, max_size=5).map(
    lambda counts: {f"c{i}": count for i, count in enumerate(counts)}
)


def possible(table, name):
    """Every value of a withheld cell that agrees with what is shown."""
    withheld = [cell for cell, count in table.cells.items() if count is None]
    rest = table.total - sum(count for count in table.cells.values() if count is not None)
    others = [range(1, rest + 1)] * (len(withheld) - 1)
    left = {rest - sum(choice) for choice in product(*others)}
    return {count for count in left if count >= 1}


@LAW
@given(CELLS)
def test_any_small_count_remains_possible_for_every_withheld_cell(cells):
    table = suppress(cells)
    for name, count in table.cells.items():
        if count is None and table.total is not None:
            assert possible(table, name) >= {1, 2, 3, 4}


@LAW
@given(CELLS)
def test_no_small_count_is_shown_and_what_is_shown_is_true(cells):
    table = suppress(cells)
    for name, count in table.cells.items():
        assert count is None or count == cells[name]
        assert count not in (1, 2, 3, 4)
    assert table.total in (None, sum(cells.values()))


@LAW
@given(CELLS.filter(lambda cells: not any(0 < count < 5 for count in cells.values())))
def test_where_nothing_is_small_nothing_is_withheld(cells):
    assert dict(suppress(cells).cells) == cells


@pytest.mark.parametrize(
    ("cells", "shown", "total"),
    [
        ({"a": 3, "b": 20, "c": 107}, {"a": None, "b": None, "c": 107}, 130),
        # 3 and 4 alone make 7: someone who knows that both are small knows them nearly.
        ({"a": 4, "b": 4, "c": 50}, {"a": None, "b": None, "c": 50}, 58),
        ({"a": 1, "b": 1, "c": 50}, {"a": None, "b": None, "c": None}, 52),
        ({"a": 3, "b": 0}, {"a": None, "b": 0}, None),
        ({"a": 0, "b": 0}, {"a": 0, "b": 0}, 0),
    ],
)
def test_cells_are_withheld_smallest_first(cells, shown, total):
    table = suppress(cells)
    assert (dict(table.cells), table.total) == (shown, total)


def test_the_house_has_one_smallest_count():
    assert suppression.SMALLEST_COUNT == disclosure.SMALLEST_COUNT


def test_a_site_that_asks_for_more_withholds_more():
    table = suppress({"a": 7, "b": 20, "c": 107}, smallest=10)
    assert dict(table.cells) == {"a": None, "b": None, "c": 107}


def test_a_total_that_all_can_see_withholds_every_cell_instead():
    table = suppress({"a": 3, "b": 3, "c": 0}, total_is_public=True)
    assert (dict(table.cells), table.total) == ({"a": None, "b": None, "c": 0}, 6)
