"""One registered model: inputs in the dictionary's terms in, an explained risk out.

The raw score is a weighted sum of an additive model (ramps, levels) and boosted trees; both give
exact Shapley contributions, so their sum does; the linear calibration scales all of them together.
The law that follows, and that every load proves again on a stored example:

    base_value + sum(contributions) == score, and probability == 1 / (1 + exp(-score))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import BundleRefused
from models.risk.abstention import Familiarity
from models.risk.additive import AdditiveModel
from models.risk.assessment import (
    MISSING_REQUIRED,
    OUT_OF_DISTRIBUTION,
    Abstained,
    Answered,
)
from models.risk.calibration import LinearCalibration, probability_of_one
from models.risk.intervals import (
    BINARY_METHOD,
    NUMERIC_METHOD,
    ConformalInterval,
    GroupInterval,
    interval_from_document,
)
from models.risk.trees import TreeEnsemble

Floats = NDArray[np.float64]
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a model.

    Attributes
    ----------
    unit, categories
        As the dictionary had them when the model was fitted; a load refuses a dictionary that
        has changed under it.
    tree_codes : tuple of float
        Number that the trees read for each category; NaN for a category never seen in fitting.
    unseen : frozenset of int
        Positions of the categories never seen in fitting.
    """

    name: str
    kind: str
    unit: str | None = None
    categories: tuple[str, ...] = ()
    tree_codes: tuple[float, ...] = ()
    unseen: frozenset[int] = field(init=False, default=frozenset())

    def __post_init__(self) -> None:
        never = frozenset(i for i, code in enumerate(self.tree_codes) if np.isnan(code))
        object.__setattr__(self, "unseen", never)


