"""Published scores for every row of a cohort, where their inputs are there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.reference_scores import SCORES, Scored
from models.vocabulary import Vocabulary
from training.cohort import Cohort

Floats = NDArray[np.float64]


def score_columns(
    cohort: Cohort, rows: NDArray[np.intp], outcome: str, vocabulary: Vocabulary
) -> dict[str, Floats]:
    """Probabilities of the scores that the branch point declares for an outcome.

    Returns
    -------
    dict
        Score -> probability, shape (n_rows,), NaN where an input that it needs is missing: a missing
        finding is never taken for a normal one. Scores that no row has are left out.
    """
    point = vocabulary.branch_points[cohort.source.branch_point]
    scores = [SCORES[name] for name in point.reference_scores if outcome in SCORES[name].outcomes]
    found = {score.id: np.full(len(rows), np.nan) for score in scores}
    for i, row in enumerate(rows):
        own = cohort.X[row]
        values = {
            name: float(value)
            for name, value in zip(cohort.features, own, strict=True)
            if not np.isnan(value)
        }
        for score in scores:
            scored = score.assess(values, vocabulary.features)
            if isinstance(scored, Scored) and scored.probability is not None:
                found[score.id][i] = scored.probability
    return {name: own for name, own in found.items() if not np.isnan(own).all()}
