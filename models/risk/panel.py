"""Models that are asked about the same patient, worked out together.

One patient is read once, whatever the number of models. What models look up alone is joined into one
vector, so that a step of arithmetic is one call for all of them; what they share (inputs in one order,
ramps and knots, the rule of familiarity) is worked out once. A model's answer does not depend on which
others are asked with it, to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.risk.abstention import Familiarity, FamiliarityStack
from models.risk.additive import AdditiveModel, AdditiveStack
from models.risk.assessment import MISSING_REQUIRED, OUT_OF_DISTRIBUTION, Abstained, Answered
from models.risk.calibration import probability_of_one
from models.risk.intervals import ConformalInterval
from models.risk.reading import Seat
from models.risk.trees import TreeEnsemble, TreeStack

if TYPE_CHECKING:
    from models.risk.risk_model import RiskModel

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Member:
    """A model, and which of the panel's parts are its own.

    Attributes
    ----------
    required : tuple of (int, str)
        Inputs that it must have: place in the vector, name.
    rule : int
        Its rule of familiarity.
    variance : int
        Its variance; -1 when its interval asks for none.
    """

    model: RiskModel
    contributions: slice
    required: tuple[tuple[int, str], ...]
    rule: int
    variance: int

    def answer(
        self, own: Sequence[float], far: Sequence[bool], score: float,
        contributions: Floats, variances: Sequence[float],
    ) -> Answered | Abstained:  # fmt: skip
        """What the model says, once everything is worked out."""
        if lacking := tuple(name for at, name in self.required if own[at] != own[at]):
            return Abstained(MISSING_REQUIRED, lacking)
        model = self.model
        if (
            far[self.rule]
            or (model.minimum is not None and score < model.minimum)
            or (model.maximum is not None and score > model.maximum)
        ):
            return Abstained(OUT_OF_DISTRIBUTION)
        mine, interval, base = contributions[self.contributions], model.interval, model.base_value
        if isinstance(interval, ConformalInterval):
            return Answered(score, score, base, mine, *interval.bounds_of_one(score))
        chance = probability_of_one(score)
        variance = model.calibration.slope**2 * variances[self.variance]
        return Answered(score, chance, base, mine, *interval.bounds_of_one(chance, variance))


class Panel:
    """Models of one branch point, asked together.

    Parameters
    ----------
    models : sequence of RiskModel
        Each with at least one input.

    Attributes
    ----------
    features : tuple of str
        Every input of any of them, in the order of first mention.
    """

    def __init__(self, models: Sequence[RiskModel]) -> None:
        self.features = tuple(dict.fromkeys(name for model in models for name in model.features))
        # Inputs in the same order stand in the vector once.
        orders = {id(model.reader.order): model.reader.order for model in models}
        reads, width = {}, 0
        for key, order in orders.items():
            reads[key] = width
            width += len(order.names)
        self._names = [name for order in orders.values() for name in order.names]
        self._unseen = [(reads[k] + i, never) for k, o in orders.items() for i, never in o.unseen]
        rules: dict[tuple[int, int], tuple[Familiarity, int]] = {}
        additive: list[tuple[AdditiveModel, Seat]] = []
        trees: list[tuple[TreeEnsemble, Seat]] = []
        recoded: list[int] = []
        self._codes: list[tuple[int, int, tuple[float, ...]]] = []
        self._members: list[_Member] = []
        self._firsts: list[int] = []
        gives = 0
        for model in models:
            first, order, slope = (
                reads[id(model.reader.order)],
                model.reader.order,
                model.calibration.slope,
            )
            rule = id(model.familiarity), first
            rules.setdefault(rule, (model.familiarity, first))
            variance = -1
            # The additive part also says how sure a probability is, even where it has no weight.
            if model.additive_weight or not isinstance(model.interval, ConformalInterval):
                variance = len(additive)
                additive.append((model.additive, Seat(first, gives, slope * model.additive_weight)))
            if model.trees_weight:
                self._codes += [(len(recoded) + i, first + i, c) for i, c in model.reader.codes]
                trees.append((model.trees, Seat(len(recoded), gives, slope * model.trees_weight)))
                recoded += range(first, first + len(order.names))
            self._members.append(
                _Member(
                    model,
                    slice(gives, gives + len(order.names)),
                    tuple((first + i, order.names[i]) for i in order.required),
                    list(rules).index(rule),
                    variance,
                )
            )
            self._firsts.append(gives)
            gives += len(order.names)
        self._width = gives
        self._base_values = np.array([model.base_value for model in models])
        self._recoded = np.array(recoded, dtype=np.intp)
        self._rules = FamiliarityStack(list(rules.values()))
        self._additive = AdditiveStack(additive)
        self._trees = TreeStack(trees)

    def never_seen(self, values: Mapping[str, float]) -> set[str]:
        """Inputs whose category no fitting patient of some model had; to it they are missing."""
        names = self._names
        return {names[i] for i, never in self._unseen if values.get(names[i]) in never}

    def assess(self, values: Mapping[str, float]) -> list[Answered | Abstained]:
        """What every model says of one patient, in the order of the models.

        Parameters
        ----------
        values : mapping
            Encoded values (`models.vocabulary.take`) by feature name; absent means missing.
        """
        if not self._members:
            return []
        own = [values.get(name, nan) for name in self._names]
        for i, never in self._unseen:
            if own[i] in never:
                own[i] = nan
        x = np.array(own)
        contributions, variances = self._additive.explain(x, self._width)
        if self._recoded.size:
            for_trees = x.take(self._recoded)
            for i, at, codes in self._codes:
                value = own[at]
                if value == value:  # NaN differs from itself
                    for_trees[i] = codes[int(value)]
            contributions[self._trees.into] += self._trees.contributions(for_trees)
        scores = (self._base_values + np.add.reduceat(contributions, self._firsts)).tolist()
        far = self._rules.unfamiliar(x, own)
        return [
            member.answer(own, far, score, contributions, variances)
            for member, score in zip(self._members, scores, strict=True)
        ]
