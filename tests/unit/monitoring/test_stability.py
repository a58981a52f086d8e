"""Drift between binned shares: scipy says the same, and the laws that each distance must keep."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import euclidean, jensenshannon
from scipy.special import rel_entr
from scipy.stats import wasserstein_distance

from monitoring.stability import (
    hellinger,
    jensen_shannon,
    kolmogorov_smirnov,
    psi,
    smoothed_shares,
    wasserstein,
)
from tests.lib.properties import LAW

UNORDERED = (psi, jensen_shannon, hellinger)
DISTANCES = (*UNORDERED, kolmogorov_smirnov)
# Counts of a night and of a decade: smoothing matters in one and vanishes in the other.
count = st.one_of(st.integers(0, 3), st.integers(0, 500), st.integers(0, 10_000_000))
raw = st.integers(2, 15).flatmap(
    lambda bins: st.tuples(*(st.lists(count, min_size=bins, max_size=bins) for _ in range(2)))
)
pairs = raw.map(lambda both: tuple(smoothed_shares(counts) for counts in both))
bare = raw.filter(lambda both: min(map(sum, both)) > 0).map(
    lambda both: tuple(np.array(counts) / sum(counts) for counts in both)
)


@LAW
@given(st.one_of(pairs, bare))
def test_scipy_says_the_same(both: tuple[np.ndarray, np.ndarray]):
    """Also where bins are empty: there the index is infinite, as relative entropy is."""
    p, q = both
    assert psi(p, q) == pytest.approx((rel_entr(p, q) + rel_entr(q, p)).sum(), abs=1e-9)
    middle = (p + q) / 2
    divergence = (rel_entr(p, middle) + rel_entr(q, middle)).sum() / 2
    assert jensen_shannon(p, q) == pytest.approx(divergence, abs=1e-9)
    assert hellinger(p, q) == pytest.approx(
        euclidean(np.sqrt(p), np.sqrt(q)) / np.sqrt(2), abs=1e-9
    )


@LAW
@given(pairs.filter(lambda both: np.abs(both[0] - both[1]).max() > 1e-6))
def test_it_is_scipys_jensen_shannon_distance_squared(both: tuple[np.ndarray, np.ndarray]):
    """Of nearly equal shares scipy takes the root of a rounding error, perhaps a negative one."""
    p, q = both
    assert jensen_shannon(p, q) == pytest.approx(jensenshannon(p, q) ** 2, abs=1e-9)


@LAW
@given(bare, st.data())
def test_scipys_wasserstein_of_weighted_positions_is_the_same(both, data: st.DataObject):
    p, q = both
    gaps = data.draw(st.lists(st.floats(0, 50), min_size=len(p) - 1, max_size=len(p) - 1))
    positions = np.concatenate([[35.5], 35.5 + np.cumsum(gaps)])
    theirs = wasserstein_distance(positions, positions, p, q)
    assert wasserstein(p, q, positions) == pytest.approx(theirs, abs=1e-9)


@LAW
@given(bare)
def test_kolmogorov_smirnov_is_the_largest_gap_of_the_distribution_functions(both):
    p, q = both
    gaps = [abs(sum(p[: i + 1]) - sum(q[: i + 1])) for i in range(len(p))]
    assert kolmogorov_smirnov(p, q) == pytest.approx(max(gaps), abs=1e-9)


@LAW
@given(raw)
def test_smoothed_shares_are_the_counts_with_half_a_patient_more_in_each_bin(both):
    counts, _ = both
    shares = smoothed_shares(counts)
    total = sum(counts) + 0.5 * len(counts)
    assert shares == pytest.approx([(n + 0.5) / total for n in counts], rel=1e-12)
    assert shares.sum() == pytest.approx(1, abs=1e-12)
    assert (shares > 0).all()


def test_shares_of_nobody_are_equal():
    assert smoothed_shares([0, 0, 0, 0]).tolist() == [0.25] * 4


@LAW
@given(pairs)
def test_distances_are_symmetric_bounded_and_zero_only_of_equals(both):
    p, q = both
    for distance in DISTANCES:
        assert distance(p, q) == pytest.approx(float(distance(q, p)), abs=1e-12)
        assert distance(p, p) == 0
        assert distance(p, q) >= 0
    assert jensen_shannon(p, q) <= np.log(2)
    assert hellinger(p, q) <= 1
    assert kolmogorov_smirnov(p, q) <= 1
    # H^2 <= total variation <= sqrt(2) H: the two ways of being apart bound each other.
    total_variation = np.abs(p - q).sum() / 2
    assert hellinger(p, q) ** 2 <= total_variation + 1e-12
    assert total_variation <= np.sqrt(2) * hellinger(p, q) + 1e-12
    # The index is the symmetric Kullback-Leibler divergence, which Lin's bound divides by four.
    assert jensen_shannon(p, q) <= psi(p, q) / 4 + 1e-12


@LAW
@given(pairs, st.randoms(use_true_random=False))
def test_only_the_order_of_ordered_bins_matters(both, random):
    p, q = both
    order = list(range(len(p)))
    random.shuffle(order)
    for distance in UNORDERED:
        assert distance(p[order], q[order]) == pytest.approx(float(distance(p, q)), abs=1e-12)
    for distance in (kolmogorov_smirnov, lambda p, q: wasserstein(p, q, np.arange(len(p)))):
        assert distance(p[::-1], q[::-1]) == pytest.approx(float(distance(p, q)), abs=1e-12)


@LAW
@given(pairs)
def test_wasserstein_counts_every_gap_and_scales_with_its_unit(both):
    """At positions 0, 1, 2 ... it is the sum of the gaps, at least the largest and the mean's move."""
    p, q = both
    steps = wasserstein(p, q, np.arange(len(p)))
    assert kolmogorov_smirnov(p, q) <= steps + 1e-12
    mean_moved = abs((p - q) @ np.arange(len(p)))
    assert mean_moved <= steps + 1e-9
    assert wasserstein(p, q, 10 * np.arange(len(p))) == pytest.approx(10 * steps, rel=1e-12)


