"""How a score reads the dictionary's features: points, or how few and how many they could be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from models.reference_scores.tables import Classes, Levels
from models.vocabulary.features import Feature

Values = Mapping[str, float]
Dictionary = Mapping[str, Feature]

OUTSIDE_DEFINITION = "outside_definition"


class Unanswerable(Exception):
    """The definition gives no number here; `ReferenceScore.assess` turns it into an answer."""

    def __init__(self, reason: str, features: tuple[str, ...]) -> None:
        super().__init__(reason)
        self.reason, self.features = reason, features


class Reading(NamedTuple):
    """What one item is worth.

    Attributes
    ----------
    lowest, highest : float
        Equal when the points are certain.
    credits : tuple of (feature name, points)
        Who brought the points; empty when they are not certain.
    missing : tuple of str
        Features that were looked for and are not there.
    """

    lowest: float
    highest: float
    credits: tuple[tuple[str, float], ...] = ()
    missing: tuple[str, ...] = ()


class Item(Protocol):
    """One term of a score."""

    @property
    def features(self) -> tuple[str, ...]:
        """Names in the dictionary that it may read."""

    def read(self, values: Values, dictionary: Dictionary) -> Reading:
        """Read settled values.

        Raises
        ------
        Unanswerable
            The definition does not cover what was found.
        """


def known(values: Values, name: str) -> float | None:
    """A settled value; None when it is missing, in either spelling."""
    value = values.get(name)
    return None if value is None or value != value else value


@dataclass(frozen=True, slots=True)
class Number:
    """Points by the class of a number.

    Attributes
    ----------
    unit : str
        UCUM unit that the table is printed in: must be the dictionary's.
    """

    feature: str
    unit: str
    classes: Classes
    features: tuple[str, ...] = field(init=False)
    # Worked out once: the request path only looks them up.
    _readings: tuple[Reading, ...] = field(init=False, repr=False)
    _unknown: Reading = field(init=False, repr=False)

    def __post_init__(self) -> None:
        readings = tuple(Reading(p, p, ((self.feature, p),)) for p in self.classes.points)
        object.__setattr__(self, "_readings", readings)
        object.__setattr__(self, "features", (self.feature,))
        unknown = Reading(self.classes.least, self.classes.most, (), self.features)
        object.__setattr__(self, "_unknown", unknown)

    def read(self, values: Values, dictionary: Dictionary) -> Reading:
        value = known(values, self.feature)
        if value is None:
            return self._unknown
        position = self.classes.position(value)
        if position is None:
            raise Unanswerable(OUTSIDE_DEFINITION, self.features)
        return self._readings[position]


@dataclass(frozen=True, slots=True)
class Level:
    """Points by category.

    Attributes
    ----------
    points : Levels or mapping
        Points of each category. A pair (lowest, highest) where a category of the dictionary spans
        several published classes; a category left out is one that the definition does not cover.
    """

    feature: str
    points: Levels | Mapping[str, float | tuple[float, float]]
    features: tuple[str, ...] = field(init=False)
    _readings: Mapping[str, Reading] = field(init=False, repr=False)
    _unknown: Reading = field(init=False, repr=False)

    def __post_init__(self) -> None:
        points = self.points.points if isinstance(self.points, Levels) else self.points
        readings = {
            name: Reading(*worth)
            if isinstance(worth, tuple)
            else Reading(worth, worth, ((self.feature, worth),))
            for name, worth in points.items()
        }
        lowest = min(reading.lowest for reading in readings.values())
        highest = max(reading.highest for reading in readings.values())
        object.__setattr__(self, "features", (self.feature,))
        object.__setattr__(self, "_readings", readings)
        object.__setattr__(self, "_unknown", Reading(lowest, highest, (), self.features))

    @property
    def categories(self) -> frozenset[str]:
        return frozenset(self._readings)

    def read(self, values: Values, dictionary: Dictionary) -> Reading:
        value = known(values, self.feature)
        if value is None:
            return self._unknown
        reading = self._readings.get(dictionary[self.feature].categories[int(value)])
        if reading is None:
            raise Unanswerable(OUTSIDE_DEFINITION, self.features)
        return reading


@dataclass(frozen=True, slots=True)
class Flag:
    """Points for a yes; none for a no."""

    feature: str
    points: float
    features: tuple[str, ...] = field(init=False)
    _unknown: Reading = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "features", (self.feature,))
        ends = sorted((0.0, self.points))
        object.__setattr__(self, "_unknown", Reading(ends[0], ends[1], (), self.features))

    def read(self, values: Values, dictionary: Dictionary) -> Reading:
        value = known(values, self.feature)
        if value is None:
            return self._unknown
        points = self.points if value else 0.0
        return Reading(points, points, ((self.feature, points),))


@dataclass(frozen=True, slots=True)
class FirstKnown:
    """The same fact under several names, the most exact first."""

    items: tuple[Number | Level, ...]
    features: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "features", tuple(item.feature for item in self.items))

    def read(self, values: Values, dictionary: Dictionary) -> Reading:
        first = self.items[0]
        for item in self.items:
            if known(values, item.feature) is None:
                continue
            reading = item.read(values, dictionary)
            if item is not first and reading.lowest != reading.highest:
                return reading._replace(missing=first.features)
            return reading
        return first.read(values, dictionary)
