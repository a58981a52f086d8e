"""Versions for the gate: small models with a full evaluation, registered in a real MLflow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from models.bundle import write_bundle
from models.registry import Registry, Run, Version
from models.risk.calibration import LinearCalibration, probability
from monitoring.reference import reference_profile
from tests.lib.risk_models import (
    BRANCH_POINT,
    FEATURES,
    Fitted,
    bundle_files,
    fit_model,
    synthetic_rows,
    vocabulary,
)
from training.evaluation import evaluate_binary
from training.rows import Cohort
from training.sources.source import load_source

ROWS, RESAMPLES = 2000, 60
SEX = FEATURES.index("mechanical_ventilation")


@cache
def cohort(outcome: str = "death_180d") -> Cohort:
    """Two thousand simulated patients whom no model of these tests was fitted on."""
    rng = np.random.default_rng(77)
    X, log_odds = synthetic_rows(rng, ROWS)
    source = load_source("support2", vocabulary())
    return Cohort(
        source=replace(source, plan=replace(source.plan, resamples=RESAMPLES)),
        features=FEATURES,
        X=X,
        labels={outcome: (rng.random(ROWS) < expit(log_odds)).astype(float)},
        comparators={},
        held_out=np.ones(ROWS, dtype=bool),
        set_aside={},
    )


@cache
def good(outcome: str = "death_180d") -> Fitted:
    return fit_model(outcome, n=2400)


def flattened(found: Fitted, slope: float = 0.4) -> Fitted:
    """The same model with its risks drawn together: high ones too low and low ones too high."""
    line = LinearCalibration(found.model.calibration.intercept, slope)
    return replace(found, model=replace(found.model, calibration=line))


def evaluated(found: Fitted, rows: Cohort) -> dict[str, Any]:
    """The evaluation that training would have written, on the cohort's rows."""
    model = found.model
    X = rows.X[model.answers(rows.X)]
    y = rows.labels[model.outcome][model.answers(rows.X)]
    score, _ = model.explain(X)
    lower, upper = model.bounds(X, score)
    point = vocabulary().branch_points[BRANCH_POINT]
    return evaluate_binary(
        y, probability(score), lower=lower, upper=upper, comparators={},
        groups={"ventilated": [None if np.isnan(x) else str(x) for x in X[:, SEX]]},
        n_resamples=RESAMPLES, thresholds=point.decision_thresholds(model.outcome),
    )  # fmt: skip


def version_files(found: Fitted, note: str = "", **changed: Any) -> dict[str, bytes]:
    """A whole bundle; `note` gives another digest to the same model."""
    score, contributions = found.model.explain(found.X)
    features = [vocabulary().features[name] for name in FEATURES]
    profile = reference_profile(found.X, features, probability(score), "binary", contributions)
    card = {"title": "A small model for tests", "note": note, "cohort": {"title": "synthetic rows"}}
    content = {
        "reference_json": profile,
        "evaluation_json": evaluated(found, cohort(found.model.outcome)),
        "card_json": card,
    }
    return bundle_files(found, **{**content, **changed})


def registered(
    registry: Registry,
    folder: Path,
    files: Mapping[str, bytes],
    training_data: str = "real",
) -> Version:
    """Register a bundle as the next version of its model."""
    name = json.loads(files["model.json"])["name"]
    write_bundle(folder, files)
    run = Run({}, {}, {"training_data": training_data}, {}, {"age": "double"})
    return registry.publish(name, folder, run)
