"""One measured value on its way in: taken in the dictionary's terms, then kept or set aside.

Serving and training both come through here, so that they cannot differ.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from models.errors import InvalidValue, UnitNotConvertible
from models.vocabulary.coarsening import coarsen
from models.vocabulary.features import Conversion, Feature

OWN_UNIT = Conversion(1.0)

IMPLAUSIBLE = "implausible_value"
"""Why a value outside the plausible range is not used."""


class Measurement(NamedTuple):
    """A value in the feature's own unit, and how long before the index time it was taken.

    Attributes
    ----------
    value : float
        A category's position in its list; 0 or 1 for a flag; NaN for a code.
    age_s : int or None
        Whole seconds before the index time, negative when later; None when nobody said. No date
        comes this far.
    """

    feature: Feature
    value: float
    age_s: int | None = None


def take(feature: Feature, value: object, unit: str | None = None) -> float:
    """Take a sent value in the dictionary's terms.

    Parameters
    ----------
    feature : Feature
        The dictionary row.
    value : object
        A number for a number, a string for a category, a boolean for a flag.
    unit : str, optional
        UCUM unit of a number; without it the value is in the feature's own unit.

    Returns
    -------
    float
        In the feature's own unit, coarsened (see `models.vocabulary.coarsening`); a category's
        position in its list; 0 or 1 for a flag.

    Raises
    ------
    InvalidValue
        Wrong type, not finite, not a declared category. The value is never in the message.
    UnitNotConvertible
        No factor is declared from `unit`.

    Examples
    --------
    >>> from models.vocabulary import load_vocabulary
    >>> creatinine = load_vocabulary().features["creatinine"]
    >>> take(creatinine, 1.0, "mg/dL")
    88.4
    """
    if feature.kind == "number":
        return _number(feature, value, unit)
    if unit is not None:
        raise UnitNotConvertible(f"`{feature.name}` is a {feature.kind} and has no unit")
    if feature.kind == "flag":
        if not isinstance(value, bool):
            raise InvalidValue(f"`{feature.name}` expects true or false")
        return float(value)
    if not isinstance(value, str):
        raise InvalidValue(f"`{feature.name}` expects a string")
    if feature.kind == "code":
        if not re.fullmatch(feature.pattern or "", value):
            raise InvalidValue(f"`{feature.name}` expects a code of the form {feature.pattern}")
        # A raw code carries no number; groupings derived from it do.
        return math.nan
    try:
        return float(feature.categories.index(value))
    except ValueError:
        allowed = ", ".join(feature.categories)
        raise InvalidValue(f"`{feature.name}` expects one of: {allowed}") from None


def _number(feature: Feature, value: object, unit: str | None) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidValue(f"`{feature.name}` expects a number in {feature.unit}")
    conversion = OWN_UNIT
    if unit is not None and unit != feature.unit:
        if unit not in feature.conversions:
            accepted = ", ".join([str(feature.unit), *feature.conversions])
            raise UnitNotConvertible(f"`{feature.name}` accepts the units: {accepted}")
        conversion = feature.conversions[unit]
    try:
        number = coarsen(feature, conversion.to_own_unit(float(value)))
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidValue(f"`{feature.name}` expects a finite number")
    return number


def set_aside_reason(measurement: Measurement, maximum_age_hours: float | None) -> str | None:
    """Say why a measurement must not be used, or None when it may.

    Returns
    -------
    str or None
        `implausible_value`, `later_than_index_time`, `too_old`, or None.

    Examples
    --------
    >>> from models.vocabulary import load_vocabulary
    >>> age = load_vocabulary().features["age"]
    >>> set_aside_reason(Measurement(age, -3.0), None)
    'implausible_value'
    """
    feature = measurement.feature
    if feature.plausible is not None:
        lowest, highest = feature.plausible
        if not lowest <= measurement.value <= highest:
            return IMPLAUSIBLE
        if feature.integer and not measurement.value.is_integer():
            return IMPLAUSIBLE
    age_s = measurement.age_s
    if age_s is None:
        return None
    if age_s < 0:
        return "later_than_index_time"
    if maximum_age_hours is not None and age_s > maximum_age_hours * 3600:
        return "too_old"
    return None
