"""Facts that the stay collects: days, worst complication so far, where the patient goes."""

from __future__ import annotations

import numpy as np

from training.pathway.course import STATE
from training.pathway.history import History, has
from training.pathway.numbers import StayNumbers
from training.pathway.patients import Floats, Integers, Patients, linear, logistic

# Positions in the dictionary's lists.
HOME, REHABILITATION, NURSING_HOME, OTHER_WARD, PALLIATIVE = 0.0, 1.0, 2.0, 3.0, 5.0
NEVER_SMOKED, FORMER, CURRENT = 0.0, 1.0, 2.0
ALONE, WITH_OTHERS, HOME_CARE, IN_NURSING_HOME = 0.0, 1.0, 2.0, 4.0
GENERAL_WARD, THEATRE, INTENSIVE_CARE = 1.0, 2.0, 4.0


def person_facts(
    numbers: StayNumbers, patients: Patients, not_home: Floats, random: np.random.Generator
) -> dict[str, Floats]:
    """Draw habits, housing and what comes after the stay, shape (n,) each."""
    n, traits = patients.count, patients.traits
    former = random.random(n) < numbers.former_smokers
    smoking = np.select([traits["smoker"] > 0, former], [CURRENT, FORMER], NEVER_SMOKED)
    helped = traits["frailty"] + numbers.help_noise * random.normal(size=n)
    living = np.select(
        [
            helped + numbers.help_of_dementia * traits["dementia"] > numbers.nursing_home_from,
            helped > numbers.home_care_from,
            traits["lives_alone"] > 0,
        ],
        [IN_NURSING_HOME, HOME_CARE, ALONE],
        WITH_OTHERS,
    )
    where = random.random(n)
    elsewhere = np.select(
        [
            where < numbers.rehabilitation_up_to,
            where < numbers.nursing_home_up_to,
            where < numbers.other_ward_up_to,
        ],
        [REHABILITATION, NURSING_HOME, OTHER_WARD],
        PALLIATIVE,
    )
    destination = np.where(not_home > 0, elsewhere, HOME)
    ventilated = linear(numbers.ventilated, numbers.ventilated_effects, traits)
    work = linear(numbers.work, numbers.work_effects, traits)
    work += random.normal(size=n) + numbers.work_after_elsewhere * np.nan_to_num(not_home)
    asked = traits["age"] < numbers.working_age_below
    return {
        "smoking": smoking,
        "living_situation": living,
        "discharge_destination": np.where(np.isnan(not_home), np.nan, destination),
        "ventilated_share": logistic(ventilated),
        "grade_draw": random.random(n),
        "returned_to_work": np.where(asked, (work > 0).astype(np.float64), np.nan),
    }


def stay_facts(
    numbers: StayNumbers,
    course: History,
    day: Integers,
    operated: Floats,
    ventilated_share: Floats,
    grade_draw: Floats,
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
        "complication_clavien_dindo": _worst_grade(numbers, course, until, grade_draw),
        "ventilator_days": np.round(intensive * ventilated_share),
        "highest_care_level": place,
    }


def _worst_grade(numbers: StayNumbers, course: History, until: Integers, draw: Floats) -> Floats:
    """Worst Clavien-Dindo grade so far, as a position in none, I, II, IIIa, IIIb, IVa, IVb."""
    from_start = np.full(course.count, -1)
    bits = course.marks(from_start, until)
    major = has(bits, "major_complication") > 0
    critical = (course.enters("intensive", from_start, until) > 0) & major
    return np.select(
        [critical, has(bits, "reoperation_30d") > 0, major, has(bits, "any_complication") > 0],
        [
            5.0 + (draw < numbers.grade_ivb_share),
            4.0 + 0.0 * draw,
            3.0 + (draw < numbers.grade_iiib_share),
            1.0 + (draw < numbers.grade_ii_share),
        ],
        0.0,
    )
