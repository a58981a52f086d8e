"""The value of an Observation or of one of its components, in the dictionary's terms, or why not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from app.fhir.coding import Coding, Meaning
from models.errors import InvalidValue, UnitNotConvertible
from models.vocabulary import Feature, take

UCUM = ("http://unitsofmeasure.org", "urn:oid:2.16.840.1.113883.6.8")
ANNOTATION = re.compile(r"\{[^{}]*\}")


class NotUsable(Exception):
    """A value that must be set aside; `args[0]` is the reason."""

    @property
    def reason(self) -> str:
        return str(self.args[0])


def has_value(holder: Mapping[str, Any]) -> bool:
    """Whether something stands there as the value, or as the reason why there is none."""
    return any(key.startswith("value") or key == "dataAbsentReason" for key in holder)


def read_value(holder: Mapping[str, Any], meaning: Meaning, coding: Coding) -> tuple[float, bool]:
    """Take a value, by its type and the feature's kind.

    Numbers come as valueQuantity with a listed unit, or as valueInteger where the feature has no
    unit that could be another; flags as valueBoolean or a coded yes or no; categories as a declared
    code. Text is never read.

    Returns
    -------
    float, bool
        The value as `take` makes it; whether it came in the feature's own unit.

    Raises
    ------
    NotUsable
        With the reason.
    """
    if "dataAbsentReason" in holder:
        raise NotUsable("data_absent")
    given = [key for key in holder if key.startswith("value")]
    if len(given) != 1:
        raise NotUsable("invalid_value")
    feature, value = meaning.feature, holder[given[0]]
    try:
        if feature.kind == "number":
            if given[0] == "valueQuantity":
                return _quantity(value, meaning)
            if given[0] == "valueInteger" and unit_goes_without_saying(feature):
                return take(feature, value), True
        elif feature.kind == "flag" and given[0] == "valueBoolean":
            return take(feature, value), True
        if given[0] == "valueCodeableConcept":
            return _coded(value, feature, coding), True
    except UnitNotConvertible:
        raise NotUsable("unit_not_convertible") from None
    except InvalidValue:
        raise NotUsable("invalid_value") from None
    raise NotUsable("invalid_value")


def unit_goes_without_saying(feature: Feature) -> bool:
    """Whether every unit the dictionary lists for a number means the same, "1" among them.

    Examples
    --------
    >>> from models.vocabulary import load_vocabulary
    >>> features = load_vocabulary().features
    >>> [unit_goes_without_saying(features[name]) for name in ("gcs_total", "fio2", "creatinine")]
    [True, False, False]
    """
    return "1" in feature.conversions and all(
        conversion.factor == 1 and conversion.offset == 0
        for conversion in feature.conversions.values()
    )


def _quantity(quantity: Any, meaning: Meaning) -> tuple[float, bool]:
    if not isinstance(quantity, Mapping) or "value" not in quantity:
        raise NotUsable("invalid_value")
    if quantity.get("comparator") is not None:
        raise NotUsable("comparator")
    feature = meaning.feature
    unit = _unit(quantity, meaning)
    return take(feature, quantity["value"], unit), unit in (None, feature.unit)


def _unit(quantity: Mapping[str, Any], meaning: Meaning) -> str | None:
    """The unit that was sent, in the dictionary's spelling; the implied one where none was."""
    code, text, implied = quantity.get("code"), quantity.get("unit"), meaning.implied_unit
    if code is not None:
        if quantity.get("system") not in (None, *UCUM):
            raise NotUsable("unit_not_convertible")
        text = code
    if text is None:
        if implied is None and not unit_goes_without_saying(meaning.feature):
            raise NotUsable("no_unit")
        return implied
    if not isinstance(text, str):
        raise NotUsable("invalid_value")
    if implied is not None and ANNOTATION.search(implied):
        # The code says another substance (urea nitrogen): only its own unit has the right factor.
        if text not in (implied, ANNOTATION.sub("", implied)):
            raise NotUsable("unit_not_convertible")
        return implied
    return text


def _coded(concept: Any, feature: Feature, coding: Coding) -> float:
    values = coding.answers(concept, feature)
    if not values:
        raise NotUsable("unknown_code")
    if len(values) > 1:
        raise NotUsable("ambiguous_code")
    return take(feature, values[0])
