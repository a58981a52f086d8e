"""Shares that may be shown, and counts that may not."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.lib.properties import LAW
from training.signal.missingness import count_of, measured, missing_by_outcome, shares_of


def part(true: int, n: int) -> np.ndarray:
    return np.arange(n) < true


SIZES = st.integers(0, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@LAW
@given(st.lists(SIZES, min_size=1, max_size=6))
def test_no_share_stands_for_one_to_four_and_none_follows_from_the_total(cells):
    shown = shares_of({str(i): part(true, n) for i, (true, n) in enumerate(cells)})
    few = [0 < true < 5 or 0 < n - true < 5 for true, n in cells]
    for i, (true, n) in enumerate(cells):
        share = shown[str(i)]
        assert not (few[i] and share is not None)
        assert share is None or share == round(true / n, 3)
    withheld = [i for i, (_, n) in enumerate(cells) if n and shown[str(i)] is None]
    others = [i for i, (_, n) in enumerate(cells) if n and i not in withheld]
    # One alone would be what is left of the total.
    assert len(withheld) != 1 or not others


def test_a_variable_that_three_patients_lack_is_withheld():
    assert measured(part(97, 100), None).share is None
    assert measured(part(100, 100), None).share == 1.0
    assert count_of(part(97, 100)) is None


def test_one_small_hospital_hides_another():
    present = np.concatenate([part(30, 40), part(3, 40), part(39, 40), part(20, 40)])
    found = measured(present, np.repeat(["a", "b", "c", "d"], 40))
    assert found.by_hospital == {"a": 0.75, "b": None, "c": None, "d": 0.5}
    assert found.share == round(92 / 160, 3)


def test_who_lacks_it_among_events_and_others():
    present = np.concatenate([part(10, 20), part(60, 80)])
    y = np.repeat([1.0, 0.0], [20, 80])
    assert missing_by_outcome(present, y) == {"events": 0.5, "non_events": 0.25}
