"""SORT with clinical judgement: SORT and what the clinician believes, as one probability.

    log-odds = -6.403 + 0.04028 x SORT in per cent + clinician's band

The dictionary has no feature for a clinician's estimate of death (an outcome's estimate is never a
feature), so this is a function only and not one of `SCORES`.

References
----------
Wong 2020, PLoS Med 17:e1003253; coefficients as in github.com/dannyjnwong/SORTWebCalc, server.R.
"""

from __future__ import annotations

from models.errors import InvalidValue
from models.reference_scores.tables import Levels, given, total
from models.risk.calibration import probability_of_one

INTERCEPT = -6.403
PER_CENT = 0.04028
JUDGEMENT = Levels(
    "clinical judgement",
    {
        "<1%": 0.0,
        "1-2.5%": 1.487,
        "2.6-5%": 2.365,
        "5.1-10%": 3.074,
        "10.1-50%": 4.156,
        ">50%": 5.028,
    },
)


def sort_clinical_judgement(
    *, sort_probability: float | None, judgement: str | None
) -> float | None:
    """Probability of death within 30 days of the operation.

    Parameters
    ----------
    sort_probability : float
        SORT's answer, 0-1.
    judgement : str
        `<1%`, `1-2.5%`, `2.6-5%`, `5.1-10%`, `10.1-50%` or `>50%`.

    Returns
    -------
    float or None
        0-1; None when either is missing.

    Raises
    ------
    InvalidValue
        Not a probability, or not one of the bands.

    Examples
    --------
    -6.403 + 0.04028 x 10.13786 + 3.074 = -2.92065:

    >>> round(sort_clinical_judgement(sort_probability=0.1013786, judgement="5.1-10%"), 5)
    0.05114
    """
    band = JUDGEMENT.of(judgement)
    sort_probability = given(sort_probability)
    if sort_probability is None:
        return None
    if not 0 <= sort_probability <= 1:
        raise InvalidValue("SORT's probability: expected 0-1")
    log_odds = total(INTERCEPT, PER_CENT * 100 * sort_probability, band)
    return None if log_odds is None else probability_of_one(log_odds)
