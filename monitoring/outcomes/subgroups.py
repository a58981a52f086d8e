"""Subgroups for which outcomes are counted apart, as `monitoring/subgroups.toml` declares them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from models.errors import MeasurementRefused
from models.vocabulary import Feature, take
from models.vocabulary.content import Key, Row, is_number, read_rows

OWN = Path(__file__).parent.parent / "subgroups.toml"
SCHEMA = {
    "name": Key(str, required=True),
    "limits": Key(list),
    "source": Key(str, required=True),
}


@dataclass(frozen=True, slots=True)
class Subgroup:
    """A feature by whose values patients are told apart.

    Attributes
    ----------
    limits : tuple of float
        Lowest value of each group but the first; empty where the values are the groups.
    """

    feature: Feature
    limits: tuple[float, ...] = ()

    def label(self, value: float) -> str:
        """The group of a value in the dictionary's terms.

        Examples
        --------
        >>> from models.vocabulary import load_vocabulary
        >>> features = load_vocabulary().features
        >>> age = Subgroup(features["age"], (18, 65, 80))
        >>> [age.label(value) for value in (17.5, 18, 64, 65, 80)]
        ['age: under 18', 'age: 18-64', 'age: 18-64', 'age: 65-79', 'age: 80 or over']
        >>> Subgroup(features["sex"]).label(0)
        'sex: female'
        """
        name, limits = self.feature.name, self.limits
        if not limits:
            shown = self.feature.show(value)
            return f"{name}: {str(shown).lower() if isinstance(shown, bool) else shown}"
        place = bisect_right(limits, value)
        if place == 0:
            return f"{name}: under {limits[0]:g}"
        if place == len(limits):
            return f"{name}: {limits[-1]:g} or over"
        low, high = limits[place - 1 : place + 1]
        # Whole limits read as whole years do: 65-79 is everybody until the 80th birthday.
        last = f"{high - 1:g}" if float(high).is_integer() else f"under {high:g}"
        return f"{name}: {low:g}-{last}"


def load_subgroups(features: Mapping[str, Feature], path: Path = OWN) -> tuple[Subgroup, ...]:
    """Load and check the declared subgroups.

    Raises
    ------
    ContentInvalid
        Naming file, row and the rule that does not hold.
    """
    return tuple(_subgroup(row, features) for row in read_rows(path, "subgroup"))


def labels_of(inputs: str, subgroups: Sequence[Subgroup]) -> tuple[str, ...]:
    """The groups that stored inputs belong to; none of a feature that was not there.

    Parameters
    ----------
    inputs : str
        JSON as the ledger keeps it: feature name to `{"value": …}`.

    Examples
    --------
    >>> from models.vocabulary import load_vocabulary
    >>> declared = load_subgroups(load_vocabulary().features)
    >>> labels_of('{"age":{"value":71.0},"sex":{"value":"male"}}', declared)
    ('sex: male', 'age: 65-79')
    >>> labels_of('{"age":{"value":"old"}}', declared)
    ()
    """
    try:
        stored = orjson.loads(inputs)
    except ValueError:
        return ()
    found = []
    for subgroup in subgroups:
        given = stored.get(subgroup.feature.name)
        if not isinstance(given, dict):
            continue
        try:
            found.append(subgroup.label(take(subgroup.feature, given.get("value"))))
        except MeasurementRefused:
            continue  # a category that today's dictionary no longer has
    return tuple(found)


def _subgroup(row: Row, features: Mapping[str, Feature]) -> Subgroup:
    row.check(SCHEMA)
    name, limits = row.values["name"], row.values.get("limits", [])
    feature = features.get(name)
    if feature is None or feature.kind == "code":
        row.refuse("`name` must be a number, a category or a flag of the feature dictionary")
    if (feature.kind == "number") != bool(limits):
        row.refuse("`limits` are for numbers, and a number needs them")
    if not all(map(is_number, limits)) or sorted(set(limits)) != limits:
        row.refuse("`limits` must be ascending numbers")
    return Subgroup(feature, tuple(limits))
