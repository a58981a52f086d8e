"""SORT, SORT-morbidity, SORT-CJ, POSSUM, RCRI and Surgical Apgar against published figures.

Expected numbers were worked from the published coefficients by hand or printed by their authors,
never by this code; five decimals are compared as printed.
"""

from __future__ import annotations

import math

import pytest

from models.errors import InvalidValue
from models.reference_scores import (
    p_possum_mortality,
    possum_morbidity,
    possum_mortality,
    possum_operative_score,
    possum_physiological_score,
    rcri,
    rcri_risks,
    sort,
    sort_clinical_judgement,
    sort_morbidity,
    surgical_apgar,
)

HEALTHY = {
    "age": 40,
    "asa_class": 1,
    "urgency": "elective",
    "high_risk_specialty": False,
    "xmajor_or_complex": False,
    "cancer": False,
}
HEAVY = {"high_risk_specialty": True, "xmajor_or_complex": True, "cancer": True, "age": 70}


@pytest.mark.parametrize(
    ("patient", "probability"),
    [
        ({}, 0.00063),
        ({"asa_class": 2, **HEAVY}, 0.00793),
        ({"asa_class": 3, "urgency": "expedited", **HEAVY}, 0.10138),
        ({"asa_class": 3, "urgency": "urgent", "age": 80}, 0.06256),
        (
            {
                "asa_class": 4,
                "urgency": "immediate",
                "high_risk_specialty": True,
                "xmajor_or_complex": True,
                "age": 85,
            },
            0.53942,
        ),
    ],
)
def test_sort_gives_the_worked_probabilities(patient, probability):
    assert sort(**(HEALTHY | patient)) == pytest.approx(probability, abs=5e-6)


@pytest.mark.parametrize("fact", HEALTHY)
def test_sort_gives_nothing_when_a_fact_is_missing(fact):
    assert sort(**(HEALTHY | {fact: None})) is None


@pytest.mark.parametrize(
    "wrong", [{"age": 15.9}, {"asa_class": 6}, {"asa_class": 0}, {"urgency": "Urgent"}]
)
def test_sort_refuses_what_it_was_not_defined_for_without_repeating_it(wrong):
    with pytest.raises(InvalidValue) as refused:
        sort(**(HEALTHY | wrong))
    assert str(next(iter(wrong.values()))) not in str(refused.value)


def test_sort_morbidity_gives_the_worked_probability():
    risks = sort_morbidity(
        age=70, asa_class=3, specialty="colorectal", xmajor_or_complex=True, malignancy=True
    )
    assert risks is not None
    assert risks.day_7 == pytest.approx(0.86093, abs=5e-6)
    # L = -3.228 + 1.140 + 1.658 + 1.238 + 0.897 + 0.118 = 1.823; each line by hand.
    for probability, log_odds in [
        (risks.low_grade, 1.008 * 1.823 - 0.316),
        (risks.high_grade, 0.827 * 1.823 - 0.874),
        (risks.day_14, 0.894 * 1.823 - 1.478),
        (risks.day_21, 1.081 * 1.823 - 2.327),
        (risks.day_28, 1.048 * 1.823 - 2.770),
    ]:
        assert math.log(probability / (1 - probability)) == pytest.approx(log_odds, abs=1e-9)


@pytest.mark.parametrize(
    ("asa_class", "specialty", "age", "log_odds"),
    [
        (1, "orthopaedic", 40, -3.228),
        (2, "upper_gastrointestinal", 64, -3.228 + 0.332 - 0.929),
        (4, "vascular", 65, -3.228 + 1.223 + 0.296 + 0.118),
        (5, "bariatric", 79, -3.228 + 1.223 - 1.065 + 0.118),
        (1, "other", 80, -3.228 + 0.181 + 0.550),
    ],
)
def test_sort_morbidity_adds_the_published_terms(asa_class, specialty, age, log_odds):
    risks = sort_morbidity(
        age=age,
        asa_class=asa_class,
        specialty=specialty,
        xmajor_or_complex=False,
        malignancy=False,
    )
    assert risks is not None
    assert math.log(risks.day_7 / (1 - risks.day_7)) == pytest.approx(log_odds, abs=1e-9)


def test_sort_with_clinical_judgement_gives_the_worked_probability():
    probability = sort_clinical_judgement(sort_probability=0.1013786, judgement="5.1-10%")
    assert probability == pytest.approx(0.05114, abs=5e-6)


