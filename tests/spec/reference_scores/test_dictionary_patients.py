"""Reference scores on what the dictionary's features say of a patient."""

from __future__ import annotations

import math

import pytest

from models.reference_scores import (
    SCORES,
    NotCovered,
    Scored,
    p_possum_mortality,
    possum_morbidity,
    rcri_risks,
    sort,
    triss,
)
from models.vocabulary import Measurement, load_vocabulary, settle, take

VOCABULARY = load_vocabulary()
FEATURES = VOCABULARY.features


def patient(**found) -> dict[str, float]:
    return {name: take(FEATURES[name], value) for name, value in found.items()}


def assess(score: str, **found) -> Scored:
    answer = SCORES[score].assess(patient(**found), FEATURES)
    assert isinstance(answer, Scored)
    return answer


def refused(score: str, **found) -> NotCovered:
    answer = SCORES[score].assess(patient(**found), FEATURES)
    assert isinstance(answer, NotCovered)
    return answer


def without(found, *names):
    return {name: value for name, value in found.items() if name not in names}


ELECTIVE = {
    "asa_class": 1,
    "operation_urgency": "elective",
    "surgical_specialty": "urology",
    "operative_severity": "minor",
    "cancer": False,
    "age": 40,
}
COLECTOMY = {
    "asa_class": 3,
    "operation_urgency": "expedited",
    "surgical_specialty": "colorectal",
    "operative_severity": "major_plus",
    "cancer": True,
    "age": 70,
}
OBSERVATIONS = {
    "age": 60,
    "resp_rate": 16,
    "spo2": 97,
    "on_supplemental_oxygen": False,
    "hypercapnic_respiratory_failure": False,
    "sbp": 120,
    "heart_rate": 70,
    "consciousness_acvpu": "alert",
    "temperature": 37.0,
}
AMBULANCE = {"prehospital_gcs_total": 15, "prehospital_sbp": 120, "prehospital_resp_rate": 16}


@pytest.mark.parametrize(
    ("change", "probability"),
    [
        ({}, 0.00063),
        (COLECTOMY, 0.10138),
        (COLECTOMY | {"asa_class": 2, "operation_urgency": "elective"}, 0.00793),
    ],
)
def test_sort_answers_with_probability_and_log_odds_per_feature(change, probability):
    answer = assess("sort", **(ELECTIVE | change))
    assert answer.probability == pytest.approx(probability, abs=5e-6)
    assert answer.missing == answer.ambiguous == ()


def test_sort_contributions_are_its_published_coefficients():
    answer = assess("sort", **COLECTOMY)
    assert answer.base_value == -7.366
    assert answer.contributions == {
        "asa_class": 1.411,
        "operation_urgency": 1.236,
        "surgical_specialty": 0.712,
        "operative_severity": 0.381,
        "cancer": 0.667,
        "age": 0.777,
    }


def test_a_missing_fact_opens_the_range_to_its_best_and_its_worst():
    without_cancer = {name: value for name, value in COLECTOMY.items() if name != "cancer"}
    answer = assess("sort", **without_cancer)
    assert answer.missing == ("cancer",)
    assert answer.probability is None
    assert answer.contributions is None
    no = sort(
        age=70, asa_class=3, urgency="expedited", high_risk_specialty=True,
        xmajor_or_complex=True, cancer=False,
    )  # fmt: skip
    assert answer.probability_lowest == pytest.approx(no, abs=1e-12)
    assert answer.probability_highest == pytest.approx(0.10138, abs=5e-6)


def test_the_band_of_an_asa_class_counts_exactly_where_the_class_would_not_matter():
    point = VOCABULARY.branch_points["surgery-decision"]
    known = {name: value for name, value in ELECTIVE.items() if name != "asa_class"}
    for band, exact in [("I-II", True), ("III", True), ("IV-VI", False)]:
        answer = assess("sort", **known, asa_band=band)
        assert answer.complete is exact
        assert answer.missing == (() if exact else ("asa_class",))
    # The class goes before the band that intake derives from it.
    sent = [Measurement(FEATURES[name], value) for name, value in patient(**COLECTOMY).items()]
    answer = SCORES["sort"].assess(settle(sent, point, FEATURES).values, FEATURES)
    assert isinstance(answer, Scored)
    assert answer.contributions is not None
    assert "asa_band" not in answer.contributions


