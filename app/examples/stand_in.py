"""A stand-in for a trained model, so that examples can be answered where no model is.

It is built like any other and explains itself by the same code; its numbers are the invented ones of
`patients.toml`: at the example's own values each input contributes what stands there. Nothing else
may use it: it never reaches the slot that patients are answered from.
"""

from __future__ import annotations

from typing import Any

from app.examples.patients import ExamplePatient, Illustration
from app.serving.slot import ServedModel
from models.risk.risk_model import FORMAT, RiskModel
from models.vocabulary import BranchPoint, Feature, Vocabulary

VERSION = "0"
DIGEST = f"sha256:{'0' * 64}"
"""What no file has: nobody can take an example's answer for a model's."""
HALF_INTERVAL = 0.4
LEVEL = 0.9


def stand_in(
    patient: ExamplePatient, shown: Illustration, point: BranchPoint, vocabulary: Vocabulary
) -> ServedModel:
    """The model that answers one outcome of one example."""
    outcome = vocabulary.outcomes[shown.outcome]
    names = list(dict.fromkeys((*shown.reasons, *point.required)))
    binary = outcome.kind == "binary"
    document = {
        "format": FORMAT,
        "name": f"{point.id}.{outcome.name}",
        "branch_point": point.id,
        "outcome": outcome.name,
        "kind": outcome.kind,
        "training_data": "synthetic",
        "inputs": [_input(vocabulary.features[name]) for name in names],
        "required": list(point.required),
        "weights": {"additive": 1.0, "trees": 0.0},
        "additive": {
            "intercept": shown.base_value,
            "spread": [0.0] * (len(names) * (len(names) + 1) // 2),
            "columns": [
                _column(vocabulary.features[name], patient, reason)
                for name, reason in shown.reasons.items()
            ],
            "covariance": [0.0] * (len(shown.reasons) * (len(shown.reasons) + 1) // 2),
        },
        "calibration": {"intercept": 0.0, "slope": 1.0},
        "interval": _group_interval() if binary else _interval(shown, outcome.minimum),
        "familiarity": {"inputs": [], "correlation": [], "limit": 1.0, "ranges": {}},
        "cohort_value": shown.cohort,
        "minimum": None if binary else outcome.minimum,
        "maximum": None,
    }
    model = RiskModel.from_document(document, None)
    return ServedModel(model, VERSION, "champion", DIGEST, {}, {})


def _input(feature: Feature) -> dict[str, Any]:
    return {
        "name": feature.name,
        "kind": feature.kind,
        "unit": feature.unit,
        "categories": list(feature.categories),
        "tree_codes": [float(i) for i in range(len(feature.categories))],
    }


def _column(feature: Feature, patient: ExamplePatient, reason: float) -> dict[str, Any]:
    """A step to `reason` at the example's value; 0 where the example has none."""
    value = {"age": patient.age, "sex": patient.sex, **patient.values}.get(feature.name)
    start = 0.0
    if feature.kind == "category" and value is not None:
        start = float(feature.categories.index(value))
    elif value is not None:
        start = float(value)
    return {
        "feature": feature.name,
        "kind": "level",
        "start": start,
        "stop": None,
        "mean": 0.0,
        "coefficient": float(reason),
    }


def _group_interval() -> dict[str, Any]:
    return {"scale": 1.0, "level": LEVEL, "group_size": 200}


def _interval(shown: Illustration, minimum: float | None) -> dict[str, Any]:
    half = HALF_INTERVAL * shown.cohort
    return {
        "edges": [],
        "lower": [-half],
        "upper": [half],
        "minimum": 0.0 if minimum is None else minimum,
        "maximum": None,
        "level": LEVEL,
    }
