"""Quick SOFA: three bedside signs that an infection may be sepsis.

References
----------
Singer 2016, JAMA 315:801-10 (Sepsis-3). Not as the only screening tool: Surviving Sepsis Campaign
2021.
"""

from __future__ import annotations

from models.reference_scores.items import Number
from models.reference_scores.score import POINTS, ReferenceScore
from models.reference_scores.tables import Classes, total

RESPIRATORY_RATE = Classes("respiratory rate, /min", (0, 22), (0, 1))
SBP = Classes("systolic blood pressure, mmHg", (0, 101), (1, 0))
GCS = Classes("Glasgow Coma Scale", (3, 15), (1, 0), highest=15)


def qsofa(*, resp_rate: float | None, sbp: float | None, gcs: int | None) -> int | None:
    """Points, 0-3, 2 or more are positive; None when anything is missing.

    `resp_rate` per minute, `sbp` in mmHg, `gcs` 3-15.

    Raises
    ------
    InvalidValue
        Outside what the definition covers.

    Examples
    --------
    >>> qsofa(resp_rate=22, sbp=100, gcs=15)
    2
    """
    points = total(RESPIRATORY_RATE.of(resp_rate), SBP.of(sbp), GCS.of(gcs))
    return None if points is None else int(points)


def _band(points: float, largest: float) -> str:
    return "positive" if points >= 2 else "negative"


QSOFA = ReferenceScore(
    id="qsofa",
    title_en="Quick SOFA (qSOFA)",
    title_sv="Quick SOFA (qSOFA)",
    scale=POINTS,
    items=(
        Number("resp_rate", "/min", RESPIRATORY_RATE),
        Number("sbp", "mm[Hg]", SBP),
        Number("gcs_total", "{score}", GCS),
    ),
    source="Singer 2016, JAMA 315:801-10",
    valid_for="adults with a suspected infection, outside intensive care",
    not_for=(
        "children; the only screening for sepsis (Surviving Sepsis Campaign 2021); ruling sepsis "
        "out; patients without a suspected infection; a probability of any outcome"
    ),
    youngest=16,
    bands=_band,
)
