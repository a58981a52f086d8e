"""Every class of every published table, at its first and its last printed value.

The ranges below are those of the publications as printed, and so is the step between two of them.
"""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from models.errors import InvalidValue
from models.reference_scores.news2 import (
    PULSE,
    RESPIRATORY_RATE,
    SBP,
    SCALE_1,
    SCALE_2_AIR,
    SCALE_2_OXYGEN,
    TEMPERATURE,
)
from models.reference_scores.possum import (
    AGE,
    BLOOD_LOSS,
    CARDIAC_SIGNS,
    ECG,
    GCS,
    HAEMOGLOBIN,
    MALIGNANCY,
    POTASSIUM,
    PROCEDURES,
    RESPIRATORY_SIGNS,
    SEVERITY,
    SODIUM,
    SOILING,
    UREA,
    URGENCY,
    WHITE_CELLS,
)
from models.reference_scores.possum import PULSE as POSSUM_PULSE
from models.reference_scores.possum import SBP as POSSUM_SBP
from models.reference_scores.qsofa import GCS as QSOFA_GCS
from models.reference_scores.qsofa import RESPIRATORY_RATE as QSOFA_RESPIRATORY_RATE
from models.reference_scores.qsofa import SBP as QSOFA_SBP
from models.reference_scores.rts import GCS_CODE, GIVEN_CODE, RESP_RATE_CODE, SBP_CODE
from models.reference_scores.sort import AGE as SORT_AGE
from models.reference_scores.sort import ASA as SORT_ASA
from models.reference_scores.sort_morbidity import AGE as SORT_MORBIDITY_AGE
from models.reference_scores.sort_morbidity import ASA as SORT_MORBIDITY_ASA
from models.reference_scores.surgical_apgar import BLOOD_LOSS as APGAR_BLOOD_LOSS
from models.reference_scores.surgical_apgar import LOWEST_HEART_RATE, LOWEST_MAP
from models.reference_scores.tables import Classes
from models.reference_scores.triss import AGE as TRISS_AGE