@pytest.mark.parametrize(
    ("score", "band", "lowest", "highest"),
    [
        ("sort", "I-II", 0, 0),
        ("sort", "III", 1.411, 1.411),
        ("sort", "IV-VI", 2.388, 4.081),
        ("sort_morbidity", "I-II", 0, 0.332),
        ("sort_morbidity", "III", 1.140, 1.140),
        ("sort_morbidity", "IV-VI", 1.223, 1.223),
    ],
)
def test_a_band_of_asa_classes_is_worth_what_its_classes_are(score, band, lowest, highest):
    known = without(ELECTIVE, "asa_class", "surgical_specialty")
    answer = assess(score, **known, surgical_specialty="orthopaedic", asa_band=band)
    intercept = SCORES[score].base_value
    assert answer.lowest - intercept == pytest.approx(lowest, abs=1e-12)
    assert answer.highest - intercept == pytest.approx(highest, abs=1e-12)


@pytest.mark.parametrize(("score", "heaviest"), [("sort", 0.381), ("sort_morbidity", 1.238)])
def test_only_the_heaviest_operations_count(score, heaviest):
    for severity, log_odds in [
        ("minor", 0),
        ("moderate", 0),
        ("major", 0),
        ("major_plus", heaviest),
    ]:
        answer = assess(score, **(ELECTIVE | {"operative_severity": severity}))
        assert answer.contributions is not None
        assert answer.contributions["operative_severity"] == log_odds


@pytest.mark.parametrize(
    ("specialty", "log_odds"),
    [
        ("orthopaedic", 0.0), ("colorectal", 1.658), ("upper_gastrointestinal", -0.929),
        ("vascular", 0.296), ("bariatric", -1.065), ("other", 0.181), ("thoracic", 0.181),
        ("hepatopancreatobiliary", 0.181), ("urology", 0.181), ("gynaecology", 0.181),
        ("breast_and_endocrine", 0.181), ("neurosurgery", 0.181), ("ear_nose_throat", 0.181),
        ("plastic_and_burns", 0.181), ("maxillofacial", 0.181),
    ],
)  # fmt: skip
def test_sort_morbidity_has_five_specialties_and_all_others(specialty, log_odds):
    answer = assess("sort_morbidity", **(ELECTIVE | {"surgical_specialty": specialty}))
    assert answer.contributions is not None
    assert answer.contributions["surgical_specialty"] == log_odds


@pytest.mark.parametrize("score", ["sort", "sort_morbidity"])
def test_a_trauma_operation_spans_several_published_specialties(score):
    answer = assess(score, **(ELECTIVE | {"surgical_specialty": "trauma"}))
    width = {"sort": 0.712, "sort_morbidity": 1.658 + 0.929}[score]
    assert answer.highest - answer.lowest == pytest.approx(width, abs=1e-12)
    assert answer.ambiguous == ("surgical_specialty",)
    assert answer.missing == ()
    assert answer.probability is None


@pytest.mark.parametrize("score", ["sort", "sort_morbidity"])
@pytest.mark.parametrize(
    ("wrong", "feature"),
    [
        ({"surgical_specialty": "cardiac"}, "surgical_specialty"),
        ({"asa_class": 6}, "asa_class"),
        ({"age": 15.9}, "age"),
    ],
)
def test_outside_its_definition_sort_says_so_and_gives_no_number(score, wrong, feature):
    answer = refused(score, **(ELECTIVE | wrong))
    assert (answer.reason, answer.features) == ("outside_definition", (feature,))


@pytest.mark.parametrize(
    ("specialty", "log_odds"),
    [("thoracic", 0.712), ("hepatopancreatobiliary", 0.712), ("bariatric", 0.712),
     ("vascular", 0.712), ("upper_gastrointestinal", 0.712), ("gynaecology", 0.0), ("other", 0.0)],
)  # fmt: skip
def test_sort_reads_the_high_risk_specialties(specialty, log_odds):
    answer = assess("sort", **(ELECTIVE | {"surgical_specialty": specialty}))
    assert answer.contributions is not None
    assert answer.contributions["surgical_specialty"] == log_odds


