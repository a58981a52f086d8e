"""POSSUM and Portsmouth POSSUM: complications and death from physiology and the operation.

    POSSUM morbidity      -5.91  + 0.16   PS + 0.19   OS
    POSSUM mortality      -7.04  + 0.13   PS + 0.16   OS
    P-POSSUM mortality    -9.065 + 0.1692 PS + 0.1550 OS

PS, the physiological score, is 12-88; OS, the operative severity score, 6-48; the sums are
log-odds. Raw figures over-predict death in modern cohorts by 30-60 % (BMC Anesthesiol 2014;14:104),
so a site recalibrates before it acts on them.

References
----------
Copeland 1991, Br J Surg 78:355-60; Prytherch 1998, Br J Surg 85:1217-20; equations as tabulated in
PMC3604920 table 3, operative classes in PMC4541674 supplementary table 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from models.errors import InvalidValue
from models.reference_scores.items import Item, Level, Number
from models.reference_scores.score import LOG_ODDS, Fit, ReferenceScore
from models.reference_scores.tables import Classes, Levels, total
from models.risk.calibration import probability_of_one

AGE = Classes("age, years", (16, 61, 71), (1, 2, 4), step=0)
CARDIAC_SIGNS = Levels(
    "cardiac signs",
    {
        "none": 1,
        "cardiac_drug_treatment": 2,
        "oedema_warfarin_or_borderline_cardiomegaly": 4,
        "raised_jvp_or_cardiomegaly": 8,
    },
)
RESPIRATORY_SIGNS = Levels(
    "respiratory signs",
    {
        "none": 1,
        "exertional_dyspnoea_or_mild_copd": 2,
        "limiting_dyspnoea_or_moderate_copd": 4,
        "rest_dyspnoea_or_fibrosis_or_consolidation": 8,
    },
)
SBP = Classes("systolic blood pressure, mmHg", (0, 90, 100, 110, 131, 171), (8, 4, 2, 1, 2, 4))
PULSE = Classes("pulse, /min", (0, 40, 50, 81, 101, 121), (8, 2, 1, 2, 4, 8))
GCS = Classes("Glasgow Coma Scale", (3, 9, 12, 15), (8, 4, 2, 1), highest=15)
HAEMOGLOBIN = Classes("haemoglobin, g/L", (0, 100, 115, 130, 161, 171, 181), (8, 4, 2, 1, 2, 4, 8))
WHITE_CELLS = Classes(
    "white cell count, 10^9/L", (0, 3.1, 4.0, 10.1, 20.1), (4, 2, 1, 2, 4), step=0.1
)
UREA = Classes("urea, mmol/L", (0, 7.6, 10.1, 15.1), (1, 2, 4, 8), step=0.1)
SODIUM = Classes("sodium, mmol/L", (0, 126, 131, 136), (8, 4, 2, 1))
POTASSIUM = Classes(
    "potassium, mmol/L", (0, 2.9, 3.2, 3.5, 5.1, 5.4, 6.0), (8, 4, 2, 1, 2, 4, 8), step=0.1
)
ECG = Levels("ECG", {"normal": 1, "atrial_fibrillation_60_90": 4, "other_abnormal": 8})

SEVERITY = Levels("operative severity", {"minor": 1, "moderate": 2, "major": 4, "major_plus": 8})
PROCEDURES = Classes("number of procedures", (1, 2, 3), (1, 4, 8))
BLOOD_LOSS = Classes("blood loss, mL", (0, 101, 501, 1000), (1, 2, 4, 8))
SOILING = Levels(
    "peritoneal soiling",
    {"none": 1, "minor_serous_fluid": 2, "local_pus": 4, "free_bowel_content_pus_or_blood": 8},
)
MALIGNANCY = Levels(
    "malignancy",
    {"none": 1, "primary_only": 2, "nodal_metastases": 4, "distant_metastases": 8},
)
# POSSUM knows elective, urgent (within 24 h) and emergency (within 2 h). An expedited operation is
# planned within days, so it is none of the last two.
URGENCY = Levels("urgency", {"elective": 1, "expedited": 1, "urgent": 4, "immediate": 8})

MORBIDITY = (-5.91, 0.16, 0.19)
MORTALITY = (-7.04, 0.13, 0.16)
PORTSMOUTH_MORTALITY = (-9.065, 0.1692, 0.1550)


def possum_physiological_score(
    *,
    age: float | None,
    cardiac_signs: str | None,
    respiratory_signs: str | None,
    sbp: float | None,
    pulse: float | None,
    gcs: int | None,
    haemoglobin_g_per_l: float | None,
    white_cells: float | None,
    urea_mmol_per_l: float | None,
    sodium_mmol_per_l: float | None,
    potassium_mmol_per_l: float | None,
    ecg: str | None,
) -> int | None:
    """Physiological score, 12-88; None when anything is missing.

    Words are those of the dictionary's `possum_cardiac_signs`, `possum_respiratory_signs` and
    `ecg_finding`; `white_cells` in 10^9/L, `sbp` in mmHg, `pulse` per minute.

    Raises
    ------
    InvalidValue
        Outside what the definition covers.

    Examples
    --------
    Twelve normal findings:

    >>> possum_physiological_score(age=40, cardiac_signs="none", respiratory_signs="none", sbp=120,
    ...     pulse=70, gcs=15, haemoglobin_g_per_l=140, white_cells=7, urea_mmol_per_l=5,
    ...     sodium_mmol_per_l=140, potassium_mmol_per_l=4, ecg="normal")
    12
    """
    points = total(
        AGE.of(age),
        CARDIAC_SIGNS.of(cardiac_signs),
        RESPIRATORY_SIGNS.of(respiratory_signs),
        SBP.of(sbp),
        PULSE.of(pulse),
        GCS.of(gcs),
        HAEMOGLOBIN.of(haemoglobin_g_per_l),
        WHITE_CELLS.of(white_cells),
        UREA.of(urea_mmol_per_l),
        SODIUM.of(sodium_mmol_per_l),
        POTASSIUM.of(potassium_mmol_per_l),
        ECG.of(ecg),
    )
    return None if points is None else int(points)


def possum_operative_score(
    *,
    severity: str | None,
    procedures: int | None,
    blood_loss_ml: float | None,
    soiling: str | None,
    malignancy: str | None,
    urgency: str | None,
) -> int | None:
    """Operative severity score, 6-48; None when anything is missing.

    Words are those of the dictionary's `operative_severity`, `peritoneal_soiling`,
    `malignancy_extent` and `operation_urgency`.

    Raises
    ------
    InvalidValue
        Outside what the definition covers.

    Examples
    --------
    A major (4), urgent (4) single operation (1), 600 mL lost (4), local pus (4), no tumour (1):

    >>> possum_operative_score(severity="major", procedures=1, blood_loss_ml=600,
    ...     soiling="local_pus", malignancy="none", urgency="urgent")
    18
    """
    points = total(
        SEVERITY.of(severity),
        PROCEDURES.of(procedures),
        BLOOD_LOSS.of(blood_loss_ml),
        SOILING.of(soiling),
        MALIGNANCY.of(malignancy),
        URGENCY.of(urgency),
    )
    return None if points is None else int(points)


def possum_morbidity(physiological: int | None, operative: int | None) -> float | None:
    """Probability of a complication from the two POSSUM scores.

    Examples
    --------
    >>> round(possum_morbidity(20, 10), 5)
    0.30789
    """
    return _probability(MORBIDITY, physiological, operative)


def possum_mortality(physiological: int | None, operative: int | None) -> float | None:
    """Probability of death by the first POSSUM equation, which over-predicts low risks most.

    Examples
    --------
    >>> round(possum_mortality(20, 10), 5)
    0.0552
    """
    return _probability(MORTALITY, physiological, operative)


def p_possum_mortality(physiological: int | None, operative: int | None) -> float | None:
    """Probability of death by the Portsmouth equation.

    Examples
    --------
    >>> round(p_possum_mortality(20, 10), 5)
    0.01581
    """
    return _probability(PORTSMOUTH_MORTALITY, physiological, operative)


def _probability(
    equation: tuple[float, float, float], physiological: int | None, operative: int | None
) -> float | None:
    if physiological is None or operative is None:
        return None
    if not 12 <= physiological <= 88:
        raise InvalidValue("POSSUM physiological score: expected 12-88")
    if not 6 <= operative <= 48:
        raise InvalidValue("POSSUM operative severity score: expected 6-48")
    intercept, per_physiological, per_operative = equation
    return probability_of_one(
        intercept + per_physiological * physiological + per_operative * operative
    )


def _items(per_physiological: float, per_operative: float) -> tuple[Item, ...]:
    ps, os = per_physiological, per_operative
    return (
        Number("age", "a", AGE.times(ps)),
        Level("possum_cardiac_signs", CARDIAC_SIGNS.times(ps)),
        Level("possum_respiratory_signs", RESPIRATORY_SIGNS.times(ps)),
        Number("sbp", "mm[Hg]", SBP.times(ps)),
        Number("heart_rate", "/min", PULSE.times(ps)),
        Number("gcs_total", "{score}", GCS.times(ps)),
        Number("hemoglobin", "g/L", HAEMOGLOBIN.times(ps)),
        Number("wbc", "10*9/L", WHITE_CELLS.times(ps)),
        Number("urea", "mmol/L", UREA.times(ps)),
        Number("sodium", "mmol/L", SODIUM.times(ps)),
        Number("potassium", "mmol/L", POTASSIUM.times(ps)),
        Level("ecg_finding", ECG.times(ps)),
        Level("operative_severity", SEVERITY.times(os)),
        Number("procedures_count", "{count}", PROCEDURES.times(os)),
        Number("estimated_blood_loss", "mL", BLOOD_LOSS.times(os)),
        Level("peritoneal_soiling", SOILING.times(os)),
        Level("malignancy_extent", MALIGNANCY.times(os)),
        Level("operation_urgency", URGENCY.times(os)),
    )


VALID_FOR = (
    "adults (16 years or more) after general surgery: physiology as it was before the anaesthetic, "
    "the operation as it turned out"
)
NOT_FOR = (
    "children; day surgery; trauma; physiology taken during or after the operation; deciding for a "
    "single patient; raw figures where nobody has checked them locally"
)

COPELAND = "Copeland 1991, Br J Surg 78:355-60; equation: PMC3604920 table 3"
PRYTHERCH = "Prytherch 1998, Br J Surg 85:1217-20; equation: PMC3604920 table 3"


def _score(
    id: str,
    what: str,
    equation: tuple[float, float, float],
    source: str,
    outcomes: Mapping[str, str],
    also_not_for: str = "",
) -> ReferenceScore:
    intercept, per_physiological, per_operative = equation
    return ReferenceScore(
        id=id,
        title_en=what,
        title_sv=what.replace("morbidity", "morbiditet").replace("mortality", "mortalitet"),
        scale=LOG_ODDS,
        base_value=intercept,
        items=_items(per_physiological, per_operative),
        source=source,
        valid_for=VALID_FOR,
        not_for=NOT_FOR + also_not_for,
        youngest=16,
        # None of them was fitted to the product's definition and window.
        outcomes=MappingProxyType({name: Fit(False, note) for name, note in outcomes.items()}),
    )


POSSUM = _score(
    "possum",
    "POSSUM, morbidity",
    MORBIDITY,
    COPELAND,
    {
        "any_complication": "POSSUM lists its own complications, without Clavien-Dindo grades; the "
        "tables used here name no window"
    },
)
POSSUM_MORTALITY = _score(
    "possum_mortality",
    "POSSUM, mortality",
    MORTALITY,
    COPELAND,
    dict.fromkeys(
        ("death_in_hospital", "death_30d"),
        "death after the operation; the tables used here name no window, and the equation "
        "over-predicts more than twofold (Prytherch 1998)",
    ),
    also_not_for="; where P-POSSUM can be had, which over-predicts less",
)
P_POSSUM = _score(
    "p_possum",
    "Portsmouth POSSUM (P-POSSUM), mortality",
    PORTSMOUTH_MORTALITY,
    PRYTHERCH,
    {
        "death_in_hospital": "death in hospital after the operation; over-predicts in modern "
        "cohorts",
        "death_30d": "fitted to deaths in hospital: misses those after discharge, counts those "
        "after day 30; over-predicts in modern cohorts",
    },
)
