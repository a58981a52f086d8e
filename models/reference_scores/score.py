"""What a published score is, and what it says of one patient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from models.reference_scores.items import (
    OUTSIDE_DEFINITION,
    Dictionary,
    Item,
    Unanswerable,
    Values,
    known,
)
from models.risk.calibration import probability_of_one

LOG_ODDS = "log_odds"
POINTS = "points"


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a score's probability stands for an outcome of the product.

    Attributes
    ----------
    same_definition : bool
        The published outcome is the product's, in event and in window.
    note : str
        What differs, or where the published definition stands.
    """

    same_definition: bool
    note: str


@dataclass(frozen=True, slots=True)
class Scored:
    """What a score says, as exactly as the inputs allow.

    Attributes
    ----------
    lowest, highest : float
        The total over every value that the missing features could have: log-odds for a score
        with a probability, points for one without. Equal when it is certain.
    missing : tuple of str
        Features that the score looked for and did not find.
    ambiguous : tuple of str
        Features that are there but whose category spans several published classes.
    band : str or None
        The published band, when it is the same at both ends.
    probability_lowest, probability_highest : float or None
        0-1; None for a score without a published probability.
    probability, log_odds : float or None
        Only when the total is certain and the score has a probability.
    base_value : float or None
        Intercept in log-odds, 0 for points; None when the total is not certain.
    contributions : mapping or None
        Feature name to log-odds or points, when the total is certain:
        `base_value + sum(contributions) == log_odds` (or the total points). A feature that is not
        in it brought nothing of its own.
    """

    lowest: float
    highest: float
    missing: tuple[str, ...]
    ambiguous: tuple[str, ...]
    band: str | None
    probability_lowest: float | None
    probability_highest: float | None
    probability: float | None
    log_odds: float | None
    base_value: float | None
    contributions: Mapping[str, float] | None

    @property
    def complete(self) -> bool:
        """Whether the total is certain and the score is known to apply."""
        return self.contributions is not None


@dataclass(frozen=True, slots=True)
class NotCovered:
    """No number, and why.

    Attributes
    ----------
    reason : str
        `outside_definition`: the score was never defined for such a patient.
        `missing_required`: without these features not even a range can be given.
    features : tuple of str
        Which features say so.
    """

    reason: str
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReferenceScore:
    """A published score: an intercept plus items, with its source and its limits.

    Attributes
    ----------
    id : str
        As branch points name it in `fallback`.
    scale : str
        `log_odds` for a score with a published probability, else `points`.
    base_value : float
        Intercept in log-odds; 0 for points.
    items : tuple of Item
        What is added to it.
    source, valid_for, not_for : str
        Where the definition stands, whom it was made for, what it must not be used for.
    outcomes : mapping
        Outcome of the product to how well the probability stands for it; empty without one.
    bands : callable, optional
        Band of `(total, largest points of a single item)`. Moves one way only as they rise, so
        that a range whose ends share a band lies in it.
    youngest : float, optional
        The score is not defined below this age in years.
    features : tuple of str
        Names in the dictionary that it may read.
    """

    id: str
    title_en: str
    title_sv: str
    scale: str
    items: tuple[Item, ...]
    source: str
    valid_for: str
    not_for: str
    base_value: float = 0.0
    outcomes: Mapping[str, Fit] = field(default_factory=lambda: MappingProxyType({}))
    bands: Callable[[float, float], str] | None = None
    youngest: float | None = None
    features: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        guard = ("age",) if self.youngest is not None else ()
        names = (*guard, *(name for item in self.items for name in item.features))
        object.__setattr__(self, "features", tuple(dict.fromkeys(names)))

    def assess(self, values: Values, features: Dictionary) -> Scored | NotCovered:
        """Score one patient.

        Parameters
        ----------
        values : mapping
            What `models.vocabulary.settle` kept: numbers in the dictionary's unit, a category as
            its position, a flag as 0 or 1.
        features : mapping
            The dictionary.

        Examples
        --------
        A shock index of 110 / 100:

        >>> from models.reference_scores import SCORES
        >>> from models.vocabulary import load_vocabulary
        >>> dictionary = load_vocabulary().features
        >>> SCORES["shock_index"].assess({"heart_rate": 110.0, "sbp": 100.0}, dictionary).lowest
        1.1
        >>> SCORES["shock_index"].assess({"heart_rate": 110.0}, dictionary)
        NotCovered(reason='missing_required', features=('sbp',))
        """
        try:
            return self._score(values, features)
        except Unanswerable as why:
            return NotCovered(why.reason, why.features)

    def _score(self, values: Values, features: Dictionary) -> Scored:
        missing: list[str] = []
        applies = True
        if self.youngest is not None:
            age = known(values, "age")
            if age is None:
                applies = False
                missing.append("age")
            elif age < self.youngest:
                raise Unanswerable(OUTSIDE_DEFINITION, ("age",))
        lowest = highest = self.base_value
        largest_lowest = largest_highest = 0.0
        ambiguous: list[str] = []
        contributions: dict[str, float] = {}
        for item in self.items:
            low, high, credits, absent = item.read(values, features)
            lowest += low
            highest += high
            if low > largest_lowest:
                largest_lowest = low
            if high > largest_highest:
                largest_highest = high
            if absent:
                missing.extend(absent)
            if low == high:
                for name, points in credits:
                    contributions[name] = contributions.get(name, 0.0) + points
            else:
                applies = False
                if not absent:
                    ambiguous.extend(item.features)
        band = None
        if self.bands is not None:
            band = self.bands(lowest, largest_lowest)
            if not applies and band != self.bands(highest, largest_highest):
                band = None
        is_logit = self.scale == LOG_ODDS
        return Scored(
            lowest,
            highest,
            tuple(dict.fromkeys(missing)) if missing else (),
            tuple(ambiguous),
            band,
            probability_of_one(lowest) if is_logit else None,
            probability_of_one(highest) if is_logit else None,
            probability_of_one(lowest) if is_logit and applies else None,
            lowest if is_logit and applies else None,
            self.base_value if applies else None,
            MappingProxyType(contributions) if applies else None,
        )
