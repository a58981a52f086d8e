"""k and l are what pyCANON finds on the same table."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lib.properties import LAW
from training.export.anonymity import class_sizes, equivalence_classes, refine, smallest_class
from training.export.diversity import distinct_values, event_follows, smallest_diversity

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what its plotting imports warn of is not ours
    import pandas as pd
    from pycanon.anonymity import k_anonymity, l_diversity

TABLES = st.integers(1, 60).flatmap(
    lambda n: st.tuples(
        st.lists(
            st.lists(st.integers(0, 3), min_size=n, max_size=n), min_size=1, max_size=3
        ),
        st.lists(st.integers(0, 2), min_size=n, max_size=n),
    )
)  # fmt: skip


@pytest.mark.filterwarnings("ignore:In a future version, the keys of `groups`")
@LAW
@given(TABLES)
def test_k_and_l_are_those_of_pycanon(table):
    columns, outcome = table
    frame = pd.DataFrame({f"q{i}": column for i, column in enumerate(columns)} | {"y": outcome})
    names = [f"q{i}" for i in range(len(columns))]
    written = [np.array(column, dtype=float) for column in columns]
    classes = equivalence_classes(written, len(outcome))
    assert smallest_class(classes) == k_anonymity(frame, names)
    assert smallest_diversity(classes, np.array(outcome, dtype=float)) == l_diversity(
        frame, names, ["y"]
    )


@LAW
@given(TABLES)
def test_a_column_more_never_makes_a_class_larger(table):
    columns, outcome = table
    written = [np.array(column, dtype=float) for column in columns]
    coarse = equivalence_classes(written[:-1], len(outcome))
    fine = refine(coarse, written[-1])
    labels = np.array(outcome, dtype=float)
    assert (class_sizes(fine) <= class_sizes(coarse)).all()
    assert (distinct_values(fine, labels) <= distinct_values(coarse, labels)).all()


def test_missing_agrees_with_missing_and_with_nothing_else():
    column = np.array([np.nan, 1.0, np.nan, 0.0])
    assert equivalence_classes([column], 4).tolist() == [2, 1, 2, 0]


def test_without_a_quasi_identifier_all_are_alike():
    assert smallest_class(equivalence_classes([], 7)) == 7


@pytest.mark.parametrize("count", [smallest_class, lambda c: smallest_diversity(c, np.zeros(0))])
def test_an_empty_table_reaches_nothing(count):
    assert count(np.zeros(0, dtype=np.intp)) == 0


def test_an_unknown_label_is_no_second_value():
    """Two of five are known to be alive: l is 1, though pandas would call NaN another value."""
    labels = np.array([0.0, 0.0, np.nan, np.nan, np.nan])
    assert smallest_diversity(np.zeros(5, dtype=np.intp), labels) == 1


def test_a_class_of_which_nothing_is_known_holds_no_value():
    assert smallest_diversity(np.zeros(3, dtype=np.intp), np.full(3, np.nan)) == 0


def test_an_event_follows_only_when_everybody_is_known_to_have_had_it():
    classes = np.array([0, 0, 1, 1, 2, 2])
    labels = np.array([1.0, 1.0, 1.0, np.nan, 0.0, 0.0])
    assert event_follows(classes, labels).tolist() == [True, True, False, False, False, False]
