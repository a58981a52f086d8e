"""Surgical Outcome Risk Tool: death within 30 days of an operation, from six facts known before it.

    log-odds = -7.366 + ASA class + urgency + high-risk specialty + severity + cancer + age

References
----------
Protopapa 2014, Br J Surg 101:1774-83 (PMC4240514); coefficients as in the authors' calculator,
github.com/dannyjnwong/SORTWebCalc, server.R. Swedish validation: Br J Surg 2023;110:584-590.
"""

from __future__ import annotations

from types import MappingProxyType

from models.reference_scores.items import FirstKnown, Flag, Level, Number
from models.reference_scores.score import LOG_ODDS, Fit, ReferenceScore
from models.reference_scores.tables import Classes, Levels, if_yes, total
from models.risk.calibration import probability_of_one

INTERCEPT = -7.366
ASA = Classes(
    "ASA class", starts=(1, 2, 3, 4, 5), points=(0.0, 0.0, 1.411, 2.388, 4.081), highest=5
)
URGENCY = Levels(
    "urgency", {"elective": 0.0, "expedited": 1.236, "urgent": 1.657, "immediate": 2.452}
)
HIGH_RISK_SPECIALTY = 0.712
HIGH_RISK_SPECIALTIES = (
    "colorectal", "upper_gastrointestinal", "bariatric", "hepatopancreatobiliary", "thoracic",
    "vascular",
)  # fmt: skip
XMAJOR_OR_COMPLEX = 0.381
CANCER = 0.667
AGE = Classes("age, years", starts=(16, 65, 80), points=(0.0, 0.777, 1.591), step=0)


def sort(
    *,
    age: float | None,
    asa_class: int | None,
    urgency: str | None,
    high_risk_specialty: bool | None,
    xmajor_or_complex: bool | None,
    cancer: bool | None,
) -> float | None:
    """Probability of death within 30 days of the operation.

    Parameters
    ----------
    age : float
        Years, 16 or more.
    asa_class : int
        1-5.
    urgency : str
        `elective`, `expedited`, `urgent` or `immediate` (NCEPOD).
    high_risk_specialty : bool
        Gastrointestinal, thoracic or vascular surgery.
    xmajor_or_complex : bool
        The procedure is graded Xmajor or complex.
    cancer : bool

    Returns
    -------
    float or None
        0-1; None when anything is missing.

    Raises
    ------
    InvalidValue
        Outside what the definition covers.

    Examples
    --------
    A healthy adult, elective: exp(-7.366) / (1 + exp(-7.366)).

    >>> round(sort(age=40, asa_class=1, urgency="elective", high_risk_specialty=False,
    ...            xmajor_or_complex=False, cancer=False), 5)
    0.00063
    """
    log_odds = total(
        INTERCEPT,
        ASA.of(asa_class),
        URGENCY.of(urgency),
        if_yes(HIGH_RISK_SPECIALTY, high_risk_specialty),
        if_yes(XMAJOR_OR_COMPLEX, xmajor_or_complex),
        if_yes(CANCER, cancer),
        AGE.of(age),
    )
    return None if log_odds is None else probability_of_one(log_odds)


SORT = ReferenceScore(
    id="sort",
    title_en="Surgical Outcome Risk Tool (SORT)",
    title_sv="Surgical Outcome Risk Tool (SORT)",
    scale=LOG_ODDS,
    base_value=INTERCEPT,
    items=(
        FirstKnown(
            (
                Number("asa_class", "{class}", ASA),
                # Without the class, the band settles I-II and III; IV-VI leaves IV or V.
                Level("asa_band", {"I-II": 0.0, "III": 1.411, "IV-VI": (2.388, 4.081)}),
            )
        ),
        Level("operation_urgency", URGENCY),
        Level(
            "surgical_specialty",
            dict.fromkeys(HIGH_RISK_SPECIALTIES, HIGH_RISK_SPECIALTY)
            | dict.fromkeys(
                (
                    "orthopaedic", "urology", "gynaecology", "breast_and_endocrine", "neurosurgery",
                    "ear_nose_throat", "plastic_and_burns", "maxillofacial", "other",
                ),
                0.0,
            )
            # A trauma operation may be a fracture or a laparotomy. Cardiac surgery is left out:
            # SORT was made for operations other than on the heart.
            | {"trauma": (0.0, HIGH_RISK_SPECIALTY)},
        ),
        Level(
            "operative_severity",
            {"minor": 0.0, "moderate": 0.0, "major": 0.0, "major_plus": XMAJOR_OR_COMPLEX},
        ),
        Flag("cancer", CANCER),
        Number("age", "a", AGE),
    ),
    source="Protopapa 2014, Br J Surg 101:1774-83 (PMC4240514); SORTWebCalc server.R",
    valid_for="adults (16 years or more) before an operation in hospital, other than on the heart",
    not_for=(
        "children; cardiac surgery; refusing an operation to a single patient; kinds of "
        "complications; after the operation has begun"
    ),
    youngest=16,
    outcomes=MappingProxyType(
        {"death_30d": Fit(True, "death from any cause within 30 days of the operation")}
    ),
)  # fmt: skip
