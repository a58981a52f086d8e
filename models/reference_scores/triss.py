"""TRISS: survival of an injury from physiology (RTS), anatomy (ISS), age and mechanism.

    Ps = 1 / (1 + exp(-b)),     b = b0 + b1 RTS + b2 ISS + b3 [age >= 55]

The coefficients are those of blunt or of penetrating injury; children under 15 take the blunt ones
whatever the mechanism.

References
----------
Boyd 1987, J Trauma 27:370-8. Coefficients of 1995 (AIS-90): trauma.org/archive/scores/triss.html,
equal to those in github.com/bemts-hhs/traumar; the original set (AIS-85):
github.com/victoria-l-w/trauma-severity-ofi, make_triss.R.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from models.errors import InvalidValue
from models.reference_scores.items import (
    OUTSIDE_DEFINITION,
    Dictionary,
    Item,
    Number,
    Reading,
    Unanswerable,
    Values,
    known,
)
from models.reference_scores.rts import (
    GCS_WEIGHT,
    RESP_RATE_WEIGHT,
    SBP_WEIGHT,
    prehospital_items,
)
from models.reference_scores.score import LOG_ODDS, Fit, ReferenceScore
from models.reference_scores.tables import Classes, Levels, given, total
from models.risk.calibration import probability_of_one

BLUNT, PENETRATING = "blunt", "penetrating"
CHILD_BELOW = 15


class Coefficients(NamedTuple):
    """Of the log-odds of survival."""

    intercept: float
    per_rts: float
    per_iss: float
    from_55_years: float


COEFFICIENTS = {
    "mtos_1995": {
        BLUNT: Coefficients(-0.4499, 0.8085, -0.0835, -1.7430),
        PENETRATING: Coefficients(-2.5355, 0.9934, -0.0651, -1.1360),
    },
    "original_1987": {
        BLUNT: Coefficients(-1.2470, 0.9544, -0.0768, -1.9052),
        PENETRATING: Coefficients(-0.6029, 1.1430, -0.1516, -2.6676),
    },
}
AGE = Classes("age, years", (0, 55), (0, 1), step=0)
MECHANISM = Levels("mechanism", {BLUNT: 0, PENETRATING: 1})
HIGHEST_RTS = 4 * (GCS_WEIGHT + SBP_WEIGHT + RESP_RATE_WEIGHT)


def triss(
    *,
    rts: float | None,
    iss: int | None,
    age: float | None,
    mechanism: str | None,
    coefficients: str = "mtos_1995",
) -> float | None:
    """Probability of survival; None when anything that counts is missing.

    Parameters
    ----------
    rts : float
        Revised Trauma Score, 0-7.8408 (see `revised_trauma_score`).
    iss : int
        Injury Severity Score, 0-75.
    age : float
        Years.
    mechanism : str
        `blunt` or `penetrating`; may be missing under 15 years, where it does not count.
    coefficients : str
        `mtos_1995` (AIS-90), or `original_1987` (AIS-85).

    Raises
    ------
    InvalidValue
        Outside what the definition covers.

    Examples
    --------
    b = -0.4499 + 0.8085 x 7.8408 - 0.0835 x 9 = 5.1379:

    >>> round(triss(rts=7.8408, iss=9, age=28, mechanism="blunt"), 5)
    0.99416
    """
    if coefficients not in COEFFICIENTS:
        raise InvalidValue(f"coefficients: expected one of {', '.join(COEFFICIENTS)}")
    rts, iss_points, age = given(rts), given(iss), given(age)
    if rts is not None and not 0 <= rts <= HIGHEST_RTS + 1e-9:
        raise InvalidValue("RTS: expected 0-7.8408")
    if iss_points is not None and not 0 <= iss_points <= 75:
        raise InvalidValue("ISS: expected 0-75")
    old, penetrating = AGE.of(age), MECHANISM.of(mechanism)
    if age is not None and age < CHILD_BELOW:
        penetrating = 0
    if rts is None or iss_points is None or old is None or penetrating is None:
        return None
    c = COEFFICIENTS[coefficients][PENETRATING if penetrating else BLUNT]
    log_odds = total(c.intercept, c.per_rts * rts, c.per_iss * iss_points, c.from_55_years * old)
    return None if log_odds is None else probability_of_one(log_odds)


@dataclass(frozen=True, slots=True)
class _PerPoint:
    """A number's own value times a coefficient."""

    feature: str
    unit: str
    coefficient: float
    highest: float
    features: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "features", (self.feature,))

    def read(self, values: Values, dictionary: Dictionary) -> Reading:
        value = known(values, self.feature)
        if value is None:
            ends = sorted((0.0, self.coefficient * self.highest))
            return Reading(ends[0], ends[1], (), self.features)
        if not 0 <= value <= self.highest:
            raise Unanswerable(OUTSIDE_DEFINITION, self.features)
        points = self.coefficient * value
        return Reading(points, points, ((self.feature, points),))


