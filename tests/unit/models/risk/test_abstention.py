"""When not to answer: strange patients are noticed, ordinary ones hardly ever sent away."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.risk.abstention import QUANTILES, SHARE_BEYOND, Familiarity, fit_familiarity
from tests.lib.properties import LAW
from tests.lib.risk_models import FEATURES, NUMBERS, REQUIRED, synthetic_rows

NUMERIC = [i for i, name in enumerate(FEATURES) if name in NUMBERS]
NEEDED = [FEATURES.index(name) for name in REQUIRED]
AGE, MAP, SBP = (FEATURES.index(name) for name in ("age", "map", "sbp"))


@pytest.fixture(scope="module")
def fitting_rows():
    return synthetic_rows(np.random.default_rng(21), 4000)[0]


@pytest.fixture(scope="module")
def familiarity(fitting_rows):
    return fit_familiarity(fitting_rows, NUMERIC, NEEDED)


@pytest.fixture
def middle(fitting_rows):
    return np.nanmedian(fitting_rows, axis=0)


def test_a_patient_in_the_middle_of_everything_is_familiar(familiarity, middle):
    assert not familiarity.is_unfamiliar(middle)


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("side", [-1, 1])
def test_a_required_number_beyond_anything_seen_is_unfamiliar(
    familiarity, fitting_rows, middle, name, side
):
    column = FEATURES.index(name)
    seen = fitting_rows[:, column].min() if side < 0 else fitting_rows[:, column].max()
    middle[column] = seen
    at_the_edge = familiarity.distance(middle)
    middle[column] = seen + side * 0.001
    assert familiarity.is_unfamiliar(middle)
    assert familiarity.distance(middle) == pytest.approx(at_the_edge, abs=0.01)


def test_two_pressures_that_cannot_go_together_are_unfamiliar(familiarity, fitting_rows, middle):
    """Each alone is ordinary; a high mean pressure with a low systolic one is a mix-up."""
    high = np.nanquantile(fitting_rows[:, MAP], 0.98)
    low = np.nanquantile(fitting_rows[:, SBP], 0.02)
    for column, value in ((MAP, high), (SBP, low)):
        alone = middle.copy()
        alone[column] = value
        assert not familiarity.is_unfamiliar(alone)
    middle[MAP], middle[SBP] = high, low
    assert familiarity.is_unfamiliar(middle)


def test_two_pressures_that_are_high_together_are_familiar(familiarity, fitting_rows, middle):
    for column in (MAP, SBP):
        middle[column] = np.nanquantile(fitting_rows[:, column], 0.98)
    assert not familiarity.is_unfamiliar(middle)


def test_a_wild_outlier_of_an_optional_number_is_unfamiliar(familiarity, middle):
    middle[FEATURES.index("albumin")] = 200.0
    assert familiarity.is_unfamiliar(middle)


def test_patients_like_the_fitting_ones_are_sent_away_about_as_seldom_as_stated(familiarity):
    """One in a thousand by distance; the five ranges add at most 2 in 4001 each on average."""
    X = synthetic_rows(np.random.default_rng(22), 20_000)[0]
    by_distance = np.mean([familiarity.distance(x) > familiarity.limit for x in X])
    assert SHARE_BEYOND / 5 < by_distance < SHARE_BEYOND * 4
    away = np.mean([familiarity.is_unfamiliar(x) for x in X])
    assert away < SHARE_BEYOND * 4 + len(NEEDED) * 2 / 4001 * 2


def test_nothing_measured_is_not_unfamiliar(familiarity):
    """What is missing widens the interval; it is no reason to find a patient strange."""
    assert not familiarity.is_unfamiliar(np.full(len(FEATURES), np.nan))


@LAW
@given(st.integers(0, 2**32 - 1))
def test_leaving_numbers_out_never_fails(familiarity, seed):
    rng = np.random.default_rng(seed)
    x = synthetic_rows(rng, 1)[0][0]
    x[rng.random(len(x)) < rng.random()] = np.nan
    assert np.isfinite(familiarity.distance(x))


def test_a_single_input_has_the_distance_worked_out_by_hand():
    """Wilson-Hilferty with one number: (s**(2/3) - 7/9) / sqrt(2/9).

    At the median s = 0: -0.77778 / 0.47140 = -1.64992. At the 97.5 % quantile s = 1.95996:
    (1.56613 - 0.77778) / 0.47140 = 1.67235, where the chi-square quantile 3.841 has 1.64485.
    """
    X = np.random.default_rng(23).normal(size=(1000, 1))
    familiarity = fit_familiarity(X, [0], [])
    median, high = np.quantile(X[:, 0], [0.5, 0.975])
    assert familiarity.distance(np.array([median])) == pytest.approx(-1.64992, abs=1e-4)
    assert familiarity.distance(np.array([high])) == pytest.approx(1.67235, abs=2e-4)


def test_the_middle_is_the_median_of_the_fitting_rows(familiarity, fitting_rows):
    medians = familiarity.medians()
    for column in (AGE, MAP, SBP):
        assert medians[column] == pytest.approx(np.nanmedian(fitting_rows[:, column]))


def test_where_many_share_a_value_the_middle_lies_near_it():
    """Knots 10 and 20 with scores -1 and 3: a quarter of the way from 10 is 12.5."""
    knots = ((np.array([10.0, 20.0]), np.array([-1.0, 3.0])),)
    rule = Familiarity(np.array([4]), knots, np.eye(1), 3.0, {})
    assert rule.medians() == {4: 12.5}


@pytest.mark.parametrize("quantile", QUANTILES)
def test_the_unit_of_an_input_does_not_matter(quantile):
    X = np.random.default_rng(24).lognormal(size=(500, 2))
    one, other = (fit_familiarity(rows, [0, 1], [0]) for rows in (X, X * [88.4, 0.1]))
    x = np.quantile(X, quantile, axis=0)
    assert one.distance(x) == pytest.approx(other.distance(x * [88.4, 0.1]), abs=1e-9)


def test_columns_that_never_vary_or_were_never_measured_are_not_compared():
    X = np.random.default_rng(25).normal(size=(300, 3))
    X[:, 1], X[:, 2] = 5.0, np.nan
    familiarity = fit_familiarity(X, [0, 1, 2], [])
    assert familiarity.columns.tolist() == [0]
    assert not familiarity.is_unfamiliar(np.array([0.0, 99.0, 99.0]))


def test_a_model_without_numbers_finds_nobody_unfamiliar():
    familiarity = fit_familiarity(np.zeros((10, 2)), [], [])
    assert not familiarity.is_unfamiliar(np.array([1.0, 0.0]))


def test_a_rule_written_as_json_and_read_again_decides_the_same(familiarity):
    document = json.loads(json.dumps(familiarity.to_document(FEATURES)))
    again = Familiarity.from_document(document, FEATURES)
    assert again.ranges == familiarity.ranges
    for x in synthetic_rows(np.random.default_rng(26), 200)[0]:
        assert again.distance(x) == pytest.approx(familiarity.distance(x), abs=1e-6)
        assert again.is_unfamiliar(x) == familiarity.is_unfamiliar(x)


@pytest.mark.parametrize("keep", [0, 1, -1], ids=["none", "one", "all but one"])
def test_a_correlation_of_another_size_is_refused(familiarity, keep):
    document = familiarity.to_document(FEATURES)
    document["correlation"] = document["correlation"][:keep]
    with pytest.raises(ValueError, match="another size"):
        Familiarity.from_document(document, FEATURES)


@pytest.mark.parametrize("missing", ["inputs", "correlation", "limit", "ranges"])
def test_a_document_without_a_part_is_refused(familiarity, missing):
    document = familiarity.to_document(FEATURES)
    del document[missing]
    with pytest.raises(KeyError):
        Familiarity.from_document(document, FEATURES)
