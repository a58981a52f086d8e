"""Revised Trauma Score and its sum for triage: coma, blood pressure and breathing after injury.

    RTS   = 0.9368 GCS code + 0.7326 SBP code + 0.2908 RR code     0-7.8408, high is good
    T-RTS = the plain sum of the three codes                       0-12, high is good

All three must come from one moment. The dictionary knows two: the ambulance (`prehospital_...`),
which `rts` and `t_rts` read, and the bedside now, which `rts_arrival` and `t_rts_arrival` read.

References
----------
Champion 1989, J Trauma 29:623-9.
"""

from __future__ import annotations

from models.reference_scores.items import FirstKnown, Item, Number
from models.reference_scores.score import POINTS, ReferenceScore
from models.reference_scores.tables import Classes, total

GCS_CODE = Classes("Glasgow Coma Scale", (3, 4, 6, 9, 13), (0, 1, 2, 3, 4), highest=15)
SBP_CODE = Classes("systolic blood pressure, mmHg", (0, 1, 50, 76, 90), (0, 1, 2, 3, 4))
RESP_RATE_CODE = Classes("respiratory rate, /min", (0, 1, 6, 10, 30), (0, 1, 2, 4, 3))
# Registries keep the code where nobody wrote the number down.
GIVEN_CODE = Classes("RTS code", (0, 1, 2, 3, 4), (0, 1, 2, 3, 4), highest=4)

GCS_WEIGHT, SBP_WEIGHT, RESP_RATE_WEIGHT = 0.9368, 0.7326, 0.2908


def revised_trauma_score(
    *, gcs: int | None, sbp: float | None, resp_rate: float | None
) -> float | None:
    """RTS, 0-7.8408; None when anything is missing.

    Parameters
    ----------
    gcs : int
        Glasgow Coma Scale, 3-15.
    sbp : float
        Systolic blood pressure, mmHg.
    resp_rate : float
        Breaths per minute.

    Raises
    ------
    InvalidValue
        Outside what the definition covers.

    Examples
    --------
    4 x (0.9368 + 0.7326 + 0.2908):

    >>> round(revised_trauma_score(gcs=15, sbp=120, resp_rate=16), 4)
    7.8408
    """
    return total(
        GCS_CODE.times(GCS_WEIGHT).of(gcs),
        SBP_CODE.times(SBP_WEIGHT).of(sbp),
        RESP_RATE_CODE.times(RESP_RATE_WEIGHT).of(resp_rate),
    )


def triage_revised_trauma_score(
    *, gcs: int | None, sbp: float | None, resp_rate: float | None
) -> int | None:
    """T-RTS, 0-12; None when anything is missing. Arguments as for `revised_trauma_score`.

    Examples
    --------
    >>> triage_revised_trauma_score(gcs=9, sbp=80, resp_rate=32)
    9
    """
    points = total(GCS_CODE.of(gcs), SBP_CODE.of(sbp), RESP_RATE_CODE.of(resp_rate))
    return None if points is None else int(points)


def prehospital_items(gcs: float, sbp: float, resp_rate: float) -> tuple[Item, ...]:
    """The three items as the ambulance saw them, with these weights of the codes."""
    return (
        Number("prehospital_gcs_total", "{score}", GCS_CODE.times(gcs)),
        FirstKnown(
            (
                Number("prehospital_sbp", "mm[Hg]", SBP_CODE.times(sbp)),
                Number("prehospital_sbp_rts", "{score}", GIVEN_CODE.times(sbp)),
            )
        ),
        FirstKnown(
            (
                Number("prehospital_resp_rate", "/min", RESP_RATE_CODE.times(resp_rate)),
                Number("prehospital_resp_rate_rts", "{score}", GIVEN_CODE.times(resp_rate)),
            )
        ),
    )


def _bedside_items(gcs: float, sbp: float, resp_rate: float) -> tuple[Item, ...]:
    return (
        Number("gcs_total", "{score}", GCS_CODE.times(gcs)),
        Number("sbp", "mm[Hg]", SBP_CODE.times(sbp)),
        Number("resp_rate", "/min", RESP_RATE_CODE.times(resp_rate)),
    )


SOURCE = "Champion 1989, J Trauma 29:623-9"
NOT_FOR = (
    "patients whose coma scale or breathing was taken after intubation or sedation; illness "
    "without injury; a probability of any outcome (see `triss`)"
)
WEIGHTS = (GCS_WEIGHT, SBP_WEIGHT, RESP_RATE_WEIGHT)
PLAIN = (1, 1, 1)


def _prehospital(id: str, name: str, weights: tuple[float, float, float]) -> ReferenceScore:
    return ReferenceScore(
        id=id,
        title_en=f"{name}, prehospital",
        title_sv=f"{name}, prehospitalt",
        scale=POINTS,
        items=prehospital_items(*weights),
        source=SOURCE,
        valid_for="injured patients, by the first findings of the ambulance",
        not_for=NOT_FOR,
    )


def _arrival(id: str, name: str, weights: tuple[float, float, float]) -> ReferenceScore:
    return ReferenceScore(
        id=id,
        title_en=f"{name}, on arrival",
        title_sv=f"{name}, vid ankomst",
        scale=POINTS,
        items=_bedside_items(*weights),
        source=SOURCE,
        valid_for="injured patients in the trauma bay, by the findings there",
        not_for=NOT_FOR + "; findings later than the trauma bay",
    )


RTS = _prehospital("rts", "Revised Trauma Score (RTS)", WEIGHTS)
T_RTS = _prehospital("t_rts", "Triage Revised Trauma Score (T-RTS)", PLAIN)
RTS_ARRIVAL = _arrival("rts_arrival", "Revised Trauma Score (RTS)", WEIGHTS)
T_RTS_ARRIVAL = _arrival("t_rts_arrival", "Triage Revised Trauma Score (T-RTS)", PLAIN)