def _equation(c: Coefficients, age: Classes) -> tuple[Item, ...]:
    # Signs turn round: the product predicts death.
    return (
        *prehospital_items(
            -c.per_rts * GCS_WEIGHT, -c.per_rts * SBP_WEIGHT, -c.per_rts * RESP_RATE_WEIGHT
        ),
        _PerPoint("injury_iss", "{score}", -c.per_iss, 75),
        Number("age", "a", age.times(-c.from_55_years)),
    )


ADULT_COEFFICIENTS = COEFFICIENTS["mtos_1995"]
CHILD_AGE = Classes("age, years", (0,), (0,), step=0)
# By (a child, penetrating).
EQUATIONS = {
    (False, False): _equation(ADULT_COEFFICIENTS[BLUNT], AGE),
    (False, True): _equation(ADULT_COEFFICIENTS[PENETRATING], AGE),
    (True, False): _equation(ADULT_COEFFICIENTS[BLUNT], CHILD_AGE),
    (True, True): _equation(ADULT_COEFFICIENTS[BLUNT], CHILD_AGE),
}
YES_AND_NO = (False, True)


@dataclass(frozen=True, slots=True)
class _Triss:
    """All of it as one item, because mechanism and age together choose the equation."""

    features: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        items = EQUATIONS[False, False]
        names = ("dominant_injury_type", *(name for item in items for name in item.features))
        object.__setattr__(self, "features", names)

    def read(self, values: Values, dictionary: Dictionary) -> Reading:
        age, position = known(values, "age"), known(values, "dominant_injury_type")
        penetrating: tuple[bool, ...] = YES_AND_NO
        if position is not None:
            name = dictionary["dominant_injury_type"].categories[int(position)]
            penetrating = (name == PENETRATING,)
        child = YES_AND_NO if age is None else (age < CHILD_BELOW,)
        readings = [self._one(values, dictionary, c, p) for c in child for p in penetrating]
        missing = readings[0].missing
        if position is None:
            missing = ("dominant_injury_type", *missing)
        return Reading(
            min(reading.lowest for reading in readings),
            max(reading.highest for reading in readings),
            readings[0].credits,
            missing,
        )

    @staticmethod
    def _one(values: Values, dictionary: Dictionary, child: bool, penetrating: bool) -> Reading:
        shift = 0.0
        if penetrating and not child:
            shift = ADULT_COEFFICIENTS[BLUNT].intercept - ADULT_COEFFICIENTS[PENETRATING].intercept
        lowest = highest = shift
        credits: tuple[tuple[str, float], ...] = (("dominant_injury_type", shift),)
        missing: tuple[str, ...] = ()
        for item in EQUATIONS[child, penetrating]:
            reading = item.read(values, dictionary)
            lowest += reading.lowest
            highest += reading.highest
            credits += reading.credits
            missing += reading.missing
        return Reading(lowest, highest, credits, missing)


TRISS = ReferenceScore(
    id="triss",
    title_en="TRISS (coefficients of 1995), probability of death",
    title_sv="TRISS (koefficienter från 1995), sannolikhet för död",
    scale=LOG_ODDS,
    # Of blunt injury; a penetrating one brings the difference as its contribution.
    base_value=-ADULT_COEFFICIENTS[BLUNT].intercept,
    items=(_Triss(),),
    source=(
        "Boyd 1987, J Trauma 27:370-8; coefficients of 1995 (AIS-90): "
        "trauma.org/archive/scores/triss.html"
    ),
    valid_for=(
        "injured patients whose injuries have been coded (AIS-90), for comparing hospitals "
        "afterwards"
    ),
    not_for=(
        "decisions at the bedside (the coding comes days later); patients intubated before the "
        "findings were taken; recovery. Here with the findings of the ambulance, where the "
        "definition takes those on arrival: the dictionary keeps no others until the coding is done"
    ),
    outcomes=MappingProxyType(
        {
            "death_in_hospital": Fit(
                False,
                "not surviving the injury, by coefficients of 1995; read from prehospital findings "
                "instead of those on arrival",
            )
        }
    ),
)