@pytest.mark.parametrize(
    ("judgement", "points"),
    [
        ("<1%", 0),
        ("1-2.5%", 1.487),
        ("2.6-5%", 2.365),
        ("5.1-10%", 3.074),
        ("10.1-50%", 4.156),
        (">50%", 5.028),
    ],
)
def test_each_band_of_judgement_adds_its_published_term(judgement, points):
    p = sort_clinical_judgement(sort_probability=0.0, judgement=judgement)
    assert p is not None
    assert math.log(p / (1 - p)) == pytest.approx(-6.403 + points, abs=1e-9)


def test_sort_with_clinical_judgement_needs_both():
    assert sort_clinical_judgement(sort_probability=None, judgement="<1%") is None
    assert sort_clinical_judgement(sort_probability=0.1, judgement=None) is None
    with pytest.raises(InvalidValue):
        sort_clinical_judgement(sort_probability=10.1, judgement="<1%")  # per cent by mistake


@pytest.mark.parametrize(
    ("ps", "os", "morbidity", "mortality", "portsmouth"),
    [
        (12, 6, 0.05468, 0.01077, 0.00223),
        (20, 10, 0.30789, 0.05520, 0.01581),
        (30, 15, 0.85069, 0.32300, 0.15923),
    ],
)
def test_possum_equations_give_the_worked_probabilities(ps, os, morbidity, mortality, portsmouth):
    assert possum_morbidity(ps, os) == pytest.approx(morbidity, abs=5e-6)
    assert possum_mortality(ps, os) == pytest.approx(mortality, abs=5e-6)
    assert p_possum_mortality(ps, os) == pytest.approx(portsmouth, abs=5e-6)


@pytest.mark.parametrize(
    ("ps", "os", "morbidity", "portsmouth"),
    [
        (13, 13, 0.2042403, 0.007764488),
        (23, 9, 0.3728522, 0.022348370),
        (40, 24, 0.9936315, 0.805808291),
    ],
)
def test_possum_logits_agree_with_a_published_output(ps, os, morbidity, portsmouth):
    """github.com/dannyjnwong, post of 2018-04-02: right as logits, whatever its scores are."""
    assert possum_morbidity(ps, os) == pytest.approx(morbidity, abs=5e-8)
    assert p_possum_mortality(ps, os) == pytest.approx(portsmouth, abs=5e-10)


