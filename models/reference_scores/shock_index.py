"""Shock index: pulse divided by systolic blood pressure.

References
----------
Allgöwer and Burri 1967, Dtsch Med Wochenschr 92:1947-50.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.errors import InvalidValue
from models.reference_scores.items import (
    OUTSIDE_DEFINITION,
    Dictionary,
    Reading,
    Unanswerable,
    Values,
    known,
)
from models.reference_scores.score import POINTS, ReferenceScore
from models.reference_scores.tables import given
from models.risk.assessment import MISSING_REQUIRED


def shock_index(*, pulse: float | None, sbp: float | None) -> float | None:
    """Pulse per minute over systolic blood pressure in mmHg; None when either is missing.

    Raises
    ------
    InvalidValue
        A pressure of zero or less, or a negative pulse.

    Examples
    --------
    >>> shock_index(pulse=120, sbp=80)
    1.5
    """
    pulse, sbp = given(pulse), given(sbp)
    if pulse is None or sbp is None:
        return None
    if sbp <= 0 or pulse < 0:
        raise InvalidValue("shock index: expected a positive pressure and no negative pulse")
    return pulse / sbp


@dataclass(frozen=True, slots=True)
class _Ratio:
    """A ratio without one of its terms has no upper end, so it has no range."""

    features: tuple[str, str]

    def read(self, values: Values, dictionary: Dictionary) -> Reading:
        pulse, sbp = (known(values, name) for name in self.features)
        if pulse is None or sbp is None:
            absent = tuple(name for name in self.features if known(values, name) is None)
            raise Unanswerable(MISSING_REQUIRED, absent)
        if sbp <= 0 or pulse < 0:
            raise Unanswerable(OUTSIDE_DEFINITION, self.features)
        index = pulse / sbp
        # Neither says anything without the other, so they share evenly (Shapley).
        half = index / 2
        return Reading(index, index, tuple((name, half) for name in self.features))


SOURCE = "Allgöwer and Burri 1967, Dtsch Med Wochenschr 92:1947-50"
NOT_FOR = (
    "children, whose normal values differ with age; patients on beta blockers or with a pacemaker; "
    "a normal value to rule out bleeding; a probability of any outcome"
)

SHOCK_INDEX = ReferenceScore(
    id="shock_index",
    title_en="Shock index",
    title_sv="Chockindex",
    scale=POINTS,
    items=(_Ratio(("heart_rate", "sbp")),),
    source=SOURCE,
    valid_for="adults who may be bleeding or in shock, by pulse and pressure of the same moment",
    not_for=NOT_FOR,
    youngest=16,
)
SHOCK_INDEX_PREHOSPITAL = ReferenceScore(
    id="shock_index_prehospital",
    title_en="Shock index, prehospital",
    title_sv="Chockindex, prehospitalt",
    scale=POINTS,
    items=(_Ratio(("prehospital_heart_rate", "prehospital_sbp")),),
    source=SOURCE,
    valid_for="injured adults, by the findings of the ambulance",
    not_for=NOT_FOR,
    youngest=16,
)
