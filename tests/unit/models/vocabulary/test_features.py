"""Reading a feature dictionary: what is taken, and how a row that breaks a rule is refused."""

from __future__ import annotations

import pytest

from models.errors import ContentInvalid
from models.vocabulary.features import Conversion, Derivation, load_features

LACTATE = """
[[feature]]
name = "lactate"
label_en = "Lactate"
label_sv = "Laktat"
group = "blood_gas"
kind = "number"
unit = "mmol/L"
accepted_units = [{ unit = "mg/dL", factor = 0.111 }]
plausible = [0.0, 40.0]
loinc = ["32693-4"]
maximum_age_hours = 24
earliest = "ward-round"
source = "example"
"""
BAND = """
[[feature]]
name = "lactate_band"
label_en = "Lactate, banded"
label_sv = "Laktat, grupperat"
group = "blood_gas"
kind = "category"
categories = ["low", "high"]
ordered = true
direction = "increases_risk"
derived_from = { feature = "lactate", bands = [[0, 2, "low"], [2, 40, "high"]] }
earliest = "ward-round"
source = "example"
"""
CODE = """
[[feature]]
name = "diagnosis"
label_en = "Diagnosis"
label_sv = "Diagnos"
group = "comorbidity"
kind = "code"
pattern = '^[A-Z][0-9]{2}$'
earliest = "ward-round"
source = "example"
"""
FLAG = """
[[feature]]
name = "dementia"
label_en = "Dementia"
label_sv = "Demens"
group = "comorbidity"
kind = "flag"
earliest = "ward-round"
source = "example"
"""

