"""Revised Cardiac Risk Index: one point each for six findings; the risk has been published twice.

The two published risks of a major cardiac event differ up to tenfold, so they are always given
together, and the index as a reference score has points and no probability.

References
----------
Lee 1999, Circulation 100:1043-9 (validation cohort); Canadian Cardiovascular Society guideline
2017, Can J Cardiol 33:17-32 (pooled external validations).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from models.errors import InvalidValue
from models.reference_scores.items import Flag, Number
from models.reference_scores.score import POINTS, ReferenceScore
from models.reference_scores.tables import Classes, if_yes, total

# More than 2.0 mg/dL, which is 176.8 umol/L: the guideline's "above 177" is not rounded further.
CREATININE = Classes("creatinine, umol/L", (0, math.nextafter(177, math.inf)), (0, 1), step=0)
CLASSES = ("class_i", "class_ii", "class_iii", "class_iv")
LEE_1999 = (0.004, 0.009, 0.066, 0.11)
POOLED_2017 = (0.039, 0.060, 0.101, 0.15)


@dataclass(frozen=True, slots=True)
class CardiacRisk:
    """Both published risks of a major cardiac event, 0-1."""

    lee_1999: float
    pooled_2017: float


def rcri(
    *,
    high_risk_surgery: bool | None,
    ischaemic_heart_disease: bool | None,
    heart_failure: bool | None,
    stroke_or_tia: bool | None,
    insulin_treated_diabetes: bool | None,
    creatinine_umol_per_l: float | None,
) -> int | None:
    """Points, 0-6; None when anything is missing.

    `high_risk_surgery` is intraperitoneal, intrathoracic or suprainguinal vascular surgery.

    Examples
    --------
    >>> rcri(high_risk_surgery=True, ischaemic_heart_disease=False, heart_failure=False,
    ...      stroke_or_tia=False, insulin_treated_diabetes=False, creatinine_umol_per_l=178)
    2
    """
    points = total(
        if_yes(1, high_risk_surgery),
        if_yes(1, ischaemic_heart_disease),
        if_yes(1, heart_failure),
        if_yes(1, stroke_or_tia),
        if_yes(1, insulin_treated_diabetes),
        CREATININE.of(creatinine_umol_per_l),
    )
    return None if points is None else int(points)


def rcri_risks(points: int | None) -> CardiacRisk | None:
    """Both published risks of a major cardiac event for a number of points.

    Raises
    ------
    InvalidValue
        Fewer than 0 or more than 6 points.

    Examples
    --------
    >>> rcri_risks(2)
    CardiacRisk(lee_1999=0.066, pooled_2017=0.101)
    """
    if points is None:
        return None
    if not 0 <= points <= 6:
        raise InvalidValue("RCRI points: expected 0-6")
    row = min(int(points), 3)
    return CardiacRisk(LEE_1999[row], POOLED_2017[row])


def _band(points: float, largest: float) -> str:
    return CLASSES[min(int(points), 3)]


RCRI = ReferenceScore(
    id="rcri",
    title_en="Revised Cardiac Risk Index (RCRI)",
    title_sv="Revised Cardiac Risk Index (RCRI)",
    scale=POINTS,
    items=(
        Flag("rcri_high_risk_surgery", 1),
        Flag("ischaemic_heart_disease", 1),
        Flag("heart_failure", 1),
        Flag("stroke_or_tia_history", 1),
        Flag("insulin_treated_diabetes", 1),
        Number("creatinine", "umol/L", CREATININE),
    ),
    source=(
        "Lee 1999, Circulation 100:1043-9; risks also: Canadian Cardiovascular Society 2017, "
        "Can J Cardiol 33:17-32"
    ),
    valid_for=(
        "adults before a major operation other than on the heart; derived in elective patients of "
        "50 years or more"
    ),
    not_for=(
        "children; cardiac surgery; death or complications other than cardiac; a single figure of "
        "risk: the published ones differ up to tenfold (see `rcri_risks`)"
    ),
    youngest=16,
    bands=_band,
)
