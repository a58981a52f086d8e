"""All measurements of one patient on their way into a vector: kept, derived, or set aside by name.

Serving and training share this step, so a model is fitted on exactly what it will be served.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from models.vocabulary.branch_points import BranchPoint
from models.vocabulary.features import Feature
from models.vocabulary.measurement import Measurement, set_aside_reason


@dataclass(frozen=True, slots=True)
class Intake:
    """What may be used of what came.

    Attributes
    ----------
    values : mapping
        Encoded value by feature name, derived ones included.
    used : tuple of Measurement
        Those that gave a value, in the order sent: what is worth storing.
    set_aside : tuple of (feature name, reason)
        In the order sent.
    """

    values: Mapping[str, float]
    used: tuple[Measurement, ...]
    set_aside: tuple[tuple[str, str], ...]


def reason_here(measurement: Measurement, point: BranchPoint) -> str | None:
    """Say why a measurement must not be used at this branch point, or None when it may.

    The branch point's maximum age goes before the dictionary's.

    Examples
    --------
    >>> from models.vocabulary import load_vocabulary
    >>> words = load_vocabulary()
    >>> pulse = Measurement(words.features["heart_rate"], 80.0, age_s=25 * 3600)
    >>> reason_here(pulse, words.branch_points["icu-review"])
    'too_old'
    """
    feature = measurement.feature
    limit = point.maximum_age_hours.get(feature.name, feature.maximum_age_hours)
    return set_aside_reason(measurement, limit)


def settle(
    measurements: Iterable[Measurement],
    point: BranchPoint,
    features: Mapping[str, Feature],
) -> Intake:
    """Set aside what cannot be trusted, then derive what follows from the rest.

    Examples
    --------
    An ASA class of 4 puts the patient in the band IV-VI:

    >>> from models.vocabulary import load_vocabulary
    >>> words = load_vocabulary()
    >>> asa = Measurement(words.features["asa_class"], 4.0)
    >>> taken = settle([asa], words.branch_points["surgery-decision"], words.features)
    >>> words.features["asa_band"].show(taken.values["asa_band"])
    'IV-VI'
    """
    values: dict[str, float] = {}
    used: list[Measurement] = []
    set_aside: list[tuple[str, str]] = []
    for measurement in measurements:
        feature = measurement.feature
        reason = reason_here(measurement, point)
        if reason is not None:
            set_aside.append((feature.name, reason))
        elif not math.isnan(measurement.value):
            values[feature.name] = measurement.value
            used.append(measurement)
    for name in point.derived:
        rule = features[name].derived_from
        if rule is None or name in values or rule.feature not in values:
            continue
        category = rule.category(values[rule.feature])
        if category is not None:
            values[name] = float(features[name].categories.index(category))
    return Intake(values, tuple(used), tuple(set_aside))