# What is replaced in which text by what, and the words that must name the rule.
REFUSED = [
    # the row as such
    (LACTATE, 'source = "example"', 'source = "example"\nsauce = "x"', "unknown key `sauce`"),
    (LACTATE, 'source = "example"', "", "`source` is missing"),
    (LACTATE, 'label_sv = "Laktat"', "", "`label_sv` is missing"),
    (LACTATE, 'label_sv = "Laktat"', 'label_sv = ""', "`label_sv` is empty"),
    (LACTATE, 'label_en = "Lactate"', "label_en = 7", "`label_en` has the wrong type: int"),
    (LACTATE, 'unit = "mmol/L"', "unit = true", "`unit` has the wrong type: bool"),
    (LACTATE, 'name = "lactate"', 'name = "Lactate"', "`name` must be snake_case"),
    (LACTATE, 'name = "lactate"', 'name = "1actate"', "`name` must be snake_case"),
    (LACTATE, 'name = "lactate"', 'name = "lactate\\n"', "`name` must be snake_case"),
    (LACTATE, 'kind = "number"', 'kind = "integer"', "`kind` must be one of number, category"),
    (LACTATE, 'group = "blood_gas"', 'group = "gas"', "`group` must be one of"),
    (LACTATE, "maximum_age_hours = 24", "maximum_age_hours = 0", "must be positive"),
    (LACTATE, "maximum_age_hours = 24", "maximum_age_hours = -1", "must be positive"),
    (LACTATE, "maximum_age_hours = 24", "maximum_age_hours = nan", "must be positive"),
    (LACTATE, "maximum_age_hours = 24", "maximum_age_hours = true", "wrong type: bool"),
    # the plausible range
    (LACTATE, "plausible = [0.0, 40.0]", "", "needs `plausible = [lowest, highest]`"),
    (LACTATE, "plausible = [0.0, 40.0]", "plausible = [40.0, 0.0]", "ascending"),
    (LACTATE, "plausible = [0.0, 40.0]", "plausible = [4.0, 4.0]", "ascending"),
    (LACTATE, "plausible = [0.0, 40.0]", "plausible = [0.0]", "ascending"),
    (LACTATE, "plausible = [0.0, 40.0]", "plausible = [0.0, 1.0, 2.0]", "ascending"),
    (LACTATE, "plausible = [0.0, 40.0]", "plausible = [0.0, inf]", "ascending"),
    (LACTATE, "plausible = [0.0, 40.0]", "plausible = [nan, 40.0]", "ascending"),
    (LACTATE, "plausible = [0.0, 40.0]", 'plausible = ["0", "40"]', "ascending"),
    (LACTATE, "plausible = [0.0, 40.0]", "plausible = [false, true]", "ascending"),
    # the top code
    (LACTATE, "[0.0, 40.0]", "[0.0, 40.0]\ntop_code = 40.5", "`top_code` must lie within"),
    (LACTATE, "[0.0, 40.0]", "[0.0, 40.0]\ntop_code = 1.0", "and so must one less"),
    (LACTATE, "[0.0, 40.0]", "[0.0, 40.0]\ntop_code = nan", "`top_code` must lie within"),
    (LACTATE, "[0.0, 40.0]", '[0.0, 40.0]\ntop_code = "x"', "`top_code` has the wrong type"),
    (LACTATE, "[0.0, 40.0]", "[0.0, 40.0]\ntop_code = true", "`top_code` has the wrong type"),
    (FLAG, 'kind = "flag"', 'kind = "flag"\ntop_code = 2', "does not belong to a flag"),
    # units
    (LACTATE, 'unit = "mmol/L"', "", "a number needs a `unit`"),
    (LACTATE, "factor = 0.111", "factor = 0.0", "needs a positive factor"),
    (LACTATE, "factor = 0.111", "factor = -1.0", "needs a positive factor"),
    (LACTATE, "factor = 0.111", "factor = inf", "needs a positive factor"),
    (LACTATE, "factor = 0.111", "factor = nan", "needs a positive factor"),
    (LACTATE, "factor = 0.111", 'factor = "x"', "needs a positive factor"),
    (LACTATE, "factor = 0.111", "factor = true", "needs a positive factor"),
    (LACTATE, "factor = 0.111", "factor = 0.111, offset = inf", "finite offset"),
    (LACTATE, "factor = 0.111", 'factor = 0.111, offset = "x"', "finite offset"),
    (LACTATE, "factor = 0.111", "factor = 0.111, add = 1", "may have `offset`"),
    (LACTATE, '{ unit = "mg/dL", factor = 0.111 }', '"mg/dL"', "needs `unit` and `factor`"),
    (LACTATE, ', factor = 0.111', "", "needs `unit` and `factor`"),
    (LACTATE, '{ unit = "mg/dL"', "{ unit = 5", "needs `unit` and `factor`"),
    (LACTATE, '{ unit = "mg/dL"', '{ unit = "mmol/L"', "listed twice"),
    (
        LACTATE,
        '[{ unit = "mg/dL", factor = 0.111 }]',
        '[{ unit = "mg/dL", factor = 0.111 }, { unit = "mg/dL", factor = 0.112 }]',
        "listed twice",
    ),
    # codes
    (LACTATE, '["32693-4"]', '["32693-4", "32693-4"]', "names something twice"),
    (LACTATE, '["32693-4"]', "[32693]", "list of non-empty strings"),
    (LACTATE, '["32693-4"]', '[""]', "list of non-empty strings"),
    (
        LACTATE,
        'loinc = ["32693-4"]',
        'loinc = ["32693-4"]\nloinc_units = { "2524-7" = "mg/dL" }',
        "which `loinc` does not list",
    ),
    (
        LACTATE,
        'loinc = ["32693-4"]',
        'loinc = ["32693-4"]\nloinc_units = { "32693-4" = "g/L" }',
        "`g/L`, which is no accepted unit",
    ),
    # what does not belong to the kind
    (LACTATE, 'kind = "number"', 'kind = "flag"', "does not belong to a flag"),
    (LACTATE, 'unit = "mmol/L"', 'unit = "mmol/L"\nordered = true', "does not belong to a number"),
    (FLAG, 'kind = "flag"', 'kind = "flag"\npattern = "x"', "does not belong to a flag"),
    (BAND, "ordered = true", "ordered = true\ninteger = true", "does not belong to a category"),
    # categories
    (BAND, '["low", "high"]', '["low"]', "at least two `categories`"),
    (BAND, 'categories = ["low", "high"]', "", "at least two `categories`"),
    (BAND, '["low", "high"]', '["low", "low"]', "names something twice"),
    (BAND, "ordered = true", "", "`direction` needs `ordered` categories"),
    (BAND, "ordered = true", "ordered = false", "`direction` needs `ordered` categories"),
    (BAND, '"increases_risk"', '"up"', "`direction` must be one of"),
    (BAND, '[0, 2, "low"]', '[0, 2, "none"]', "does not name a category"),
    (BAND, '[0, 2, "low"]', '[2, 0, "low"]', "does not name a category"),
    (BAND, '[0, 2, "low"]', '[0, "low"]', "[lowest, highest, category]"),
    (BAND, '[0, 2, "low"]', "5", "[lowest, highest, category]"),
    (BAND, '[0, 2, "low"]', '["a", 2, "low"]', "[lowest, highest, category]"),
    (BAND, 'feature = "lactate", ', "", "needs exactly `feature` and `bands`"),
    (BAND, 'feature = "lactate"', 'feature = "lactat"', "which is not in the dictionary"),
    (BAND, "ordered = true", "ordered = true\ncategory_labels_en = ['a', 'b']",
     "`category_labels_sv` needs a label for each of 2 categories, has 0"),
    (BAND, "ordered = true",
     "ordered = true\ncategory_labels_en = ['a', 'b']\ncategory_labels_sv = ['a']",
     "`category_labels_sv` needs a label for each of 2 categories, has 1"),
    (BAND, "ordered = true", "ordered = true\ncategory_labels_en = ['a', '']", "non-empty strings"),
    (FLAG, 'kind = "flag"', 'kind = "flag"\ncategory_labels_sv = ["x"]', "belong to a flag"),
    # codes as values
    (CODE, "pattern = '^[A-Z][0-9]{2}$'", "", "a code needs a `pattern`"),
    (CODE, "'^[A-Z][0-9]{2}$'", "'^[A-Z'", "`pattern` is not a regular expression"),
]  # fmt: skip