def test_one_patient_more_among_millions_is_never_less_than_no_distance():
    """The terms cancel to the last digit: without care rounding leaves sums of about -1e-16."""
    counts = np.random.default_rng(0).integers(10**5, 10**8, size=(2000, 3))
    p, q = smoothed_shares(counts), smoothed_shares(counts + np.array([1, 0, 0]))
    for distance in DISTANCES:
        assert (distance(p, q) >= 0).all()
        assert (distance(p, q) < 1e-5).all()


def test_many_features_at_once_are_each_alone():
    rng = np.random.default_rng(4)
    live, reference = (smoothed_shares(rng.integers(0, 90, size=(40, 13))) for _ in range(2))
    positions = np.cumsum(rng.uniform(0, 5, size=(40, 13)), axis=1)
    for distance in DISTANCES:
        together = distance(live, reference)
        assert together.shape == (40,)
        assert together.tolist() == [float(distance(live[i], reference[i])) for i in range(40)]
    moved = wasserstein(live, reference, positions)
    assert moved.tolist() == [
        float(wasserstein(*one)) for one in zip(live, reference, positions, strict=True)
    ]
    assert psi(live, reference[0])[7] == psi(live[7], reference[0])  # one reference for all


@pytest.mark.parametrize(
    ("distance", "apart"),
    [(psi, np.inf), (jensen_shannon, np.log(2)), (hellinger, 1.0), (kolmogorov_smirnov, 1.0)],
)
def test_nothing_in_common(distance, apart: float):
    """An empty bin on both sides adds nothing."""
    assert distance([1, 0, 0], [0, 1, 0]) == pytest.approx(apart)
    assert distance([0.5, 0.5, 0], [0.5, 0.5, 0]) == 0


def test_the_index_of_an_unchanged_feature_is_about_its_bins_less_one_over_the_patients():
    """Ten bins and 200 patients: 9 / 200 in the mean of 4,000 draws, standard error 0.75 %."""
    draws = np.random.default_rng(1).multinomial(200, np.full(10, 0.1), size=4000)
    found = psi(draws / 200, np.full(10, 0.1))[(draws > 0).all(axis=1)]
    assert found.mean() == pytest.approx(9 / 200, rel=0.06)


@pytest.mark.parametrize("counts", [[], 3, [1, -1], [1, np.nan], [np.inf, 1]])
def test_counts_that_are_none_are_refused(counts):
    with pytest.raises(ValueError, match="shares need"):
        smoothed_shares(counts)


@pytest.mark.parametrize(
    ("p", "q", "rule"),
    [
        ([0.5, 0.5], [1.0], "the same bins"),
        ([30, 70], [0.5, 0.5], "smoothed_shares"),
        ([0.5, 0.5], [50.0, 50.0], "smoothed_shares"),
        ([1.5, -0.5], [0.5, 0.5], "smoothed_shares"),
        ([np.nan, 1.0], [0.5, 0.5], "smoothed_shares"),
    ],
)
def test_what_is_no_pair_of_distributions_is_refused(p, q, rule: str):
    for distance in DISTANCES:
        with pytest.raises(ValueError, match=rule):
            distance(p, q)


@pytest.mark.parametrize(
    "positions", [[2.0, 1.0], [1.0], 1.0, [0.0, np.inf], [0.0, np.nan], [np.inf, np.inf]]
)
def test_positions_that_do_not_ascend_are_refused(positions):
    with pytest.raises(ValueError, match="position"):
        wasserstein([0.5, 0.5], [0.2, 0.8], positions)
