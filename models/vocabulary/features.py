"""The feature dictionary: what each input is, in which unit, and when it can be known.

The rows live in `features.toml`, whose head explains every key; this file loads and checks them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from models.vocabulary.content import NUMBER, Key, Row, is_number, read_rows

KINDS = ("number", "category", "flag", "code")
GROUPS = (
    "demographics", "vital_sign", "laboratory", "blood_gas", "comorbidity", "medication", "score",
    "social", "injury", "prehospital", "procedure", "intraoperative", "postoperative",
    "organ_support", "function", "recovery",
)  # fmt: skip
DIRECTIONS = ("increases_risk", "decreases_risk")
CODE_SYSTEMS = ("loinc", "npu", "snomed", "swetrau")

SCHEMA = {
    "name": Key(str, required=True),
    "label_en": Key(str, required=True),
    "label_sv": Key(str, required=True),
    "group": Key(str, required=True),
    "kind": Key(str, required=True),
    "unit": Key(str),
    "accepted_units": Key(list),
    "plausible": Key(list),
    "integer": Key(bool),
    "top_code": Key(NUMBER),
    "categories": Key(list),
    "category_labels_en": Key(list),
    "category_labels_sv": Key(list),
    "ordered": Key(bool),
    "pattern": Key(str),
    "derived_from": Key(dict),
    "loinc": Key(list),
    "npu": Key(list),
    "snomed": Key(list),
    "swetrau": Key(list),
    "loinc_units": Key(dict),
    "maximum_age_hours": Key(NUMBER),
    "earliest": Key(str, required=True),
    "direction": Key(str),
    "lasting": Key(bool),
    "source": Key(str, required=True),
}
ALLOWED_BY_KIND = {
    "number": {"unit", "accepted_units", "plausible", "integer", "top_code", "loinc_units"},
    "category": {
        "categories", "category_labels_en", "category_labels_sv", "ordered", "derived_from",
    },
    "flag": set(),
    "code": {"pattern"},
}  # fmt: skip
LANGUAGES = ("en", "sv")
YEARS = "a"


@dataclass(frozen=True, slots=True)
class Conversion:
    """`value_in_own_unit = value * factor + offset`."""

    factor: float
    offset: float = 0.0

    def to_own_unit(self, value: float) -> float:
        return value * self.factor + self.offset

    def from_own_unit(self, value: float) -> float:
        return (value - self.offset) / self.factor


@dataclass(frozen=True, slots=True)
class Derivation:
    """A category that follows from a number: bands `(lowest, highest, category)`."""

    feature: str
    bands: tuple[tuple[float, float, str], ...]

    def category(self, value: float) -> str | None:
        for lowest, highest, name in self.bands:
            if lowest <= value <= highest:
                return name
        return None


@dataclass(frozen=True, slots=True)
class Feature:
    """One row of the dictionary."""

    name: str
    label_en: str
    label_sv: str
    group: str
    kind: str
    earliest: str
    source: str
    unit: str | None = None
    conversions: Mapping[str, Conversion] = field(default_factory=lambda: MappingProxyType({}))
    plausible: tuple[float, float] | None = None
    integer: bool = False
    top_code: float | None = None
    categories: tuple[str, ...] = ()
    category_labels: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    ordered: bool = False
    pattern: str | None = None
    derived_from: Derivation | None = None
    codes: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    loinc_units: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    maximum_age_hours: float | None = None
    direction: str | None = None
    lasting: bool = False

    @property
    def direction_sign(self) -> int:
        """+1 when more of it raises risk, -1 when it lowers risk, 0 when medicine does not know."""
        return {"increases_risk": 1, "decreases_risk": -1, None: 0}[self.direction]

    def show(self, value: float) -> float | str | bool:
        """Turn the encoded number back into what a reader expects (category name, yes/no)."""
        if self.kind == "category":
            return self.categories[int(value)]
        if self.kind == "flag":
            return bool(value)
        return int(value) if self.integer and float(value).is_integer() else value

    def category_label(self, category: str, language: str) -> str:
        """What people read for a category; its own name, with spaces, where nobody wrote a label.

        Parameters
        ----------
        category : str
            One of `categories`, or one that the dictionary had when a model was fitted.
        language : str
            "en" or "sv".

        Examples
        --------
        >>> from models.vocabulary import load_vocabulary
        >>> disease = load_vocabulary().features["disease_group"]
        >>> disease.category_label("lung_cancer", "sv"), disease.category_label("old_name", "sv")
        ('lungcancer', 'old name')
        """
        labels = self.category_labels.get(language)
        if labels is None or category not in self.categories:
            return category.replace("_", " ")
        return labels[self.categories.index(category)]


def load_features(
    path: Path, beside: Mapping[str, Feature] = MappingProxyType({})
) -> dict[str, Feature]:
    """Load and check a dictionary file.

    Parameters
    ----------
    path : Path
        The TOML file.
    beside : mapping, optional
        Features declared elsewhere: their codes are taken, and a category may be derived from them.

    Returns
    -------
    dict
        Feature by name, in file order.

    Raises
    ------
    ContentInvalid
        Naming file, row and the rule that does not hold.
    """
    features = {row.values["name"]: _feature(row) for row in read_rows(path, "feature")}
    known = {**beside, **features}
    _refuse_codes_used_twice(path, known)
    for feature in features.values():
        if feature.derived_from and feature.derived_from.feature not in known:
            Row(path.name, f"feature `{feature.name}`", {}).refuse(
                f"is derived from `{feature.derived_from.feature}`, which is not in the dictionary"
            )
    return features


def _feature(row: Row) -> Feature:
    row.check(SCHEMA)
    values = row.values
    row.snake_case_name()
    row.one_of("kind", KINDS)
    row.one_of("group", GROUPS)
    row.one_of("direction", DIRECTIONS)
    kind = values["kind"]
    for key in set().union(*ALLOWED_BY_KIND.values()) - ALLOWED_BY_KIND[kind]:
        if key in values:
            row.refuse(f"`{key}` does not belong to a {kind}")
    plausible = _plausible(row) if kind == "number" else None
    categories = row.strings("categories")
    if kind == "category" and len(categories) < 2:
        row.refuse("a category needs at least two `categories`")
    if kind == "number" and values.get("lasting") and values.get("unit") != YEARS:
        row.refuse("`lasting` numbers are compared in years: `unit` must be `a`")
    if kind == "category" and "direction" in values and not values.get("ordered"):
        row.refuse("`direction` needs `ordered` categories")
    if kind == "code" and "pattern" not in values:
        row.refuse("a code needs a `pattern`")
    if "pattern" in values:
        _refuse_bad_pattern(row)
    if not values.get("maximum_age_hours", 1) > 0:
        row.refuse("`maximum_age_hours` must be positive")
    codes = {system: row.strings(system) for system in CODE_SYSTEMS if values.get(system)}
    conversions = _conversions(row)
    for code, unit in values.get("loinc_units", {}).items():
        if code not in codes.get("loinc", ()):
            row.refuse(f"`loinc_units` names `{code}`, which `loinc` does not list")
        if unit not in conversions:
            row.refuse(f"`loinc_units` names `{unit}`, which is no accepted unit")
    return Feature(
        name=values["name"],
        label_en=values["label_en"],
        label_sv=values["label_sv"],
        group=values["group"],
        kind=kind,
        earliest=values["earliest"],
        source=values["source"],
        unit=values.get("unit"),
        conversions=MappingProxyType(conversions),
        plausible=plausible,
        integer=values.get("integer", False),
        top_code=_top_code(row, plausible),
        categories=categories,
        category_labels=MappingProxyType(_category_labels(row, categories)),
        ordered=values.get("ordered", False),
        pattern=values.get("pattern"),
        derived_from=_derivation(row, categories),
        codes=MappingProxyType(codes),
        loinc_units=MappingProxyType(values.get("loinc_units", {})),
        maximum_age_hours=values.get("maximum_age_hours"),
        direction=values.get("direction"),
        lasting=values.get("lasting", False),
    )


def _category_labels(row: Row, categories: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    keys = {language: f"category_labels_{language}" for language in LANGUAGES}
    given = {language: row.strings(key) for language, key in keys.items() if key in row.values}
    if not given:
        return {}
    for language, key in keys.items():
        found = len(given.get(language, ()))
        if found != len(categories):
            row.refuse(
                f"`{key}` needs a label for each of {len(categories)} categories, has {found}"
            )
    return given


def _plausible(row: Row) -> tuple[float, float]:
    if "unit" not in row.values:
        row.refuse('a number needs a `unit` (dimensionless is "1")')
    limits = row.values.get("plausible")
    if (
        not isinstance(limits, list)
        or len(limits) != 2
        or not all(is_number(x) for x in limits)
        or not limits[0] < limits[1]
    ):
        row.refuse("a number needs `plausible = [lowest, highest]`, ascending")
    return float(limits[0]), float(limits[1])


def _top_code(row: Row, plausible: tuple[float, float] | None) -> float | None:
    top_code = row.values.get("top_code")
    if top_code is None or plausible is None:
        return None
    if not is_number(top_code) or not plausible[0] < top_code - 1 < top_code <= plausible[1]:
        row.refuse("`top_code` must lie within `plausible`, and so must one less")
    return float(top_code)


def _conversions(row: Row) -> dict[str, Conversion]:
    found: dict[str, Conversion] = {}
    for item in row.values.get("accepted_units", []):
        if (
            not isinstance(item, dict)
            or not {"unit", "factor"} <= set(item) <= {"unit", "factor", "offset"}
            or not isinstance(item["unit"], str)
        ):
            row.refuse("an accepted unit needs `unit` and `factor`, and may have `offset`")
        unit, factor, offset = item["unit"], item["factor"], item.get("offset", 0.0)
        if unit == row.values["unit"] or unit in found:
            row.refuse(f"unit `{unit}` is listed twice")
        if not is_number(factor) or factor <= 0:
            row.refuse(f"unit `{unit}` needs a positive factor")
        if not is_number(offset):
            row.refuse(f"unit `{unit}` needs a finite offset")
        found[unit] = Conversion(float(factor), float(offset))
    return found


def _derivation(row: Row, categories: tuple[str, ...]) -> Derivation | None:
    declared: dict[str, Any] | None = row.values.get("derived_from")
    if declared is None:
        return None
    if set(declared) != {"feature", "bands"}:
        row.refuse("`derived_from` needs exactly `feature` and `bands`")
    if not isinstance(declared["bands"], list):
        row.refuse("`derived_from` bands must be a list of [lowest, highest, category]")
    for band in declared["bands"]:
        if not isinstance(band, list) or len(band) != 3 or not all(map(is_number, band[:2])):
            row.refuse("a `derived_from` band must be [lowest, highest, category]")
    bands = tuple((float(low), float(high), str(name)) for low, high, name in declared["bands"])
    for low, high, name in bands:
        if name not in categories or low > high:
            row.refuse(f"`derived_from` band {low:g}-{high:g} does not name a category")
    return Derivation(declared["feature"], bands)


def _refuse_bad_pattern(row: Row) -> None:
    try:
        re.compile(row.values["pattern"])
    except re.error as error:
        row.refuse(f"`pattern` is not a regular expression: {error.msg}")


def _refuse_codes_used_twice(path: Path, features: Mapping[str, Feature]) -> None:
    owner: dict[tuple[str, str], str] = {}
    for feature in features.values():
        for system, codes in feature.codes.items():
            for code in codes:
                first = owner.setdefault((system, code), feature.name)
                if first != feature.name:
                    Row(path.name, f"feature `{feature.name}`", {}).refuse(
                        f"{system} {code} already stands at `{first}`"
                    )
