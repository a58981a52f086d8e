"""Facts that the stay collects: days, worst complication so far, where the patient goes."""

from __future__ import annotations

import numpy as np

from training.pathway.course import STATE
from training.pathway.history import History, has
from training.pathway.patients import Floats, Integers, Patients

# Positions in the dictionary's lists.
HOME, REHABILITATION, NURSING_HOME, OTHER_WARD, PALLIATIVE = 0.0, 1.0, 2.0, 3.0, 5.0
NEVER_SMOKED, FORMER, CURRENT = 0.0, 1.0, 2.0
ALONE, WITH_OTHERS, HOME_CARE, IN_NURSING_HOME = 0.0, 1.0, 2.0, 4.0
GENERAL_WARD, THEATRE, INTENSIVE_CARE = 1.0, 2.0, 4.0


def person_facts(
    patients: Patients, not_home: Floats, random: np.random.Generator
) -> dict[str, Floats]:
    """Draw habits, housing and what comes after the stay, shape (n,) each."""
    n, traits = patients.count, patients.traits
    former = random.random(n) < 0.38
    smoking = np.select([traits["smoker"] > 0, former], [CURRENT, FORMER], NEVER_SMOKED)
    helped = traits["frailty"] + 0.6 * random.normal(size=n)
    living = np.select(
        [helped + 0.8 * traits["dementia"] > 2.6, helped > 1.7, traits["lives_alone"] > 0],
        [IN_NURSING_HOME, HOME_CARE, ALONE],
        WITH_OTHERS,
    )
    where = random.random(n)
    elsewhere = np.select(
        [where < 0.45, where < 0.75, where < 0.97],
        [REHABILITATION, NURSING_HOME, OTHER_WARD],
        PALLIATIVE,
    )
    destination = np.where(not_home > 0, elsewhere, HOME)
    ventilated = -0.3 + 0.9 * traits["brain"] + 0.4 * traits["illness"] + 0.4 * traits["lung"]
    work = 0.9 - 0.5 * traits["frailty"] + 0.6 * traits["resilience"] - 0.5 * traits["injury"]
    work += random.normal(size=n) - 0.8 * np.nan_to_num(not_home)
    return {
        "smoking": smoking,
        "living_situation": living,
        "discharge_destination": np.where(np.isnan(not_home), np.nan, destination),
        "ventilated_share": 1.0 / (1.0 + np.exp(-ventilated)),
        "grade_draw": random.random(n),
        "returned_to_work": np.where(traits["age"] < 66, (work > 0).astype(np.float64), np.nan),
    }


def stay_facts(
    course: History, day: Integers, operated: Floats, ventilated_share: Floats, grade_draw: Floats
) -> dict[str, Floats]:
    """What the stay has shown by a day, shape (m,) each.

    Parameters
    ----------
    course : History
        Of the m patients.
    day : ndarray of int
        By when; after the stay, its end counts.
    operated, ventilated_share, grade_draw : ndarray
        Settled once per episode.
    """
    until = np.minimum(course.stay_end, day)
    from_start = np.full(course.count, -1)
    intensive = course.days_in([STATE["intensive"]], from_start, until)
    place = np.select([intensive > 0, operated > 0], [INTENSIVE_CARE, THEATRE], GENERAL_WARD)
    return {
        "hospital_day": (until + 1).astype(np.float64),
        "postoperative_day": np.where(operated > 0, day, np.nan).astype(np.float64),
        "hospital_stay_days": until.astype(np.float64),
        "complication_clavien_dindo": _worst_grade(course, until, grade_draw),
        "ventilator_days": np.round(intensive * ventilated_share),
        "highest_care_level": place,
    }


def _worst_grade(course: History, until: Integers, draw: Floats) -> Floats:
    """Worst Clavien-Dindo grade so far, as a position in none, I, II, IIIa, IIIb, IVa, IVb."""
    from_start = np.full(course.count, -1)
    bits = course.marks(from_start, until)
    major = has(bits, "major_complication") > 0
    critical = (course.enters("intensive", from_start, until) > 0) & major
    return np.select(
        [critical, has(bits, "reoperation_30d") > 0, major, has(bits, "any_complication") > 0],
        [5.0 + (draw < 0.3), 4.0 + 0.0 * draw, 3.0 + (draw < 0.4), 1.0 + (draw < 0.65)],
        0.0,
    )