@dataclass(frozen=True, slots=True)
class RiskModel:
    """A fitted, calibrated, explained model of one outcome at one branch point."""

    name: str
    branch_point: str
    outcome: str
    kind: str
    training_data: str
    inputs: tuple[Input, ...]
    required: tuple[str, ...]
    additive: AdditiveModel
    trees: TreeEnsemble
    additive_weight: float
    trees_weight: float
    calibration: LinearCalibration
    interval: GroupInterval | ConformalInterval
    familiarity: Familiarity
    cohort_value: float
    minimum: float | None = None
    maximum: float | None = None
    features: tuple[str, ...] = field(init=False)
    # What the request path needs of the inputs, worked out once.
    _coded: tuple[tuple[int, Floats], ...] = field(init=False, repr=False)
    _required_at: tuple[int, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        coded = [(i, np.array(m.tree_codes)) for i, m in enumerate(self.inputs) if m.tree_codes]
        object.__setattr__(self, "features", tuple(item.name for item in self.inputs))
        object.__setattr__(self, "_coded", tuple(coded))
        at = tuple(i for i, item in enumerate(self.inputs) if item.name in self.required)
        object.__setattr__(self, "_required_at", at)

    @property
    def interval_method(self) -> str:
        return BINARY_METHOD if self.kind == "binary" else NUMERIC_METHOD

    @property
    def raw_base_value(self) -> float:
        return (
            self.additive_weight * self.additive.intercept
            + self.trees_weight * self.trees.base_value
        )

    @property
    def base_value(self) -> float:
        """Calibrated score of the average fitting patient."""
        return self.calibration.intercept + self.calibration.slope * self.raw_base_value

    def vector(self, values: Mapping[str, float]) -> Floats:
        """Order encoded values as this model reads them; NaN where missing or never seen."""
        x = np.array([values.get(name, np.nan) for name in self.features])
        for i, codes in self._coded:
            own = float(x[i])
            if own == own and codes[int(own)] != codes[int(own)]:  # NaN differs from itself
                x[i] = np.nan
        return x

    def for_trees(self, X: Floats) -> Floats:
        """Recode categories as the trees were fitted to read them; missing stays missing."""
        X = X.copy()
        for i, codes in self._coded:
            present = ~np.isnan(X[..., i])
            X[..., i][present] = codes[X[..., i][present].astype(np.intp)]
        return X

    def _one_for_trees(self, x: Floats) -> Floats:
        """The same for a single vector; the request path."""
        x = x.copy()
        for i, codes in self._coded:
            own = float(x[i])
            if own == own:  # not NaN
                x[i] = codes[int(own)]
        return x

    def raw_contributions(self, X: Floats) -> Floats:
        """Uncalibrated contributions, shape (n_samples, n_features)."""
        contributions = self.additive_weight * self.additive.contributions(X)
        if self.trees_weight:
            contributions += self.trees_weight * self.trees.contributions(self.for_trees(X))
        return contributions

    def explain(self, X: Floats) -> tuple[Floats, Floats]:
        """Calibrated score (n_samples,) and contributions (n_samples, n_features) of many rows."""
        contributions = self.calibration.slope * self.raw_contributions(X)
        return self.base_value + contributions.sum(axis=1), contributions

    def bounds(self, X: Floats, score: Floats) -> tuple[Floats, Floats]:
        """Interval bounds of many rows, shapes (n_samples,)."""
        if isinstance(self.interval, ConformalInterval):
            return self.interval.bounds(score)
        return self.interval.bounds(score, self.calibration.slope**2 * self.additive.variance(X))

    def missing_required(self, x: Floats) -> tuple[str, ...]:
        """Required inputs that a vector lacks; a category never seen in fitting is lacking."""
        return tuple(self.features[i] for i in self._required_at if np.isnan(x[i]))

    def never_seen(self, values: Mapping[str, float]) -> list[str]:
        """Inputs whose category no fitting patient had; they are treated as missing."""
        return [
            item.name
            for item in self.inputs
            if item.unseen and item.name in values and int(values[item.name]) in item.unseen
        ]

    def assess(
        self, values: Mapping[str, float], unfamiliar: dict[int, bool] | None = None
    ) -> Answered | Abstained:
        """Assess one patient.

        Parameters
        ----------
        values : mapping
            Encoded values (`models.vocabulary.take`) by feature name; absent means missing.
        unfamiliar : dict, optional
            Verdicts of familiarity rules for this very patient, by the rule's `id`; models that
            share a rule share its verdict.
        """
        x = self.vector(values)
        if missing := self.missing_required(x):
            return Abstained(MISSING_REQUIRED, missing)
        verdicts = {} if unfamiliar is None else unfamiliar
        rule = id(self.familiarity)
        if rule not in verdicts:
            verdicts[rule] = self.familiarity.is_unfamiliar(x)
        if verdicts[rule]:
            return Abstained(OUT_OF_DISTRIBUTION)
        raw, variance = self.additive.explain_one(x)
        raw *= self.additive_weight
        if self.trees_weight:
            raw += self.trees_weight * self.trees.contributions_of_one(self._one_for_trees(x))
        contributions = self.calibration.slope * raw
        base = self.base_value
        score = base + float(contributions.sum())
        if self.minimum is not None and score < self.minimum:
            return Abstained(OUT_OF_DISTRIBUTION)
        if self.maximum is not None and score > self.maximum:
            return Abstained(OUT_OF_DISTRIBUTION)
        if isinstance(self.interval, ConformalInterval):
            at = np.array(score)
            lower, upper = (float(bound) for bound in self.interval.bounds(at))
            return Answered(score, score, base, contributions, lower, upper)
        chance = probability_of_one(score)
        lower, upper = self.interval.bounds_of_one(chance, self.calibration.slope**2 * variance)
        return Answered(score, chance, base, contributions, lower, upper)

    def to_document(self) -> dict[str, Any]:
        """Everything but the trees' text, as JSON."""
        return {
            "format": FORMAT,
            "name": self.name,
            "branch_point": self.branch_point,
            "outcome": self.outcome,
            "kind": self.kind,
            "training_data": self.training_data,
            "inputs": [
                {
                    "name": item.name,
                    "kind": item.kind,
                    "unit": item.unit,
                    "categories": list(item.categories),
                    "tree_codes": [None if np.isnan(c) else c for c in item.tree_codes],
                }
                for item in self.inputs
            ],
            "required": list(self.required),
            "weights": {"additive": self.additive_weight, "trees": self.trees_weight},
            "additive": self.additive.to_document(self.features),
            "calibration": {
                "intercept": self.calibration.intercept,
                "slope": self.calibration.slope,
            },
            "interval": self.interval.to_document(),
            "familiarity": self.familiarity.to_document(self.features),
            "cohort_value": self.cohort_value,
            "minimum": self.minimum,
            "maximum": self.maximum,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any], trees_text: str | None) -> RiskModel:
        """Rebuild a model from its document and the trees' text.

        Raises
        ------
        BundleRefused
            When the format is another one or a part is missing or malformed.
        """
        if document.get("format") != FORMAT:
            raise BundleRefused(f"model.json: format {FORMAT} expected")
        try:
            inputs = tuple(_input(item) for item in document["inputs"])
            names = [item.name for item in inputs]
            trees = (
                TreeEnsemble([], len(inputs))
                if trees_text is None
                else TreeEnsemble.from_lightgbm_text(trees_text)
            )
            if trees.n_features != len(inputs):
                raise BundleRefused("the trees read another number of inputs than model.json")
            if strangers := set(document["required"]) - set(names):
                raise BundleRefused(f"model.json requires {len(strangers)} inputs it does not have")
            weights = document["weights"]
            return cls(
                name=document["name"],
                branch_point=document["branch_point"],
                outcome=document["outcome"],
                kind=document["kind"],
                training_data=document["training_data"],
                inputs=inputs,
                required=tuple(document["required"]),
                additive=AdditiveModel.from_document(document["additive"], names),
                trees=trees,
                additive_weight=float(weights["additive"]),
                trees_weight=float(weights["trees"]),
                calibration=LinearCalibration(**document["calibration"]),
                interval=interval_from_document(document["interval"]),
                familiarity=Familiarity.from_document(document["familiarity"], names),
                cohort_value=float(document["cohort_value"]),
                minimum=document["minimum"],
                maximum=document["maximum"],
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise BundleRefused(f"model.json is malformed ({type(error).__name__})") from error


def _input(item: Mapping[str, Any]) -> Input:
    codes = tuple(np.nan if code is None else float(code) for code in item["tree_codes"])
    return Input(item["name"], item["kind"], item["unit"], tuple(item["categories"]), codes)