# Table, printed step, rows of (first, last, points); infinity where the row is open above.
OPEN = math.inf
TABLES = {
    "NEWS2 respiratory rate": (
        RESPIRATORY_RATE, 1,
        [(0, 8, 3), (9, 11, 1), (12, 20, 0), (21, 24, 2), (25, OPEN, 3)],
    ),
    "NEWS2 SpO2 scale 1": (SCALE_1, 1, [(0, 91, 3), (92, 93, 2), (94, 95, 1), (96, 100, 0)]),
    "NEWS2 SpO2 scale 2 on air": (
        SCALE_2_AIR, 1, [(0, 83, 3), (84, 85, 2), (86, 87, 1), (88, 100, 0)],
    ),
    "NEWS2 SpO2 scale 2 on oxygen": (
        SCALE_2_OXYGEN, 1,
        [(0, 83, 3), (84, 85, 2), (86, 87, 1), (88, 92, 0), (93, 94, 1), (95, 96, 2), (97, 100, 3)],
    ),
    "NEWS2 systolic pressure": (
        SBP, 1, [(0, 90, 3), (91, 100, 2), (101, 110, 1), (111, 219, 0), (220, OPEN, 3)],
    ),
    "NEWS2 pulse": (
        PULSE, 1,
        [(0, 40, 3), (41, 50, 1), (51, 90, 0), (91, 110, 1), (111, 130, 2), (131, OPEN, 3)],
    ),
    "NEWS2 temperature": (
        TEMPERATURE, 0.1,
        [(0, 35.0, 3), (35.1, 36.0, 1), (36.1, 38.0, 0), (38.1, 39.0, 1), (39.1, OPEN, 2)],
    ),
    "POSSUM age": (AGE, 0, [(16, 61, 1), (61, 71, 2), (71, OPEN, 4)]),
    "POSSUM systolic pressure": (
        POSSUM_SBP, 1,
        [(0, 89, 8), (90, 99, 4), (100, 109, 2), (110, 130, 1), (131, 170, 2), (171, OPEN, 4)],
    ),
    "POSSUM pulse": (
        POSSUM_PULSE, 1,
        [(0, 39, 8), (40, 49, 2), (50, 80, 1), (81, 100, 2), (101, 120, 4), (121, OPEN, 8)],
    ),
    "POSSUM coma scale": (GCS, 1, [(3, 8, 8), (9, 11, 4), (12, 14, 2), (15, 15, 1)]),
    "POSSUM haemoglobin": (
        HAEMOGLOBIN, 1,
        [(0, 99, 8), (100, 114, 4), (115, 129, 2), (130, 160, 1), (161, 170, 2), (171, 180, 4),
         (181, OPEN, 8)],
    ),
    "POSSUM white cells": (
        WHITE_CELLS, 0.1,
        [(0, 3.0, 4), (3.1, 3.9, 2), (4.0, 10.0, 1), (10.1, 20.0, 2), (20.1, OPEN, 4)],
    ),
    "POSSUM urea": (
        UREA, 0.1, [(0, 7.5, 1), (7.6, 10.0, 2), (10.1, 15.0, 4), (15.1, OPEN, 8)],
    ),
    "POSSUM sodium": (SODIUM, 1, [(0, 125, 8), (126, 130, 4), (131, 135, 2), (136, OPEN, 1)]),
    "POSSUM potassium": (
        POTASSIUM, 0.1,
        [(0, 2.8, 8), (2.9, 3.1, 4), (3.2, 3.4, 2), (3.5, 5.0, 1), (5.1, 5.3, 2), (5.4, 5.9, 4),
         (6.0, OPEN, 8)],
    ),
    "POSSUM procedures": (PROCEDURES, 1, [(1, 1, 1), (2, 2, 4), (3, OPEN, 8)]),
    "POSSUM blood loss": (
        BLOOD_LOSS, 1, [(0, 100, 1), (101, 500, 2), (501, 999, 4), (1000, OPEN, 8)],
    ),
    "SORT age": (SORT_AGE, 0, [(16, 65, 0), (65, 80, 0.777), (80, OPEN, 1.591)]),
    "SORT ASA class": (
        SORT_ASA, 1, [(1, 1, 0), (2, 2, 0), (3, 3, 1.411), (4, 4, 2.388), (5, 5, 4.081)],
    ),
    "SORT-morbidity age": (SORT_MORBIDITY_AGE, 0, [(16, 65, 0), (65, 80, 0.118), (80, OPEN, 0.55)]),
    "SORT-morbidity ASA class": (
        SORT_MORBIDITY_ASA, 1,
        [(1, 1, 0), (2, 2, 0.332), (3, 3, 1.140), (4, 4, 1.223), (5, 5, 1.223)],
    ),
    "RTS coma scale": (GCS_CODE, 1, [(3, 3, 0), (4, 5, 1), (6, 8, 2), (9, 12, 3), (13, 15, 4)]),
    "RTS systolic pressure": (
        SBP_CODE, 1, [(0, 0, 0), (1, 49, 1), (50, 75, 2), (76, 89, 3), (90, OPEN, 4)],
    ),
    "RTS respiratory rate": (
        RESP_RATE_CODE, 1, [(0, 0, 0), (1, 5, 1), (6, 9, 2), (10, 29, 4), (30, OPEN, 3)],
    ),
    "RTS code": (GIVEN_CODE, 1, [(0, 0, 0), (1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 4, 4)]),
    "TRISS age": (TRISS_AGE, 0, [(0, 55, 0), (55, OPEN, 1)]),
    "Surgical Apgar blood loss": (
        APGAR_BLOOD_LOSS, 1, [(0, 100, 3), (101, 600, 2), (601, 1000, 1), (1001, OPEN, 0)],
    ),
    "Surgical Apgar pressure": (LOWEST_MAP, 1, [(0, 39, 0), (40, 54, 1), (55, 69, 2), (70, OPEN, 3)]),
    "Surgical Apgar heart rate": (
        LOWEST_HEART_RATE, 1,
        [(0, 0, 0), (1, 55, 4), (56, 65, 3), (66, 75, 2), (76, 85, 1), (86, OPEN, 0)],
    ),
    "qSOFA respiratory rate": (QSOFA_RESPIRATORY_RATE, 1, [(0, 21, 0), (22, OPEN, 1)]),
    "qSOFA systolic pressure": (QSOFA_SBP, 1, [(0, 100, 1), (101, OPEN, 0)]),
    "qSOFA coma scale": (QSOFA_GCS, 1, [(3, 14, 1), (15, 15, 0)]),
}  # fmt: skip
Rows = list[tuple[float, float, float]]