def test_vascular_surgery_is_high_risk_under_the_name_the_dictionary_gives_it():
    """A public package documents one spelling of the code and matches another."""
    answer = assess("sort_morbidity", **(ELECTIVE | {"surgical_specialty": "vascular"}))
    assert answer.contributions is not None
    assert answer.contributions["surgical_specialty"] == 0.296


SURGICAL_PATIENT = {
    "age": 75, "possum_cardiac_signs": "raised_jvp_or_cardiomegaly",
    "possum_respiratory_signs": "limiting_dyspnoea_or_moderate_copd", "sbp": 123, "heart_rate": 50,
    "gcs_total": 15, "hemoglobin": 80, "wbc": 14.1, "urea": 8.1, "sodium": 141, "potassium": 5.1,
    "ecg_finding": "other_abnormal", "operative_severity": "major_plus", "procedures_count": 2,
    "estimated_blood_loss": 501, "peritoneal_soiling": "minor_serous_fluid",
    "malignancy_extent": "primary_only", "operation_urgency": "urgent",
}  # fmt: skip


def test_possum_reads_a_whole_patient_from_the_dictionary():
    """The fourth of five published patients: physiological score 42, operative score 24."""
    for score, probability in [
        ("possum", possum_morbidity(42, 24)),
        ("p_possum", p_possum_mortality(42, 24)),
    ]:
        answer = assess(score, **SURGICAL_PATIENT)
        assert answer.probability == pytest.approx(probability, abs=1e-12)
    answer = assess("p_possum", **SURGICAL_PATIENT)
    assert answer.probability == pytest.approx(0.85338, abs=5e-6)
    assert answer.contributions is not None
    assert answer.contributions["hemoglobin"] == pytest.approx(8 * 0.1692, abs=1e-12)
    assert answer.contributions["estimated_blood_loss"] == pytest.approx(4 * 0.1550, abs=1e-12)


def test_possum_with_nothing_known_spans_its_published_scores():
    answer = assess("p_possum")
    assert answer.lowest == pytest.approx(-9.065 + 12 * 0.1692 + 6 * 0.1550, abs=1e-12)
    assert answer.highest == pytest.approx(-9.065 + 88 * 0.1692 + 48 * 0.1550, abs=1e-12)
    assert len(answer.missing) == 18


def test_rcri_has_points_and_a_class_but_no_risk_of_its_own():
    findings = {
        "age": 60,
        "rcri_high_risk_surgery": True,
        "ischaemic_heart_disease": False,
        "heart_failure": False,
        "stroke_or_tia_history": False,
        "insulin_treated_diabetes": False,
        "creatinine": 200,
    }
    answer = assess("rcri", **findings)
    assert (answer.lowest, answer.highest, answer.band) == (2, 2, "class_iii")
    assert answer.probability is answer.probability_lowest is answer.log_odds is None
    assert answer.contributions is not None
    assert answer.contributions["creatinine"] == 1
    risks = rcri_risks(int(answer.lowest))
    assert risks is not None
    assert risks.lee_1999 < risks.pooled_2017


RCRI_FLAGS = (
    "rcri_high_risk_surgery",
    "ischaemic_heart_disease",
    "heart_failure",
    "stroke_or_tia_history",
    "insulin_treated_diabetes",
)


@pytest.mark.parametrize(
    ("points", "band"),
    [(0, "class_i"), (1, "class_ii"), (2, "class_iii"), (3, "class_iv"), (5, "class_iv")],
)
def test_rcri_counts_flags_into_four_classes(points, band):
    flags = {name: i < points for i, name in enumerate(RCRI_FLAGS)}
    answer = assess("rcri", age=60, creatinine=90, **flags)
    assert (answer.lowest, answer.band) == (points, band)


def test_news2_of_normal_observations_is_zero_and_low():
    answer = assess("news2", **OBSERVATIONS)
    assert (answer.lowest, answer.highest, answer.band) == (0, 0, "low")
    assert answer.base_value == 0
    assert answer.probability is None