# The five patients of that post, read by the definition: its own code forgot the blood pressure,
# tested the coma scale for white cells, and misspelt a class of potassium.
FIVE_PATIENTS = [
    (
        {
            "age": 25, "cardiac_signs": "none", "respiratory_signs": "none", "sbp": 120,
            "pulse": 45, "gcs": 15, "haemoglobin_g_per_l": 131, "white_cells": 4.5,
            "urea_mmol_per_l": 4.3, "sodium_mmol_per_l": 131, "potassium_mmol_per_l": 3.7,
            "ecg": "normal",
        },
        {
            "severity": "minor", "procedures": 3, "blood_loss_ml": 50, "soiling": "none",
            "malignancy": "none", "urgency": "elective",
        },
        (14, 13, 0.2315, 0.00918),
    ),
    (
        {
            "age": 40, "cardiac_signs": "raised_jvp_or_cardiomegaly", "respiratory_signs": "none",
            "sbp": 117, "pulse": 51, "gcs": 15, "haemoglobin_g_per_l": 126, "white_cells": 4.3,
            "urea_mmol_per_l": 4.6, "sodium_mmol_per_l": 134, "potassium_mmol_per_l": 4.5,
            "ecg": "atrial_fibrillation_60_90",
        },
        {
            "severity": "moderate", "procedures": 1, "blood_loss_ml": 101, "soiling": "none",
            "malignancy": "primary_only", "urgency": "elective",
        },
        (24, 9, 0.4110, 0.02636),
    ),
    (
        {
            "age": 60, "cardiac_signs": "raised_jvp_or_cardiomegaly", "respiratory_signs": "none",
            "sbp": 140, "pulse": 65, "gcs": 15, "haemoglobin_g_per_l": 89, "white_cells": 2.6,
            "urea_mmol_per_l": 5.7, "sodium_mmol_per_l": 155, "potassium_mmol_per_l": 4.4,
            "ecg": "normal",
        },
        {
            "severity": "major_plus", "procedures": 1, "blood_loss_ml": 50, "soiling": "none",
            "malignancy": "none", "urgency": "expedited",
        },
        (30, 13, 0.7958, 0.12196),
    ),
    (
        {
            "age": 75, "cardiac_signs": "raised_jvp_or_cardiomegaly",
            "respiratory_signs": "limiting_dyspnoea_or_moderate_copd", "sbp": 123, "pulse": 50,
            "gcs": 15, "haemoglobin_g_per_l": 80, "white_cells": 14.1, "urea_mmol_per_l": 8.1,
            "sodium_mmol_per_l": 141, "potassium_mmol_per_l": 5.1, "ecg": "other_abnormal",
        },
        {
            "severity": "major_plus", "procedures": 2, "blood_loss_ml": 501,
            "soiling": "minor_serous_fluid", "malignancy": "primary_only", "urgency": "urgent",
        },
        (42, 24, 0.9954, 0.85338),
    ),
    (
        {
            "age": 90, "cardiac_signs": "raised_jvp_or_cardiomegaly", "respiratory_signs": "none",
            "sbp": 118, "pulse": 90, "gcs": 14, "haemoglobin_g_per_l": 116, "white_cells": 11.2,
            "urea_mmol_per_l": 6.5, "sodium_mmol_per_l": 142, "potassium_mmol_per_l": 5.8,
            "ecg": "normal",
        },
        {
            "severity": "major", "procedures": 1, "blood_loss_ml": 1000, "soiling": "local_pus",
            "malignancy": "distant_metastases", "urgency": "elective",
        },
        (29, 26, 0.9752, 0.46799),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("physiology", "operation", "expected"), FIVE_PATIENTS)
def test_possum_scores_five_published_patients_by_the_definition(physiology, operation, expected):
    ps, os, morbidity, portsmouth = expected
    assert possum_physiological_score(**physiology) == ps
    assert possum_operative_score(**operation) == os
    assert possum_morbidity(ps, os) == pytest.approx(morbidity, abs=5e-5)
    assert p_possum_mortality(ps, os) == pytest.approx(portsmouth, abs=5e-6)


NORMAL = FIVE_PATIENTS[0][0] | {"pulse": 70, "sodium_mmol_per_l": 140}
SMALLEST = FIVE_PATIENTS[0][1] | {"procedures": 1}


def test_possum_scores_reach_from_their_published_lowest_to_their_highest():
    worst = {
        "age": 71, "cardiac_signs": "raised_jvp_or_cardiomegaly",
        "respiratory_signs": "rest_dyspnoea_or_fibrosis_or_consolidation", "sbp": 89, "pulse": 121,
        "gcs": 8, "haemoglobin_g_per_l": 99, "white_cells": 20.1, "urea_mmol_per_l": 15.1,
        "sodium_mmol_per_l": 125, "potassium_mmol_per_l": 6.0, "ecg": "other_abnormal",
    }  # fmt: skip
    assert possum_physiological_score(**NORMAL) == 12
    assert possum_physiological_score(**worst) == 88
    assert possum_operative_score(**SMALLEST) == 6
    assert (
        possum_operative_score(
            severity="major_plus",
            procedures=3,
            blood_loss_ml=1000,
            soiling="free_bowel_content_pus_or_blood",
            malignancy="distant_metastases",
            urgency="immediate",
        )
        == 48
    )


@pytest.mark.parametrize(
    ("finding", "points_more"),
    [
        ({"sbp": 89}, 7),  # trap: the blood pressure must be in the sum
        ({"white_cells": 3.5}, 1),  # trap: the class of white cells, not of the coma scale
        ({"white_cells": 12.0}, 1),
        ({"potassium_mmol_per_l": 6.0}, 7),  # trap: 6.0 and above is worth 8
        ({"urea_mmol_per_l": 7.5}, 0),  # trap: 7.5 itself belongs to the first class
        ({"urea_mmol_per_l": 7.6}, 1),
    ],
)
def test_possum_is_free_of_the_bugs_of_public_calculators(finding, points_more):
    assert possum_physiological_score(**(NORMAL | finding)) == 12 + points_more


def test_possum_mortality_is_never_given_as_morbidity():
    """A public calculator returns the mortality equation from its morbidity function."""
    assert possum_morbidity(20, 10) == pytest.approx(1 / (1 + math.exp(0.81)), abs=1e-12)
    assert possum_mortality(20, 10) == pytest.approx(1 / (1 + math.exp(2.84)), abs=1e-12)


@pytest.mark.parametrize("fact", NORMAL)
def test_possum_physiology_gives_nothing_when_a_finding_is_missing(fact):
    assert possum_physiological_score(**(NORMAL | {fact: None})) is None


@pytest.mark.parametrize("fact", SMALLEST)
def test_possum_operation_gives_nothing_when_a_fact_is_missing(fact):
    assert possum_operative_score(**(SMALLEST | {fact: None})) is None


@pytest.mark.parametrize(("ps", "os"), [(11, 6), (89, 6), (12, 5), (12, 49), (math.nan, 6)])
def test_possum_equations_refuse_scores_that_cannot_be(ps, os):
    with pytest.raises(InvalidValue):
        possum_morbidity(ps, os)


def test_possum_equations_give_nothing_without_a_score():
    assert possum_morbidity(None, 6) is None
    assert p_possum_mortality(12, None) is None


NO_CARDIAC_RISK = {
    "high_risk_surgery": False,
    "ischaemic_heart_disease": False,
    "heart_failure": False,
    "stroke_or_tia": False,
    "insulin_treated_diabetes": False,
    "creatinine_umol_per_l": 177,
}


def test_rcri_counts_each_of_six_findings_once():
    assert rcri(**NO_CARDIAC_RISK) == 0
    for finding in NO_CARDIAC_RISK:
        present = 178 if finding == "creatinine_umol_per_l" else True
        assert rcri(**(NO_CARDIAC_RISK | {finding: present})) == 1
        assert rcri(**(NO_CARDIAC_RISK | {finding: None})) is None
    assert rcri(**(dict.fromkeys(NO_CARDIAC_RISK, True) | {"creatinine_umol_per_l": 400})) == 6


@pytest.mark.parametrize(
    ("creatinine", "points"),
    [(176.8, 0), (177.0, 0), (177.1, 1), (177.7, 1), (178.0, 1)],  # 2.0 mg/dL is 176.8
)
def test_rcri_creatinine_must_be_above_two_milligrams_per_decilitre(creatinine, points):
    assert rcri(**(NO_CARDIAC_RISK | {"creatinine_umol_per_l": creatinine})) == points


@pytest.mark.parametrize(
    ("points", "lee", "pooled"),
    [(0, 0.004, 0.039), (1, 0.009, 0.060), (2, 0.066, 0.101), (3, 0.11, 0.15), (6, 0.11, 0.15)],
)
def test_rcri_gives_both_published_risks_together(points, lee, pooled):
    risks = rcri_risks(points)
    assert risks is not None
    assert (risks.lee_1999, risks.pooled_2017) == (lee, pooled)


def test_rcri_gives_no_risk_without_points():
    assert rcri_risks(None) is None
    with pytest.raises(InvalidValue):
        rcri_risks(7)


@pytest.mark.parametrize(
    ("blood_loss", "lowest_map", "lowest_heart_rate", "total", "band"),
    [
        (50, 70, 55, 10, "usual"),
        (1001, 39, 86, 0, "very_high"),
        (600, 55, 86, 4, "very_high"),  # 2 + 2 + 0
        (600, 55, 85, 5, "high"),
        (600, 55, 75, 6, "high"),
        (600, 55, 65, 7, "usual"),
        (50, 70, 0, 6, "high"),  # asystole
    ],
)
def test_surgical_apgar_adds_its_three_tables(
    blood_loss, lowest_map, lowest_heart_rate, total, band
):
    score = surgical_apgar(
        blood_loss_ml=blood_loss, lowest_map=lowest_map, lowest_heart_rate=lowest_heart_rate
    )
    assert score is not None
    assert (score.total, score.band) == (total, band)


def test_a_pathological_bradyarrhythmia_takes_the_points_of_the_heart_rate():
    score = surgical_apgar(
        blood_loss_ml=50, lowest_map=70, lowest_heart_rate=38, pathological_bradyarrhythmia=True
    )
    assert score is not None
    assert score.total == 6


def test_surgical_apgar_gives_nothing_when_a_finding_is_missing():
    whole = {"blood_loss_ml": 50, "lowest_map": 70, "lowest_heart_rate": 55}
    for finding in whole:
        assert surgical_apgar(**(whole | {finding: None})) is None
