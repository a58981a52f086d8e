import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lib.properties import LAW
from training.evaluation.discrimination import auroc, brier
from training.evaluation.resampling import Resampling
from training.evaluation.subgroups import binary_subgroups, numeric_subgroups


def resampling():
    return Resampling(np.random.default_rng(1), 20)


def cohort(sizes, seed=1):
    """Outcome, prediction and label of groups given as name -> (events, non-events)."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.repeat([1.0, 0.0], counts) for counts in sizes.values()])
    labels = [name for name, counts in sizes.items() for _ in range(sum(counts))]
    return y, rng.uniform(0.05, 0.95, len(y)), labels


def test_a_group_has_the_figures_of_its_own_patients():
    y, p, labels = cohort({"female": (30, 70), "male": (40, 60)})
    female = binary_subgroups(y, p, {"sex": labels}, resampling())["sex"]["female"]
    assert (female["n"], female["events"]) == (100, 30)
    assert female["auroc"]["value"] == pytest.approx(auroc(y[:100], p[:100]))
    assert female["brier"]["value"] == pytest.approx(brier(y[:100], p[:100]))
    assert female["observed_expected"]["value"] == pytest.approx(30 / p[:100].sum())


@pytest.mark.parametrize("small", [(1, 2), (4, 100), (100, 4), (0, 0)])
def test_a_small_group_shows_nothing_but_that_it_is_withheld(small):
    y, p, labels = cohort({"a": (50, 50), "b": (40, 40), "c": small})
    groups = binary_subgroups(y, p, {"g": labels}, resampling())["g"]
    if sum(small):
        assert groups["c"] == {"suppressed": True, "n": None}
    else:
        assert "c" not in groups


@LAW
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=2, max_size=5))
def test_no_small_count_can_be_read_or_worked_out_from_the_totals(counts):
    sizes = {f"g{i}": pair for i, pair in enumerate(counts) if sum(pair)}
    y, p, labels = cohort({"big": (20, 20), **sizes})
    groups = binary_subgroups(y, p, {"g": labels}, resampling())["g"]
    sizes["big"] = (20, 20)
    small = {name for name, pair in sizes.items() if min(*pair, sum(pair)) < 5}
    assert {name for name, part in groups.items() if part["suppressed"]} == small
    assert all(set(groups[name]) == {"suppressed", "n"} for name in small)
    unknown = [name for name, part in groups.items() if part["n"] is None]
    assert len(unknown) != 1
    for name in set(unknown) - small:
        assert groups[name]["events"] is None
        assert set(groups[name]["observed_expected"].values()) == {None}


def test_rows_without_a_value_belong_to_no_group():
    y, p, labels = cohort({"a": (20, 20), "b": (20, 20)})
    groups = binary_subgroups(y, p, {"g": [*labels[:60], *[None] * 20]}, resampling())["g"]
    assert set(groups) == {"a", "b"}
    assert groups["b"]["suppressed"]  # its non-events are the rows without a value


def test_groups_of_a_number_are_withheld_under_five_patients():
    y, value = np.arange(30.0), np.arange(30.0) + 2
    labels = ["a"] * 15 + ["b"] * 11 + ["c"] * 4
    groups = numeric_subgroups(y, value, {"g": labels}, resampling())["g"]
    assert groups["a"]["n"] == 15
    assert groups["a"]["mean_observed"] == 7.0
    assert groups["a"]["mean_predicted"] == 9.0
    assert groups["a"]["mae"]["value"] == 2.0
    assert groups["b"]["n"] is None
    assert groups["c"] == {"suppressed": True, "n": None}
    json.dumps(groups, allow_nan=False)
