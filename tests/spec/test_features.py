"""What the feature dictionary promises to clinicians, checked on the content that is shipped."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import UnitNotConvertible
from models.vocabulary import Measurement, load_vocabulary, set_aside_reason, take
from tests.lib.properties import LAW

VOCABULARY = load_vocabulary()
FEATURES = VOCABULARY.features
NUMBERS = [feature for feature in FEATURES.values() if feature.kind == "number"]
CONVERTED = [(feature, unit) for feature in NUMBERS for unit in feature.conversions]
CONVERTED_IDS = [f"{feature.name} in {unit}" for feature, unit in CONVERTED]

# Worked by hand from molar masses, definitions and published equations.
HAND_CONVERSIONS = [
    # feature, value, unit, expected in the dictionary's unit, tolerance
    ("age", 18, "mo", 1.5, 1e-9),
    ("height", 1.80, "m", 180.0, 1e-9),
    ("height", 70, "[in_i]", 177.8, 1e-9),  # the inch is 2.54 cm by definition
    ("weight", 150, "[lb_av]", 68.0388555, 1e-6),  # 1 lb = 0.45359237 kg by definition
    ("weight", 3500, "g", 3.5, 1e-9),
    ("sbp", 16, "kPa", 120.0, 0.02),  # 1 kPa = 7.50062 mmHg
    ("map", 65, "mmHg", 65.0, 0),
    ("spo2", 0.97, "1", 97.0, 1e-9),
    ("temperature", 98.6, "[degF]", 37.0, 1e-9),  # (F - 32) / 1.8
    ("temperature", 32, "[degF]", 0.0, 1e-9),
    ("hemoglobin", 12, "g/dL", 120.0, 1e-9),
    ("hematocrit", 42, "%", 0.42, 1e-9),
    ("wbc", 11.5, "10*3/uL", 11.5, 0),
    ("wbc", 4500, "/uL", 4.5, 1e-9),
    ("platelets", 150000, "/uL", 150.0, 1e-9),
    ("creatinine", 1, "mg/dL", 88.4, 1e-9),  # 10 000 / 113.12 g/mol
    ("creatinine", 0.12, "mmol/L", 120.0, 1e-9),
    ("creatinine", 90, "µmol/L", 90.0, 0),  # micro sign
    ("creatinine", 90, "μmol/L", 90.0, 0),  # Greek mu
    ("baseline_creatinine", 2, "mg/dL", 176.8, 1e-9),
    ("urea", 28, "mg/dL{BUN}", 9.996, 1e-9),  # 10 / 28.014 g nitrogen per mol
    ("urea", 60, "mg/dL{urea}", 9.99, 1e-9),  # 10 / 60.06 g/mol
    ("sodium", 140, "meq/L", 140.0, 0),  # one charge
    ("calcium_ion", 2.4, "meq/L", 1.2, 1e-9),  # two charges
    ("fibrinogen", 200, "mg/dL", 2.0, 1e-9),
    ("albumin", 3.5, "g/dL", 35.0, 1e-9),
    ("crp", 12, "mg/dL", 120.0, 1e-9),
    ("procalcitonin", 2, "ng/mL", 2.0, 0),
    ("bilirubin", 1, "mg/dL", 17.10, 1e-9),  # 10 000 / 584.66 g/mol
    ("alt", 60, "U/L", 1.0, 1e-12),  # 1 U = 1/60 ukat by definition
    ("ast", 30, "IU/L", 0.5, 1e-12),
    ("glucose", 100, "mg/dL", 5.551, 1e-9),  # 10 / 180.16 g/mol
    ("hba1c", 6.5, "%", 47.5, 0.1),  # IFCC-NGSP master equation (Hoelzel 2004)
    ("hba1c", 7.0, "%", 53.0, 0.1),
    ("troponin_t_hs", 0.014, "ug/L", 14.0, 1e-9),
    ("troponin_i", 0.04, "ng/mL", 40.0, 1e-9),
    ("nt_probnp", 100, "pmol/L", 845.7, 1e-9),  # 8457 g/mol
    ("ddimer", 500, "ng/mL{FEU}", 0.5, 1e-9),
    ("lactate", 9, "mg/dL", 0.999, 1e-9),  # 10 / 90.08 g/mol
    ("pco2", 100, "mm[Hg]", 13.3322, 1e-9),
    ("po2", 75, "mmHg", 9.99915, 1e-9),
    ("fio2", 40, "%", 0.4, 1e-9),
    ("pao2_fio2_ratio", 40, "kPa", 300.0, 0.03),  # Berlin definition: 40 kPa is 300 mmHg
    ("minutes_to_first_ct", 1.5, "h", 90.0, 0),
    ("operation_duration", 2, "h", 120.0, 0),
    ("estimated_blood_loss", 0.5, "L", 500.0, 0),
    ("urine_output_24h", 1.2, "L", 1200.0, 1e-9),
]

AMBIGUOUS_OR_NONLINEAR = [
    ("urea", "mg/dL"),  # BUN in the USA, urea elsewhere: factor 2.14
    ("ddimer", "mg/L"),  # FEU or DDU: factor 2
    ("hemoglobin", "mmol/L"),  # monomer or tetramer: factor 4
    ("egfr", "mL/min"),  # absolute, not per 1.73 m2
    ("ph", "nmol/L"),  # logarithmic
    ("temperature", "K"),
    ("creatinine", "g/L"),
]

SWETRAU = {
    "pt_age_yrs": "age",
    "pt_Gender": "sex",
    "pt_asa_preinjury": "asa_preinjury",
    "inj_dominant": "dominant_injury_type",
    "inj_mechanism": "injury_mechanism",
    "inj_intention": "injury_intention",
    "pre_gcs_sum": "prehospital_gcs_total",
    "pre_gcs_motor": "prehospital_gcs_motor",
    "pre_sbp_value": "prehospital_sbp",
    "pre_rr_value": "prehospital_resp_rate",
    "pre_sbp_rtscat": "prehospital_sbp_rts",
    "pre_rr_rtscat": "prehospital_resp_rate_rts",
    "pre_intubated": "prehospital_intubated",
    "pre_card_arrest": "prehospital_cardiac_arrest",
    "pre_transport": "transport_mode",
    "ed_gcs_sum": "gcs_total",
    "ed_gcs_motor": "gcs_motor",
    "ed_sbp_value": "sbp",
    "ed_rr_value": "resp_rate",
    "ed_be_art": "base_excess",
    "ed_inr": "inr",
    "ed_intubated": "intubated_in_ed",
    "ed_tta": "trauma_team_activated",
    "ed_emerg_proc": "emergency_procedure_type",
    "dt_ed_first_ct": "minutes_to_first_ct",
    "dt_ed_emerg_proc": "minutes_to_emergency_procedure",
    "ISS": "injury_iss",
    "NISS": "injury_niss",
    "host_care_level": "highest_care_level",
    "host_transfered": "transferred_from_hospital",  # the register's own spelling
    "hosp_vent_days": "ventilator_days",
    "hosp_los_days": "hospital_stay_days",
    "res_gos_dischg": "glasgow_outcome_scale_discharge",
    "hosp_dischg_dest": "discharge_destination",
}

RANGES = [
    # Teasdale and Jennett 1974; Starmark 1988; ASA; Rockwood 2005; Baker 1974; Osler 1997;
    # Champion 1989; Jennett and Bond 1975 and Wilson 1998 without the level that is death.
    ("gcs_total", 3, 15),
    ("gcs_eye", 1, 4),
    ("gcs_verbal", 1, 5),
    ("gcs_motor", 1, 6),
    ("prehospital_gcs_total", 3, 15),
    ("prehospital_gcs_motor", 1, 6),
    ("rls85", 1, 8),
    ("asa_class", 1, 6),
    ("asa_preinjury", 1, 6),
    ("cfs", 1, 9),
    ("injury_iss", 0, 75),
    ("injury_niss", 0, 75),
    ("prehospital_sbp_rts", 0, 4),
    ("prehospital_resp_rate_rts", 0, 4),
    ("glasgow_outcome_scale_discharge", 2, 5),
    ("glasgow_outcome_scale_extended", 2, 8),
]

CATEGORIES = [
    ("sex", ("female", "male"), False),
    ("consciousness_acvpu", ("alert", "confusion", "voice", "pain", "unresponsive"), True),
    ("asa_band", ("I-II", "III", "IV-VI"), True),
    ("cancer_extent", ("none", "localised", "metastatic"), True),
    ("operation_urgency", ("elective", "expedited", "urgent", "immediate"), True),
    ("operative_severity", ("minor", "moderate", "major", "major_plus"), True),
    ("dominant_injury_type", ("blunt", "penetrating"), False),
    ("complication_clavien_dindo", ("none", "I", "II", "IIIa", "IIIb", "IVa", "IVb"), True),
]

DIRECTIONS = [
    ("age", +1),
    ("gcs_total", -1),
    ("rls85", +1),
    ("albumin", -1),
    ("lactate", +1),
    ("asa_class", +1),
    ("cfs", +1),
    ("injury_iss", +1),
    ("eq5d_index", -1),
    # Both too low and too high are dangerous: no direction may be claimed.
    ("sodium", 0),
    ("potassium", 0),
    ("temperature", 0),
    ("ph", 0),
    ("heart_rate", 0),
    ("sbp", 0),
    ("glucose", 0),
    ("bmi", 0),
    ("wbc", 0),
]


def test_the_dictionary_holds_at_least_ninety_features():
    assert len(FEATURES) >= 90


@pytest.mark.parametrize("feature", FEATURES.values(), ids=FEATURES)
def test_every_feature_says_where_it_comes_from_and_what_it_is_called(feature):
    assert len(feature.source) > 3
    assert feature.label_en.strip() == feature.label_en != ""
    assert feature.label_sv.strip() == feature.label_sv != ""


@pytest.mark.parametrize(("name", "value", "unit", "expected", "tolerance"), HAND_CONVERSIONS)
def test_a_value_converts_as_worked_out_by_hand(name, value, unit, expected, tolerance):
    exact = FEATURES[name].conversions[unit].to_own_unit(value)
    assert exact == pytest.approx(expected, rel=0, abs=tolerance)
    assert take(FEATURES[name], value, unit) == float(f"{exact:.4g}")


@pytest.mark.parametrize(("feature", "unit"), CONVERTED, ids=CONVERTED_IDS)
@LAW
@given(share=st.floats(0, 1))
def test_every_accepted_unit_converts_there_and_back(feature, unit, share):
    """To four significant digits, which is all that is taken."""
    lowest, highest = feature.plausible
    value = take(feature, lowest + share * (highest - lowest))
    sent = feature.conversions[unit].from_own_unit(value)
    assert take(feature, sent, unit) == pytest.approx(value, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(("feature", "unit"), CONVERTED, ids=CONVERTED_IDS)
def test_the_plausible_range_holds_in_every_accepted_unit(feature, unit):
    """Limits stay ascending in the other unit, and the middle of the range is never set aside."""
    conversion = feature.conversions[unit]
    lowest, highest = (conversion.from_own_unit(limit) for limit in feature.plausible)
    assert lowest < highest
    back = tuple(take(feature, limit, unit) for limit in (lowest, highest))
    top = feature.top_code or feature.plausible[1]
    assert back == pytest.approx((feature.plausible[0], top), rel=1e-12, abs=1e-12)
    if not feature.integer:
        middle = Measurement(feature, take(feature, (lowest + highest) / 2, unit))
        assert set_aside_reason(middle, None) is None


@pytest.mark.parametrize("feature", NUMBERS, ids=[feature.name for feature in NUMBERS])
def test_every_number_has_a_finite_ascending_plausible_range(feature):
    lowest, highest = feature.plausible
    assert math.isfinite(lowest)
    assert math.isfinite(highest)
    assert lowest < highest


@pytest.mark.parametrize(("name", "unit"), AMBIGUOUS_OR_NONLINEAR)
def test_a_unit_that_can_mean_two_things_is_refused(name, unit):
    with pytest.raises(UnitNotConvertible, match="accepts the units"):
        take(FEATURES[name], 1.0, unit)


def test_urea_and_urea_nitrogen_differ_by_the_ratio_of_their_masses():
    """60.06 g/mol of urea hold 28.014 g of nitrogen: factor 2.144, here to the published digits."""
    as_nitrogen = take(FEATURES["urea"], 10, "mg/dL{BUN}")
    as_urea = take(FEATURES["urea"], 10, "mg/dL{urea}")
    assert as_nitrogen / as_urea == pytest.approx(60.06 / 28.014, rel=1e-3)


def test_a_reading_under_the_code_of_urea_nitrogen_is_in_urea_nitrogen():
    assert FEATURES["urea"].loinc_units["3094-0"] == "mg/dL{BUN}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hemoglobin", 14),  # g/dL sent as g/L
        ("creatinine", 1.1),  # mg/dL sent as umol/L
        ("spo2", 0.97),  # fraction sent as percent
        ("temperature", 98.6),  # Fahrenheit sent as Celsius
        ("hematocrit", 42),  # percent sent as fraction
        ("fio2", 40),
        ("height", 1.80),  # metres sent as centimetres
        ("hba1c", 6.5),  # NGSP percent sent as mmol/mol
        ("glucose", 100),  # mg/dL sent as mmol/L
        ("calcium_ion", 4.8),  # mg/dL sent as mmol/L
        ("pco2", 40),  # mmHg sent as kPa
    ],
)
def test_a_value_in_the_wrong_unit_is_set_aside_as_implausible(name, value):
    measured = Measurement(FEATURES[name], take(FEATURES[name], value))
    assert set_aside_reason(measured, None) == "implausible_value"


@pytest.mark.parametrize(("name", "lowest", "highest"), RANGES)
def test_a_published_scale_keeps_its_ends_and_whole_numbers(name, lowest, highest):
    assert FEATURES[name].plausible == (lowest, highest)
    assert FEATURES[name].integer


def test_the_parts_of_the_glasgow_coma_scale_sum_to_its_total():
    parts = [FEATURES[name].plausible for name in ("gcs_eye", "gcs_verbal", "gcs_motor")]
    total = tuple(sum(limits) for limits in zip(*parts, strict=True))
    assert total == FEATURES["gcs_total"].plausible


@pytest.mark.parametrize(("name", "categories", "ordered"), CATEGORIES)
def test_a_category_has_its_published_levels_in_order(name, categories, ordered):
    assert FEATURES[name].categories == categories
    assert FEATURES[name].ordered is ordered


@pytest.mark.parametrize(
    ("asa_class", "band"),
    [(1, "I-II"), (2, "I-II"), (3, "III"), (4, "IV-VI"), (5, "IV-VI"), (6, "IV-VI")],
)
def test_every_asa_class_falls_into_one_band(asa_class, band):
    assert FEATURES["asa_band"].derived_from.feature == "asa_class"
    assert FEATURES["asa_band"].derived_from.category(asa_class) == band


@pytest.mark.parametrize(("name", "sign"), DIRECTIONS)
def test_a_direction_is_claimed_only_where_medicine_leaves_no_doubt(name, sign):
    assert FEATURES[name].direction_sign == sign


def test_no_code_stands_at_two_features():
    seen = [
        (system, code)
        for feature in FEATURES.values()
        for system, codes in feature.codes.items()
        for code in codes
    ]
    assert len(seen) == len(set(seen))


def loinc_check_digit(number: str) -> int:
    """Mod 10 as in the LOINC Users' Guide, appendix C: 12345 has check digit 5.

    Odd positions from the right form a number that is doubled, even positions follow it; the digit
    sum is brought up to the next multiple of ten.
    """
    odd, even = number[::-1][0::2], number[::-1][1::2]
    total = sum(int(digit) for digit in str(int(odd) * 2) + even)
    return -total % 10


def test_the_check_digit_is_worked_out_as_in_the_users_guide():
    assert loinc_check_digit("12345") == 5


LOINC = [(f.name, code) for f in FEATURES.values() for code in f.codes.get("loinc", ())]


@pytest.mark.parametrize(("name", "code"), LOINC)
def test_every_loinc_code_has_a_valid_check_digit(name, code):
    assert re.fullmatch(r"\d{1,7}-\d", code)
    number, check = code.split("-")
    assert loinc_check_digit(number) == int(check)


@pytest.mark.parametrize(
    ("name", "code", "unit"),
    [(f.name, code, unit) for f in FEATURES.values() for code, unit in f.loinc_units.items()],
)
def test_a_unit_that_a_code_implies_can_be_converted(name, code, unit):
    assert unit in FEATURES[name].conversions
    assert code in FEATURES[name].codes["loinc"]


@pytest.mark.parametrize(
    ("name", "code"),
    [(f.name, code) for f in FEATURES.values() for code in f.codes.get("npu", ())],
)
def test_every_npu_code_has_the_form_of_one(name, code):
    assert re.fullmatch(r"NPU\d{5}", code)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("8867-4", "heart_rate"),
        ("8480-6", "sbp"),
        ("8462-4", "dbp"),
        ("8478-0", "map"),
        ("59408-5", "spo2"),
        ("9279-1", "resp_rate"),
        ("8310-5", "temperature"),
        ("9269-2", "gcs_total"),
        ("718-7", "hemoglobin"),
        ("6690-2", "wbc"),
        ("777-3", "platelets"),
        ("14682-9", "creatinine"),
        ("2160-0", "creatinine"),
        ("3094-0", "urea"),
        ("2951-2", "sodium"),
        ("2823-3", "potassium"),
        ("1994-3", "calcium_ion"),
        ("32693-4", "lactate"),
        ("1925-7", "base_excess"),
        ("2744-1", "ph"),
        ("2019-8", "pco2"),
        ("2703-7", "po2"),
        ("1963-8", "bicarbonate"),
        ("6301-6", "inr"),
        ("3255-7", "fibrinogen"),
        ("1751-7", "albumin"),
        ("1988-5", "crp"),
        ("1975-2", "bilirubin"),
        ("1742-6", "alt"),
        ("1920-8", "ast"),
        ("4548-4", "hba1c"),
        ("6598-7", "troponin_t_hs"),
        ("10839-9", "troponin_i"),
        ("33762-6", "nt_probnp"),
        ("48065-7", "ddimer"),
    ],
)
def test_a_loinc_code_reads_the_feature_it_names(code, name):
    """Names as in the LOINC table, release 2.71."""
    assert code in FEATURES[name].codes["loinc"]


def test_every_swetrau_column_fills_the_feature_it_means():
    owners = {
        column: feature.name
        for feature in FEATURES.values()
        for column in feature.codes.get("swetrau", ())
    }
    assert owners == SWETRAU


@pytest.mark.parametrize("name", ["injury_iss", "injury_niss"])
def test_final_injury_coding_is_never_used_before_discharge(name):
    """ISS and NISS need AIS coding of the final injuries, days to weeks after arrival."""
    assert FEATURES[name].earliest == "discharge"
    for point in VOCABULARY.branch_points.values():
        if point.stage < VOCABULARY.branch_points["discharge"].stage:
            assert name not in point.features
            assert not VOCABULARY.can_be_known(name, point.id)


def test_no_feature_is_an_outcome_or_an_opinion_about_it():
    for feature in FEATURES.values():
        assert feature.name not in VOCABULARY.outcomes
        assert not re.search(r"death|died|dead|surviv|mortality", feature.name)
        assert not {"death", "dead", "died", "V"} & set(feature.categories)


@pytest.mark.parametrize(
    ("name", "code", "accepted"),
    [
        ("diagnosis", "I48.9P", True),
        ("diagnosis", "I489P", True),
        ("diagnosis", "S72", True),
        ("diagnosis", "s72", False),
        ("diagnosis", "S72.0 ", False),
        ("diagnosis", "19500907-2553", False),
        ("procedure_code", "NFB49", True),
        ("procedure_code", "DT016", True),
        ("procedure_code", "QV011", True),
        ("procedure_code", "NFB4", False),
        ("procedure_code", "nfb49", False),
    ],
)
def test_a_swedish_code_is_recognised_by_its_form(name, code, accepted):
    """ICD-10-SE with or without the dot and fifth-character letters; KVÅ surgical and other codes."""
    assert bool(re.fullmatch(FEATURES[name].pattern, code)) is accepted


@pytest.mark.parametrize("feature", FEATURES.values(), ids=FEATURES)
def test_values_that_change_within_a_day_are_not_kept_for_longer(feature):
    if feature.group in {"vital_sign", "blood_gas"}:
        assert feature.maximum_age_hours is not None
        assert feature.maximum_age_hours <= 24
    if feature.group == "laboratory" and feature.name != "baseline_creatinine":
        assert feature.maximum_age_hours is not None
        assert feature.maximum_age_hours <= 2160


def test_only_age_is_top_coded_and_at_ninety():
    """45 CFR 164.514(b)(2)(i)(C): ages over 89 may only be told as one category, 90 or older."""
    assert {f.name: f.top_code for f in NUMBERS if f.top_code is not None} == {"age": 90.0}


@pytest.mark.parametrize("feature", NUMBERS, ids=[feature.name for feature in NUMBERS])
def test_the_ends_of_every_plausible_range_are_taken_as_they_are(feature):
    """Otherwise coarsening would move a plausible value out of its range."""
    lowest, highest = feature.plausible
    assert take(feature, lowest) == lowest
    assert take(feature, highest) == (feature.top_code or highest)
