"""Figures against their definitions, patient by patient."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.outcomes.figures import figures, slope_and_auroc
from monitoring.outcomes.record import Entries
from tests.lib.properties import LAW

RISKS = st.sampled_from([0.05, 0.1, 0.25, 0.5, 0.75, 0.9])
PATIENTS = st.lists(st.tuples(RISKS, st.booleans()), min_size=30, max_size=80)


def entries(rows) -> Entries:
    p, y, sign, whole = (np.array(column) for column in zip(*rows, strict=True))
    return Entries(p, y.astype(int), sign, whole, np.zeros(len(p)))


@LAW
@given(PATIENTS, st.lists(st.integers(0, 29), max_size=10, unique=True))
def test_auroc_is_the_share_of_pairs_in_order_among_corrected_patients(patients, wrong) -> None:
    """Some were first reported wrongly and corrected within the window."""
    rows = [(p, y, 1, 1) for p, y in patients]
    for i in wrong:
        p, y = patients[i]
        rows[i] = (p, not y, 1, 1)
        rows += [(p, y, 1, 0), (p, not y, -1, 0)]
    events = [p for p, y in patients if y]
    others = [p for p, y in patients if not y]
    slope, auroc = slope_and_auroc(entries(rows))
    if min(len(events), len(others)) < 10:
        assert (slope, auroc) == (None, None)
        return
    pairs = [(a > b) + (a == b) / 2 for a, b in product(events, others)]
    assert auroc == pytest.approx(sum(pairs) / len(pairs))
    assert slope == pytest.approx(slope_and_auroc(entries([(p, y, 1, 1) for p, y in patients]))[0])


def test_predictions_twice_as_extreme_have_a_slope_of_one_half() -> None:
    """Odds of 1:4 and 4:1 predicted where 1:2 and 2:1 come true: log 2 / log 4."""
    low = [(0.2, i < 10, 1, 1) for i in range(30)]
    high = [(0.8, i < 20, 1, 1) for i in range(30)]
    slope, auroc = slope_and_auroc(entries(low + high))
    assert slope == pytest.approx(0.5)
    assert auroc == pytest.approx((20 * 20 + 0.5 * (20 * 10 + 10 * 20)) / 900)


def test_no_slope_where_nothing_varies_or_nothing_overlaps() -> None:
    constant = [(0.5, i < 10, 1, 1) for i in range(20)]
    assert slope_and_auroc(entries(constant)) == (None, 0.5)
    apart = [(0.1 + 0.8 * (i < 10), i < 10, 1, 1) for i in range(20)]
    assert slope_and_auroc(entries(apart)) == (None, 1.0)


def test_certain_predictions_give_a_finite_slope() -> None:
    certain = [(float(i % 3 > 0), i % 2, 1, 1) for i in range(60)]
    slope, auroc = slope_and_auroc(entries(certain))
    assert slope is not None
    assert np.isfinite(slope)
    assert auroc == 0.5


def test_four_patients_by_hand() -> None:
    """Risks 0.05, 0.05, 0.5, 0.7 with one event at 0.5 and one at 0.7."""
    rows = [(0.05, 0, 1, 1), (0.05, 0, 1, 1), (0.5, 1, 1, 1), (0.7, 1, 1, 1)]
    found = figures(entries(rows))
    assert (found.n, found.observed, found.few) == (4, 2, True)
    assert found.expected == pytest.approx(1.3)
    assert found.ratio == pytest.approx(2 / 1.3)
    assert found.lower < found.ratio < found.upper
    assert found.brier == pytest.approx((2 * 0.0025 + 0.25 + 0.09) / 4)
    assert found.brier_expected == pytest.approx((2 * 0.0475 + 0.25 + 0.21) / 4)
    assert found.calibration_error == pytest.approx((0.1 + 0.5 + 0.3) / 4)
    assert [(b.bin, b.n, b.observed) for b in found.curve] == [
        ("02: 0.02 to 0.05", 2, 0), ("07: 0.4 to 0.5", 1, 1), ("09: 0.6 to 0.7", 1, 1),
    ]  # fmt: skip


def test_nobody_has_no_figures() -> None:
    found = figures(entries([(0.5, 1, 1, 1)]).at(np.zeros(0, dtype=int)))
    assert (found.n, found.expected, found.few, found.curve) == (0, 0.0, True, ())
    assert (found.ratio, found.brier, found.auroc, found.slope) == (None,) * 4