def just_below(value: float) -> float:
    return math.nextafter(value, -math.inf)


@pytest.mark.parametrize(("table", "step", "rows"), TABLES.values(), ids=TABLES)
def test_each_class_holds_its_first_and_its_last_printed_value(
    table: Classes, step: float, rows: Rows
):
    for first, last, points in rows:
        assert table.of(first) == points
        # Ages are printed as completed years: the class lasts until the next birthday.
        inside = 1e6 if math.isinf(last) else (last if step else just_below(last))
        assert table.of(inside) == points


@pytest.mark.parametrize(("table", "step", "rows"), TABLES.values(), ids=TABLES)
def test_between_two_classes_a_value_is_read_as_the_table_prints_it(
    table: Classes, step: float, rows: Rows
):
    for (_, last, lower), (first, _, upper) in pairwise(rows):
        middle = (last + first) / 2
        assert table.of(middle - step / 100 if step else just_below(first)) == lower
        assert table.of(middle + step / 100) == upper


@pytest.mark.parametrize(("table", "step", "rows"), TABLES.values(), ids=TABLES)
def test_nothing_is_given_outside_a_table(table: Classes, step: float, rows: Rows):
    lowest, highest = rows[0][0], rows[-1][1]
    with pytest.raises(InvalidValue):
        table.of(just_below(lowest))
    if not math.isinf(highest):
        with pytest.raises(InvalidValue):
            table.of(highest + 1)
    assert table.of(None) is None
    assert table.of(math.nan) is None


# Words in the order of the printed columns, and the points of those columns.
POSSUM_WORDS = [
    (CARDIAC_SIGNS, (1, 2, 4, 8), [
        "none", "cardiac_drug_treatment", "oedema_warfarin_or_borderline_cardiomegaly",
        "raised_jvp_or_cardiomegaly",
    ]),
    (RESPIRATORY_SIGNS, (1, 2, 4, 8), [
        "none", "exertional_dyspnoea_or_mild_copd", "limiting_dyspnoea_or_moderate_copd",
        "rest_dyspnoea_or_fibrosis_or_consolidation",
    ]),
    (ECG, (1, 4, 8), ["normal", "atrial_fibrillation_60_90", "other_abnormal"]),
    (SEVERITY, (1, 2, 4, 8), ["minor", "moderate", "major", "major_plus"]),
    (SOILING, (1, 2, 4, 8), [
        "none", "minor_serous_fluid", "local_pus", "free_bowel_content_pus_or_blood",
    ]),
    (MALIGNANCY, (1, 2, 4, 8), [
        "none", "primary_only", "nodal_metastases", "distant_metastases",
    ]),
    (URGENCY, (1, 1, 4, 8), ["elective", "expedited", "urgent", "immediate"]),
]  # fmt: skip


@pytest.mark.parametrize(("scale", "points", "words"), POSSUM_WORDS)
def test_each_word_of_possum_has_the_points_of_its_column(scale, points, words):
    assert [scale.of(word) for word in words] == list(points)
    with pytest.raises(InvalidValue):
        scale.of("unknown")
