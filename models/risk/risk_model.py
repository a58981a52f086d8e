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
from models.risk.assessment import Abstained, Answered
from models.risk.calibration import LinearCalibration
from models.risk.intervals import (
    BINARY_METHOD,
    NUMERIC_METHOD,
    ConformalInterval,
    GroupInterval,
    interval_from_document,
)
from models.risk.panel import Panel
from models.risk.reading import Input, Reader, Reading, reader_of
from models.risk.trees import TreeEnsemble

Floats = NDArray[np.float64]
FORMAT = 1


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
    reader: Reader = field(init=False, repr=False, compare=False)
    base_value: float = field(init=False, repr=False, compare=False)
    """Calibrated score of the average fitting patient."""

    alone: Panel = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        reader = reader_of(self.inputs, self.required)
        base_value = self.calibration.intercept + self.calibration.slope * self.raw_base_value
        object.__setattr__(self, "base_value", base_value)
        object.__setattr__(self, "features", reader.features)
        object.__setattr__(self, "reader", reader)
        object.__setattr__(self, "alone", Panel((self,)))

    @property
    def typical(self) -> dict[str, float]:
        """Of each number that fitting patients differed in, what was in the middle (see `medians`)."""
        medians = self.familiarity.medians()
        return {self.features[column]: value for column, value in medians.items()}

    @property
    def interval_method(self) -> str:
        return BINARY_METHOD if self.kind == "binary" else NUMERIC_METHOD

    @property
    def raw_base_value(self) -> float:
        return (
            self.additive_weight * self.additive.intercept
            + self.trees_weight * self.trees.base_value
        )

    def vectors(self, X: Floats) -> Floats:
        """As `vector`, for many: categories that no fitting patient had become missing."""
        if not any(item.unseen for item in self.inputs):
            return X
        X = X.copy()
        for i, item in enumerate(self.inputs):
            X[np.isin(X[:, i], list(item.unseen)), i] = np.nan
        return X

    def for_trees(self, X: Floats) -> Floats:
        """Recode categories as the trees were fitted to read them; missing stays missing."""
        X = X.copy()
        for i, codes in self.reader.coded:
            present = ~np.isnan(X[..., i])
            X[..., i][present] = codes[X[..., i][present].astype(np.intp)]
        return X

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

    def never_seen(self, values: Mapping[str, float]) -> list[str]:
        """Inputs whose category no fitting patient had; they are treated as missing."""
        return self.reader.order.never_seen(values)

    def vector(self, values: Mapping[str, float]) -> Floats:
        """Order encoded values as this model reads them; NaN where missing or never seen."""
        return self.reader.order.row(values).x

    def assess(self, patient: Mapping[str, float] | Reading) -> Answered | Abstained:
        """Assess one patient.

        Parameters
        ----------
        patient : mapping or Reading
            Encoded values by feature name, absent meaning missing.
        """
        values = patient.values if isinstance(patient, Reading) else patient
        return self.alone.assess(values)[0]

    def answers(self, X: Floats) -> NDArray[np.bool_]:
        """Whether `assess` would answer, for many vectors: (n_samples, n_features) -> (n_samples,)."""
        X = self.vectors(X)
        required = [i for i, name in enumerate(self.features) if name in self.required]
        answered = ~np.isnan(X[:, required]).any(axis=1)
        answered &= ~self.familiarity.unfamiliar(X)
        if self.minimum is not None or self.maximum is not None:
            score, _ = self.explain(X)
            answered &= score >= (-np.inf if self.minimum is None else self.minimum)
            answered &= score <= (np.inf if self.maximum is None else self.maximum)
        return answered

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