@pytest.fixture
def load(tmp_path):
    def load_text(text):
        path = tmp_path / "features.toml"
        path.write_text(text, encoding="utf-8")
        return load_features(path)

    return load_text


@pytest.mark.parametrize(
    ("text", "old", "new", "rule"), REFUSED, ids=[f"{r[2][:30]} | {r[3][:40]}" for r in REFUSED]
)
def test_a_row_that_breaks_a_rule_is_refused_in_one_line_with_file_row_and_rule(
    load, text, old, new, rule
):
    assert text.count(old) == 1
    beside = "" if text is LACTATE else LACTATE
    with pytest.raises(ContentInvalid) as refused:
        load(beside + text.replace(old, new))
    message = str(refused.value)
    assert rule in message
    assert message.startswith("features.toml: feature `")
    assert "\n" not in message.replace("lactate\n", "lactate")


def test_a_dictionary_is_read_in_file_order_with_its_conversions(load):
    features = load(LACTATE + BAND + CODE + FLAG)
    assert list(features) == ["lactate", "lactate_band", "diagnosis", "dementia"]
    assert features["lactate"].conversions == {"mg/dL": Conversion(0.111, 0.0)}
    assert features["lactate"].plausible == (0.0, 40.0)
    assert features["lactate"].codes == {"loinc": ("32693-4",)}
    assert features["lactate_band"].direction_sign == 1
    assert features["dementia"].direction_sign == 0


def test_a_feature_declared_twice_is_refused(load):
    with pytest.raises(
        ContentInvalid, match=r"features.toml: feature `lactate`: is declared twice"
    ):
        load(LACTATE + LACTATE)


