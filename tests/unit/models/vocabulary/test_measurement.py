"""A sent value is taken in the dictionary's terms, refused without being echoed, or set aside."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.errors import InvalidValue, MeasurementRefused, UnitNotConvertible
from models.vocabulary import Measurement, load_vocabulary, set_aside_reason, take
from tests.lib.properties import LAW

FEATURES = load_vocabulary().features

TAKEN = [
    ("creatinine", 90, None, 90.0),
    ("creatinine", 90.5, "umol/L", 90.5),
    ("creatinine", 1, "mg/dL", 88.4),
    ("creatinine", np.float64(90), None, 90.0),
    ("creatinine", 0, None, 0.0),
    ("creatinine", -5, None, -5.0),  # not refused here: set aside as implausible
    ("sex", "female", None, 0.0),
    ("sex", "male", None, 1.0),
    ("asa_band", "IV-VI", None, 2.0),
    ("dementia", True, None, 1.0),
    ("dementia", False, None, 0.0),
]
REFUSED = [
    # feature, value, unit, error, expected words
    ("creatinine", True, None, InvalidValue, "expects a number in umol/L"),
    ("creatinine", False, "mg/dL", InvalidValue, "expects a number in umol/L"),
    ("creatinine", "90", None, InvalidValue, "expects a number in umol/L"),
    ("creatinine", None, None, InvalidValue, "expects a number in umol/L"),
    ("creatinine", [90], None, InvalidValue, "expects a number in umol/L"),
    ("creatinine", {"value": 90}, None, InvalidValue, "expects a number in umol/L"),
    ("creatinine", 90j, None, InvalidValue, "expects a number in umol/L"),
    ("creatinine", math.nan, None, InvalidValue, "expects a finite number"),
    ("creatinine", math.inf, None, InvalidValue, "expects a finite number"),
    ("creatinine", -math.inf, "mg/dL", InvalidValue, "expects a finite number"),
    ("creatinine", 10**400, None, InvalidValue, "expects a finite number"),
    ("creatinine", -(10**400), "mg/dL", InvalidValue, "expects a finite number"),
    ("creatinine", 1e308, "mg/dL", InvalidValue, "expects a finite number"),
    ("creatinine", 90, "g/L", UnitNotConvertible, "accepts the units: umol/L, mg/dL"),
    ("creatinine", 90, "UMOL/L", UnitNotConvertible, "accepts the units"),
    ("creatinine", 90, " umol/L", UnitNotConvertible, "accepts the units"),
    ("creatinine", 90, "", UnitNotConvertible, "accepts the units"),
    ("sex", "Female", None, InvalidValue, "expects one of: female, male"),
    ("sex", "", None, InvalidValue, "expects one of: female, male"),
    ("sex", 0, None, InvalidValue, "expects a string"),
    ("sex", True, None, InvalidValue, "expects a string"),
    ("sex", None, None, InvalidValue, "expects a string"),
    ("sex", ["female"], None, InvalidValue, "expects a string"),
    ("sex", "female", "1", UnitNotConvertible, "is a category and has no unit"),
    ("dementia", 1, None, InvalidValue, "expects true or false"),
    ("dementia", 0.0, None, InvalidValue, "expects true or false"),
    ("dementia", "true", None, InvalidValue, "expects true or false"),
    ("dementia", None, None, InvalidValue, "expects true or false"),
    ("dementia", True, "1", UnitNotConvertible, "is a flag and has no unit"),
    ("diagnosis", "195009072553", None, InvalidValue, "expects a code of the form"),
    ("diagnosis", "I48\n", None, InvalidValue, "expects a code of the form"),
    ("diagnosis", 48, None, InvalidValue, "expects a string"),
    ("diagnosis", "I48", "1", UnitNotConvertible, "is a code and has no unit"),
]


@pytest.mark.parametrize(("name", "value", "unit", "expected"), TAKEN)
def test_a_value_of_the_right_type_is_taken_in_the_dictionarys_unit(name, value, unit, expected):
    assert take(FEATURES[name], value, unit) == expected


@pytest.mark.parametrize(("name", "value", "unit", "error", "words"), REFUSED)
def test_a_value_of_the_wrong_type_or_unit_is_refused(name, value, unit, error, words):
    with pytest.raises(error) as refused:
        take(FEATURES[name], value, unit)
    assert words in str(refused.value)
    assert str(refused.value).startswith(f"`{name}` ")


def test_a_code_is_recognised_and_carries_no_number():
    assert math.isnan(take(FEATURES["diagnosis"], "I48.9P"))


ANYTHING = st.one_of(
    st.text(),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.binary(),
    st.lists(st.text()),
    st.dictionaries(st.text(), st.integers()),
)
ONE_OF_EACH_KIND = [
    FEATURES[n] for n in ("creatinine", "sex", "dementia", "diagnosis", "gcs_total")
]


def possible_messages(feature):
    """Every message there is for a feature: built from the dictionary alone."""
    units = ", ".join([str(feature.unit), *feature.conversions])
    return {
        f"`{feature.name}` expects a number in {feature.unit}",
        f"`{feature.name}` expects a finite number",
        f"`{feature.name}` accepts the units: {units}",
        f"`{feature.name}` is a {feature.kind} and has no unit",
        f"`{feature.name}` expects true or false",
        f"`{feature.name}` expects a string",
        f"`{feature.name}` expects a code of the form {feature.pattern}",
        f"`{feature.name}` expects one of: {', '.join(feature.categories)}",
    }


@LAW
@given(st.sampled_from(ONE_OF_EACH_KIND), ANYTHING, st.one_of(st.none(), st.text()))
@example(FEATURES["creatinine"], "195009072553", None)
@example(FEATURES["sex"], "Anna Andersson", None)
@example(FEATURES["creatinine"], 12.5, "Anna Andersson")
def test_whatever_is_sent_the_message_is_made_of_the_dictionary_alone(feature, value, unit):
    try:
        taken = take(feature, value, unit)
    except MeasurementRefused as refused:
        assert str(refused) in possible_messages(feature)  # noqa: PT017
        assert refused.args == (str(refused),)  # noqa: PT017
    else:
        assert isinstance(taken, float)


@LAW
@given(
    st.sampled_from(ONE_OF_EACH_KIND),
    st.text(st.characters(categories=["Lu", "Ll", "Nd"]), min_size=8),
)
def test_a_refused_text_never_stands_in_the_message(feature, text):
    for value, unit in ((text, None), (float("nan"), text), (70.5, text)):
        try:
            take(feature, value, unit)
        except MeasurementRefused as refused:
            assert text not in str(refused)  # noqa: PT017
            assert text not in repr(refused)  # noqa: PT017


SET_ASIDE = [
    # feature, value, taken how many hours before the index time, maximum age, reason
    ("lactate", 2.0, 1, 24, None),
    ("lactate", 0.0, 1, 24, None),  # both limits are included
    ("lactate", 40.0, 1, 24, None),
    ("lactate", -0.1, 1, 24, "implausible_value"),
    ("lactate", 40.1, 1, 24, "implausible_value"),
    ("lactate", math.inf, 1, 24, "implausible_value"),
    ("lactate", math.nan, 1, 24, "implausible_value"),
    ("gcs_total", 14.0, 1, 24, None),
    ("gcs_total", 14.5, 1, 24, "implausible_value"),  # half a point does not exist
    ("lactate", 2.0, 0, 24, None),  # at the index time itself
    ("lactate", 2.0, -1 / 3600, 24, "later_than_index_time"),
    ("lactate", 2.0, -24, 24, "later_than_index_time"),
    ("lactate", 2.0, 24, 24, None),  # exactly as old as allowed
    ("lactate", 2.0, 24 + 1 / 3600, 24, "too_old"),
    ("lactate", 2.0, 24 * 365, None, None),  # does not age
    ("lactate", 99.0, 48, 24, "implausible_value"),  # the value is judged before its time
    ("sex", 1.0, 1, 24, None),
    ("sex", 1.0, 25, 24, "too_old"),
    ("dementia", 1.0, -1, None, "later_than_index_time"),
]


@pytest.mark.parametrize(("name", "value", "hours", "maximum", "reason"), SET_ASIDE)
def test_a_value_is_set_aside_for_the_first_reason_that_holds(name, value, hours, maximum, reason):
    measured = Measurement(FEATURES[name], value, round(hours * 3600))
    assert set_aside_reason(measured, maximum) == reason


def test_a_value_whose_time_nobody_told_is_not_judged_by_time():
    assert set_aside_reason(Measurement(FEATURES["lactate"], 2.0), 1) is None


def test_a_measurement_holds_no_date():
    assert Measurement._fields == ("feature", "value", "age_s")


@LAW
@given(st.sampled_from(sorted(FEATURES)), st.data())
def test_a_value_within_the_plausible_range_is_never_set_aside_as_implausible(name, data):
    feature = FEATURES[name]
    if feature.kind != "number":
        return
    lowest, highest = feature.plausible
    value = data.draw(st.floats(lowest, highest))
    if feature.integer:
        value = float(math.floor(value)) if math.floor(value) >= lowest else lowest
    assert set_aside_reason(Measurement(feature, value, 0), None) is None
