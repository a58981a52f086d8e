"""Published point tables: what a number or a word is worth."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

from models.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class Classes:
    """Points for the classes of a number.

    A printed table leaves gaps: between "9-11" and "12-20" stands no 11.6. A number is therefore
    read as the table prints it, rounded to the step of the table, half a step upwards, as it
    would stand on the bedside chart. Ages are not rounded: 64.9 years is 64 until the birthday.

    Attributes
    ----------
    what : str
        Name and unit, for messages.
    starts : tuple of float
        First printed value of each class, ascending; nothing below the first is covered.
    points : tuple of float
        Same length.
    step : float
        Step of the printed table; 0 where a class starts exactly at its first value.
    highest : float
        Nothing above it is covered.

    Examples
    --------
    Respiratory rate in NEWS2:

    >>> rate = Classes("respiratory rate, /min", (0, 9, 12, 21, 25), (3, 1, 0, 2, 3))
    >>> [rate.find(x) for x in (8, 9, 20, 20.4, 20.5, 25)]
    [3, 1, 0, 0, 2, 3]
    """

    what: str
    starts: tuple[float, ...]
    points: tuple[float, ...]
    step: float = 1.0
    highest: float = math.inf
    least: float = field(init=False)
    most: float = field(init=False)
    _cuts: tuple[float, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # 38.1 - 0.05 is not 38.05 in binary; rounding gives the literal back.
        cuts = tuple(round(start - self.step / 2, 6) for start in self.starts[1:])
        object.__setattr__(self, "_cuts", cuts if self.step else self.starts[1:])
        object.__setattr__(self, "least", min(self.points))
        object.__setattr__(self, "most", max(self.points))

    def find(self, value: float) -> float | None:
        """Points of a number; None where the definition does not reach."""
        position = self.position(value)
        return None if position is None else self.points[position]

    def position(self, value: float) -> int | None:
        """Which class a number falls in, from 0; None where the definition does not reach."""
        if self.starts[0] <= value <= self.highest:
            return bisect_right(self._cuts, value)
        return None

    def of(self, value: float | None) -> float | None:
        """Points of a number, None of a missing one.

        Raises
        ------
        InvalidValue
            The definition does not reach so far. The value is not in the message.
        """
        number = given(value)
        if number is None:
            return None
        points = self.find(number)
        if points is None:
            top = "" if math.isinf(self.highest) else f" and at most {self.highest:g}"
            raise InvalidValue(f"{self.what}: expected at least {self.starts[0]:g}{top}")
        return points

    def times(self, coefficient: float) -> Classes:
        """The same classes in another currency, such as log-odds."""
        points = tuple(coefficient * p for p in self.points)
        return Classes(self.what, self.starts, points, self.step, self.highest)


@dataclass(frozen=True, slots=True)
class Levels:
    """Points for the words of a scale.

    Examples
    --------
    >>> Levels("urgency", {"elective": 0.0, "urgent": 1.657}).of("urgent")
    1.657
    """

    what: str
    points: Mapping[str, float]

    def of(self, word: str | None) -> float | None:
        """Points of a word, None of a missing one.

        Raises
        ------
        InvalidValue
            Not a word of the scale. The word is not in the message.
        """
        if word is None:
            return None
        if word not in self.points:
            raise InvalidValue(f"{self.what}: expected one of {', '.join(self.points)}")
        return self.points[word]

    def times(self, coefficient: float) -> Levels:
        """The same words in another currency, such as log-odds."""
        return Levels(self.what, {word: coefficient * p for word, p in self.points.items()})


def given(value: float | None) -> float | None:
    """The same number; None when it is missing, in either spelling."""
    return None if value is None or math.isnan(value) else value


def if_yes(points: float, answer: bool | None) -> float | None:
    """Points of a yes, none for a no, None when nobody answered."""
    return None if answer is None else points * answer


def total(*terms: float | None) -> float | None:
    """Sum of the terms; None when one is missing.

    Examples
    --------
    >>> total(1, 2), total(1, None)
    (3, None)
    """
    known = [term for term in terms if term is not None]
    return sum(known) if len(known) == len(terms) else None
