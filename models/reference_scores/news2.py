"""National Early Warning Score 2: how far seven bedside findings are from normal.

Two scales of oxygen saturation: scale 2 is for hypercapnic respiratory failure, on a clinician's
decision, and punishes too much oxygen. A single finding worth 3 asks for urgent review, whatever
the total.

References
----------
Royal College of Physicians, National Early Warning Score (NEWS) 2, London 2017.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from models.errors import InvalidValue
from models.reference_scores.items import (
    OUTSIDE_DEFINITION,
    Dictionary,
    Flag,
    Level,
    Number,
    Reading,
    Unanswerable,
    Values,
    known,
)
from models.reference_scores.score import POINTS, ReferenceScore
from models.reference_scores.tables import Classes, Levels, if_yes

RESPIRATORY_RATE = Classes("respiratory rate, /min", (0, 9, 12, 21, 25), (3, 1, 0, 2, 3))
SCALE_1 = Classes("oxygen saturation, %", (0, 92, 94, 96), (3, 2, 1, 0), highest=100)
SCALE_2_AIR = Classes("oxygen saturation, %", (0, 84, 86, 88), (3, 2, 1, 0), highest=100)
SCALE_2_OXYGEN = Classes(
    "oxygen saturation, %", (0, 84, 86, 88, 93, 95, 97), (3, 2, 1, 0, 1, 2, 3), highest=100
)
OXYGEN = 2
SBP = Classes("systolic blood pressure, mmHg", (0, 91, 101, 111, 220), (3, 2, 1, 0, 3))
PULSE = Classes("pulse, /min", (0, 41, 51, 91, 111, 131), (3, 1, 0, 1, 2, 3))
CONSCIOUSNESS = Levels(
    "consciousness",
    {"alert": 0, "confusion": 3, "voice": 3, "pain": 3, "unresponsive": 3},
)
TEMPERATURE = Classes(
    "temperature, degrees Celsius", (0, 35.1, 36.1, 38.1, 39.1), (3, 1, 0, 1, 2), step=0.1
)


# By (hypercapnic respiratory failure, on oxygen), None while unknown: the scales that may count.
SCALES: Mapping[tuple[float | None, float | None], tuple[Classes, ...]] = {
    (False, False): (SCALE_1,),
    (False, True): (SCALE_1,),
    (False, None): (SCALE_1,),
    (True, False): (SCALE_2_AIR,),
    (True, True): (SCALE_2_OXYGEN,),
    (True, None): (SCALE_2_AIR, SCALE_2_OXYGEN),
    (None, False): (SCALE_1, SCALE_2_AIR),
    (None, True): (SCALE_1, SCALE_2_OXYGEN),
    (None, None): (SCALE_1, SCALE_2_AIR, SCALE_2_OXYGEN),
}


@dataclass(frozen=True, slots=True)
class News2:
    """A complete NEWS2.

    Attributes
    ----------
    total : int
        0-20.
    band : str
        `low`, `low_medium` (below 5 with a single 3), `medium` or `high`.
    red_flags : tuple of str
        Findings worth 3, by the names of the arguments of `news2`.
    """

    total: int
    band: str
    red_flags: tuple[str, ...]


def news2(
    *,
    resp_rate: float | None,
    spo2: float | None,
    on_oxygen: bool | None,
    sbp: float | None,
    pulse: float | None,
    consciousness: str | None,
    temperature: float | None,
    spo2_scale: int | None,
) -> News2 | None:
    """NEWS2 of a full set of observations; None when anything is missing.

    Parameters
    ----------
    resp_rate, pulse : float
        Per minute.
    spo2 : float
        Per cent.
    on_oxygen : bool
        Any supplemental oxygen.
    sbp : float
        Systolic blood pressure, mmHg.
    consciousness : str
        `alert`, `confusion` (new), `voice`, `pain` or `unresponsive`.
    temperature : float
        Degrees Celsius.
    spo2_scale : int
        1, or 2 where a clinician has decided so.

    Raises
    ------
    InvalidValue
        Outside what the definition covers.

    Examples
    --------
    Saturation 91 % on air, all else normal:

    >>> news2(resp_rate=16, spo2=91, on_oxygen=False, sbp=120, pulse=70, consciousness="alert",
    ...       temperature=37.0, spo2_scale=1)
    News2(total=3, band='low_medium', red_flags=('spo2',))
    """
    if spo2_scale not in (None, 1, 2):
        raise InvalidValue("SpO2 scale: expected 1 or 2")
    saturation = None
    if spo2_scale is not None and on_oxygen is not None:
        (scale,) = SCALES[spo2_scale == 2, on_oxygen]
        saturation = scale.of(spo2)
    parts = {
        "resp_rate": RESPIRATORY_RATE.of(resp_rate),
        "spo2": saturation,
        "on_oxygen": if_yes(OXYGEN, on_oxygen),
        "sbp": SBP.of(sbp),
        "pulse": PULSE.of(pulse),
        "consciousness": CONSCIOUSNESS.of(consciousness),
        "temperature": TEMPERATURE.of(temperature),
    }
    points = {name: int(worth) for name, worth in parts.items() if worth is not None}
    if len(points) < len(parts):
        return None
    red_flags = tuple(name for name, worth in points.items() if worth == 3)
    total = sum(points.values())
    return News2(total, _band(total, max(points.values())), red_flags)


def _band(total: float, largest: float) -> str:
    if total >= 7:
        return "high"
    if total >= 5:
        return "medium"
    return "low_medium" if largest >= 3 else "low"


@dataclass(frozen=True, slots=True)
class _Saturation:
    """Oxygen saturation, on the scale that two more features choose."""

    features: tuple[str, ...] = field(
        init=False,
        default=("spo2", "hypercapnic_respiratory_failure", "on_supplemental_oxygen"),
    )

    def read(self, values: Values, dictionary: Dictionary) -> Reading:
        spo2, hypercapnic, oxygen = found = [known(values, name) for name in self.features]
        missing = (
            tuple(name for name, value in zip(self.features, found, strict=True) if value is None)
            if None in found
            else ()
        )
        # A settled 1.0 and True are the same key.
        scales = SCALES[hypercapnic, oxygen]
        if spo2 is None:
            lowest, highest = min(s.least for s in scales), max(s.most for s in scales)
            return Reading(lowest, highest, (), missing)
        worth = [points for scale in scales if (points := scale.find(spo2)) is not None]
        if not worth:
            raise Unanswerable(OUTSIDE_DEFINITION, ("spo2",))
        return Reading(min(worth), max(worth), (("spo2", worth[0]),), missing)


NEWS2 = ReferenceScore(
    id="news2",
    title_en="National Early Warning Score 2 (NEWS2)",
    title_sv="National Early Warning Score 2 (NEWS2)",
    scale=POINTS,
    items=(
        Number("resp_rate", "/min", RESPIRATORY_RATE),
        _Saturation(),
        Flag("on_supplemental_oxygen", OXYGEN),
        Number("sbp", "mm[Hg]", SBP),
        Number("heart_rate", "/min", PULSE),
        Level("consciousness_acvpu", CONSCIOUSNESS),
        Number("temperature", "Cel", TEMPERATURE),
    ),
    source="Royal College of Physicians, National Early Warning Score (NEWS) 2, 2017",
    valid_for="adults (16 years or more) with acute illness, observed at the bedside",
    not_for=(
        "children; pregnancy; a probability of any outcome; observations from different hours; "
        "replacing a clinician's concern"
    ),
    youngest=16,
    bands=_band,
)
