"""No number is taken more exactly than medicine needs, and the very old cannot be told apart."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.vocabulary import Measurement, load_vocabulary, set_aside_reason, take
from models.vocabulary.coarsening import coarsen
from tests.lib.properties import LAW

FEATURES = load_vocabulary().features
NUMBERS = sorted(name for name, feature in FEATURES.items() if feature.kind == "number")
FOUR_DIGITS = Context(prec=4, rounding=ROUND_HALF_EVEN)

TAKEN = [
    # feature, sent, unit, taken
    ("creatinine", 1.9, "mg/dL", 168.0),  # 1.9 x 88.4 = 167.96
    ("creatinine", 167.94, None, 167.9),
    ("creatinine", 1234.5678, None, 1235.0),
    ("ph", 7.35249, None, 7.352),
    ("fio2", 0.21006, None, 0.2101),
    ("nt_probnp", 23456, None, 23460.0),
    ("nt_probnp", 9999, None, 9999.0),
    ("age", 89, None, 89.0),
    ("age", 89.5, None, 90.0),
    ("age", 90, None, 90.0),
    ("age", 103, None, 90.0),
    ("age", 120, None, 90.0),
    ("age", 103 * 12, "mo", 90.0),
    ("age", 71.23456, None, 71.23),
]
STAYS_IMPLAUSIBLE = [
    ("age", 120.00001),  # rounds to 120, which a person may be
    ("age", 195009072553),
    ("age", -0.5),
    ("ph", 195009072553),
    ("gcs_total", 14.00001),  # rounds to 14, but a part of a point does not exist
    ("gcs_total", 15.00001),
    ("gcs_total", 2.99999),
]


@pytest.mark.parametrize(("name", "sent", "unit", "taken"), TAKEN)
def test_a_number_is_taken_to_four_digits_and_ages_over_89_as_90(name, sent, unit, taken):
    assert take(FEATURES[name], sent, unit) == taken


@pytest.mark.parametrize(("name", "sent"), STAYS_IMPLAUSIBLE)
def test_what_is_implausible_is_not_rounded_into_the_plausible(name, sent):
    measured = Measurement(FEATURES[name], take(FEATURES[name], sent))
    assert set_aside_reason(measured, None) == "implausible_value"


def plausible(feature, number):
    return set_aside_reason(Measurement(feature, number), None) is None


@LAW
@given(st.sampled_from(NUMBERS), st.data())
def test_coarsening_never_changes_whether_a_value_is_plausible(name, data):
    feature = FEATURES[name]
    lowest, highest = feature.plausible
    around = st.floats(lowest - (highest - lowest), highest + (highest - lowest))
    number = data.draw(st.one_of(around, st.floats(allow_nan=False, allow_infinity=False)))
    assert plausible(feature, coarsen(feature, number)) is plausible(feature, number)


@LAW
@given(st.sampled_from(NUMBERS), st.data())
def test_a_plausible_value_is_written_with_at_most_four_digits(name, data):
    feature = FEATURES[name]
    number = data.draw(st.floats(*feature.plausible))
    coarse = coarsen(feature, number)
    if plausible(feature, coarse):
        digits = re.sub(r"e.*|[^0-9]", "", repr(coarse)).lstrip("0").rstrip("0")
        assert len(digits) <= 4


@LAW
@given(st.sampled_from(NUMBERS), st.data())
def test_a_plausible_number_is_the_decimal_of_four_digits_nearest_to_it(name, data):
    """Held against the standard library's decimal arithmetic."""
    feature = replace(FEATURES[name], top_code=None, integer=False)
    number = data.draw(st.floats(*feature.plausible))
    assert coarsen(feature, number) == float(FOUR_DIGITS.create_decimal(Decimal(number)))


@LAW
@given(st.sampled_from(NUMBERS), st.floats(allow_nan=False, allow_infinity=False))
def test_coarsening_twice_changes_nothing_more(name, number):
    feature = FEATURES[name]
    once = coarsen(feature, number)
    assert plausible(feature, once) is plausible(feature, coarsen(feature, once))
    if plausible(feature, once):
        assert coarsen(feature, once) == once


@LAW
@given(st.sampled_from(NUMBERS), st.data())
def test_coarsening_keeps_the_order_of_plausible_values(name, data):
    feature = replace(FEATURES[name], integer=False)
    within = st.floats(*feature.plausible)
    smaller, larger = sorted((data.draw(within), data.draw(within)))
    assert coarsen(feature, smaller) <= coarsen(feature, larger)


def test_a_limit_of_five_digits_is_kept():
    feature = replace(FEATURES["creatinine"], plausible=(0.0, 12345.0))
    assert coarsen(feature, 12345.0) == 12340.0  # the nearest even fourth digit
    assert coarsen(feature, 12344.9) == 12340.0
    up = replace(feature, plausible=(0.0, 12346.0))
    assert coarsen(up, 12346.0) == 12346.0  # 12350 would lie outside
