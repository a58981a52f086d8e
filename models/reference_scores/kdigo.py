"""KDIGO stage of acute kidney injury, by creatinine and by urine.

References
----------
KDIGO 2012 Clinical practice guideline for acute kidney injury, Kidney Int Suppl 2:1-138, section 2.
"""

from __future__ import annotations

from models.errors import InvalidValue
from models.reference_scores.tables import given

# 0.3 and 4.0 mg/dL.
RISE_UMOL_PER_L = 26.5
SEVERE_UMOL_PER_L = 353.6
RATIOS = (1.5, 2.0, 3.0)
# 132.6 / 88.4 is not quite 1.5 in binary.
TOLERANCE = 1e-9


def kdigo_creatinine_stage(
    *,
    creatinine_umol_per_l: float | None,
    baseline_umol_per_l: float | None,
    rise_48h_umol_per_l: float | None,
    renal_replacement_therapy: bool | None,
) -> int | None:
    """Stage 0-3 by creatinine; None when what is missing could change it.

    A creatinine of 353.6 umol/L or more is stage 3 only in a patient who meets stage 1 anyway;
    a chronically high one is no acute injury.

    Parameters
    ----------
    creatinine_umol_per_l : float
        The value to be staged.
    baseline_umol_per_l : float
        Known or presumed value of the seven days before.
    rise_48h_umol_per_l : float
        How much it rose within 48 hours; 0 or less when it did not.
    renal_replacement_therapy : bool
        Started for this injury: stage 3 by itself.

    Raises
    ------
    InvalidValue
        A concentration of zero or less.

    Examples
    --------
    >>> kdigo_creatinine_stage(creatinine_umol_per_l=110, baseline_umol_per_l=80,
    ...                        rise_48h_umol_per_l=30, renal_replacement_therapy=False)
    1
    >>> kdigo_creatinine_stage(creatinine_umol_per_l=354, baseline_umol_per_l=300,
    ...                        rise_48h_umol_per_l=10, renal_replacement_therapy=False)
    0
    """
    creatinine, baseline = given(creatinine_umol_per_l), given(baseline_umol_per_l)
    rise = given(rise_48h_umol_per_l)
    if any(value is not None and value <= 0 for value in (creatinine, baseline)):
        raise InvalidValue("creatinine, umol/L: expected more than 0")
    if renal_replacement_therapy:
        return 3
    stages = {
        _creatinine_stage(creatinine, ratio, rise_48h)
        for ratio in _ratios(creatinine, baseline)
        for rise_48h in ((0.0, RISE_UMOL_PER_L) if rise is None else (rise,))
    }
    if renal_replacement_therapy is None:
        stages.add(3)
    return stages.pop() if len(stages) == 1 else None


def _ratios(creatinine: float | None, baseline: float | None) -> tuple[float, ...]:
    """The ratio to baseline, or one of every kind that it could be."""
    if creatinine is None or baseline is None:
        return (1.0, *RATIOS)
    return (creatinine / baseline,)


def _creatinine_stage(creatinine: float | None, ratio: float, rise: float) -> int | None:
    stage = sum(ratio >= limit - TOLERANCE for limit in RATIOS)
    acute = stage > 0 or rise >= RISE_UMOL_PER_L - TOLERANCE
    if not acute or stage == 3:
        return stage
    if creatinine is None:
        return None
    return 3 if creatinine >= SEVERE_UMOL_PER_L - TOLERANCE else max(stage, 1)


def kdigo_urine_stage(
    *,
    hours_below_0_5_ml_per_kg_h: float | None,
    hours_below_0_3_ml_per_kg_h: float | None,
    hours_without_urine: float | None,
) -> int | None:
    """Stage 0-3 by urine; None when what is missing could change it.

    Raises
    ------
    InvalidValue
        Negative hours.

    Examples
    --------
    >>> kdigo_urine_stage(hours_below_0_5_ml_per_kg_h=8, hours_below_0_3_ml_per_kg_h=0,
    ...                   hours_without_urine=0)
    1
    """
    low, very_low, none = (
        given(hours_below_0_5_ml_per_kg_h),
        given(hours_below_0_3_ml_per_kg_h),
        given(hours_without_urine),
    )
    if any(hours is not None and hours < 0 for hours in (low, very_low, none)):
        raise InvalidValue("hours of little urine: expected no negative number")
    if (very_low is not None and very_low >= 24) or (none is not None and none >= 12):
        return 3
    if low is None or very_low is None or none is None:
        return None
    return sum(low >= limit for limit in (6, 12))


def kdigo_stage(creatinine_stage: int | None, urine_stage: int | None) -> int | None:
    """The higher of both stages; None while one that could be higher is not known.

    Examples
    --------
    >>> kdigo_stage(1, 2), kdigo_stage(3, None), kdigo_stage(1, None)
    (2, 3, None)
    """
    if 3 in (creatinine_stage, urine_stage):
        return 3
    if creatinine_stage is None or urine_stage is None:
        return None
    return max(creatinine_stage, urine_stage)
