"""The reference profile: counts in bins, checked by hand, and no cell that points at a person."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.vocabulary import load_vocabulary
from monitoring.reference import PREDICTION_EDGES, SMALLEST_CELL, reference_profile
from tests.lib.properties import LAW

FEATURES = load_vocabulary().features
AGE, SEX, DIABETES = FEATURES["age"], FEATURES["sex"], FEATURES["diabetes"]
NAN = np.nan


def profile_of(column: list[float], feature: object = AGE) -> dict[str, object]:
    X = np.array(column)[:, None]
    found = reference_profile(X, [feature], np.full(len(column), 0.15), "binary")
    return found["features"][feature.name]


def test_a_number_is_cut_at_its_deciles():
    """1 to 100: deciles at 10.9, 20.8 … 90.1 (linear between order statistics), 10 in each bin."""
    own = profile_of([float(i) for i in range(1, 101)])
    assert own["edges"] == pytest.approx([10.9, 20.8, 30.7, 40.6, 50.5, 60.4, 70.3, 80.2, 90.1])
    assert own["counts"] == [10] * 10
    assert own["missing"] == 0


def test_an_edge_belongs_to_the_bin_below_it():
    """Half are 0, half are 1: edges 0 and 1; nothing lies above 1."""
    own = profile_of([0.0] * 50 + [1.0] * 50)
    assert own["edges"] == [0.0, 0.5, 1.0]
    assert own["counts"] == [50, 0, 50, 0]


def test_a_category_is_counted_by_value():
    own = profile_of([0.0] * 7 + [1.0] * 9 + [NAN] * 6, SEX)
    assert own == {"values": ["female", "male"], "counts": [7, 9], "missing": 6}


@pytest.mark.parametrize(("present", "shown"), [(4, 0), (5, 5), (6, 6)])
def test_fewer_than_five_are_shown_as_none(present: int, shown: int):
    own = profile_of([1.0] * present + [0.0] * 20 + [NAN] * present, DIABETES)
    assert own["counts"] == [20, shown]
    assert own["missing"] == shown


def test_a_feature_that_nobody_has_is_only_missing():
    assert profile_of([NAN] * 30) == {"edges": [], "counts": [0], "missing": 30}


def test_probabilities_are_counted_between_fixed_edges():
    """0.01 belongs to the first bin (x <= 0.01), 0.95 to the last."""
    prediction = np.array([0.01] * 6 + [0.15] * 7 + [0.95] * 8)
    found = reference_profile(np.zeros((21, 0)), [], prediction, "binary")
    assert found["rows"] == 21
    assert found["prediction"]["edges"] == list(PREDICTION_EDGES)
    counts = found["prediction"]["counts"]
    assert len(counts) == len(PREDICTION_EDGES) + 1
    assert (counts[0], counts[4], counts[-1]) == (6, 7, 8)
    assert sum(counts) == 21


def test_numeric_predictions_are_cut_at_their_own_deciles():
    found = reference_profile(np.zeros((100, 0)), [], np.arange(1.0, 101.0), "numeric")
    assert found["prediction"]["edges"][4] == pytest.approx(50.5)
    assert found["prediction"]["counts"] == [10] * 10


def test_what_drives_the_predictions_is_the_mean_size_of_each_reason():
    contributions = np.array([[0.5, -1.0], [-1.5, 0.0]])
    found = reference_profile(
        np.zeros((2, 2)), [AGE, SEX], np.full(2, 0.15), "binary", contributions
    )
    assert found["contributions"] == {"age": 1.0, "sex": 0.5}
    assert "contributions" not in reference_profile(np.zeros((2, 0)), [], np.full(2, 0.1), "binary")


columns = st.lists(
    st.one_of(st.just(NAN), st.floats(0, 120, width=32), st.integers(0, 3).map(float)),
    min_size=1, max_size=200,
)  # fmt: skip


@given(columns)
@LAW
def test_every_row_is_in_at_most_one_bin_and_no_cell_is_small(column: list[float]):
    own = profile_of(column)
    counts = [*own["counts"], own["missing"]]
    assert len(own["counts"]) == len(own["edges"]) + 1
    assert own["edges"] == sorted(set(own["edges"]))
    assert all(n == 0 or n >= SMALLEST_CELL for n in counts)
    lost = len(column) - sum(counts)
    assert 0 <= lost < SMALLEST_CELL * len(counts)
    json.dumps(own, allow_nan=False)
