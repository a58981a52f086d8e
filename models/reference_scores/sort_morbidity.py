"""SORT-morbidity: any morbidity by the Postoperative Morbidity Survey (POMS) on day 7.

    L = -3.228 + ASA class + specialty + severity + malignancy + age

The risks of low-grade and high-grade morbidity on day 7 and of any on days 14, 21 and 28 follow
from L by a straight line each.

References
----------
Wong 2017, Br J Anaesth 119:95-105; coefficients as in the authors' calculator,
github.com/dannyjnwong/SORTWebCalc, server.R.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from models.reference_scores.items import FirstKnown, Flag, Level, Number
from models.reference_scores.score import LOG_ODDS, Fit, ReferenceScore
from models.reference_scores.tables import Classes, Levels, if_yes, total
from models.risk.calibration import probability_of_one

INTERCEPT = -3.228
ASA = Classes(
    "ASA class", starts=(1, 2, 3, 4, 5), points=(0.0, 0.332, 1.140, 1.223, 1.223), highest=5
)
SPECIALTY = Levels(
    "specialty",
    {
        "orthopaedic": 0.0,
        "colorectal": 1.658,
        "upper_gastrointestinal": -0.929,
        "vascular": 0.296,
        "bariatric": -1.065,
        "other": 0.181,
    },
)
XMAJOR_OR_COMPLEX = 1.238
MALIGNANCY = 0.897
AGE = Classes("age, years", starts=(16, 65, 80), points=(0.0, 0.118, 0.550), step=0)

LOW_GRADE = (1.008, -0.316)
HIGH_GRADE = (0.827, -0.874)
DAY_14 = (0.894, -1.478)
DAY_21 = (1.081, -2.327)
DAY_28 = (1.048, -2.770)


@dataclass(frozen=True, slots=True)
class SortMorbidity:
    """Probabilities 0-1 of morbidity by POMS: on day 7 (any, low grade, high grade) and later."""

    day_7: float
    low_grade: float
    high_grade: float
    day_14: float
    day_21: float
    day_28: float


def sort_morbidity(
    *,
    age: float | None,
    asa_class: int | None,
    specialty: str | None,
    xmajor_or_complex: bool | None,
    malignancy: bool | None,
) -> SortMorbidity | None:
    """Probabilities of morbidity after an elective operation.

    Parameters
    ----------
    age : float
        Years, 16 or more.
    asa_class : int
        1-5.
    specialty : str
        `orthopaedic`, `colorectal`, `upper_gastrointestinal`, `vascular`, `bariatric`, `other`.
    xmajor_or_complex, malignancy : bool

    Returns
    -------
    SortMorbidity or None
        None when anything is missing.

    Raises
    ------
    InvalidValue
        Outside what the definition covers.

    Examples
    --------
    L = -3.228 + 1.140 + 1.658 + 1.238 + 0.897 + 0.118 = 1.823:

    >>> risks = sort_morbidity(age=70, asa_class=3, specialty="colorectal",
    ...                        xmajor_or_complex=True, malignancy=True)
    >>> round(risks.day_7, 5)
    0.86093
    """
    log_odds = total(
        INTERCEPT,
        ASA.of(asa_class),
        SPECIALTY.of(specialty),
        if_yes(XMAJOR_OR_COMPLEX, xmajor_or_complex),
        if_yes(MALIGNANCY, malignancy),
        AGE.of(age),
    )
    if log_odds is None:
        return None
    derived = (
        probability_of_one(slope * log_odds + intercept)
        for slope, intercept in (LOW_GRADE, HIGH_GRADE, DAY_14, DAY_21, DAY_28)
    )
    return SortMorbidity(probability_of_one(log_odds), *derived)


SORT_MORBIDITY = ReferenceScore(
    id="sort_morbidity",
    title_en="SORT-morbidity (POMS, day 7)",
    title_sv="SORT-morbiditet (POMS, dag 7)",
    scale=LOG_ODDS,
    base_value=INTERCEPT,
    items=(
        FirstKnown(
            (
                Number("asa_class", "{class}", ASA),
                Level("asa_band", {"I-II": (0.0, 0.332), "III": 1.140, "IV-VI": 1.223}),
            )
        ),
        Level(
            "surgical_specialty",
            dict(SPECIALTY.points)
            # The authors' calculator gives every specialty that it does not name the class "other".
            | dict.fromkeys(
                (
                    "hepatopancreatobiliary", "thoracic", "urology", "gynaecology",
                    "breast_and_endocrine", "neurosurgery", "ear_nose_throat", "plastic_and_burns",
                    "maxillofacial",
                ),
                0.181,
            )
            # A trauma operation may be any of them but bariatric. Cardiac surgery is left out.
            | {"trauma": (-0.929, 1.658)},
        ),
        Level(
            "operative_severity",
            {"minor": 0.0, "moderate": 0.0, "major": 0.0, "major_plus": XMAJOR_OR_COMPLEX},
        ),
        Flag("cancer", MALIGNANCY),
        Number("age", "a", AGE),
    ),
    source="Wong 2017, Br J Anaesth 119:95-105; SORTWebCalc server.R",
    valid_for="adults (16 years or more) before an elective operation in hospital",
    not_for="children; emergency operations; cardiac surgery; death; kinds of complications",
    youngest=16,
    outcomes=MappingProxyType(
        {
            "any_complication": Fit(
                False,
                "morbidity present on day 7 by the Postoperative Morbidity Survey: also counts "
                "care that any patient may need, and misses what came and went before day 7 or "
                "came later",
            )
        }
    ),
)  # fmt: skip