def test_a_single_three_makes_news2_low_medium():
    answer = assess("news2", **(OBSERVATIONS | {"spo2": 91}))
    assert (answer.lowest, answer.band) == (3, "low_medium")
    assert answer.contributions is not None
    assert answer.contributions["spo2"] == 3


@pytest.mark.parametrize(
    ("spo2", "lowest", "highest"),
    [(90, 0, 3), (97, 0, 0), (95, 0, 1), (83, 3, 3)],
)
def test_on_air_an_unknown_scale_opens_the_range_only_where_the_scales_differ(
    spo2, lowest, highest
):
    findings = without(OBSERVATIONS, "hypercapnic_respiratory_failure") | {"spo2": spo2}
    answer = assess("news2", **findings)
    assert (answer.lowest, answer.highest) == (lowest, highest)
    assert answer.missing == ("hypercapnic_respiratory_failure",)
    assert answer.complete is (lowest == highest)


def test_on_oxygen_an_unknown_scale_is_never_taken_for_scale_one():
    findings = without(OBSERVATIONS, "hypercapnic_respiratory_failure")
    answer = assess("news2", **(findings | {"spo2": 98, "on_supplemental_oxygen": True}))
    assert (answer.lowest, answer.highest, answer.band) == (2, 5, None)


def test_unknown_oxygen_may_be_worth_two_and_more_on_scale_two():
    findings = without(OBSERVATIONS, "on_supplemental_oxygen")
    answer = assess("news2", **findings)
    assert (answer.lowest, answer.highest) == (0, 2)
    assert answer.band == "low"
    answer = assess("news2", **(findings | {"hypercapnic_respiratory_failure": True}))
    assert (answer.lowest, answer.highest, answer.band) == (0, 5, None)


def test_a_band_is_given_with_observations_missing_when_it_cannot_change():
    sick = {"resp_rate": 30, "spo2": 80, "on_supplemental_oxygen": True}
    answer = assess("news2", **(without(OBSERVATIONS, "temperature", "heart_rate") | sick))
    assert (answer.lowest, answer.highest, answer.band) == (8, 14, "high")
    assert answer.contributions is None


def test_a_patient_of_unknown_age_is_not_known_to_be_an_adult():
    answer = assess("news2", **without(OBSERVATIONS, "age"))
    assert (answer.lowest, answer.highest) == (0, 0)
    assert answer.missing == ("age",)
    assert not answer.complete
    assert answer.contributions is None


def test_a_saturation_above_a_hundred_gets_no_news2():
    values = patient(**OBSERVATIONS) | {"spo2": 130.0}
    answer = SCORES["news2"].assess(values, FEATURES)
    assert answer == NotCovered("outside_definition", ("spo2",))


@pytest.mark.parametrize(
    "score", [s.id for s in SCORES.values() if s.youngest is not None and s.id != "sort"]
)
def test_scores_for_adults_give_nothing_for_a_child(score):
    assert refused(score, age=15).features == ("age",)


def test_surgical_apgar_of_a_good_operation_is_ten():
    operation = {
        "age": 60,
        "estimated_blood_loss": 50,
        "lowest_map_intraoperative": 70,
        "lowest_heart_rate_intraoperative": 55,
    }
    answer = assess("surgical_apgar", **operation)
    assert (answer.lowest, answer.band) == (10, "usual")
    answer = assess("surgical_apgar", **without(operation, "estimated_blood_loss"))
    assert (answer.lowest, answer.highest, answer.band) == (7, 10, "usual")


def test_rts_of_the_ambulance_weighs_three_codes():
    answer = assess("rts", **AMBULANCE)
    assert answer.lowest == pytest.approx(7.8408, abs=1e-9)
    assert answer.contributions is not None
    assert answer.contributions["prehospital_gcs_total"] == pytest.approx(4 * 0.9368, abs=1e-12)
    assert assess("t_rts", **AMBULANCE).lowest == 12
    bay = {"gcs_total": 9, "sbp": 80, "resp_rate": 32}
    assert assess("rts_arrival", **bay).lowest == pytest.approx(5.8806, abs=1e-9)
    assert assess("t_rts_arrival", **bay).lowest == 9


