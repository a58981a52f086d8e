"""A model on rows of a cohort: answered as the service would answer them, and judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.risk.calibration import probability
from models.risk.risk_model import RiskModel
from models.vocabulary import Vocabulary
from training.cohort import Cohort, group_values
from training.errors import CohortTooSmall
from training.evaluation import evaluate_binary, evaluate_numeric

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Labels = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model says of the labelled rows that it answers.

    Attributes
    ----------
    rows : ndarray of int, shape (n_answered,)
        Positions in the cohort.
    X : ndarray, shape (n_answered, n_features)
        As the model reads them.
    y : ndarray, shape (n_answered,)
        What happened.
    score : ndarray, shape (n_answered,)
        Log-odds, or the outcome's unit.
    asked : int
        Labelled rows, those on which the model abstains among them.
    """

    rows: Rows
    X: Floats
    y: Floats
    score: Floats
    asked: int


def vectors_of(model: RiskModel, cohort: Cohort, rows: Rows) -> Floats:
    """Rows of a cohort in a model's order; an input that the cohort has not is missing.

    Returns
    -------
    ndarray, shape (n_rows, n_features)
    """
    position = {name: i for i, name in enumerate(cohort.features)}
    X = np.full((len(rows), len(model.features)), np.nan)
    for i, name in enumerate(model.features):
        if name in position:
            X[:, i] = cohort.X[rows, position[name]]
    return model.vectors(X)


def answers(model: RiskModel, cohort: Cohort, among: NDArray[np.bool_]) -> Answers:
    """Ask a model about the labelled rows among some of a cohort."""
    y = cohort.labels[model.outcome]
    known = np.flatnonzero(among & ~np.isnan(y))
    X = vectors_of(model, cohort, known)
    answered = model.answers(X)
    rows, X = known[answered], X[answered]
    score, _ = model.explain(X)
    return Answers(rows, X, y[rows], score, len(known))


def judge(
    model: RiskModel,
    cohort: Cohort,
    found: Answers,
    vocabulary: Vocabulary,
    seed: int,
    *,
    comparators: Mapping[str, Floats] | None = None,
    groups: Mapping[str, Labels] | None = None,
) -> dict[str, Any]:
    """Evaluate a model on the rows that it answers.

    Parameters
    ----------
    comparators : mapping of ndarray, shape (n_answered,), optional
        Probabilities beside those that the cohort brings, NaN where there is none.
    groups : mapping, optional
        Groupings beside those that the source declares, a label per answered row.

    Returns
    -------
    dict
        From `evaluate_binary` or `evaluate_numeric`, with `abstained`: `rows` and `share`.

    Raises
    ------
    CohortTooSmall
        When the rows cannot carry the evaluation.
    """
    rows, y = found.rows, found.y
    lower, upper = model.bounds(found.X, found.score)
    own = {
        name: [values[i] for i in rows] for name, values in group_values(cohort, vocabulary).items()
    }
    own_groups: dict[str, Labels] = {**own, **(groups or {})}
    patients = None if cohort.patients is None else cohort.patients[rows].astype(str).tolist()
    resamples = cohort.source.plan.resamples
    try:
        if model.kind == "binary":
            others = {
                name: outcomes[model.outcome][rows]
                for name, outcomes in cohort.comparators.items()
                if model.outcome in outcomes
            }
            evaluation = evaluate_binary(
                y, probability(found.score), lower=lower, upper=upper,
                comparators={**others, **(comparators or {})}, groups=own_groups, seed=seed,
                n_resamples=resamples, patients=patients,
                thresholds=vocabulary.branch_points[model.branch_point].decision_thresholds(
                    model.outcome
                ),
            )  # fmt: skip
        else:
            evaluation = evaluate_numeric(
                y, found.score, lower=lower, upper=upper, groups=own_groups, seed=seed,
                n_resamples=resamples, patients=patients,
            )  # fmt: skip
    except ValueError as error:
        raise CohortTooSmall(
            f"{model.outcome}: held-out rows cannot be evaluated: {error}"
        ) from error
    evaluation["abstained"] = {
        "rows": int(found.asked - len(rows)),
        "share": float(1 - len(rows) / found.asked) if found.asked else 0.0,
    }
    return evaluation
