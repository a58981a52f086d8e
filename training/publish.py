"""From a fitted model to a bundle on disk and a version in the registry."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.bundle import prove, read_bundle, write_bundle
from models.registry import ANY, Run
from models.risk.assessment import Answered
from models.risk.risk_model import RiskModel
from models.vocabulary import Vocabulary

if TYPE_CHECKING:  # a pack needs what is registered, and none of the fitting
    from training.card import Making

Floats = NDArray[np.float64]

# Of everything that went into a version; the same again need not be trained again.
FINGERPRINT_TAG = "training_fingerprint"
# Tables of an evaluation, which are no headline figures.
APART = ("curve", "deciles", "roc", "net_benefit", "subgroups", "thresholds")
# A flag may be anything: where a column is boolean, `mlflow models serve` makes true of what is missing.
MLFLOW_TYPES = {"number": "double", "category": "string", "flag": ANY}


def examples(model: RiskModel, X: Floats) -> list[dict[str, Any]]:
    """Stored examples made of medians and quartiles: no patient is among them.

    A number or flag takes the cohort's quantile, a category the most frequent one; the second
    example leaves out all that may be missing. Examples on which the model abstains are dropped.
    """
    found = []
    for quantile, sparse in ((0.5, False), (0.5, True), (0.3, False), (0.7, False)):
        values: dict[str, float] = {}
        for i, item in enumerate(model.inputs):
            if sparse and item.name not in model.required:
                continue
            present = X[~np.isnan(X[:, i]), i]
            if not present.size:
                continue  # nobody here has it: so neither has the example
            if item.kind == "category":
                values[item.name] = float(np.bincount(present.astype(np.intp)).argmax())
            else:
                values[item.name] = float(np.quantile(present, quantile, method="nearest"))
        answer = model.assess(values)
        if isinstance(answer, Answered):
            contributions = dict(zip(model.features, answer.contributions.tolist(), strict=True))
            found.append({"values": values, "score": answer.score, "contributions": contributions})
    return found


def write_model_bundle(
    directory: Path,
    model: RiskModel,
    trees_text: str | None,
    X: Floats,
    reference: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    card: Mapping[str, Any],
    card_text: str,
    vocabulary: Vocabulary,
) -> str:
    """Write a bundle, read it back and prove it; return its digest.

    Raises
    ------
    BundleRefused
        When what was written does not prove itself.
    """
    files = {
        "model.json": _json(model.to_document()),
        "example.json": _json({"examples": examples(model, X)}),
        "reference.json": _json(reference),
        "evaluation.json": _json(evaluation),
        "card.json": _json(card),
        "card.md": card_text.encode(),
    }
    if trees_text is not None:
        files["trees.txt"] = trees_text.encode()
    digest = write_bundle(directory, files)
    prove(read_bundle(directory, digest), model.name, vocabulary)
    return digest


def record(
    model: RiskModel,
    making: Making,
    evaluation: Mapping[str, Any],
    pictures: Mapping[str, bytes],
    source: str,
    seed: int,
    fingerprint: str,
) -> Run:
    """What is registered beside the bundle: figures, pictures and lineage."""
    return Run(
        parameters={
            "form": making.form,
            "seed": str(seed),
            "source": source,
            "python": platform.python_version(),
        },
        metrics=dict(figures(evaluation)),
        tags={
            "branch_point": model.branch_point,
            "outcome": model.outcome,
            "training_data": model.training_data,
            "source": source,
            FINGERPRINT_TAG: fingerprint,
            **making.tags,
        },
        pictures=pictures,
        columns={item.name: MLFLOW_TYPES[item.kind] for item in model.inputs},
    )


def figures(evaluation: Mapping[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    """Flatten the headline figures; curves, tables and subgroups stay in evaluation.json.

    Examples
    --------
    >>> figures({"kind": "binary", "auroc": {"value": 0.8}, "curve": []})
    [('auroc.value', 0.8)]
    """
    found: list[tuple[str, float]] = []
    for name, value in evaluation.items():
        if isinstance(value, bool) or name in APART:
            continue
        if isinstance(value, int | float):
            found.append((f"{prefix}{name}", float(value)))
        elif isinstance(value, Mapping):
            found += figures(value, f"{prefix}{name}.")
    return found


def _json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode()