def test_findings_of_two_moments_never_make_one_rts():
    answer = assess("rts", **without(AMBULANCE, "prehospital_sbp"), sbp=120)
    assert answer.missing == ("prehospital_sbp",)
    answer = assess("rts_arrival", **AMBULANCE, sbp=120, resp_rate=16)
    assert answer.missing == ("gcs_total",)


def test_a_code_of_the_registry_stands_in_for_a_number_nobody_wrote_down():
    coded = without(AMBULANCE, "prehospital_sbp") | {"prehospital_sbp_rts": 3}
    answer = assess("rts", **coded)
    assert answer.lowest == pytest.approx(4 * 0.9368 + 3 * 0.7326 + 4 * 0.2908, abs=1e-12)
    assert answer.missing == ()
    assert answer.contributions is not None
    assert "prehospital_sbp_rts" in answer.contributions
    # The number itself goes first.
    both = assess("t_rts", **AMBULANCE, prehospital_sbp_rts=3)
    assert both.lowest == 12


INJURED = AMBULANCE | {"injury_iss": 9, "age": 28, "dominant_injury_type": "blunt"}


@pytest.mark.parametrize(
    ("change", "survival"),
    [
        ({}, 0.99416),
        ({"age": 54}, 0.99416),
        ({"age": 55}, 0.96754),
    ],
)
def test_triss_gives_the_probability_of_death(change, survival):
    answer = assess("triss", **(INJURED | change))
    assert answer.probability == pytest.approx(1 - survival, abs=5e-6)


@pytest.mark.parametrize("mechanism", ["blunt", "penetrating"])
@pytest.mark.parametrize("age", [10, 14.9, 15, 54, 55, 80])
def test_triss_from_the_dictionary_agrees_with_the_plain_function(mechanism, age):
    found = INJURED | {"dominant_injury_type": mechanism, "age": age, "prehospital_gcs_total": 7}
    survival = triss(rts=2 * 0.9368 + 4 * 0.7326 + 4 * 0.2908, iss=9, age=age, mechanism=mechanism)
    answer = assess("triss", **found)
    assert survival is not None
    assert answer.probability == pytest.approx(1 - survival, abs=1e-12)
    assert answer.base_value == 0.4499


def test_the_mechanism_does_not_count_for_a_child():
    answer = assess("triss", **(without(INJURED, "dominant_injury_type") | {"age": 10}))
    assert answer.missing == ("dominant_injury_type",)
    assert answer.complete
    adult = assess("triss", **without(INJURED, "dominant_injury_type"))
    assert not adult.complete
    assert adult.lowest < adult.highest


def test_shock_index_has_no_range_without_one_of_its_terms():
    vitals = {"age": 40, "heart_rate": 120, "sbp": 80}
    answer = assess("shock_index", **vitals)
    assert answer.lowest == 1.5
    assert answer.contributions == {"heart_rate": 0.75, "sbp": 0.75}
    without_pressure = refused("shock_index", age=40, heart_rate=120)
    assert without_pressure == NotCovered("missing_required", ("sbp",))
    assert refused("shock_index", **(vitals | {"sbp": 0})).reason == "outside_definition"
    prehospital = {"age": 40, "prehospital_heart_rate": 120, "prehospital_sbp": 80}
    assert assess("shock_index_prehospital", **prehospital).lowest == 1.5


def test_qsofa_is_positive_from_two_signs():
    signs = {"age": 60, "resp_rate": 22, "sbp": 100}
    assert assess("qsofa", **signs, gcs_total=15).band == "positive"
    unknown = assess("qsofa", **signs)
    assert (unknown.lowest, unknown.highest, unknown.band) == (2, 3, "positive")
    assert assess("qsofa", **(signs | {"sbp": 101})).band is None


def test_a_value_that_is_not_a_number_is_missing():
    values = patient(**ELECTIVE) | {"cancer": math.nan, "age": math.nan}
    answer = SCORES["sort"].assess(values, FEATURES)
    assert isinstance(answer, Scored)
    assert answer.missing == ("age", "cancer")
