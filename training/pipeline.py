"""The whole way of one branch point: cohort -> fit -> evaluate on held-out rows -> register."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.registry import Registry, Version
from models.risk.assessment import Answered
from models.risk.calibration import probability
from models.vocabulary import Vocabulary
from monitoring.reference import reference_profile
from training.card import build_card, card_markdown
from training.cohort import Cohort, group_values
from training.errors import CohortTooSmall
from training.evaluation import draw, evaluate_binary, evaluate_numeric
from training.fit.fit_outcome import Fitted, fit_outcome
from training.publish import publish, write_model_bundle

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Result:
    """One registered version and how it did on held-out rows."""

    version: Version
    form: str
    evaluation: dict[str, Any]


def usable_features(cohort: Cohort) -> list[int]:
    """Columns of the cohort that vary in the fitting rows."""
    fitting = cohort.X[~cohort.held_out]
    return [
        i
        for i in range(fitting.shape[1])
        if len(np.unique(fitting[~np.isnan(fitting[:, i]), i])) > 1
    ]


def train_outcome(
    cohort: Cohort,
    outcome: str,
    vocabulary: Vocabulary,
    registry: Registry,
    *,
    seed: int,
    progress: Callable[[float], None] = lambda _: None,
) -> Result:
    """Fit, evaluate and register one outcome.

    Raises
    ------
    CohortTooSmall
        When the cohort cannot carry the outcome.
    RegistryUnreachable
        When MLflow does not answer.
    """
    columns = usable_features(cohort)
    features = [vocabulary.features[cohort.features[i]] for i in columns]
    point = vocabulary.branch_points[cohort.source.branch_point]
    fitting = ~cohort.held_out & ~np.isnan(cohort.labels[outcome])
    X = cohort.X[fitting][:, columns]
    fitted = fit_outcome(
        X,
        cohort.labels[outcome][fitting],
        features,
        point=point,
        outcome=vocabulary.outcomes[outcome],
        training_data=cohort.source.training_data,
        seed=seed,
        progress=lambda share: progress(share * 0.9),
    )
    evaluation = evaluate(fitted, cohort, columns, outcome, vocabulary, seed)
    model = fitted.model
    score, _ = model.explain(X)
    predictions = probability(score) if model.kind == "binary" else score
    card = build_card(
        model, fitted.choice.candidate, cohort, evaluation, int(fitting.sum()), vocabulary
    )
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        write_model_bundle(
            bundle,
            fitted,
            X,
            reference_profile(X, features, predictions, model.kind),
            evaluation,
            card,
            card_markdown(card),
            vocabulary,
        )
        version = publish(
            registry, bundle, fitted, evaluation, draw(model.name, evaluation),
            cohort.source.name, seed,
        )  # fmt: skip
    progress(0.1)
    return Result(version, str(fitted.choice.candidate), evaluation)


def evaluate(
    fitted: Fitted,
    cohort: Cohort,
    columns: Sequence[int],
    outcome: str,
    vocabulary: Vocabulary,
    seed: int,
) -> dict[str, Any]:
    """Evaluate on the held-out rows that the model answers, as the service would answer them.

    Raises
    ------
    CohortTooSmall
        When the held-out rows cannot carry the evaluation.
    """
    model = fitted.model
    known = np.flatnonzero(cohort.held_out & ~np.isnan(cohort.labels[outcome]))
    X = cohort.X[known][:, list(columns)]
    answered = np.array([_answers(fitted, x) for x in X])
    rows = known[answered]
    X, y = X[answered], cohort.labels[outcome][rows]
    score, _ = model.explain(X)
    lower, upper = model.bounds(X, score)
    groups = {
        name: [values[i] for i in rows] for name, values in group_values(cohort, vocabulary).items()
    }
    try:
        if model.kind == "binary":
            comparators = {
                name: outcomes[outcome][rows]
                for name, outcomes in cohort.comparators.items()
                if outcome in outcomes
            }
            evaluation = evaluate_binary(
                y, probability(score), lower=lower, upper=upper, comparators=comparators,
                groups=groups, seed=seed,
            )  # fmt: skip
        else:
            evaluation = evaluate_numeric(
                y, score, lower=lower, upper=upper, groups=groups, seed=seed
            )
    except ValueError as error:
        raise CohortTooSmall(f"{outcome}: held-out rows cannot be evaluated: {error}") from error
    evaluation["abstained"] = {
        "rows": int(len(known) - len(rows)),
        "share": float(1 - len(rows) / len(known)),
    }
    return evaluation


def _answers(fitted: Fitted, x: Floats) -> bool:
    model = fitted.model
    present = {
        name: float(value)
        for name, value in zip(model.features, x, strict=True)
        if not np.isnan(value)
    }
    return isinstance(model.assess(present), Answered)