@pytest.mark.parametrize("system", ["loinc", "npu", "snomed", "swetrau"])
def test_a_code_that_stands_at_two_features_is_refused(load, system):
    both = (LACTATE + FLAG).replace('loinc = ["32693-4"]', f'{system} = ["X1"]')
    both = both.replace('kind = "flag"', f'kind = "flag"\n{system} = ["X2", "X1"]')
    with pytest.raises(ContentInvalid, match=f"{system} X1 already stands at `lactate`"):
        load(both)


def test_the_same_code_in_two_systems_is_two_codes(load):
    text = LACTATE + FLAG.replace('kind = "flag"', 'kind = "flag"\nsnomed = ["32693-4"]')
    assert set(load(text)) == {"lactate", "dementia"}


@pytest.mark.parametrize(
    ("text", "row", "rule"),
    [
        ("[[feature]]\nlabel_en = 'x'\n", "feature number 1", "has no `name`"),
        (LACTATE + "[[feature]]\nname = 5\n", "feature number 2", "has no `name`"),
        ("feature = [1]\n", "feature number 1", "has no `name`"),
        ("", "file", "`feature` is missing"),
        ("feature = 3\n", "file", "`feature` has the wrong type: int"),
        (LACTATE + "[extra]\n", "file", "unknown key `extra`"),
        ("[[feature]\n", "file", "is not TOML"),
        ("name = \n", "file", "is not TOML"),
    ],
)
def test_a_file_of_another_shape_is_refused_in_one_line(load, text, row, rule):
    with pytest.raises(ContentInvalid) as refused:
        load(text)
    assert str(refused.value).startswith(f"features.toml: {row}: ")
    assert rule in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_utf8_is_refused(tmp_path):
    (tmp_path / "features.toml").write_bytes(b"\xff\xfe[[feature]]")
    with pytest.raises(ContentInvalid, match=r"features.toml: file: is not TOML"):
        load_features(tmp_path / "features.toml")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ContentInvalid, match=r"features.toml: file: cannot be read: No such file"):
        load_features(tmp_path / "features.toml")


@pytest.mark.parametrize(
    ("value", "category"),
    [(0, "low"), (1.9, "low"), (2, "low"), (2.1, "high"), (40, "high"), (41, None), (-1, None)],
)
def test_a_derived_category_takes_the_first_band_that_holds_the_value(value, category):
    bands = Derivation("lactate", ((0.0, 2.0, "low"), (2.0, 40.0, "high")))
    assert bands.category(value) == category


def test_an_encoded_value_is_shown_as_its_reader_expects(load):
    features = load((LACTATE + BAND + FLAG).replace("[0.0, 40.0]", "[0.0, 40.0]\ninteger = true"))
    assert features["lactate"].show(3.0) == 3
    assert isinstance(features["lactate"].show(3.0), int)
    assert features["lactate"].show(3.5) == 3.5
    assert features["lactate_band"].show(1.0) == "high"
    assert features["dementia"].show(1.0) is True


def test_a_loaded_dictionary_cannot_be_changed(load):
    lactate = load(LACTATE)["lactate"]
    with pytest.raises(AttributeError):
        lactate.unit = "mg/dL"
    with pytest.raises(TypeError):
        lactate.conversions["mg/dL"] = Conversion(1.0)


def test_a_category_is_read_by_its_label_and_without_one_by_its_name(load):
    labels = 'category_labels_en = ["little", "much"]\ncategory_labels_sv = ["lite", "mycket"]'
    with_labels = load(LACTATE + BAND.replace("ordered = true", f"ordered = true\n{labels}"))
    band = with_labels["lactate_band"]
    assert [band.category_label("high", one) for one in ("en", "sv")] == ["much", "mycket"]
    # A stored assessment may name a category that the dictionary no longer has.
    assert band.category_label("very_high", "sv") == "very high"
    assert load(LACTATE + BAND)["lactate_band"].category_label("high", "sv") == "high"
