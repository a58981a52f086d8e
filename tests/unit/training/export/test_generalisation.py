"""The search finds what trying everything finds."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lib.properties import LAW
from training.export.anonymity import class_sizes, equivalence_classes
from training.export.generalisation import Rungs, information_loss, least_loss


def ladder(values: np.ndarray, weight: float = 1.0) -> Rungs:
    return Rungs((values, values // 2, values // 4, np.full(len(values), np.nan)), weight)


def pairs_at_least(k):
    return lambda classes: class_sizes(classes) < k


COHORTS = st.integers(2, 40).flatmap(
    lambda n: st.tuples(
        st.lists(st.lists(st.integers(0, 7), min_size=n, max_size=n), min_size=1, max_size=3),
        st.sampled_from((0.0, 0.05, 0.2)),
        st.integers(2, 5),
    )
)


@LAW
@given(COHORTS)
def test_no_choice_that_is_safe_loses_less(cohort):
    columns, share, k = cohort
    n = len(columns[0])
    rungs = [ladder(np.array(c, dtype=float), weight=1 + i) for i, c in enumerate(columns)]

    def loss(choice):
        return sum(
            r.weight * information_loss(r.written[0], r.written[level]) ** 2
            for r, level in zip(rungs, choice, strict=True)
        )

    def is_safe(choice):
        written = [r.written[level] for r, level in zip(rungs, choice, strict=True)]
        return (class_sizes(equivalence_classes(written, n)) < k).sum() <= share * n

    safe = [choice for choice in product(range(4), repeat=len(rungs)) if is_safe(choice)]
    chosen = least_loss(rungs, n, pairs_at_least(k), share)
    if not safe:
        assert chosen is None
    else:
        assert chosen in safe
        assert loss(chosen) == pytest.approx(min(map(loss, safe)), abs=1e-12)


@LAW
@given(COHORTS)
def test_the_order_of_the_rows_changes_nothing(cohort):
    columns, share, k = cohort
    n = len(columns[0])
    rungs = [ladder(np.array(c, dtype=float)) for c in columns]
    turned = [ladder(np.array(c[::-1], dtype=float)) for c in columns]
    assert least_loss(rungs, n, pairs_at_least(k), share) == least_loss(
        turned, n, pairs_at_least(k), share
    )


def test_the_heavier_column_is_told_more_finely():
    """Sixteen patients, two columns of four values; one must give way so that four are alike."""
    first = np.repeat([0.0, 1.0, 2.0, 3.0], 4)
    second = np.tile([0.0, 1.0, 2.0, 3.0], 4)
    four = pairs_at_least(4)
    assert least_loss([ladder(first, 5), ladder(second, 1)], 16, four, 0.0)[0] == 0
    assert least_loss([ladder(first, 1), ladder(second, 5)], 16, four, 0.0)[1] == 0


def test_nothing_is_chosen_when_even_the_coarsest_leaves_out_too_many():
    assert least_loss([ladder(np.arange(4.0))], 4, pairs_at_least(5), 0.0) is None


def test_a_column_without_variety_has_nothing_to_lose():
    assert information_loss(np.zeros(5), np.full(5, np.nan)) == 0


def test_eight_columns_of_a_large_cohort_are_searched_in_seconds():
    random = np.random.default_rng(5)
    rungs = [ladder(random.integers(0, 8, 20_000).astype(float)) for _ in range(8)]
    chosen = least_loss(rungs, 20_000, pairs_at_least(5), 0.05)
    assert chosen is not None
