"""Surgical Apgar Score: how an operation went, from blood loss, lowest pressure and lowest pulse.

References
----------
Gawande 2007, J Am Coll Surg 204:201-8.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.reference_scores.items import Number
from models.reference_scores.score import POINTS, ReferenceScore
from models.reference_scores.tables import Classes, total

BLOOD_LOSS = Classes("blood loss, mL", (0, 101, 601, 1001), (3, 2, 1, 0))
LOWEST_MAP = Classes("lowest mean arterial pressure, mmHg", (0, 40, 55, 70), (0, 1, 2, 3))
# No beat at all is asystole, which the definition gives nothing.
LOWEST_HEART_RATE = Classes("lowest heart rate, /min", (0, 1, 56, 66, 76, 86), (0, 4, 3, 2, 1, 0))


@dataclass(frozen=True, slots=True)
class SurgicalApgar:
    """A complete score: `total` 0-10, high is good; `band` `very_high`, `high` or `usual` risk."""

    total: int
    band: str


def surgical_apgar(
    *,
    blood_loss_ml: float | None,
    lowest_map: float | None,
    lowest_heart_rate: float | None,
    pathological_bradyarrhythmia: bool = False,
) -> SurgicalApgar | None:
    """Score of one operation; None when anything is missing.

    Parameters
    ----------
    blood_loss_ml : float
        Estimated, mL.
    lowest_map, lowest_heart_rate : float
        Lowest during the operation, mmHg and beats per minute.
    pathological_bradyarrhythmia : bool
        Sinus arrest, asystole, atrioventricular block or the like: no points for the heart rate.

    Raises
    ------
    InvalidValue
        Outside what the definition covers.

    Examples
    --------
    >>> surgical_apgar(blood_loss_ml=50, lowest_map=70, lowest_heart_rate=55)
    SurgicalApgar(total=10, band='usual')
    """
    heart_rate = LOWEST_HEART_RATE.of(lowest_heart_rate)
    if pathological_bradyarrhythmia:
        heart_rate = 0
    points = total(BLOOD_LOSS.of(blood_loss_ml), LOWEST_MAP.of(lowest_map), heart_rate)
    return None if points is None else SurgicalApgar(int(points), _band(points, 0))


def _band(points: float, largest: float) -> str:
    if points <= 4:
        return "very_high"
    return "high" if points <= 6 else "usual"


SURGICAL_APGAR = ReferenceScore(
    id="surgical_apgar",
    title_en="Surgical Apgar Score",
    title_sv="Kirurgisk apgar (Surgical Apgar Score)",
    scale=POINTS,
    items=(
        Number("estimated_blood_loss", "mL", BLOOD_LOSS),
        Number("lowest_map_intraoperative", "mm[Hg]", LOWEST_MAP),
        Number("lowest_heart_rate_intraoperative", "/min", LOWEST_HEART_RATE),
    ),
    source="Gawande 2007, J Am Coll Surg 204:201-8",
    valid_for="adults at the end of general or vascular surgery",
    not_for=(
        "children; a patient who had sinus arrest, atrioventricular block or another pathological "
        "bradyarrhythmia (no heart rate points by definition, and the rhythm is not asked for "
        "here); a probability of any outcome"
    ),
    youngest=16,
    bands=_band,
)
