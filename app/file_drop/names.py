"""The words that columns, units and spellings go by, each leading to one thing or to none."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from models.vocabulary import Feature, Vocabulary
from models.vocabulary.content import Key, Row, read_toml

FILE = Path(__file__).with_name("names.toml")
BY_NAME, BY_LABEL, BY_SWETRAU, BY_SYNONYM = "name", "label", "SweTrau", "synonym"
_NAMED = {"name": Key(str, required=True), "names": Key(list, required=True)}
_UNIT = {"unit": Key(str, required=True), "spellings": Key(list, required=True)}
_CATEGORY = {"name": Key(str, required=True), "spellings": Key(list, required=True)}
_FILE = {key: Key(list, required=True) for key in ("role", "feature", "unit", "category")} | {
    key: Key(dict, required=True) for key in ("flag", "missing", "time")
}


@dataclass(frozen=True, slots=True)
class Names:
    """What `names.toml` and the dictionary call things; all keys in `plain` form.

    Attributes
    ----------
    features : mapping
        Name to the features that it could mean, and by which kind of name.
    units : mapping
        Spelling to the UCUM unit.
    categories : mapping
        Spelling to the categories it could mean.
    """

    features: Mapping[str, Mapping[str, str]]
    roles: Mapping[str, str]
    units: Mapping[str, str]
    categories: Mapping[str, frozenset[str]]
    yes_no: Mapping[str, bool]
    missing: frozenset[str]
    swetrau_missing: tuple[str, ...]
    time_names: tuple[str, ...]
    time_formats: tuple[str, ...]


def plain(text: str) -> str:
    """A name without case, accents, spaces and signs.

    Examples
    --------
    >>> plain("B-Hb"), plain("Ålder (år)"), plain("pt_age_yrs")
    ('bhb', 'alderar', 'ptageyrs')
    """
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if character.isalnum())


def plain_unit(text: str) -> str:
    """A unit without case and spaces, both micro signs alike; signs count.

    Examples
    --------
    >>> plain_unit("µmol / L") == plain_unit("\u03bcmol/l")
    True
    """
    return re.sub(r"\s+", "", text.casefold().replace("\u00b5", "u").replace("\u03bc", "u"))


def load_names(vocabulary: Vocabulary) -> Names:
    """Read `names.toml` and put the dictionary's own words beside it.

    Raises
    ------
    ContentInvalid
        When a row breaks a rule, names an unknown feature, or a name could mean two things.
    """
    document = _document()
    features: dict[str, dict[str, str]] = {}

    def add(name: str, feature: Feature, by: str) -> None:
        features.setdefault(plain(name), {}).setdefault(feature.name, by)

    for feature in vocabulary.features.values():
        add(feature.name, feature, BY_NAME)
        for column in feature.codes.get("swetrau", ()):
            add(column, feature, BY_SWETRAU)
        add(feature.label_en, feature, BY_LABEL)
        add(feature.label_sv, feature, BY_LABEL)
    for row in _rows(document, "feature", _NAMED):
        known = vocabulary.features.get(row.values["name"])
        if known is None:
            row.refuse("`name` is not in the dictionary")
        for name in row.strings("names"):
            add(name, known, BY_SYNONYM)
    roles = {
        plain(name): row.values["name"]
        for row in _rows(document, "role", _NAMED)
        for name in row.strings("names")
    }
    units = {}
    for row in _rows(document, "unit", _UNIT):
        for spelling in (row.values["unit"], *row.strings("spellings")):
            units[plain_unit(spelling)] = row.values["unit"]
    categories: dict[str, set[str]] = {}
    for row in _rows(document, "category", _CATEGORY):
        for spelling in row.strings("spellings"):
            categories.setdefault(spelling.casefold(), set()).add(row.values["name"])
    flag, missing, time = (document.values[key] for key in ("flag", "missing", "time"))
    return Names(
        features=MappingProxyType(features),
        roles=MappingProxyType(roles),
        units=MappingProxyType(units),
        categories=MappingProxyType({s: frozenset(names) for s, names in categories.items()}),
        yes_no=MappingProxyType({**_all(flag["yes"], True), **_all(flag["no"], False)}),
        missing=frozenset(missing["spellings"]),
        swetrau_missing=tuple(missing["swetrau"]),
        time_names=tuple(map(plain, time["names"])),
        time_formats=tuple(time["formats"]),
    )


@cache
def _document() -> Row:
    document = read_toml(FILE)
    document.check(_FILE)
    return document


def _rows(document: Row, key: str, schema: Mapping[str, Key]) -> Iterable[Row]:
    given: list[dict[str, Any]] = document.values[key]
    for number, values in enumerate(given, start=1):
        row = Row(document.file, f"{key} number {number}", values)
        row.check(schema)
        yield row


def _all(spellings: Iterable[str], value: bool, /) -> dict[str, bool]:
    return dict.fromkeys(spellings, value)
